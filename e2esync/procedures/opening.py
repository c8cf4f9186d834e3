"""Opening an epoch (SPEC 14.3) by compare-and-set: caught up, prepared, sent; again if others were first."""

from __future__ import annotations

from collections.abc import Callable

from e2esync.epoch.announcement import with_requests
from e2esync.epoch.record import Change, Flag, Record, Remove
from e2esync.errors import CloneDetected, ForkDetected, Refused, RemoteProtocolError
from e2esync.limits import CUT_AFTER_TRIES
from e2esync.procedures.reading import begin_again, enter, read_on, take
from e2esync.procedures.steps import PIPELINE, Link, Procedure, accepted, ask, blob_parts, fetch_blob, upload_blobs
from e2esync.replica.announcing import (
    announcement,
    hear,
    is_announced,
    mark_announced,
    next_number,
    sealing_key,
    valid_announcement,
)
from e2esync.replica.asking import is_asking_due, mark_asked
from e2esync.replica.core import Replica
from e2esync.replica.entering import adopt_fold, kept_by_cut
from e2esync.replica.opening import Opening, merged_runs, prepare
from e2esync.replica.port import SlotRow
from e2esync.replica.reading import check_head, keep_head
from e2esync.replica.sightings import CHAIN
from e2esync.session.messages import Answer, BlobStored, LogPart, Open, Opened, PutSlot, ReadSlots, SlotList, SlotStored
from e2esync.wire import decode, encode

TRIES = 20
"""Lost races before the caller hears of it; the relay holds the others back long before (SPEC 13.6)."""


def open_epoch(replica: Replica, link: Link, wish: Callable[[Replica], tuple[Change, ...] | None],
               flags: Flag = Flag.NONE, cut_after: int = CUT_AFTER_TRIES, relay: bytes = b"",
               ) -> Procedure[Record | None]:
    """Open the next epoch with the changes that `wish` gives for the replica as it then is.

    `wish` is asked again after every lost race; None means that nothing is left to wish for, and nothing is opened.
    After `cut_after` lost races the log is closed before what members that are to be removed have written last.
    `relay` is the key of another relay, to which the record moves the set. Returns the record, or None. Raises
    RightMissing, ChainInvalid or Refused, and CloneDetected on a frozen device.
    """
    check_not_frozen(replica)
    for tries in range(TRIES):
        yield from read_on(replica, link)
        changes = wish(replica)
        if changes is None:
            return None
        if tries >= cut_after:
            yield from _cut(replica, link, changes)
        opening = yield from _prepare(replica, link, changes, flags, relay)
        answer = yield from _sent(link, opening)
        if not isinstance(answer, Refused):
            opened(replica, link, opening, accepted(answer, Opened), moving=bool(relay))
            return opening.record
        if answer.reason == "EpochClosed":
            link.epoch = replica.position.epoch + 1
            yield from enter(replica, link)
        elif answer.reason != "HeadMoved":
            raise answer
    raise Refused("HeadMoved", "other devices wrote each time that this one tried to open an epoch", "try again later")


def _sent(link: Link, opening: Opening) -> Procedure[Answer | Refused]:
    """The relay's answer to the opening. Blobs of few parts go along with it, and wait for nothing (SPEC 13.3)."""
    parts = blob_parts(opening.blobs, [0] * len(opening.blobs))
    if len(parts) > PIPELINE:
        yield from upload_blobs(link, opening.blobs)
        parts = []
    *stored, answer = yield [*parts, Open(
        opening.record.raw, opening.box_list, opening.boxes, opening.announcement,
        tuple(name for name, _blob in opening.blobs), opening.dead,
    )]
    if isinstance(answer, Refused) and answer.reason == "BlobMissing":
        for each in stored:
            # Why it is missing is what helps.
            accepted(each, BlobStored)
    return answer


