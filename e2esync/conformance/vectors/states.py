"""Examples of packed states (SPEC 8.3 and 8.5 to 8.7): what a decoder refuses, boundary, view and digest."""

from __future__ import annotations

from typing import Any, Final

from e2esync.conformance.vectors.case import Inputs, Json, Layer, Outcome, tagged, text
from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.conformance.vectors.operations import ID, OTHER, nested
from e2esync.contactset import (
    alive_lives,
    boundary_contact,
    bucket_digest,
    check_packed,
    contact_hash,
    digest_of,
    harms,
    pack,
    unpack,
    view,
    write_life,
)
from e2esync.errors import BadState
from e2esync.limits import INT_MAX, LIFE_MAX, STATE_MAX
from e2esync.wire import encode


def _check_state(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    state = bytes.fromhex(inputs["state"])
    settled = not check_packed(state)
    assert pack(unpack(state)) == state
    return Outcome({"settled": settled, "alive_lives": list(alive_lives(state)), "write_life": write_life(state)})


def _boundary(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    after = boundary_contact(bytes.fromhex(inputs["state"]), inputs["horizon"])
    return Outcome({"state": (after or b"").hex()})


def _view(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    state = bytes.fromhex(inputs["state"])
    check_packed(state)
    return Outcome({"view": view_json(state)})


def view_json(state: bytes) -> Json:
    """The view of a packed state as cases write it; an empty array where no life is alive."""
    shown = view(state)
    if shown is None:
        return []
    return {
        "registers": tagged(shown.registers), "updated": shown.updated, "lives": list(shown.alive_lives),
        "conflicts": [
            [text(path), [[tagged(each.value), each.time, each.author, each.counter] for each in losers]]
            for path, losers in shown.conflicts.items()
        ],
    }


def _digest(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    contacts = {bytes.fromhex(contact): bytes.fromhex(state) for contact, state in inputs["contacts"]}
    hashes = {contact: contact_hash(contact, contacts[contact]) for contact in sorted(contacts)}
    buckets = sorted({contact[0] for contact in contacts})
    return Outcome({"digest": digest_of(contacts).hex()}, {
        "contact_hashes": [each.hex() for each in hashes.values()],
        "empty_bucket": bucket_digest([]).hex(),
        "buckets": [
            [bucket, bucket_digest([hashes[each] for each in hashes if each[0] == bucket]).hex()]
            for bucket in buckets
        ],
    })


def _harms(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    pairs = [(bytes.fromhex(before), bytes.fromhex(after)) for before, after in inputs["changes"]]
    for state in filter(None, (state for pair in pairs for state in pair)):
        check_packed(state)
    return Outcome({"harms": [harms(before, after) for before, after in pairs]})


OPERATIONS: Final = {
    "check_state": _check_state, "boundary": _boundary, "view": _view, "digest": _digest, "harms": _harms,
}


def group(values: dict[str, Any], member: int = 1, counter: int = 1, time: int = 5, epoch: int | None = None) -> Any:
    """A group, as an array."""
    return [member, counter, time, values] + ([] if epoch is None else [epoch])


_PLAIN: Final = [1, [group({"a": 1, "b": "x"})]]
_DEAD: Final = [1, [group({"a": 1}), group({"b": 2}, 2, 3)], 4, [[1, 1], [2, 3]]]
_HALF: Final = [1, [group({"a": 1}), group({"b": 2}, 2, 3)], 4, [[1, 1]]]
_NULL: Final = [1, [group({"a": None, "b": 2}, epoch=3)]]
_NULLS: Final = [2, [group({"a": None}, epoch=3), group({"b": 2}, 2, 3)]]


def add_cases(cases: Layer) -> None:
    """Add the cases of 8.3, 8.5, 8.6 and 8.7 to the layer `contactset`."""
    for name, comment, lives in (
        ("plain", "one life of one group", [_PLAIN]),
        ("dead", "both groups are covered", [_DEAD]),
        ("half-covered", "alive while a group is not covered", [_HALF]),
        ("null", "a group that holds a null says in which epoch it was folded", [_NULL]),
        ("two-lives", "ascending by number", [_DEAD, _NULLS]),
        ("last-life", "dead at the greatest number: that one is written again",
         [[LIFE_MAX, [group({"a": 1})], 1, [[1, 1]]]]),
    ):
        cases.valid("check_state", name, "8.3", comment, {"state": encode(lives).hex()})
    _malformed_lives(cases)
    _malformed_groups(cases)
    _boundaries(cases)
    _views(cases)
    _digests(cases)
    _harm_done(cases)


def _harm_done(cases: Layer) -> None:
    """What the guard does not count, and what it counts."""
    def one(values: dict[str, Any], *more: Any) -> Any:
        return [[1, [group(values), *more]]]

    whole, beside = one({"a": 1, "b": "x"}), one({"a": 1}, group({"b": 2}, 2, 1, 9))
    harmless: tuple[tuple[str, Any, Any], ...] = (
        ("nothing was shown", [], whole), ("it was dead", [_DEAD], []), ("the same state", whole, whole),
        ("a register more", whole, one({"a": 1, "b": "x", "c": 3})),
        ("a value beside the winner, which loses", beside, [[1, [*beside[0][1], group({"b": 3}, 3, 1, 8)]]]),
        ("an equal value under another dot", one({"a": 1}), [[1, [group({"a": 1}, 2, 7, 9)]]]),
        ("the same in another life", one({"a": 1}), [[2, [group({"a": 1}, 2, 7)]]]),
        ("origin", one({"a": 1, "origin": [1]}), one({"a": 1})),
        ("where bytes lie", one({"a": 1, "blobs/d": [1]}), one({"a": 1, "blobs/d": [2]})),
    )
    harmful: tuple[tuple[str, Any, Any], ...] = (
        ("the contact is gone", whole, []), ("all of it is covered", [[1, _DEAD[1]]], [_DEAD]),
        ("a register is gone", whole, one({"a": 1})),
        ("one is null", whole, one({"a": 1}, group({"b": None}, 2, 1, 9, epoch=3))),
        ("another value", whole, one({"a": 2, "b": "x"})), ("1.0 for 1", one({"a": 1}), one({"a": 1.0})),
        ("a value beside it wins", one({"a": 1}), one({"a": 1}, group({"a": 2}, 2, 1, 9))),
        ("a register whose name begins with origin", one({"a": 1, "original": 1}), one({"a": 1})),
    )
    for name, changes in (("harmless", harmless), ("harmful", harmful)):
        cases.valid("harms", name, "14.9", "in turn: " + ", ".join(comment for comment, _, _ in changes), {
            "changes": [[encode(state).hex() if state else "" for state in pair] for _, *pair in changes],
        })
    for name, pair in (("before", ["90", ""]), ("after", [encode(whole).hex(), "90"])):
        cases.invalid("harms", f"malformed-{name}", "8.3", "a state without lives", {"changes": [pair]}, BadState,
                      flags=("state",))


def _refuse(cases: Layer, name: str, comment: str, state: bytes) -> None:
    cases.invalid("check_state", name, "8.3", comment, {"state": state.hex()}, BadState, flags=("state",))


def _malformed_lives(cases: Layer) -> None:
    groups = _PLAIN[1]
    for name, comment, lives in (
        ("no-lives", "an empty array", []),
        ("map", "a map for the lives", {}),
        ("life-is-number", "a number for a life", [1]),
        ("life-of-one", "a life without groups", [[1]]),
        ("life-of-three", "a life with `died` and no covered dots", [[1, groups, 4]]),
        ("life-0", "lives begin with 1", [[0, groups]]),
        ("life-2-31", "a life of 2^31", [[LIFE_MAX + 1, groups]]),
        ("life-true", "a boolean is no number", [[True, groups]]),
        ("lives-descending", "lives out of order", [_NULLS, _PLAIN]),
        ("life-twice", "a life twice", [_PLAIN, _PLAIN]),
        ("no-groups", "a life with an empty array of groups", [[1, []]]),
        ("nothing-covered", "`died` and an empty array of covered dots", [[*_DEAD[:3], []]]),
        ("covered-without-group", "a covered dot whose group is gone", [[*_DEAD[:3], [[1, 1], [2, 4]]]]),
        ("covered-twice", "a covered dot twice", [[*_DEAD[:3], [[1, 1], [1, 1]]]]),
        ("covered-descending", "covered dots out of order", [[*_DEAD[:3], [[2, 3], [1, 1]]]]),
        ("covered-in-bytes", "a dot in bytes", [[*_DEAD[:3], [b"\1\1"]]]),
        ("covered-of-one", "a dot without a counter", [[*_DEAD[:3], [[1]]]]),
        ("covered-in-map", "a map for the covered dots", [[*_DEAD[:3], {}]]),
        ("covered-false", "a boolean is no member", [[*_DEAD[:3], [[False, 1]]]]),
        ("died-null", "no epoch", [[*_DEAD[:2], None, _DEAD[3]]]),
        ("died-below-0", "epoch −1", [[*_DEAD[:2], -1, _DEAD[3]]]),
        ("died-true", "a boolean is no epoch", [[*_DEAD[:2], True, _DEAD[3]]]),
    ):
        _refuse(cases, name, comment, encode(lives))


def _malformed_groups(cases: Layer) -> None:
    for name, comment, groups in (
        ("group-of-three", "a group without values", [group({})[:3]]),
        ("group-of-six", "a group with one element more", [[*group({"a": None}, epoch=3), 0]]),
        ("no-values", "a group with an empty map", [group({})]),
        ("values-in-list", "a list for the map", [[1, 1, 5, ["a"]]]),
        ("member-below-0", "member −1", [group({"a": 1}, -1)]),
        ("member-2-32", "member 2^32", [group({"a": 1}, 2**32)]),
        ("member-false", "a boolean is no member", [[False, 1, 5, {"a": 1}]]),
        ("counter-0", "counters begin with 1", [group({"a": 1}, 1, 0)]),
        ("counter-true", "a boolean is no counter", [[1, True, 5, {"a": 1}]]),
        ("time-null", "no time", [[1, 1, None, {"a": 1}]]),
        ("time-in-float", "a float is no time", [[1, 1, 5.5, {"a": 1}]]),
        ("time-below-0", "time −1", [group({"a": 1}, time=-1)]),
        ("groups-descending", "groups out of order", [group({"b": 2}, 2, 3), group({"a": 1})]),
        ("group-twice", "two groups of one dot", [group({"a": 1}), group({"b": 1})]),
        ("empty-path", "a path of no characters", [group({"": 1})]),
        ("path-without-property", "a path that begins with /", [group({"/a": 1})]),
        ("path-of-1025", "a path of 1025 characters", [group({"a" * 1025: 1})]),
        ("null-without-epoch", "a null, and no epoch", [group({"a": None})]),
        ("epoch-without-null", "an epoch, and no null", [group({"a": 1}, epoch=3)]),
        ("epoch-true", "a boolean is no epoch", [[*group({"a": None}), True]]),
        ("epoch-below-0", "epoch −1", [group({"a": None}, epoch=-1)]),
    ):
        _refuse(cases, name, comment, encode([[1, groups]]))
    good = encode([_PLAIN])
    # What is left of 512 KiB when the state says that its one group was covered in the last epoch there can be.
    room = STATE_MAX - len(encode([[1, [group({"a": bytes(1 << 17)})], INT_MAX, [[1, 1]]]])) + (1 << 17)
    largest, larger = (encode([[1, [group({"a": bytes(size)})]]]) for size in (room, room + 1))
    cases.valid("check_state", "largest", "8.3", "it would fit if it were deleted", {"state": largest.hex()})
    _refuse(cases, "too-large-once-deleted", "it would not fit if it were deleted", larger)
    _refuse(cases, "too-large", "one byte more than 512 KiB", bytes(STATE_MAX + 1))
    deepest = encode([[1, [group({"a": nested(33)})]]])
    for name, comment, state in (
        ("value-too-deep", "a value of 34 lists", deepest[:-1] + b"\x91\x90"),
        ("nothing", "no bytes", b""),
        ("trailing-byte", "a byte after the state", good + b"\0"),
        ("cut-short", "the last byte missing", good[:-1]),
        ("longer-form", "an array in a longer form", b"\xdc\0\1" + good[1:]),
        ("paths-descending", "map keys out of order",
         encode([[1, [group({"a": 1, "b": 2})]]]).replace(b"\xa1a\1\xa1b\2", b"\xa1b\2\xa1a\1")),
        ("not-a-number", "a value that is not finite",
         encode([[1, [group({"a": 1.5})]]]).replace(bytes.fromhex("3ff8"), bytes.fromhex("7ff8"))),
    ):
        _refuse(cases, name, comment, state)


def _boundaries(cases: Layer) -> None:
    other = [1, [group({"a": None}, epoch=3), group({"a": 2}, 2, 3)]]
    for name, comment, lives, horizon in (
        ("settled", "nothing to do", [_PLAIN], 9),
        ("dead-before-horizon", "step 1: a life that died before the horizon goes", [_DEAD], 5),
        ("dead-at-horizon", "step 1: a life that died in the horizon's epoch stays", [_DEAD], 4),
        ("dead-and-alive", "step 1: only the dead life goes", [_DEAD, [2, _PLAIN[1]]], 5),
        ("half-covered", "step 2: a living life forgets what was covered", [_HALF], 0),
        ("null-before-horizon", "step 3: the null goes and the rest of the group stays", [_NULL], 4),
        ("null-at-horizon", "step 3: the null of the horizon's epoch stays", [_NULL], 3),
        ("null-alone", "step 3: the group goes that holds nothing else", [_NULLS], 4),
        ("null-beside-value", "step 3: a path with a value keeps its null", [other], 4),
        ("two-nulls-one-young", "step 3: all nulls of a path are old, or all stay",
         [[1, [group({"a": None}, epoch=2), group({"a": None}, 2, 3, epoch=4)]]], 3),
        ("only-nulls", "step 3, 4: lives and contacts without groups go", [[1, [group({"a": None}, epoch=2)]]], 3),
    ):
        cases.valid("boundary", name, "8.5", comment, {"state": encode(lives).hex(), "horizon": horizon})
    cases.invalid("boundary", "malformed", "8.3", "a state without lives", {"state": "90", "horizon": 1}, BadState,
                  flags=("state",))


def _views(cases: Layer) -> None:
    for name, comment, lives in (
        ("one-value", "no conflicts", [_PLAIN]),
        ("dead", "no life is alive: nothing is shown", [_DEAD]),
        ("covered-group-shows", "a life that is alive shows all of it", [_HALF]),
        ("later-time-wins", "the time decides first",
         [[1, [group({"a": "old"}, 2, 9, 5), group({"a": "new"}, 3, 1, 6)]]]),
        ("greater-member-wins", "then the member",
         [[1, [group({"a": "one"}, 1, 9, 5), group({"a": "two"}, 2, 1, 5)]]]),
        ("greater-counter-wins", "then the counter",
         [[1, [group({"a": "one"}, 1, 1, 5), group({"a": "two"}, 1, 2, 5)]]]),
        ("higher-life-wins", "the life comes before the time",
         [[1, [group({"a": "first"}, 1, 1, 9)]], [2, [group({"a": "second"}, 2, 1, 5)]]]),
        ("null-loses", "a removal never wins over a value; it is listed as a conflict",
         [[1, [group({"a": "kept"}, 1, 1, 5), group({"a": None}, 2, 1, 9, epoch=0)]]]),
        ("only-null", "a path whose values are all null is not shown",
         [[1, [group({"a": None, "b": 1}, epoch=0)]]]),
        ("equal-values", "equal values are one",
         [[1, [group({"a": {"x": 1}}, 1, 1, 5), group({"a": {"x": 1}}, 2, 1, 6)]]]),
        ("equal-but-for-type", "1 and 1.0 are spelled differently: a conflict",
         [[1, [group({"a": 1}, 1, 1, 5), group({"a": 1.0}, 2, 1, 6)]]]),
        ("three-values", "the next best comes first",
         [[1, [group({"a": 1}, 1, 1, 7), group({"a": 2}, 2, 1, 9), group({"a": 3}, 3, 1, 8)]]]),
        ("blobs", "where bytes lie is never a conflict",
         [[1, [group({"blobs/d": 1}, 1, 1, 5), group({"blobs/d": 2}, 2, 1, 6)]]]),
    ):
        cases.valid("view", name, "8.6", comment, {"state": encode(lives).hex()})


def _digests(cases: Layer) -> None:
    plain, dead = encode([_PLAIN]).hex(), encode([_DEAD]).hex()
    neighbour = (ID[:1] + b"\xff" * 15).hex()
    for name, comment, contacts in (
        ("empty", "256 empty buckets", []),
        ("one", "one contact", [[ID.hex(), plain]]),
        ("two-buckets", "two contacts, also one that is dead", [[ID.hex(), plain], [OTHER.hex(), dead]]),
        ("one-bucket", "ascending by id within a bucket", [[neighbour, plain], [ID.hex(), dead]]),
        ("own-object", "the set's own object is hashed like any contact", [[bytes(16).hex(), plain]]),
    ):
        cases.valid("digest", name, "8.7", comment, {"contacts": contacts})
