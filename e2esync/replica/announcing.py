"""This device's sealing keys and its slot (SPEC 10.6): a key is stored before anybody hears of it."""

from __future__ import annotations

from collections.abc import Mapping

from e2esync.crypto import Entropy, SigningKey
from e2esync.crypto.sealing import SealingKey
from e2esync.epoch.announcement import (
    Announcement,
    AskSeal,
    Request,
    check_announcement,
    parse_announcement,
    sign_announcement,
    with_requests,
)
from e2esync.epoch.chain import Chain
from e2esync.epoch.shape import u32
from e2esync.errors import E2esyncError, StaleView
from e2esync.limits import HEARTBEAT_INTERVAL, SPEC_VERSION
from e2esync.log.heartbeat import Heartbeat, check_heartbeat, open_heartbeat
from e2esync.replica.asking import requests_of
from e2esync.replica.core import SEALING, Replica
from e2esync.replica.port import KeptRow, ReplicaStore, SlotRow
from e2esync.wire import decode, encode

PROMISE = "promise"
"""Kind of kept rows: for how long (ms) a member meant to stay when it was last heard."""


def sealing_key(replica: Replica, number: int, entropy: Entropy) -> SealingKey:
    """This device's sealing key of a number; made and stored if there is none."""
    store = replica.store
    secret = store.secret(SEALING, number)
    if secret is not None:
        return SealingKey.from_secret(secret.reveal())
    key = SealingKey.generate(entropy)
    with store.transaction():
        store.keep_secret(SEALING, number, key.secret)
    return key


def next_number(replica: Replica) -> int:
    """The number to announce: the one above that which the open epoch was sealed to (SPEC 10.6)."""
    return replica.chain.numbers[replica.member] + 1


def announcement(replica: Replica, signing_key: SigningKey, number: int, entropy: Entropy,
                 requests: tuple[Request, ...] = ()) -> bytes:
    """A signed announcement of the sealing key with this number, under the next revision, and of all that is asked for.

    `signing_key` is the replica's, or the new one in an opening that replaces it.
    """
    key = sealing_key(replica, number, entropy)
    store = replica.store
    with store.transaction():
        stored = store.get("revision")
        revision = (decode(stored) if stored else 0) + 1
        store.put("revision", encode(revision))
    return sign_announcement(
        signing_key, replica.set_id, member=replica.member, number=number, revision=revision,
        seal_key=key.public, version=SPEC_VERSION, requests=(*requests, *requests_of(replica)),
    ).raw


def ask_seal(replica: Replica, chain: Chain, entropy: Entropy) -> bytes:
    """The announcement of a device whose box in the chain's newest epoch does not open (SPEC 14.2 step 3).

    Its key has the number above that epoch's, so whoever opens next can seal to nothing older.
    """
    return announcement(replica, replica.signing_key, chain.numbers[replica.member] + 1, entropy,
                        (AskSeal(chain.epoch),))


def is_announced(replica: Replica) -> bool:
    """Whether the relay has taken the announcement that the open epoch calls for."""
    return replica.store.get("announced") == encode(next_number(replica))


def mark_announced(replica: Replica) -> None:
    """The relay has taken it."""
    replica.store.put("announced", encode(next_number(replica)))


def newest_seal_key(chain: Chain, member: int, slots: Mapping[int, SlotRow]) -> tuple[int, bytes] | None:
    """(number, public sealing key) to seal to for a device: the newest announcement served, if it is valid.

    None where neither the slot nor the chain gives a key of a number that is not lower than the record's.
    """
    number = chain.numbers.get(member, 1)
    served = valid_announcement(chain, slots.get(member))
    if served is not None and served.number >= number:
        return served.number, served.seal_key
    return (1, chain.members[member].seal_key) if number == 1 and member in chain.members else None


