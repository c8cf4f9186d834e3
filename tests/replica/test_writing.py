"""From an edit to the outbox: shown at once, packed by context, sealed once, laid over what others write."""

from __future__ import annotations

import pytest

from e2esync.contactset import BatchOp, DeleteOp, SetOp, decode_ops
from e2esync.errors import LimitExceeded
from e2esync.limits import ENTRY_BODY_MAX, ENVELOPE_MAX
from e2esync.log.entry import parse_entry
from e2esync.log.envelope import envelope_blobs
from e2esync.procedures.reading import catch_up
from e2esync.replica.contacts import contact_id
from e2esync.replica.writing import (
    all_landed,
    current_context,
    last_own,
    lay_over,
    pack,
    seal_outbox,
    shown_state,
    write,
    write_batch,
)
from e2esync.wire import decode
from tests.helpers.network import Device, Line, Network


def _entries(device: Device) -> list[list[object]]:
    return [decode_ops(parse_entry(row.entry).ops) for row in device.store.outbox()]


def test_edits_of_one_context_are_one_entry_with_one_set_a_life(net: Network) -> None:
    phone = net.begin()
    for n in range(5):
        phone.edit("ada", **{"notes/n": str(n)})
    phone.edit("bob", **{"notes/n": "x"})
    assert pack(phone.replica, net.entropy) == 1
    ((ada, bob),) = _entries(phone)
    assert isinstance(ada, SetOp)
    assert ada.values == {"uid": "ada", "notes/n": "4"}
    assert isinstance(bob, SetOp)
    assert phone.store.pending() == []
    assert pack(phone.replica, net.entropy) == 0


