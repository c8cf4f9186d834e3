"""Examples of epochs (SPEC 9, 10.6, 10.9): records, chains, boxes, announcements, deletions of one small set."""

from __future__ import annotations

from typing import Final

from e2esync.conformance.vectors import announcements, boxes, chains, deletions, records
from e2esync.conformance.vectors.case import Layer
from e2esync.conformance.vectors.world import world

_FLAGS: Final = {
    "shape": "an object, signed as it is, whose form is not the one of its section",
    "bomb": "more than may be looked at",
    "downgrade": "step 1: another suite, place or relay",
    "ghost": "step 2: not opened by a member with its current key",
    "right": "step 3: a change that the opener may not make",
    "key-reuse": "step 4: a key that is unfit, unproved or not new",
    "lock-out": "step 5: not one root, or too many members",
    "rewound-key": "step 6: numbers that are not those of the devices, or lead back to an erased key",
    "record-0": "a first record that does not begin a set",
    "fork": "two records with one number, between which no root decides",
    "boxes": "a box, list or secret that the signed record does not commit to",
    "relay": "what the relay checks of an opening, and refuses as BadRecord",
    "slot": "an announcement that its slot does not take",
    "request": "a request of a form that there is not",
    "deletion": "a word that deletes nothing: of another place, of nobody with the right, forged, void or too early",
}


def layer() -> Layer:
    """All cases of `epochs.json`."""
    operations = (
        records.OPERATIONS | chains.OPERATIONS | boxes.OPERATIONS | announcements.OPERATIONS | deletions.OPERATIONS
    )
    cases = Layer("epochs", "9", operations, _FLAGS)
    for number, record in enumerate(world().records):
        cases.give(f"record-{number}", record)
    records.add_cases(cases)
    chains.add_cases(cases)
    boxes.add_cases(cases)
    announcements.add_cases(cases)
    deletions.add_cases(cases)
    return cases