def _cut(replica: Replica, link: Link, changes: tuple[Change, ...]) -> Procedure[None]:
    """Go back to before the last envelopes that only members to be removed have written (SPEC 14.3 step 6).

    The state there is folded again, from the snapshot of the open epoch: a fold cannot be undone.
    """
    removed = {change.member for change in changes if isinstance(change, Remove)}
    position = replica.position
    keep = kept_by_cut(replica, removed)
    if keep == position.seq:
        return
    kept = tuple(replica.store.envelope(seq) or b"" for seq in range(1, keep + 1))
    yield from begin_again(replica, link)
    if kept:
        yield from take(replica, link, LogPart(position.epoch, 1, kept, None))


def announce(replica: Replica, link: Link) -> Procedure[None]:
    """Announce the sealing key that the open epoch calls for, and what this device asks for, once (SPEC 10.6)."""
    if is_announced(replica) and not is_asking_due(replica):
        return
    number = next_number(replica)
    own = announcement(replica, replica.signing_key, number, link.entropy)
    answers = yield [PutSlot(own, b"")]
    if isinstance(answers[0], Refused) and answers[0].reason == "BadSlot":
        slot = (yield from read_slots(replica, link)).get(replica.member)
        served = valid_announcement(replica.chain, slot)
        if served is None or served.number < number:
            raise answers[0]
        if served.seal_key != sealing_key(replica, number, link.entropy).public:
            replica.freeze(CloneDetected.code)
            raise CloneDetected("another device has announced a key under this device's index")
    else:
        accepted(answers[0], SlotStored)
    mark_announced(replica)
    mark_asked(replica)


def check_not_frozen(replica: Replica) -> None:
    """Raises CloneDetected or ForkDetected on a device that has stopped writing: nothing of it goes out any more."""
    if replica.frozen == ForkDetected.code:
        raise ForkDetected("two records with one number exist, and this device has stopped writing",
                           "agree which devices are right, then run `e2esync rejoin` on the others", about=CHAIN)
    if replica.frozen:
        raise CloneDetected("this device's profile is in use elsewhere too, or was restored from an old copy")


def read_slots(replica: Replica, link: Link, *, whole: bool = False) -> Procedure[dict[int, SlotRow]]:
    """All slots as the relay serves them now; only those that have changed since the last time are asked for.

    `whole`: every one is, so that what was spoilt on its way once stands in nobody's way for ever.
    """
    stored = replica.store.get("slots")
    incarnation, version = decode(stored) if stored else (0, 0)
    # The versions of a relay that was restored begin anew.
    since = version if incarnation == link.head.incarnation and not whole else 0
    served = yield from ask(ReadSlots(since), SlotList)
    known = {row.member: row for row in replica.store.slots()}
    with replica.store.transaction():
        for slot in served.slots:
            before = known.get(slot.member, SlotRow(slot.member, b"", b"", 0))
            known[slot.member] = hear(replica, before, slot.announcement, slot.heartbeat, link.now())
        if (incarnation, version) != (link.head.incarnation, served.version):
            replica.store.put("slots", encode([link.head.incarnation, served.version]))
    return known


def _prepare(replica: Replica, link: Link, changes: tuple[Change, ...], flags: Flag, relay: bytes,
             ) -> Procedure[Opening]:
    slots = yield from read_slots(replica, link, whole=True)
    indexes = {}
    for run in merged_runs(replica, flags):
        at_hand = replica.store.upload(run.index_id)
        indexes[run.index_id] = at_hand or (yield from fetch_blob(run.index_id))
    # SPEC 14.3 step 2: whoever opens next does what the others' announcements ask for.
    asked = [valid for slot in slots.values() if (valid := valid_announcement(replica.chain, slot))]
    wished = with_requests(replica.chain, replica.member, changes, asked)
    return prepare(replica, wished, slots, indexes, link.now(), link.entropy, flags=flags, relay=relay)


def opened(replica: Replica, link: Link, opening: Opening, answer: Opened, *, moving: bool = False) -> None:
    """The opener enters by its own fold: it has just made the snapshot from it.

    What a relay signs from which the set is `moving` away counts no more.
    """
    if not adopt_fold(replica, opening.entrance, link.now()):
        raise RemoteProtocolError("the epoch that this device opened does not begin from its own state")
    link.epoch = replica.position.epoch
    if not moving:
        keep_head(replica, check_head(replica, answer.head, replica.position, link.head.incarnation))
