import inspect
import re

import pytest

from edgewright import errors

CLASSES = {
    name: cls for name, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, errors.SDKError)
}


def test_the_tree_at_the_top_of_the_module_draws_every_class_under_its_parent():
    parents, stack = dict[str, str | None](), list[str]()
    for line in (errors.__doc__ or "").splitlines()[1:]:  # indented by four
        if match := re.match(r"^([ │├└─]*)(\w+Error)\b", line):
            depth, name = (len(match[1]) - 4) // 4, match[2]
            stack = [*stack[:depth], name]
            parents[name] = stack[-2] if len(stack) > 1 else None
    assert set(parents) == set(CLASSES)
    for name, parent in parents.items():
        bases = {base.__name__ for base in CLASSES[name].__bases__}
        assert parent is None or parent in bases, name


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("UsageError", 2),
        ("StorageError", 2),
        ("InfeasibleBudgetError", 3),
        ("BudgetViolationError", 3),
        ("DeviceUnavailableError", 4),
        ("ParityError", 5),
        ("InterruptedRunError", 130),
    ],
)
def test_exit_codes_are_the_documented_ones(name, code):
    assert CLASSES[name].exit_code == code


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("UsageError", ValueError),
        ("MissingEntryError", KeyError),
        ("OutputExistsError", FileExistsError),
        ("MissingExtraError", ImportError),
        ("StorageError", OSError),
    ],
)
def test_errors_are_caught_as_the_builtin_that_a_caller_expects(name, builtin):
    assert issubclass(CLASSES[name], builtin)


def test_every_error_prints_its_message_as_it_was_given():
    for name, cls in CLASSES.items():
        error = cls("what is wrong", ["x"]) if name == "MissingEntryError" else cls("what is wrong")
        assert str(error) == "what is wrong", name


def test_a_missing_entry_names_all_that_is_missing():
    assert errors.MissingEntryError("lacks two", ["a", "b"]).missing == ("a", "b")
