import importlib.metadata
import re

from edgewright.pipeline.doctor import diagnose


def test_every_component_is_there_or_has_a_mend():
    checks = diagnose()
    assert len({check.name for check in checks}) == len(checks)
    for check in checks:
        assert check.status in ("ok", "missing", "absent")
        assert check.version if check.status == "ok" else check.mend


def test_versions_are_those_that_are_installed():
    found = {check.name: check.version for check in diagnose()}
    assert found["torch"] == importlib.metadata.version("torch")


def test_the_extras_that_it_names_exist(extras):
    named = re.findall(r"edgewright\[([\w-]+)\]", " ".join(check.mend for check in diagnose()))
    assert set(named) <= extras
