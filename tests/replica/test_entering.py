"""From one epoch to the next: what is kept, what is replaced, what is erased, and what goes out again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from e2esync.crypto import Secret
from e2esync.epoch.boxes import epoch_key
from e2esync.epoch.record import Record, Remove
from e2esync.errors import ChainInvalid, DeviceRemoved, ForkDetected, SnapshotInvalid
from e2esync.log.envelope import next_log_hash
from e2esync.procedures.reading import read_on
from e2esync.replica.core import EPOCH, SEALING
from e2esync.replica.entering import (
    Entrance,
    _check_closing,
    check_dropped,
    closed_at,
    extend,
    kept_by_cut,
    missing_runs,
    read_manifest,
)
from e2esync.replica.port import DIRTY
from e2esync.replica.snapshots import digest
from e2esync.session import messages as m
from e2esync.snapshot.manifest import Manifest
from e2esync.wire import encode
from tests.helpers.liar import LyingLine
from tests.helpers.network import Device, Line, Network


def _two(net: Network, contacts: int = 5) -> tuple[Device, Device]:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    for n in range(contacts):
        phone.edit(f"c{n}", **{"notes/n": "x"})
    net.settle()
    return phone, laptop


def _blobs_of_a_sync(device: Device) -> list[int]:
    """Sizes of the blobs that a sync fetches."""
    sizes: list[int] = []

    def count(message: m.Message) -> m.Message:
        if isinstance(message, m.BlobPart):
            sizes.append(message.size)
        return message

    from e2esync.procedures.syncing import sync

    replica = device.replica
    line = LyingLine(device.net, replica, count)
    line.run(sync(replica, line.link()))
    return sizes


def test_who_has_the_whole_log_fetches_the_manifest_only(net: Network) -> None:
    phone, laptop = _two(net)
    phone.open()
    assert len(_blobs_of_a_sync(laptop)) == 1
    assert phone.digest() == laptop.digest()
    assert [run.index_id for run in phone.store.runs()] == [run.index_id for run in laptop.store.runs()]


def test_who_was_away_fetches_the_runs_that_are_new_to_it(net: Network) -> None:
    phone, laptop = _two(net, 200)
    phone.open()
    laptop.sync()
    for n in range(2):
        phone.edit(f"new{n}", **{"notes/n": "x"})
        phone.open()
    sizes = _blobs_of_a_sync(laptop)
    # A manifest, and index and chunk of the one small run; not the run of two hundred.
    assert len(sizes) == 3
    assert phone.digest() == laptop.digest()
    rows = {row.contact: row.state for row in laptop.store.contacts()}
    assert rows == {row.contact: row.state for row in phone.store.contacts()}


def test_runs_and_rows_agree_however_an_epoch_was_entered(net: Network) -> None:
    """A newcomer, who has nothing but the runs, comes to the state of those who folded."""
    phone, laptop = _two(net)
    for n in range(12):
        phone.edit(f"c{n % 7}", **{f"phones/{n}": "1"})
        if n % 3 == 0:
            laptop.delete(f"c{n % 5}")
            laptop.sync()
        net.clock.time += 9 * 86_400_000
        (phone if n % 2 else laptop).open()
        if n % 4 == 0:
            net.settle()
    net.settle()
    tablet = net.add(phone, "tablet")
    net.settle()
    assert phone.digest() == laptop.digest() == tablet.digest()
    for device in (phone, laptop, tablet):
        numbers = {run.number for run in device.store.runs()}
        assert {row.run for row in device.store.contacts()} <= numbers | {DIRTY}
        assert [run.index_id for run in device.store.runs()] == [run.index_id for run in phone.store.runs()]


def test_secrets_of_the_epoch_that_was_left_are_erased(net: Network) -> None:
    phone, laptop = _two(net)
    for _epoch in range(3):
        phone.open()
        laptop.sync()
        for device in (phone, laptop):
            replica = device.replica
            assert device.store.secret_numbers(EPOCH) == [replica.position.epoch]
            number = replica.chain.numbers[replica.member]
            # The key that was sealed to is kept: a withheld announcement must lock nobody out.
            assert min(device.store.secret_numbers(SEALING)) == number
            assert max(device.store.secret_numbers(SEALING)) == number + 1


def test_envelopes_and_parked_entries_of_the_left_epoch_go(net: Network) -> None:
    phone, laptop = _two(net)
    assert laptop.store.envelope(1) is not None
    phone.open()
    laptop.sync()
    assert laptop.store.envelope(1) is None
    assert laptop.store.parked() == []
    assert laptop.store.outbox() == []


def test_the_horizon_rises_and_never_falls(net: Network) -> None:
    phone, _laptop = _two(net)
    seen = [0]
    for days in (0, 31, 0, 31, 1):
        net.clock.time += days * 86_400_000
        phone.open()
        from e2esync.wire import decode

        seen.append(decode(phone.store.get("horizon") or encode(0)))
    assert seen == sorted(seen)
    assert seen[-1] > 0
    manifest = Manifest(vector={}, digest=bytes(32), horizon=seen[-1] - 1, runs=())
    from e2esync.snapshot.manifest import check_manifest

    with pytest.raises(SnapshotInvalid):
        check_manifest(manifest, phone.replica.chain.epoch, seen[-1])


def test_a_record_of_another_branch(net: Network) -> None:
    phone, laptop = _two(net)
    record = phone.store.records()[1]
    # A chain that follows something else than what this device stands at.
    with pytest.raises((ForkDetected, ChainInvalid)):
        extend(laptop.replica, (record,))
    assert laptop.replica.chain.epoch == 1


def test_a_device_that_is_out_hears_so(net: Network) -> None:
    phone, laptop = _two(net)
    phone.remove(laptop)
    with pytest.raises(DeviceRemoved):
        extend(laptop.replica, (phone.store.records()[-1],))
    assert laptop.replica.position.epoch == 1


def test_closed_at(net: Network) -> None:
    phone, laptop = _two(net)
    phone.open()
    from e2esync.epoch.record import parse_record

    record = parse_record(phone.store.records()[-1])
    assert closed_at(laptop.replica, record)
    assert not closed_at(phone.replica, record)


def test_a_manifest_that_is_not_the_records(net: Network) -> None:
    phone, laptop = _two(net)
    phone.open()
    chain = phone.replica.chain
    secret = phone.store.secret(EPOCH, chain.epoch)
    assert secret is not None
    assert epoch_key(phone.replica.set_id, chain.epoch, secret)
    with pytest.raises(SnapshotInvalid):
        read_manifest(laptop.replica, chain, secret, b"another blob")


def test_missing_runs_are_the_ones_behind_the_common_beginning(net: Network) -> None:
    phone, laptop = _two(net, 40)
    phone.open()
    laptop.sync()
    phone.edit("new", **{"notes/n": "x"})
    phone.open()
    refs = tuple(_ref(run) for run in phone.store.runs())
    manifest = Manifest(vector={}, digest=bytes(32), horizon=0, runs=refs)
    assert len(refs) == 2
    assert [ref.index_id for _n, ref in missing_runs(laptop.replica, manifest, whole=False)] == [refs[1].index_id]
    whole = missing_runs(laptop.replica, manifest, whole=True)
    assert [ref.index_id for _n, ref in whole] == [refs[1].index_id, refs[0].index_id]
    taken = {run.number for run in laptop.store.runs()}
    assert not taken & {number for number, _ref in whole}


def _ref(run: object) -> object:
    from e2esync.replica.snapshots import run_ref

    return run_ref(run)  # type: ignore[arg-type]


def test_a_cut_keeps_what_others_wrote(net: Network) -> None:
    phone, laptop = _two(net)
    other = laptop.replica.member
    keep = phone.replica.position.seq
    laptop.edit("c1", **{"notes/n": "y"})
    laptop.sync()
    phone.sync()
    assert kept_by_cut(phone.replica, {other}) == keep
    assert kept_by_cut(phone.replica, set()) == keep + 1
    assert kept_by_cut(phone.replica, {other, phone.replica.member}) == 0


def test_an_entry_goes_out_again_only_if_the_snapshot_lacks_it(net: Network) -> None:
    phone, laptop = _two(net)
    laptop.edit("c1", **{"notes/n": "landed"})
    laptop.sync()
    laptop.edit("c2", **{"notes/n": "unsent"})
    phone.open()
    counter = laptop.store.vector()[laptop.replica.member][0]
    replica = laptop.replica
    line = Line(net, replica)
    line.run(read_on(replica, line.link()))
    assert [row.counter for row in laptop.store.outbox()] == []
    assert len(laptop.store.pending()) == 1
    net.settle()
    assert laptop.store.vector()[laptop.replica.member][0] == counter + 1
    assert phone.registers("c2") == {"uid": "c2", "notes/n": "unsent"}


def test_a_snapshot_that_does_not_come_to_its_digest_is_not_entered(
    net: Network, monkeypatch: pytest.MonkeyPatch,
) -> None:
    from e2esync.replica import entering

    phone, laptop = _two(net)
    phone.open()
    phone.open()
    laptop.edit("mine", **{"notes/n": "x"})
    before = laptop.digest(), laptop.replica.position, laptop.store.runs(), laptop.registers("mine")
    monkeypatch.setattr(entering, "digest", lambda _store: b"x" * 32)
    with pytest.raises(SnapshotInvalid):
        laptop.sync()
    monkeypatch.undo()
    assert (digest(laptop.store), laptop.replica.position, laptop.store.runs(), laptop.registers("mine")) == before
    net.settle()
    assert phone.registers("mine") == {"uid": "mine", "notes/n": "x"}


def _next(device: Device, closes_seq: int, closes_hash: bytes, *changes: Remove) -> Record:
    """A record that closes the device's log there."""
    head = device.replica.chain.head
    return replace(head, epoch=head.epoch + 1, closes_seq=closes_seq, closes_hash=closes_hash, changes=changes)


