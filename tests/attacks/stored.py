"""What a relay holds of a set, and how a member opens each of it in its own place."""

from __future__ import annotations

from collections.abc import Callable

from e2esync.crypto import Secret
from e2esync.crypto.sealing import SealingKey
from e2esync.epoch.announcement import check_announcement
from e2esync.epoch.boxes import open_own_box
from e2esync.epoch.chain import Chain
from e2esync.epoch.record import parse_record
from e2esync.errors import E2esyncError
from e2esync.log.envelope import open_envelope
from e2esync.log.heartbeat import open_heartbeat
from e2esync.session import messages as m
from e2esync.snapshot.blob import BlobType, check_blob_id, open_blob, open_manifest
from e2esync.testing import Device, Network
from tests.attacks.scene import STEADY, two

Opener = Callable[[bytes], object]


def corpus(net: Network, device: Device) -> list[tuple[str, bytes, Opener]]:
    """What the relay holds on a device's set in the open epoch: (class, bytes, how a member opens it in its place)."""
    replica = device.replica
    chain, set_id, key = replica.chain, replica.set_id, replica.key
    assert key is not None
    found: list[tuple[str, bytes, Opener]] = []

    def add(kind: str, stored: bytes, opener: Opener) -> None:
        found.append((kind, stored, opener))
    blobs = {done.change.request.blob: done.change.request.part for done in net.relay.main.journal
             if isinstance(done.change.request, m.PutBlob)}
    for seq in range(1, replica.position.seq + 1):
        envelope = device.store.envelope(seq)
        assert envelope is not None
        add("envelope", envelope, lambda raw: open_envelope(key, set_id, chain.epoch, raw))
    answer = net.relay.main.read(set_id, replica.member, m.ReadBox(chain.epoch))
    assert isinstance(answer, m.BoxAnswer)
    number = chain.numbers[replica.member]
    secret = device.store.secret("sealing", number)
    assert secret is not None
    sealing = SealingKey.from_secret(secret.reveal())
    add("box", answer.box, lambda raw: open_own_box(chain.head, set_id, replica.member, answer.box_list, raw, sealing,
                                                    last_number=0))
    add("box list", answer.box_list, lambda raw: open_own_box(chain.head, set_id, replica.member, raw, answer.box,
                                                              sealing, last_number=0))
    name = chain.head.manifest
    add("manifest", blobs[name], lambda raw: (check_blob_id(name, raw), open_manifest(key, set_id, chain.epoch, raw)))
    for run in device.store.runs():
        add("index", blobs[run.index_id], lambda raw, run=run: (  # type: ignore[misc]
            check_blob_id(run.index_id, raw), open_blob(BlobType.INDEX, Secret(run.index_key), set_id, raw)))
    before = Chain.begin(parse_record(device.store.records()[0]), set_id)
    for raw_record in device.store.records()[1:-1]:
        before = before.extend(parse_record(raw_record))
    add("record", chain.head.raw, lambda raw: before.extend(parse_record(raw)))
    slots = net.relay.main.read(set_id, replica.member, m.ReadSlots())
    assert isinstance(slots, m.SlotList)
    for slot in slots.slots:
        if slot.heartbeat:
            add("heartbeat", slot.heartbeat, lambda raw, who=slot.member: open_heartbeat(  # type: ignore[misc]
                key, set_id, chain.epoch, who, raw))
        add("announcement", slot.announcement, lambda raw: check_announcement(chain, raw, None))
    return found


async def populated(net: Network, moment: str = STEADY) -> tuple[Device, Device]:
    """Two devices whose relay holds something of every kind."""
    phone, laptop = await two(net, moment)
    if moment != STEADY:
        return phone, laptop
    await phone.rotate()
    await net.settle()
    for number in range(3):
        phone.note("Ada", str(number))
        await phone.sync()
    await net.settle()
    return phone, laptop


def code_of(opener: Opener, raw: bytes) -> str:
    """The code with which something is refused; empty for what opens."""
    try:
        opener(raw)
    except E2esyncError as error:
        return error.code
    return ""
