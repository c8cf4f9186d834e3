"""What the epochs are for, played out with real bytes: a thief with keys, and a relay that keeps everything for him.

That what was forgotten is gone: tests/attacks, A25 and A66.
"""

from __future__ import annotations

from typing import Any

import pytest

from e2esync.crypto import SigningKey
from e2esync.epoch.record import Remove, parse_record, sign_record
from e2esync.errors import DeviceRemoved, E2esyncError
from e2esync.log.envelope import read_envelope
from e2esync.replica.core import SIGNING
from e2esync.replica.writing import pack, seal_outbox
from e2esync.stores.profile import ProfileStore
from tests.helpers.network import Device, Network
from tests.laws.archive import Archive, Thief

NEEDLE = b"Wilhelmina Forgettable"


def rounds(*devices: Device) -> None:
    for device in devices * 3:
        device.sync()


def copied(device: Device, folder: Any) -> Device:
    """All of a device, as a repair shop has it."""
    path = folder / f"{device.name}.copy"
    device.profile._db.run(f"VACUUM INTO '{path}'")
    return Device(device.net, ProfileStore.open(path), "copy")


def test_a_revoked_device_reads_nothing_later_and_inserts_nothing(net: Network, monkeypatch: pytest.MonkeyPatch,
                                                                   ) -> None:
    archive = Archive.recording(net, monkeypatch)
    phone = net.begin()
    laptop, evil = net.add(phone, "laptop"), net.add(phone, "evil")
    phone.edit("before", name="Before")
    net.settle()
    phone.remove(evil)
    phone.edit("after", name=NEEDLE.decode())
    rounds(phone, laptop)
    phone.open()
    rounds(phone, laptop)
    thief = Thief(archive, phone.replica.set_id)
    thief.take(evil.store)
    assert max(thief.open_boxes()) == phone.replica.chain.all_members[3].removed_at - 1  # type: ignore[operator]
    assert b"Before" in thief.plaintext()
    assert NEEDLE not in thief.plaintext()
    # Nor does anything that it signs have an effect, wherever a helpful relay puts it.
    evil.edit("forged", name="Forged")
    key = evil.replica.key
    assert key is not None
    pack(evil.replica, net.entropy)
    (row,) = seal_outbox(evil.replica, net.entropy)
    for device in (phone, laptop):
        own = device.replica.key
        assert own is not None
        with pytest.raises(E2esyncError):
            read_envelope(own, device.replica.chain, row.envelope)
    seed = evil.store.secret(SIGNING, 0)
    assert seed is not None
    head = phone.replica.chain.head
    forged = sign_record(SigningKey(seed), evil.replica.set_id, epoch=head.epoch + 1, prev=head.hash, closes_seq=0,
                         closes_hash=head.hash, time=1, opener=3, changes=(Remove(1),), numbers={2: 9},
                         commit=bytes(32), boxes=bytes(32), manifest=bytes(32))
    with pytest.raises(E2esyncError):
        phone.replica.chain.extend(parse_record(forged.raw))
    with pytest.raises(DeviceRemoved):
        evil.sync()


def test_a_copied_device_heals_by_its_own_rotation_and_by_no_other(net: Network, monkeypatch: pytest.MonkeyPatch,
                                                                    tmp_path: Any) -> None:
    archive = Archive.recording(net, monkeypatch)
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    rounds(phone, laptop)
    copy = copied(laptop, tmp_path)
    # The control: another device's rotation seals to the very key that was copied.
    phone.rotate()
    phone.edit("between", name="Between")
    rounds(phone, laptop)
    thief = Thief(archive, phone.replica.set_id)
    thief.take(copy.store)
    assert b"Between" in thief.plaintext()
    # Its own replaces both keys: at the latest the epoch after it is sealed to what was never copied.
    laptop.rotate()
    rounds(phone, laptop)
    phone.open()
    rounds(phone, laptop)
    healed = laptop.replica.chain.epoch
    laptop.edit("later", name=NEEDLE.decode())
    rounds(laptop, phone)
    thief = Thief(archive, phone.replica.set_id)
    thief.take(copy.store)
    assert healed not in thief.open_boxes()
    assert NEEDLE not in thief.plaintext()
    # What the copy signs is refused: its key is no member's any more.
    with pytest.raises(E2esyncError):
        copy.sync()
    assert phone.registers("later") is not None


def test_opening_an_epoch_of_a_large_book_sends_kilobytes(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = Archive.recording(net, monkeypatch)
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    for number in range(400):
        phone.edit(f"contact {number}", name=f"Person {number}", **{"notes/n": "x" * 400})
    rounds(phone, laptop)
    phone.open()
    rounds(phone, laptop)
    book = archive.sent
    phone.edit("contact 7", name="Renamed")
    rounds(phone, laptop)
    before = archive.sent
    phone.remove(laptop)
    # A manifest, a run of one contact, a record and three boxes: what it costs does not grow with the book.
    assert archive.sent - before < 16_384 < book / 10
