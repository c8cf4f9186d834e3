"""Digest, settling and the contents of runs: incremental ways give what the long way gives."""

from __future__ import annotations

import pytest

from e2esync.contactset import BatchOp, boundary_contact, bucket_digest, contact_hash, state_digest
from e2esync.errors import BadState, SnapshotInvalid
from e2esync.replica.port import DIRTY
from e2esync.replica.snapshots import (
    batch_run,
    chunk_items,
    contact_row,
    digest,
    fetcher,
    named_blobs,
    run_chunks,
    run_items,
    run_ref,
    run_row,
    settle,
    write_settled,
)
from e2esync.snapshot.runs import build_run
from e2esync.wire import encode
from tests.helpers.network import Device, Network

SET = b"s" * 32


def _whole_digest(states: dict[bytes, bytes]) -> bytes:
    """SPEC 8.7 as it stands there."""
    hashes = {contact: contact_hash(contact, state) for contact, state in states.items() if state}
    return state_digest([bucket_digest([hashes[contact] for contact in sorted(hashes) if contact[0] == bucket])
                         for bucket in range(256)])


def _states(device: Device) -> dict[bytes, bytes]:
    return {row.contact: row.state for row in device.store.contacts()}


def _book(net: Network) -> Device:
    phone = net.begin()
    for n in range(40):
        phone.edit(f"c{n}", **{"notes/n": "x", "phones/p": "1"})
    phone.sync()
    return phone


def test_the_digest_is_that_of_the_whole_state_after_every_change(net: Network) -> None:
    phone = _book(net)
    assert digest(phone.store) == _whole_digest(_states(phone))
    for n in range(5):
        phone.edit(f"c{n}", **{"notes/n": "y"})
        phone.delete(f"c{30 + n}")
        phone.sync()
        assert digest(phone.store) == _whole_digest(_states(phone))
    phone.open()
    assert digest(phone.store) == _whole_digest(_states(phone))


def test_an_empty_state_has_a_digest(net: Network) -> None:
    assert digest(net.begin().store) == _whole_digest({})


@pytest.mark.parametrize("horizon", [0, 1, 5])
def test_settling_is_the_boundary_of_every_contact_and_writes_nothing(net: Network, horizon: int) -> None:
    phone = _book(net)
    phone.edit("c1", **{"phones/p": None})
    phone.delete("c2")
    phone.sync()
    before = _states(phone)
    wanted = {contact: boundary_contact(state, horizon) or b"" for contact, state in before.items()}
    settled = settle(phone.store, horizon)
    assert settled.changes == {contact: state for contact, state in wanted.items() if state != before[contact]}
    assert bool(settled.changes) is (horizon > 0)
    assert settled.digest == _whole_digest(wanted)
    assert _states(phone) == before
    write_settled(phone.store, settled, 9)
    assert _states(phone) == wanted
    assert digest(phone.store) == settled.digest
    assert {row.contact for row in phone.store.contacts(run=9)} == set(settled.changes)


def test_a_row_of_a_state_from_outside() -> None:
    state = encode([[1, [[1, 1, 5, {"uid": "x"}]]]])
    row = contact_row(b"c" * 16, state, 3)
    assert (row.hash, row.run, row.unsettled) == (contact_hash(b"c" * 16, state), 3, False)
    absent = contact_row(b"c" * 16, b"", 3)
    assert (absent.hash, absent.unsettled) == (b"", False)
    dead = encode([[1, [[1, 1, 5, {"uid": "x"}]], 0, [[1, 1]]]])
    assert contact_row(b"c" * 16, dead, DIRTY).unsettled
    for bad in (b"\xc1", encode([]), state + b"\x00"):
        with pytest.raises(BadState):
            contact_row(b"c" * 16, bad, 3)


def test_the_items_of_a_run(net: Network) -> None:
    items = [(bytes([n]) * 16, encode([[1, [[1, 1, 5, {"notes/n": "x" * 50_000}]]]])) for n in range(6)]
    run = build_run(items, SET, net.entropy)
    blobs = dict(run.blobs)
    assert list(run_items(SET, run.ref, fetcher(blobs.get))) == items
    chunks = run_chunks(SET, run.ref, blobs[run.ref.index_id])
    assert len(chunks) > 1
    assert named_blobs(run.ref, chunks) == set(blobs)
    first = chunk_items(SET, chunks[0], blobs[chunks[0].id], b"")
    assert first == items[: len(first)]
    with pytest.raises(SnapshotInvalid):
        chunk_items(SET, chunks[0], blobs[chunks[0].id], items[0][0])
    with pytest.raises(SnapshotInvalid):
        chunk_items(SET, chunks[0], blobs[chunks[1].id], b"")
    for missing in blobs:
        left = {name: blob for name, blob in blobs.items() if name != missing}
        with pytest.raises(SnapshotInvalid):
            list(run_items(SET, run.ref, fetcher(left.get)))


def test_a_run_in_a_store_a_manifest_and_a_batch(net: Network) -> None:
    run = build_run([(b"c" * 16, b"")], SET, net.entropy).ref
    row = run_row(4, run)
    assert (row.number, row.count) == (4, 1)
    assert run_ref(row) == run
    assert run_ref(row).index_key.reveal() == run.index_key.reveal()
    assert batch_run(BatchOp(run.index_id, run.index_key.reveal(), 1)) == run
