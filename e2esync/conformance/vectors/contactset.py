"""Examples of the contact set (SPEC 8): operations, states, fold, boundary, view and digest."""

from __future__ import annotations

from typing import Final

from e2esync.conformance.vectors import folding, operations, states
from e2esync.conformance.vectors.case import Layer

_FLAGS: Final = {
    "writer": "what a writer must not write",
    "operations": "operations that are not well-formed: their entry has no effect",
    "state": "a packed state that is not the one spelling of a contact",
    "batch": "a batch that is not its entry's own writes: the entry has no effect",
}


def layer() -> Layer:
    """All cases of `contactset.json`."""
    performed = operations.OPERATIONS | states.OPERATIONS | folding.OPERATIONS
    cases = Layer("contactset", "8", performed, _FLAGS)
    operations.add_cases(cases)
    states.add_cases(cases)
    folding.add_cases(cases)
    return cases
