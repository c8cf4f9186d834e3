"""errors.py (SPEC 15): one tree, drawn in its own docstring; every error has a code, a meaning and something to do."""

from __future__ import annotations

import inspect
import re

import pytest

from e2esync import errors
from e2esync.errors import E2esyncError, Refused

CLASSES = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, E2esyncError)]
NAMES = [kind.__name__ for kind in CLASSES]


def made(kind: type[E2esyncError], hint: str = "") -> E2esyncError:
    return kind("Busy", "what was wrong", hint) if issubclass(kind, Refused) else kind("what was wrong", hint)


def test_the_docstring_draws_every_class_under_its_parent() -> None:
    drawing = (errors.__doc__ or "").split("\n\n")[1]
    parents = {0: "E2esyncError"}
    drawn = {}
    for line in drawing.splitlines():
        # A class stands two columns right of its branch; what follows two or more spaces is prose, or a sibling.
        found = re.match(r"([ │├└─]*)([A-Z]\w+)(.*)", line)
        assert found is not None, line
        depth = len(found[1]) // 4
        siblings = [found[2], *re.findall(r"  ([A-Z]\w+)", found[3])]
        for name in siblings:
            if name != "E2esyncError":
                drawn[name] = parents[depth - 1] if depth > 1 else "E2esyncError"
        parents[depth] = found[2]
    # RightMissing is a ChainInvalid; the drawing shows both under ObjectError.
    expected = {kind.__name__: kind.__mro__[1].__name__ for kind in CLASSES if kind is not E2esyncError}
    assert drawn == expected | {"RightMissing": "ObjectError"}


@pytest.mark.parametrize("kind", CLASSES, ids=NAMES)
class TestEvery:
    def test_code_is_its_name(self, kind: type[E2esyncError]) -> None:
        assert kind.code == ("Error" if kind is E2esyncError else kind.__name__)

    def test_says_what_it_is_in_a_sentence(self, kind: type[E2esyncError]) -> None:
        summary = (inspect.getdoc(kind) or "").split("\n")[0]
        assert summary.endswith(".")
        assert "doc" not in kind.__dict__ or kind.__dict__["__doc__"]

    def test_message_and_hint(self, kind: type[E2esyncError]) -> None:
        error = made(kind, "do this")
        assert (str(error), error.message, error.hint) == ("what was wrong", "what was wrong", "do this")
        assert made(kind).hint == kind.default_hint

    def test_is_of_the_tree(self, kind: type[E2esyncError]) -> None:
        with pytest.raises(E2esyncError):
            raise made(kind)


def test_a_refusal_carries_the_relays_code() -> None:
    refusal = Refused("Busy", "the relay cannot now")
    assert (refusal.reason, refusal.code) == ("Busy", "Refused")


def test_nothing_else_is_public() -> None:
    own = {name for name, value in vars(errors).items() if getattr(value, "__module__", "") == errors.__name__}
    assert own == set(NAMES)
