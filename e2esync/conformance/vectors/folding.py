"""Examples of FOLD (SPEC 8.4): entries in log order, and one state for every order of what was concurrent."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from typing import Any, Final

from e2esync.conformance.vectors.case import Inputs, Json, Layer, Outcome, hexed
from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.conformance.vectors.operations import ID, OTHER, gone, put
from e2esync.conformance.vectors.states import group, view_json
from e2esync.contactset import ContactSet, Item, clamp, decode_ops, digest_of, view
from e2esync.errors import EntryInvalid
from e2esync.limits import LIFE_MAX, STATE_MAX
from e2esync.wire import encode

_RUN: Final = b"\x1d" * 32


def _state(start: Json) -> ContactSet:
    contacts = {bytes.fromhex(contact): bytes.fromhex(state) for contact, state in start["contacts"]}
    vector = {member: (counter, bytes.fromhex(last)) for member, counter, last in start["vector"]}
    return ContactSet(contacts, vector, {})


def _apply(state: ContactSet, entry: Json, batches: Mapping[bytes, list[Item]]) -> str:
    """FOLD of one entry; its status."""
    applied = state.apply(
        entry["author"], entry["counter"], bytes.fromhex(entry["id"]), dict(entry["vector"]),
        decode_ops(bytes.fromhex(entry["ops"])), entry["size"], entry["epoch"],
        lambda op: batches[op.index_id], prev=bytes.fromhex(entry["prev"]),
    )
    return applied.status.name


def _result(state: ContactSet) -> Inputs:
    return {
        "contacts": hexed(sorted(state.contacts.items())),
        "vector": hexed([[member, *last] for member, last in sorted(state.vector.items())]),
        "digest": digest_of(state.contacts).hex(),
        "views": [[contact.hex(), view_json(state.contacts[contact])] for contact in sorted(state.contacts)
                  if view(state.contacts[contact]) is not None],
    }


def _fold(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    state = _state(inputs["start"])
    batches = {
        bytes.fromhex(index): [(bytes.fromhex(contact), bytes.fromhex(packed)) for contact, packed in items]
        for index, items in inputs["batches"]
    }
    statuses, digests, seen = [], [], []
    for entry in inputs["entries"]:
        claimed = clamp(dict(entry["vector"]), state.counters(), entry["author"], entry["counter"])
        statuses.append(_apply(state, entry, batches))
        digests.append(digest_of(state.contacts).hex())
        seen.append(hexed(sorted(claimed.items())))
    return Outcome({"statuses": statuses} | _result(state), {"seen": seen, "digests": digests})


def _converge(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    results = []
    for order in inputs["orders"]:
        state = _state({"contacts": [], "vector": []})
        for place in order:
            _apply(state, inputs["entries"][place], {})
        results.append(_result(state))
    assert all(result == results[0] for result in results), "the orders end in different states"
    return Outcome(results[0])


OPERATIONS: Final = {"fold": _fold, "converge": _converge}


def entry_id(author: int, counter: int) -> bytes:
    """The id that examples give to an entry."""
    return bytes([author, counter]) * 16


def entry(
    author: int, counter: int, *forms: list[Any], vector: dict[int, int] | None = None, epoch: int = 3, **change: Any,
) -> Json:
    """An entry as cases write it: what FOLD needs of it."""
    ops = encode(list(forms))
    made: dict[str, Any] = {
        "author": author, "counter": counter, "id": entry_id(author, counter).hex(),
        "prev": (entry_id(author, counter - 1) if counter > 1 else bytes(32)).hex(),
        "vector": hexed(sorted((vector or {}).items())), "epoch": epoch, "ops": ops.hex(), "size": 300 + len(ops),
    }
    return made | change


def _inputs(*entries: Json, start: Json = None, batches: list[Any] | None = None) -> Inputs:
    return {
        "start": start or {"contacts": [], "vector": []}, "entries": list(entries), "batches": hexed(batches or []),
    }


def add_cases(cases: Layer) -> None:
    """Add the cases of 8.4 to the layer `contactset`."""
    _sets(cases)
    _too_large(cases)
    _deletes(cases)
    _what_was_seen(cases)
    _places(cases)
    _batches(cases)
    _broken_batches(cases)
    _orders(cases)


def _sets(cases: Layer) -> None:
    made = entry(1, 1, put({"name/full": "Zoë", "phones/a": "+1"}))
    by_two = entry(2, 1, put({"phones/a": "+2"}, time=2))
    for name, comment, entries in (
        ("create", "a new contact", [made]),
        ("two-contacts", "two sets of one entry", [entry(1, 1, put({"a": 1}), put({"a": 2}, contact=OTHER))]),
        ("replace-own", "an author has seen its own entries", [made, entry(1, 2, put({"phones/a": "+3"}, time=2))]),
        ("replace-seen", "what was seen is replaced", [made, entry(2, 1, put({"phones/a": "+2"}), vector={1: 1})]),
        ("group-without-paths", "a group whose every path was replaced goes",
         [made, entry(2, 1, put({"name/full": "Zo", "phones/a": "+2"}), vector={1: 1})]),
        ("concurrent", "what was not seen stays: a conflict", [made, by_two]),
        ("settled", "who has seen both replaces both", [made, by_two,
         entry(3, 1, put({"phones/a": "+3"}, time=1), vector={1: 1, 2: 1})]),
        ("remove-register", "a null, with the epoch of the fold", [made, entry(1, 2, put({"phones/a": None}))]),
        ("remove-and-edit", "a removal that did not see the edit", [made,
         entry(2, 1, put({"phones/a": "+2"}), vector={1: 1}), entry(3, 1, put({"phones/a": None}), vector={1: 1})]),
        ("null-replaced", "a group without nulls forgets its epoch",
         [entry(1, 1, put({"a": None, "b": 1})), entry(1, 2, put({"a": 1}))]),
        ("twice-in-one-entry", "a later operation replaces an earlier one's value and time",
         [entry(1, 1, put({"a": 1, "b": 1}, time=7), put({"a": 2}, time=3))]),
        ("two-lives", "each life has groups of its own",
         [entry(1, 1, put({"a": 1})), entry(2, 1, put({"a": 2}, life=2))]),
        ("last-life", "life 2^31−1", [entry(1, 1, put({"a": 1}, life=LIFE_MAX))]),
        ("own-object", "the set's own object is folded like any contact, and never shown as one",
         [entry(1, 1, put({"name": "Family"}, contact=bytes(16)))]),
        ("unknown-operation", "a later version's operation has no effect, the others of its entry have",
         [entry(1, 1, [9, "later"], put({"a": 1}))]),
        ("no-operations", "only the vector moves", [entry(1, 1)]),
    ):
        cases.valid("fold", name, "8.4 step 4", comment, _inputs(*entries))


def _too_large(cases: Layer) -> None:
    """A contact that is nearly full: the sets of an entry that would make it too large have no effect on it."""
    large = encode([[1, [group({"a": bytes(STATE_MAX - 200)}, 1, 1)]]])
    start = {"contacts": [[ID.hex(), large.hex()]], "vector": [[1, 1, entry_id(1, 1).hex()]]}
    for name, comment, forms in (
        ("too-large", "a set that does not fit has no effect; those of other contacts have",
         [put({"b": "x" * 200}), put({"a": 1}, contact=OTHER)]),
        ("too-large-and-delete", "a delete beside it has", [put({"b": "x" * 200}), gone()]),
        ("large-and-replaced", "a set that leaves less than there was", [put({"a": 1, "b": "x" * 200})]),
    ):
        cases.valid("fold", name, "8.3", comment, _inputs(entry(1, 2, *forms), start=start))


def _deletes(cases: Layer) -> None:
    made, by_two = entry(1, 1, put({"a": 1})), entry(2, 1, put({"a": 2}))
    for name, comment, entries in (
        ("delete", "everything seen is covered", [made, entry(1, 2, gone(), epoch=4)]),
        ("delete-and-edit", "an edit that the delete did not see keeps the life alive",
         [made, by_two, entry(3, 1, gone(), vector={1: 1})]),
        ("edit-of-dead", "an edit that did not see the delete makes the life alive again",
         [made, entry(1, 2, gone()), entry(2, 1, put({"b": 2}), vector={1: 1})]),
        ("delete-own-writes", "a delete covers its own entry's writes", [entry(1, 1, put({"a": 1}), gone())]),
        ("set-after-delete", "not a writer's to write, and folded all the same",
         [made, entry(1, 2, gone(), put({"b": 1}))]),
        ("delete-of-nothing", "a life that does not exist has nothing to cover", [entry(1, 1, gone())]),
        ("delete-nothing-seen", "nothing is covered, and `died` stays as it was",
         [made, entry(2, 1, gone(), epoch=9)]),
        ("delete-twice", "`died` is the newest epoch of both",
         [made, entry(1, 2, gone(), epoch=3), entry(2, 1, gone(), vector={1: 1}, epoch=4)]),
        ("next-life", "a contact made again", [made, entry(1, 2, gone()), entry(1, 3, put({"a": 3}, life=2))]),
        ("covered-group-gone", "a covered dot whose group is gone is forgotten",
         [made, entry(1, 2, gone()), entry(2, 1, put({"a": 2}), vector={1: 2})]),
    ):
        cases.valid("fold", name, "8.4 step 4", comment, _inputs(*entries))


def _what_was_seen(cases: Layer) -> None:
    ahead = {
        "contacts": [[ID.hex(), encode([[1, [group({"a": "ahead"}, 2, 7)]]]).hex()]],
        "vector": [[2, 3, entry_id(2, 3).hex()]],
    }
    cases.valid("fold", "claim-beyond-log", "8.4 step 3",
                "a snapshot with a write that no log has shown yet: who claims to have seen it has not",
                _inputs(entry(1, 1, put({"a": 1}), vector={2: 9}), start=ahead))
    cases.valid("fold", "delete-beyond-log", "8.4 step 3", "and does not delete it",
                _inputs(entry(1, 1, gone(), vector={2: 9}), start=ahead))
    cases.valid("fold", "own-claim-too-low", "8.4 step 3", "an author has seen its own entries whatever it claims",
                _inputs(entry(1, 1, put({"a": 1})), entry(1, 2, put({"a": 2}))))
    cases.valid("fold", "stranger-in-claim", "8.4 step 3", "a member that has written nothing",
                _inputs(entry(1, 1, put({"a": 1})), entry(2, 1, put({"a": 2}), vector={1: 1, 7: 5})))


def _places(cases: Layer) -> None:
    one, two, three = entry(1, 1, put({"a": 1})), entry(1, 2, put({"a": 2})), entry(1, 3, put({"a": 3}))
    fork, other = entry(1, 1, put({"a": 9}), id="0f" * 32), entry(1, 2, put({"a": 9}), id="0f" * 32)
    large = 600 << 10
    for name, step, comment, entries in (
        ("again", 1, "an entry that was folded has no effect", [one, one]),
        ("again-later", 1, "also behind its author's next", [one, two, one]),
        ("fork", 1, "another entry under one counter", [one, fork]),
        ("parked", 2, "an entry waits for the one before it", [two]),
        ("parked-then-folded", 5, "and is folded behind it", [three, two, one]),
        ("parked-twice", 2, "the same entry again", [two, two, one]),
        ("parked-first-stays", 2, "another one under the same counter has no effect", [two, other, one]),
        ("parked-of-another-branch", 5, "its `prev` is another entry: it is dropped",
         [entry(1, 2, put({"a": 9}), prev="0f" * 32), one]),
        ("parked-then-the-right-one", 5, "what was dropped makes room",
         [entry(1, 2, put({"a": 9}), prev="0f" * 32), one, two]),
        ("parked-too-much", 2, "more than 1 MiB of an author's is dropped", [two | {"size": large},
                                                                        three | {"size": large}, one]),
        ("parked-of-another-author", 2, "each author has its own 1 MiB",
         [two | {"size": large}, entry(2, 2, put({"b": 2})) | {"size": large}, one, entry(2, 1)]),
        ("parked-sees-what-was-folded", 5, "a claim counts as far as the log shows when the entry is folded",
         [entry(1, 2, put({"a": 2}), vector={2: 1}), entry(2, 1, put({"a": 5})), one]),
    ):
        cases.valid("fold", name, f"8.4 step {step}", comment, _inputs(*entries))
    cases.valid("fold", "other-branch", "10.4", "the next counter, and not the entry before it: no effect",
                _inputs(one, entry(1, 2, put({"a": 9}), prev="0f" * 32)))


def _item(member: int = 1, counter: int = 1, contact: bytes = ID, **values: Any) -> list[Any]:
    return [contact, encode([[1, [group(values or {"a": 5}, member, counter)]]])]


def _batch(*items: list[Any], count: int | None = None) -> tuple[list[Any], list[Any]]:
    """(operation, what its run holds)."""
    return [3, _RUN, b"\x4e" * 32, len(items) if count is None else count], [[_RUN, list(items)]]


def _batches(cases: Layer) -> None:
    op, batches = _batch(_item(), _item(contact=OTHER))
    cases.valid("fold", "batch", "11.4", "new contacts", _inputs(entry(1, 1, op), batches=batches))
    op, batches = _batch(_item(2, 1, a=7, b=8))
    cases.valid("fold", "batch-onto-contact", "11.4", "an item is folded as sets of its lives",
                _inputs(entry(1, 1, put({"a": 1})), entry(2, 1, op, vector={1: 1}), batches=batches))
    cases.valid("fold", "batch-onto-unseen", "11.4", "and replaces only what its author had seen",
                _inputs(entry(1, 1, put({"a": 1})), entry(2, 1, op), batches=batches))
    two = [ID, encode([[1, [group({"a": 1})]], [2, [group({"a": 2})]]])]
    op, batches = _batch(two)
    cases.valid("fold", "batch-of-two-lives", "11.4", "an item may have several lives",
                _inputs(entry(1, 1, op), batches=batches))


def _broken_batches(cases: Layer) -> None:
    for name, comment, item in (
        ("of-another-author", "a write of member 2 in member 1's batch", _item(2, 1)),
        ("of-another-entry", "a write of the author's next entry", _item(1, 2)),
        ("with-null", "a null", [ID, encode([[1, [group({"a": None}, epoch=3)]]])]),
        ("with-covered-dot", "a deletion", [ID, encode([[1, [group({"a": 1})], 3, [[1, 1]]]])]),
        ("with-absent-contact", "a contact that is absent", [ID, b""]),
        ("with-malformed-state", "a state without lives", [ID, encode([])]),
        ("with-short-id", "a contact id of 15 bytes", _item(contact=ID[:15])),
        ("with-two-groups", "a second dot beside the entry's",
         [ID, encode([[1, [group({"a": 1}), group({"b": 1}, 1, 2)]]])]),
    ):
        op, batches = _batch(_item(contact=OTHER), item)
        cases.invalid("fold", f"batch-{name}", "11.4", comment, _inputs(entry(1, 1, op), batches=batches),
                      EntryInvalid, flags=("batch",))
    for name, comment, count in (("more", "a count above what is there", 2), ("less", "a count below", 1)):
        items = [_item(), _item(contact=OTHER)][: 3 - count]
        op, batches = _batch(*items, count=count)
        cases.invalid("fold", f"batch-count-{name}", "11.4", comment, _inputs(entry(1, 1, op), batches=batches),
                      EntryInvalid, flags=("batch",))


def _orders(cases: Layer) -> None:
    made = entry(1, 1, put({"name/full": "Zoë", "phones/a": "+1"}))
    seen = {1: 1}
    edits = [entry(author, 1, put({"phones/a": f"+{author}", f"notes/{author}": "x"}, time=author), vector=seen)
             for author in (2, 3, 4)]
    removals = [
        entry(2, 1, gone(), vector=seen), entry(3, 1, put({"phones/a": None}), vector=seen),
        entry(4, 1, put({"phones/a": "+4"}), vector=seen),
    ]
    both = [entry(2, 1, gone(), vector=seen), entry(3, 1, gone(), vector=seen),
            entry(4, 1, put({"a": 4}, life=2), vector=seen)]
    for name, comment, three in (
        ("edits", "three edits of one register", edits),
        ("delete-remove-edit", "a delete, a removal and an edit", removals),
        ("two-deletes-and-a-life", "two deletes and a life made anew", both),
    ):
        orders = [[0, *order] for order in permutations((1, 2, 3))]
        cases.valid("converge", name, "8.4", comment, {"entries": [made, *three], "orders": orders})
    chained = [entry(1, 2, put({"phones/a": "+9"}, time=9), vector={1: 1, 2: 1})]
    entries = [made, edits[0], *chained, edits[1]]
    cases.valid("converge", "with-gaps", "8.4", "an entry that comes before its author's first waits for it", {
        "entries": entries, "orders": [[0, 1, 2, 3], [1, 0, 2, 3], [1, 2, 0, 3], [3, 1, 2, 0], [1, 3, 2, 0]]})
