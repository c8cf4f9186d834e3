"""One whole sync (SPEC 14): catch up, announce, send, keep house, fetch media, be heard."""

from __future__ import annotations

from dataclasses import dataclass

from e2esync.card.digests import media_digest
from e2esync.crypto import Secret
from e2esync.epoch.record import Change
from e2esync.epoch.roles import Role
from e2esync.errors import (
    Detection,
    DeviceRemoved,
    E2esyncError,
    EntryInvalid,
    ForkDetected,
    Refused,
    RollbackDetected,
)
from e2esync.limits import (
    BLOB_PART,
    COMPACT_BYTES,
    COMPACT_ENTRIES,
    COMPACT_INTERVAL,
    HASH,
    HEARTBEAT_INTERVAL,
    MEDIA_MAX,
)
from e2esync.log.head import parse_head
from e2esync.log.heartbeat import seal_heartbeat
from e2esync.procedures.healing import give_back_entries, meet, weigh
from e2esync.procedures.opening import announce, check_not_frozen, open_epoch, read_slots
from e2esync.procedures.reading import catch_up, read_on
from e2esync.procedures.sending import send
from e2esync.procedures.steps import Link, Procedure, accepted, fetch_blobs
from e2esync.replica.aging import rotation_due
from e2esync.replica.announcing import is_asked, stale
from e2esync.replica.core import Replica
from e2esync.replica.findings import heal, note
from e2esync.replica.forgetting import note_complete, one_more_due
from e2esync.replica.guarding import not_done
from e2esync.replica.opening import rekey
from e2esync.replica.sightings import CHAIN, compare_beats, doubt, is_behind
from e2esync.replica.writeback import write_back
from e2esync.session.messages import PutSlot, SlotStored
from e2esync.snapshot.blob import BlobType, open_blob
from e2esync.wire import decode, decode_values, encode


@dataclass(frozen=True, slots=True)
class Synced:
    """What a sync did: envelopes folded, entries sent, whether it opened an epoch, media fetched."""

    received: int
    sent: int
    opened: bool
    media: int


def sync(replica: Replica, link: Link) -> Procedure[Synced]:
    """Bring replica and relay to the same state, once. What was detected is kept (SPEC 14.6), whatever the end."""
    begun = link.now()
    try:
        done = yield from _sync(replica, link)
    except Detection as detection:
        if isinstance(detection, ForkDetected) and detection.about == CHAIN and not replica.frozen:
            detection = yield from weigh(replica, detection)
        elif isinstance(detection, ForkDetected | RollbackDetected):
            doubt(replica)
        note(replica, [*link.notices, detection], begun)
        raise detection from None
    note(replica, link.notices, begun)
    if any(isinstance(notice, ForkDetected) and notice.about.startswith("log") for notice in link.notices):
        doubt(replica)
    heal(replica, link.notices, begun)
    return done


def _sync(replica: Replica, link: Link) -> Procedure[Synced]:
    yield from meet(replica, link)
    check_not_frozen(replica)
    relay_key = replica.chain.relay_key
    received = yield from catch_up(replica, link)
    if replica.chain.relay_key != relay_key:
        # The set has moved (SPEC 14.10): everything else is for the relay where it is now.
        return Synced(received, 0, False, 0)
    if replica.member not in replica.chain.members:
        raise DeviceRemoved("this device was removed from the contact set")
    yield from give_back_entries(replica, link)
    write_back(replica, link.now())
    yield from announce(replica, link)
    opened = yield from keep_house(replica, link, compact=False)
    sent, made_room = yield from send_all(replica, link)
    opened |= made_room
    opened |= yield from keep_house(replica, link, compact=bool(sent))
    media = yield from fetch_media(replica, link)
    yield from be_heard(replica, link)
    # Who was heard, and what somebody asks for: a device that leaves waits for the next one that comes by.
    yield from listen(replica, link)
    link.notices += stale(replica, link.now())
    opened |= yield from keep_house(replica, link, compact=False)
    note_complete(replica)
    with replica.store.transaction():
        replica.store.put("synced", encode(link.now()))
        replica.store.purge_history(link.now())
    return Synced(received, sent, opened, media)


def send_all(replica: Replica, link: Link) -> Procedure[tuple[int, bool]]:
    """Send everything that waits; how many entries went out, after an opening if it took one, and whether it did.

    *A log at the limit of the relay's operator* (SPEC 13.13 step 3) takes nothing any more, and who compacts is who
    writes: whoever is refused makes the room, where a compaction is due (SPEC 14.3).
    """
    try:
        return (yield from send(replica, link)), False
    except Refused as error:
        if error.reason != "QuotaExceeded" or not (yield from keep_house(replica, link, compact=True)):
            raise
    return (yield from send(replica, link)), True


