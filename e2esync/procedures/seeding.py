"""Give a relay back what it has lost, or bring a set to another relay (SPEC 14.10).

First, as a visitor, the chain: the relay's own signature says that it lacks something, or it never had the set. Then,
as a member, an opening whose snapshot is whole. The other devices enter that epoch like any other.
"""

from __future__ import annotations

from e2esync.card.digests import media_digest
from e2esync.epoch.record import Flag, Record
from e2esync.errors import Refused
from e2esync.log.head import Head
from e2esync.procedures.opening import check_not_frozen, opened, read_slots
from e2esync.procedures.reading import enter
from e2esync.procedures.steps import Link, Procedure, accepted, ask, ask_to_be_taken, upload_blobs
from e2esync.replica.contacts import media_blobs
from e2esync.replica.core import Replica
from e2esync.replica.opening import prepare
from e2esync.replica.sightings import kept_head
from e2esync.replica.writing import write_batch
from e2esync.session.messages import Have, HaveAnswer, Open, Opened, Seed, Seeded, Show, Shown
from e2esync.wire import Value, decode_values, encode

SEED_BYTES = 512 << 10
"""Bytes of records in one SEED."""


def show(replica: Replica) -> Procedure[bool]:
    """Show a relay, as a visitor, the newest head that it has signed; whether the set waits for a seed there now."""
    head: Head | None = kept_head(replica)
    if head is None:
        return False
    shown = yield from ask(Show(replica.set_id, head.body, head.signature), Shown)
    return bool(shown.waiting)


def seed_chain(replica: Replica, invitation: bytes = b"", start: int = 0) -> Procedure[None]:
    """Bring a relay, as a visitor, the set's whole chain, or what follows those records that it has."""
    records = replica.store.records()[: replica.position.epoch + 1]
    while start < len(records):
        part: list[bytes] = []
        while start + len(part) < len(records) and sum(map(len, part)) < SEED_BYTES:
            part.append(records[start + len(part)])
        yield from ask_to_be_taken(Seed(replica.set_id, start, tuple(part), invitation), Seeded)
        start += len(part)


def seed_state(replica: Replica, link: Link, relay: bytes = b"") -> Procedure[Record | None]:
    """Open the epoch that the relay waits for, with a whole snapshot; None if another device was faster.

    `relay`: the key of the relay on this line, where the chain names another one.
    """
    check_not_frozen(replica)
    kept = {slot.member: slot for slot in replica.store.slots()}
    served = {member: slot for member, slot in (yield from read_slots(replica, link)).items() if slot.announcement}
    opening = prepare(replica, (), {**kept, **served}, {}, link.now(), link.entropy,
                      flags=Flag.NONE if relay else Flag.SEED, seed=True, relay=relay)
    yield from upload_blobs(link, opening.blobs)
    answers = yield [Open(
        opening.record.raw, opening.box_list, opening.boxes, opening.announcement,
        tuple(name for name, _blob in opening.blobs), (),
    )]
    if isinstance(answers[0], Refused) and answers[0].reason == "EpochClosed":
        link.epoch = replica.position.epoch + 1
        yield from enter(replica, link)
        return None
    opened(replica, link, opening, accepted(answers[0], Opened))
    replica.store.put("incarnation", encode(link.head.incarnation))
    return opening.record


def seed_media(replica: Replica, link: Link) -> Procedure[int]:
    """Bring the photos that are here and that the relay lacks: sealed anew, and their place written anew.

    They go out with the next sending. Returns how many.
    """
    store = replica.store
    count = 0
    for digest, contact, place in store.media_places():
        content = store.media(digest)
        value = decode_values(place)
        parts = value.get("parts") if type(value) is dict else None
        if content is None or type(parts) is not list or media_digest(replica.set_id, content) != digest:
            continue
        told = yield from ask(Have(tuple(parts)), HaveAnswer)
        if all(told.received):
            continue
        fresh, blobs = media_blobs(replica.set_id, content, link.entropy)
        registers: dict[str, Value] = {f"blobs/{digest}": fresh}
        write_batch(replica, [(contact, registers)], link.now(), link.entropy, blobs)
        count += 1
    return count
