"""Laws of the fold: order, duplicates, determinism, and members who lie (SPEC 8.4)."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync.contactset import (
    BatchOp,
    ContactSet,
    DigestTree,
    Op,
    boundary_contact,
    check_packed,
    contact_hash,
    delete_ops,
    digest_of,
    set_ops,
    view,
)
from e2esync.errors import EntryInvalid
from tests.contactset.strategies import CONTACTS, entries, wild_entries
from tests.laws.literal import LiteralSet

Written = tuple[int, int, dict[int, int], list[Op]]
"""author, counter, claimed vector, operations"""

vectors = st.dictionaries(st.integers(0, 3), st.integers(-1, 5), max_size=4)
wild = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4), vectors, wild_entries), max_size=12)


def fresh() -> ContactSet:
    return ContactSet({}, {}, {})


def apply(state: ContactSet, entry: Written, epoch: int = 0) -> None:
    author, counter, claimed, ops = entry
    state.apply(author, counter, bytes([author, counter]), claimed, ops, 100, epoch, lambda _: [])


@st.composite
def histories(draw: st.DrawFn) -> list[Written]:
    """What three honest writers write, who hear of one another's entries in random order."""
    devices = [fresh() for _ in range(3)]
    written: list[Written] = []
    for _ in range(draw(st.integers(1, 8))):
        author = draw(st.integers(0, 2))
        device = devices[author]
        for entry in written:
            if draw(st.booleans()) and ready(entry, device.counters()):
                apply(device, entry)
        mine: Written = (author, device.counter(author) + 1, device.counters(), draw(entries))
        apply(device, mine)
        written.append(mine)
    return written


def ready(entry: Written, vector: dict[int, int]) -> bool:
    """Whether everything that the entry's author had seen is there."""
    author, counter, claimed, _ = entry
    return vector.get(author, 0) == counter - 1 and all(
        vector.get(member, 0) >= count for member, count in claimed.items())


def some_order(written: list[Written], rng: Random) -> list[Written]:
    """A random order that follows causality."""
    left, order, vector = list(written), [], dict[int, int]()
    while left:
        entry = rng.choice([entry for entry in left if ready(entry, vector)])
        left.remove(entry)
        order.append(entry)
        vector[entry[0]] = entry[1]
    return order


@settings(max_examples=150, deadline=None, derandomize=True)
@given(histories(), st.integers(0, 2**32))
def test_concurrent_entries_commute(written: list[Written], seed: int) -> None:
    rng = Random(seed)
    left, right = fresh(), fresh()
    for entry in written:
        apply(left, entry)
    for entry in some_order(written, rng):
        apply(right, entry)
        apply(right, entry)
    assert left.contacts == right.contacts
    assert left.vector == right.vector


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.lists(entries, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_one_authors_entries_come_in_any_order_and_twice(ops: list[list[Op]], rng: Random) -> None:
    written: list[Written] = [(1, counter, {}, entry) for counter, entry in enumerate(ops, 1)]
    shuffled = written * 2
    rng.shuffle(shuffled)
    left, right = fresh(), fresh()
    for entry in written:
        apply(left, entry)
    for entry in shuffled:
        apply(right, entry)
    assert left.contacts == right.contacts
    assert left.vector == right.vector
    assert not right.parked


@settings(max_examples=300, deadline=None, derandomize=True)
@given(wild, st.integers(0, 3))
def test_the_fold_does_what_the_specification_says(log: list[Written], epoch: int) -> None:
    state, literal = fresh(), LiteralSet()
    for position, entry in enumerate(log):
        apply(state, entry, epoch + position // 4)
        literal.fold(*entry, epoch + position // 4)
        assert state.contacts == literal.packed()
        assert state.counters() == literal.vector
    for packed in state.contacts.values():
        check_packed(packed)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(wild, st.integers(0, 3))
def test_one_log_gives_one_state_and_one_digest(log: list[Written], horizon: int) -> None:
    left, right = fresh(), fresh()
    tree = DigestTree(lambda bucket: [
        contact_hash(contact, right.contacts[contact]) for contact in sorted(right.contacts) if contact[0] == bucket])
    for entry in log:
        apply(left, entry)
        apply(right, entry)
        for contact in CONTACTS:
            tree.touch(contact)
        # A device that stops here and starts again from its store is the same device.
        right = ContactSet(right.contacts, dict(right.vector), dict(right.parked))
        assert tree.digest() == digest_of(left.contacts)
    unsettled = [contact for contact, packed in left.contacts.items() if check_packed(packed)]
    left.boundary(horizon, unsettled)
    right.boundary(horizon, list(right.contacts))
    assert left.contacts == right.contacts


@settings(max_examples=150, deadline=None, derandomize=True)
@given(wild, vectors, wild_entries, st.lists(st.tuples(st.sampled_from(CONTACTS), st.binary(max_size=20)), max_size=2))
def test_liars_raise_nothing_else_and_leave_no_trace_when_refused(
    log: list[Written], claimed: dict[int, int], ops: list[Op], items: list[tuple[bytes, bytes]],
) -> None:
    state = fresh()
    for entry in log:
        apply(state, entry)
    before = dict(state.contacts), dict(state.vector), dict(state.parked)
    batch = BatchOp(bytes(32), bytes(32), max(1, len(items)))
    try:
        state.apply(3, 1, b"x", claimed, [*ops, batch], 100, 0, lambda _: items)
    except EntryInvalid:
        assert (state.contacts, state.vector, state.parked) == before
    for packed in state.contacts.values():
        view(packed)
        boundary_contact(packed, 1)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(histories())
def test_an_edit_that_has_seen_everything_is_what_is_shown(written: list[Written]) -> None:
    state = fresh()
    for entry in written:
        apply(state, entry)
    contact = CONTACTS[0]
    apply(state, (3, 1, state.counters(), [*set_ops(contact, state.contacts.get(contact), 0, {"name": "last"})]))
    after = view(state.contacts[contact])
    assert after is not None
    assert after.registers["name"] == "last"
    assert "name" not in after.conflicts
    apply(state, (3, 2, state.counters(), [*delete_ops(contact, state.contacts[contact], 0)]))
    assert view(state.contacts[contact]) is None
