"""One whole sync (SPEC 14): catch up, announce, send, keep house, fetch media, be heard."""

from __future__ import annotations

from dataclasses import dataclass

from e2esync.crypto import Secret
from e2esync.epoch.roles import Role
from e2esync.errors import DeviceRemoved, E2esyncError
from e2esync.limits import COMPACT_BYTES, COMPACT_ENTRIES, COMPACT_INTERVAL, HEARTBEAT_INTERVAL
from e2esync.log.head import parse_head
from e2esync.log.heartbeat import seal_heartbeat
from e2esync.procedures.opening import announce, open_epoch, read_slots
from e2esync.procedures.reading import catch_up
from e2esync.procedures.sending import send
from e2esync.procedures.steps import Link, Procedure, ask, fetch_blobs
from e2esync.replica.core import Replica
from e2esync.replica.reading import check_welcome
from e2esync.session.messages import PutSlot, SlotStored
from e2esync.snapshot.blob import BlobType, open_blob
from e2esync.wire import decode, encode


@dataclass(frozen=True, slots=True)
class Synced:
    """What a sync did: envelopes folded, entries sent, whether it opened an epoch, media fetched."""

    received: int
    sent: int
    opened: bool
    media: int


def sync(replica: Replica, link: Link) -> Procedure[Synced]:
    """Bring replica and relay to the same state, once."""
    check_welcome(replica, link.head)
    received = yield from catch_up(replica, link)
    if replica.member not in replica.chain.members:
        raise DeviceRemoved("this device was removed from the contact set")
    yield from announce(replica, link)
    sent = yield from send(replica, link)
    opened = False
    if sent and _compaction_due(replica, link.now()):
        record = yield from open_epoch(replica, link, lambda now: () if _compaction_due(now, link.now()) else None)
        opened = record is not None
        yield from announce(replica, link)
    media = yield from fetch_media(replica, link)
    yield from be_heard(replica, link)
    with replica.store.transaction():
        replica.store.put("synced", encode(link.now()))
    return Synced(received, sent, opened, media)


def be_heard(replica: Replica, link: Link) -> Procedure[None]:
    """Overwrite the own heartbeat and look at the others', every 15 minutes (SPEC 10.7)."""
    store, key = replica.store, replica.key
    last, head = store.get("beat"), store.get("head")
    if key is None or head is None or (last and link.now() - decode(last) < HEARTBEAT_INTERVAL):
        return
    beat = seal_heartbeat(
        key, replica.signing_key, replica.set_id, member=replica.member, epoch=replica.position.epoch,
        time=link.now(), until=link.now(), vector={m: counter for m, (counter, _id) in store.vector().items()},
        head=parse_head(*decode(head)), entropy=link.entropy,
    )
    yield from ask(PutSlot(b"", beat), SlotStored)
    store.put("beat", encode(link.now()))
    yield from read_slots(replica, link)


def fetch_media(replica: Replica, link: Link) -> Procedure[int]:
    """Fetch the photos that the book names and this device lacks (SPEC 11.6); returns how many."""
    store = replica.store
    if store.get("media") is None:
        # Nothing was folded since all of them were here.
        return 0
    missing = store.missing_media()
    fetched = 0
    for number, (digest, place) in enumerate(missing):
        link.progress("photos", number, len(missing))
        try:
            parts = decode(place)
            blobs = yield from fetch_blobs(parts["parts"])
            content = b"".join(
                open_blob(BlobType.MEDIA, Secret(key), replica.set_id, blobs[part])
                for part, key in zip(parts["parts"], parts["keys"], strict=True)
            )
        except (E2esyncError, KeyError, TypeError, ValueError):
            # A photo that cannot be had leaves the contact as it is; the next sync tries again.
            continue
        store.put_media(digest, content)
        fetched += 1
    if fetched == len(missing):
        store.drop("media")
    return fetched


def _compaction_due(replica: Replica, now: int) -> bool:
    """SPEC 14.3: the log is long, the last opening an hour ago, and this member may open an epoch."""
    if replica.chain.members[replica.member].role is Role.READER:
        return False
    long = replica.position.seq > COMPACT_ENTRIES or replica.store.envelope_bytes() > COMPACT_BYTES
    return long and now - replica.chain.head.time >= COMPACT_INTERVAL
