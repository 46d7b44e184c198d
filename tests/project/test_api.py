"""The package's own names."""

import edgewright


def test_all_is_what_is_exported() -> None:
    assert set(edgewright.__all__) == {*edgewright._HOME, "__version__"}


def test_every_exported_name_resolves_to_something_documented() -> None:
    for name in edgewright.__all__:
        value = getattr(edgewright, name)
        assert name == "__version__" or value.__doc__