def hear(replica: Replica, before: SlotRow, announcement: bytes, heartbeat: bytes, now: int) -> SlotRow:
    """Keep a slot as it is served `now`; a new and valid heartbeat, and nothing else, makes its member heard.

    The relay must not make a silent device look alive with bytes that are none, or with an old one. A valid one says
    too that the member has entered the open epoch, which is remembered (SPEC 14.4); what it promised is kept beside
    it, because the slot is emptied when an epoch is opened.
    """
    beat, last = (valid_beat(replica, before.member, raw) for raw in (heartbeat, before.heartbeat))
    fresh = beat is not None and (last is None or beat.time > last.time)
    if _is_older(replica, announcement, before):
        # A relay that came back from a backup serves what its members have replaced since (SPEC 10.6).
        announcement = before.announcement
    after = SlotRow(before.member, announcement, heartbeat, now if fresh else before.heard)
    with replica.store.transaction():
        if beat is not None:
            _acknowledge(replica, before.member)
        if after != before:
            replica.store.put_slot(after)
        if beat is not None and fresh:
            promised = encode(max(beat.until - beat.time, 0))
            replica.store.keep(PROMISE, [KeptRow(u32(before.member), promised, now)])
    return after


def acknowledged(store: ReplicaStore) -> dict[int, int]:
    """Member → the newest epoch in which a valid heartbeat of it was seen."""
    stored = store.get("acknowledged")
    return dict(decode(stored)) if stored else {}


def _acknowledge(replica: Replica, member: int) -> None:
    heard, epoch = acknowledged(replica.store), replica.chain.epoch
    if heard.get(member) != epoch:
        replica.store.put("acknowledged", encode(sorted([*({**heard, member: epoch}).items()])))


def _is_older(replica: Replica, announcement: bytes, before: SlotRow) -> bool:
    """Whether an announcement is one that its member has replaced by the one known, or none."""
    if announcement == before.announcement:
        return False
    known = valid_announcement(replica.chain, before)
    served = valid_announcement(replica.chain, SlotRow(before.member, announcement, b"", 0))
    return known is not None and (
        served is None or (served.number, served.revision) < (known.number, known.revision))


def stale(replica: Replica, now: int) -> list[StaleView]:
    """The devices that said that they would stay, and were not heard since (SPEC 14.6 step 5)."""
    found = []
    for row in replica.store.kept(PROMISE):
        member, promised = int.from_bytes(row.key), decode(row.value)
        if member in replica.chain.numbers and promised and now - row.time > promised + HEARTBEAT_INTERVAL:
            found.append(StaleView(
                f"member {member} was not heard for {(now - row.time) // 60_000} minutes, and had said that it would "
                "stay: it lost its connection, or the relay holds it back", about=str(member)))
    return found


def in_step(replica: Replica) -> set[int]:
    """The members whose last heartbeat says that they have seen just what this device has."""
    vector = {member: counter for member, (counter, _id) in replica.store.vector().items()}
    beats = (valid_beat(replica, slot.member, slot.heartbeat) for slot in replica.store.slots())
    return {beat.member for beat in beats if beat is not None and beat.vector == vector}


def valid_beat(replica: Replica, member: int, raw: bytes) -> Heartbeat | None:
    """The heartbeat in a slot, or None for an empty slot or one that members refuse."""
    key, chain = replica.key, replica.chain
    if not raw or key is None:
        return None
    try:
        beat = open_heartbeat(key, replica.set_id, chain.epoch, member, raw)
        check_heartbeat(beat, member, chain)
    except E2esyncError:
        return None
    return beat


def is_asked(replica: Replica) -> bool:
    """Whether somebody's slot, as last served, asks for an epoch that this member may open (SPEC 10.6, 14.3 step 2)."""
    chain = replica.chain
    slots = (slot for slot in replica.store.slots() if slot.member != replica.member and _asks(slot))
    served = [valid for slot in slots if (valid := valid_announcement(chain, slot))]
    requests = [request for each in served for request in each.requests]
    if any(isinstance(request, AskSeal) and request.epoch >= chain.epoch for request in requests):
        return True
    try:
        return bool(with_requests(chain, replica.member, (), served))
    except E2esyncError:
        return False


def _asks(slot: SlotRow) -> bool:
    """Whether a slot holds requests at all: nearly none does, and only those are worth verifying."""
    try:
        return bool(slot.announcement) and bool(parse_announcement(slot.announcement).requests)
    except E2esyncError:
        return False


def valid_announcement(chain: Chain, slot: SlotRow | None) -> Announcement | None:
    """The announcement in a slot, or None for an empty slot or one that members refuse."""
    if slot is None or not slot.announcement:
        return None
    try:
        return check_announcement(chain, slot.announcement, None)
    except E2esyncError:
        return None