def test_another_context_is_another_entry(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    net.settle()
    laptop.edit("ada", **{"notes/n": "1"})
    phone.edit("bob", **{"notes/n": "1"})
    phone.sync()
    replica = laptop.replica
    line = Line(net, replica)
    line.run(catch_up(replica, line.link()))
    laptop.edit("ada", **{"notes/n": "2"})
    before = len(laptop.store.outbox())
    assert pack(laptop.replica, net.entropy) == 2
    first, second = (parse_entry(row.entry) for row in laptop.store.outbox()[before:])
    assert first.vector != second.vector
    assert (second.counter, second.prev) == (first.counter + 1, first.id)


def test_a_set_after_a_delete_begins_another_entry_and_life(net: Network) -> None:
    phone = net.begin()
    phone.edit("ada", **{"notes/n": "1"})
    phone.delete("ada")
    phone.edit("ada", **{"notes/n": "2"})
    assert pack(phone.replica, net.entropy) == 2
    (first, gone), (again,) = _entries(phone)
    assert (first.life, gone.life, again.life) == (1, 1, 2)  # type: ignore[attr-defined]
    assert isinstance(gone, DeleteOp)
    net.settle()
    assert phone.registers("ada") == {"uid": "ada", "notes/n": "2"}


def test_much_is_cut_into_entries_that_fit_an_envelope(net: Network) -> None:
    phone = net.begin()
    for n in range(12):
        phone.edit(f"c{n}", **{"notes/n": "x" * 60_000})
    made = pack(phone.replica, net.entropy)
    rows = seal_outbox(phone.replica, net.entropy)
    assert made == len(rows) == 3
    assert all(len(row.envelope) <= ENVELOPE_MAX for row in rows)
    phone.sync()
    assert all_landed(phone.replica)


def test_an_edit_that_no_entry_can_hold_is_refused_and_not_shown(net: Network) -> None:
    phone = net.begin()
    with pytest.raises(LimitExceeded):
        phone.edit("ada", **{"notes/n": "x" * (ENTRY_BODY_MAX + 1)})
    assert phone.registers("ada") is None
    assert phone.store.pending() == []


def test_an_edit_at_the_limit_is_sent(net: Network) -> None:
    phone = net.begin()
    phone.edit("ada", **{"notes/n": "x" * (ENTRY_BODY_MAX - 200)})
    phone.sync()
    assert all_landed(phone.replica)
    assert phone.registers("ada") is not None


def test_an_envelope_is_sealed_once(net: Network) -> None:
    phone = net.begin()
    phone.edit("ada", **{"notes/n": "1"})
    pack(phone.replica, net.entropy)
    (first,) = seal_outbox(phone.replica, net.entropy)
    assert seal_outbox(phone.replica, net.entropy) == [first]


def test_a_frozen_device_seals_nothing(net: Network) -> None:
    phone = net.begin()
    phone.edit("ada", **{"notes/n": "1"})
    pack(phone.replica, net.entropy)
    phone.replica.freeze("CloneDetected")
    assert seal_outbox(phone.replica, net.entropy) == []
    # Local edits are shown all the same.
    phone.edit("ada", **{"notes/n": "2"})
    assert phone.registers("ada") == {"uid": "ada", "notes/n": "2"}


def test_the_newest_own_entry(net: Network) -> None:
    phone = net.begin()
    assert last_own(phone.replica) == (0, bytes(32))
    assert all_landed(phone.replica)
    phone.edit("ada", **{"notes/n": "1"})
    assert not all_landed(phone.replica)
    pack(phone.replica, net.entropy)
    (row,) = phone.store.outbox()
    assert last_own(phone.replica) == (1, parse_entry(row.entry).id)
    phone.sync()
    phone.open()
    assert phone.store.outbox() == []
    assert last_own(phone.replica) == phone.store.vector()[1] == (1, parse_entry(row.entry).id)


def test_the_context_is_what_the_shared_state_has(net: Network) -> None:
    phone = net.begin()
    phone.edit("ada", **{"notes/n": "1"})
    phone.sync()
    position = phone.replica.position
    assert decode(current_context(phone.replica)) == [[[1, 1]], [0, 1, position.log_hash[:16]]]


def test_a_batch_is_one_entry_over_blobs_that_its_envelope_names(net: Network) -> None:
    phone = net.begin()
    phone.edit("c1", **{"phones/a": "1"})
    phone.sync()
    replica = phone.replica
    cards = sorted((contact_id(replica.set_id, f"c{n}", 0), {"uid": f"c{n}", "notes/n": "x"}) for n in range(3))
    write_batch(replica, cards, net.clock(), net.entropy, media=[(b"m" * 32, b"blob")])
    assert phone.registers("c0") == {"uid": "c0", "notes/n": "x"}
    assert phone.registers("c1") == {"uid": "c1", "phones/a": "1", "notes/n": "x"}
    row = phone.store.outbox()[-1]
    (op,) = decode_ops(parse_entry(row.entry).ops)
    assert isinstance(op, BatchOp)
    assert op.count == 3
    sealed = seal_outbox(replica, net.entropy)[-1]
    assert set(envelope_blobs(sealed.envelope)) == set(phone.store.uploads(row.counter)) >= {op.index_id, b"m" * 32}


def test_pending_edits_go_before_a_batch(net: Network) -> None:
    phone = net.begin()
    phone.edit("ada", **{"notes/n": "1"})
    replica = phone.replica
    write_batch(replica, [(contact_id(replica.set_id, "ada", 0), {"notes/n": "2"})], net.clock(), net.entropy)
    net.settle()
    assert phone.registers("ada") == {"uid": "ada", "notes/n": "2"}
    assert phone.conflicts("ada") == {}


def test_edit_after_an_unsent_batch(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    replica = phone.replica
    write_batch(replica, [(contact_id(replica.set_id, "ada", 0), {"uid": "ada", "notes/n": "1"})], net.clock(),
                net.entropy)
    phone.edit("ada", **{"notes/n": "2"})
    phone.delete("ada")
    phone.edit("ada", **{"notes/n": "3"})
    net.settle()
    for device in (phone, laptop):
        assert device.registers("ada") == {"uid": "ada", "notes/n": "3"}
        assert device.conflicts("ada") == {}


def test_laying_over_again_changes_nothing(net: Network) -> None:
    phone = net.begin()
    phone.edit("ada", **{"notes/n": "1"})
    phone.sync()
    phone.edit("ada", **{"notes/n": "2"})
    contact = contact_id(phone.replica.set_id, "ada", 0)
    before = shown_state(phone.store, contact)
    assert lay_over(phone.replica, [contact]) == {}
    assert shown_state(phone.store, contact) == before
    pack(phone.replica, net.entropy)
    assert lay_over(phone.replica, [contact]) == {}
    phone.sync()
    assert phone.store.overlaid() == []
    assert shown_state(phone.store, contact) == before


def test_nothing_written_is_nothing_journalled(net: Network) -> None:
    phone = net.begin()
    write(phone.replica, [])
    assert phone.store.pending() == []
    assert shown_state(phone.store, b"x" * 16) is None