def test_a_record_that_closes_another_log_is_a_fork(net: Network) -> None:
    phone, laptop = _two(net)
    for name in ("one", "two"):
        phone.edit(name, **{"notes/n": "x"})
        net.settle()
    replica = laptop.replica
    seq, log_hash = replica.position.seq, replica.position.log_hash
    before = next_log_hash(replica.chain.head.hash, laptop.store.envelope(1) or b"")
    assert seq >= 3
    for at, closes in ((seq, log_hash), (1, before), (seq + 5, bytes(32))):
        _check_closing(replica, _next(laptop, at, closes))
    for at in (seq, 1):
        with pytest.raises(ForkDetected, match="closes another log"):
            _check_closing(replica, _next(laptop, at, bytes(32)))


def test_a_record_leaves_out_nothing_of_a_member_that_stays(net: Network) -> None:
    phone, laptop = _two(net)
    replica, author = laptop.replica, phone.replica.member
    start = replica.chain.head.hash

    def entrance(manifest: Manifest | None, *changes: Remove) -> Entrance:
        return Entrance(replica.chain, (_next(laptop, 0, start, *changes),), Secret(bytes(32)), manifest)

    check_dropped(replica, entrance(None, Remove(author)))
    with pytest.raises(ForkDetected, match="leaves out an envelope"):
        check_dropped(replica, entrance(None))