def keep_house(replica: Replica, link: Link, *, compact: bool) -> Procedure[bool]:
    """Open an epoch if nobody can write in this one, somebody asks for one, a forget lacks just that, or this device's
    keys have served their time; with `compact`, if the log is long."""
    keys: list[Change] = []

    def due(replica: Replica) -> tuple[Change, ...] | None:
        if replica.chain.members[replica.member].role is Role.READER:
            return None
        if rotation_due(replica, link.now(), link.rotate_every, link.rotate_after):
            keys[:] = keys or [rekey(replica, link.entropy)]
            return tuple(keys)
        wanted = not replica.writable or is_asked(replica) or one_more_due(replica)
        return () if wanted or (compact and _compaction_due(replica, link.now())) else None

    if due(replica) is None:
        return False
    try:
        record = yield from open_epoch(replica, link, due)
    except Refused as error:
        if error.reason != "TooOften":
            raise
        # What the house needs can wait; what a person asked this sync for need not.
        return False
    yield from announce(replica, link)
    return record is not None


def be_heard(replica: Replica, link: Link) -> Procedure[bool]:
    """Overwrite the own heartbeat every 15 minutes and in every epoch (SPEC 10.7); returns whether it did.

    None while this device holds what it is to forget (SPEC 14.4 step 3): the others must not count it as done.
    """
    store, key = replica.store, replica.key
    last, head = store.get("beat"), store.get("head")
    if key is None or head is None or not_done(replica):
        return False
    epoch, time = decode(last) if last else (-1, 0)
    if epoch == replica.position.epoch and link.now() - time < HEARTBEAT_INTERVAL:
        return False
    now = link.now()
    beat = seal_heartbeat(
        key, replica.signing_key, replica.set_id, member=replica.member, epoch=replica.position.epoch,
        time=now, until=now + link.stay, vector={m: counter for m, (counter, _id) in store.vector().items()},
        head=parse_head(*decode(head)), entropy=link.entropy,
    )
    answers = yield [PutSlot(b"", beat)]
    if isinstance(answers[0], Refused) and answers[0].reason == "EpochClosed":
        # Somebody has just opened an epoch: the next sync enters it, and beats there.
        return False
    accepted(answers[0], SlotStored)
    store.put("beat", encode([replica.position.epoch, link.now()]))
    return True


def listen(replica: Replica, link: Link) -> Procedure[None]:
    """Look at the others' heartbeats, and compare what they have seen with what this device was served (SPEC 14.6)."""
    yield from read_slots(replica, link)
    if is_behind(replica):
        # The relay may only have moved on since this device has read.
        yield from read_on(replica, link)
    link.notices += compare_beats(replica, link.head.incarnation)


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
            parts = _parts(place)
            blobs = yield from fetch_blobs([part for part, _key in parts])
            content = b"".join(
                open_blob(BlobType.MEDIA, Secret(key), replica.set_id, blobs[part]) for part, key in parts
            )
        except E2esyncError:
            # A photo that cannot be had leaves the contact as it is; the next sync tries again.
            continue
        if media_digest(replica.set_id, content) != digest:
            # Whoever wrote where it lies has put something else there.
            continue
        store.put_media(digest, content)
        fetched += 1
    if fetched == len(missing):
        store.drop("media")
    return fetched


def _parts(place: bytes) -> list[tuple[bytes, bytes]]:
    """(blob id, key) of the parts of a photo, from its `blobs/<digest>` register. Raises EntryInvalid.

    Any member may have written there whatever it liked.
    """
    value = decode_values(place)
    ids, keys = (value.get(name) for name in ("parts", "keys")) if type(value) is dict else (None, None)
    if type(ids) is not list or type(keys) is not list or not 0 < len(ids) == len(keys) <= MEDIA_MAX // BLOB_PART:
        raise EntryInvalid("a photo's place does not list parts and keys")
    if any(type(each) is not bytes or len(each) != HASH for each in (*ids, *keys)):
        raise EntryInvalid("a photo's place does not hold the ids and keys of blobs")
    return list(zip(ids, keys, strict=True))


def _compaction_due(replica: Replica, now: int) -> bool:
    """SPEC 14.3: the log is long, and the last opening an hour ago."""
    long = replica.position.seq > COMPACT_ENTRIES or replica.store.envelope_bytes() > COMPACT_BYTES
    return long and now - replica.chain.head.time >= COMPACT_INTERVAL
