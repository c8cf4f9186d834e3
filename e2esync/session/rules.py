"""The relay's rules on appends, openings, slots, blobs and mailboxes (SPEC 13.4, 13.5, 10.6, 11.5, 13.7).

Pure: each rule is a small function of a `SetView`, which is what the relay knows of a set, and of the request. The
store calls them inside its transaction, so what they saw is what is changed. A rule that is broken raises `Declined`
and has changed nothing. Nothing here reads contacts, because nothing here can.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from e2esync.crypto import Label, blake2b
from e2esync.epoch.announcement import check_announcement, parse_announcement
from e2esync.epoch.chain import Chain
from e2esync.epoch.record import Record
from e2esync.epoch.roles import RIGHTS, WRITERS
from e2esync.epoch.roster import Member
from e2esync.errors import E2esyncError, EntryInvalid, Refused, SlotInvalid
from e2esync.limits import (
    BLOB_MAX,
    MAILBOX_MESSAGES_MAX,
    MAILBOX_TTL,
    OPENINGS_BURST,
    OPENINGS_INTERVAL,
    SLOT_MAX,
)
from e2esync.log.envelope import check_envelope_shape
from e2esync.log.head import Head
from e2esync.log.heartbeat import check_heartbeat_shape
from e2esync.session.holds import NONE, Holds
from e2esync.session.kinds import Refusal
from e2esync.session.messages import Mail, RefusalAnswer, UseMailbox

# A member's announcement and heartbeat share this, so that the slots of 64 members fit one answer.
SLOT_SHARE: Final = SLOT_MAX - 64

# Openings are never refused for quota, so the blobs that one needs have room beyond it.
OPENING_RESERVE: Final = 64 << 20


class Declined(Refused):
    """A rule says no. `code` is the refusal that the client gets."""

    def __init__(self, code: Refusal, message: str, data: int = 0) -> None:
        super().__init__(code.value, message)
        self.refusal = code
        self.data = data

    def answer(self) -> RefusalAnswer:
        """The message that tells the client."""
        return RefusalAnswer(self.refusal, self.message[:1000], self.data)


class HeldBack(Declined):
    """Not now: the set waits for another member's opening, `until` a time (ms) at most (SPEC 13.6)."""

    def __init__(self, until: int, now: int) -> None:
        super().__init__(Refusal.BUSY, "another member is about to open an epoch", until - now)
        self.until = until


@dataclass(frozen=True, slots=True)
class SetView:
    """What the relay knows of one set at one moment.

    `held` is the bytes of envelopes and blobs; `leaving` are the members whom somebody of their own person asks to
    remove (SPEC 10.6).
    """

    set_id: bytes
    chain: Chain
    epoch: int
    record_hash: bytes
    seq: int
    log_hash: bytes
    held: int
    leaving: frozenset[int] = frozenset()
    waits_for: tuple[int, bytes] | None = None
    """While the set waits for a seed (SPEC 13.12): epoch and hash of a record that the seed has to hold."""
    holds: Holds = NONE
    """Whose opening the others wait for (SPEC 13.6)."""
    deletion: bytes = b""
    """The newest word on whether it is to be deleted (SPEC 10.9); empty while nobody has said one."""
    due: int = 0
    """When what the word asks for is to be done, or its tombstone goes; 0 for never (SPEC 13.14)."""
    gone: bool = False
    """Deleted: its chain and the word are left."""


def check_member(view: SetView | None, member: int) -> SetView:
    """The view, if the set exists and the member is in it; else `NotMember`, the same for both (SPEC 13.2 step 2)."""
    if view is None or member not in view.chain.members:
        raise Declined(Refusal.NOT_MEMBER, "no such set, no such member, or a wrong signature")
    check_not_gone(view)
    return view


def check_not_gone(view: SetView) -> None:
    """SPEC 13.14 step 4: what was deleted takes nothing more, also of a session that began before."""
    if view.gone:
        raise Declined(Refusal.NOT_ALLOWED, "this set was deleted here")


def check_was_member(view: SetView | None, member: int) -> tuple[SetView, Member]:
    """The view and the member, if it is or ever was in the set; else the same `NotMember` (SPEC 13.2 steps 2, 4)."""
    known = view.chain.all_members.get(member) if view is not None else None
    if view is None or known is None:
        raise Declined(Refusal.NOT_MEMBER, "no such set, no such member, or a wrong signature")
    return view, known


def check_not_held(view: SetView, member: int, now: int) -> None:
    """SPEC 13.6: nobody appends or opens while the set waits for another one's opening."""
    if view.holds.hold is not None and (hold := view.holds.against(member, now)) is not None:
        raise HeldBack(hold.until, now)


# Seeds (SPEC 13.12).

def check_not_waiting(view: SetView) -> None:
    """While a set waits for a seed, nobody writes to a log that is about to be replaced."""
    if view.waits_for is not None:
        raise Declined(Refusal.BUSY, "this set was restored from a backup and waits for a device to seed it")


def check_here(chain: Chain, relay_key: bytes) -> None:
    """A set that a record has moved to another relay is written there."""
    if chain.relay_key != relay_key:
        raise Declined(Refusal.NOT_ALLOWED, "the set has moved to another relay")


def check_seedable(view: SetView, relay_key: bytes) -> None:
    """SPEC 13.12 step 4: who brings records is heard while the set waits for them, or has gone on elsewhere."""
    if view.waits_for is None and view.chain.relay_key == relay_key:
        raise Declined(Refusal.NOT_ALLOWED, "nothing of this set is missing here")


def is_lacking(view: SetView, head: Head, record_hash: bytes | None, discarded: bool) -> bool:
    """Whether a head that this relay has signed names a record that it has not, and has not thrown away for a seed."""
    return not discarded and (head.epoch > view.epoch or record_hash != head.record_hash)


def check_seed_complete(chain_hash: bytes | None, waits_for: tuple[int, bytes]) -> None:
    """What was shown must be in the chain before it goes on."""
    if waits_for[1] and chain_hash != waits_for[1]:
        raise Declined(Refusal.BAD_RECORD, f"the seed does not hold the record of epoch {waits_for[0]} that was shown")


# Append (SPEC 13.4).

def check_append(view: SetView, member: int, epoch: int) -> None:
    """SPEC 13.4 steps 1 and 2."""
    check_not_waiting(view)
    if epoch != view.epoch:
        raise Declined(Refusal.EPOCH_CLOSED, f"epoch {epoch} is not open, {view.epoch} is", view.epoch)
    if view.chain.members[member].role not in WRITERS:
        raise Declined(Refusal.NOT_ALLOWED, f"the role of member {member} does not write")
    if member in view.leaving:
        raise Declined(Refusal.NOT_ALLOWED, f"the person of member {member} asks for its removal")


def check_envelope(epoch: int, envelope: bytes) -> None:
    """SPEC 13.4 step 3."""
    try:
        check_envelope_shape(envelope, epoch)
    except EntryInvalid as error:
        raise Declined(Refusal.BAD_ENVELOPE, error.message) from error


def check_blobs_complete(missing: Collection[bytes]) -> None:
    """SPEC 13.4 step 4, 13.5 step 7: every named blob is complete."""
    if missing:
        raise Declined(Refusal.BLOB_MISSING, f"{len(missing)} of the named blobs are not complete")


def check_quota(view: SetView, added: int, limit: int) -> None:
    """SPEC 13.4 step 6."""
    if view.held + added > limit:
        raise Declined(Refusal.QUOTA_EXCEEDED, f"a book may hold {limit:,} bytes here, this one holds {view.held:,}")


# Open (SPEC 13.5).

def check_opening(view: SetView, member: int, record: Record) -> Chain:
    """SPEC 13.5 steps 1, 3 and 4: the chain with the record."""
    if record.opener != member:
        raise Declined(Refusal.NOT_ALLOWED, f"member {member} sent an opening by member {record.opener}")
    if record.epoch != view.epoch + 1:
        raise Declined(
            Refusal.EPOCH_CLOSED, f"epoch {record.epoch} cannot follow the open one, {view.epoch}", view.epoch
        )
    try:
        return view.chain.extend(record)
    except E2esyncError as error:
        raise Declined(Refusal.BAD_RECORD, error.message) from error


def check_close(
    after: Chain, record: Record, hash_there: bytes | None, later_authors: Iterable[int]
) -> None:
    """SPEC 13.5 step 5, compare-and-set: the record closes at the head, or cuts what removed members submitted.

    `hash_there` is the log hash at the position that the record closes, None if the log does not reach it;
    `later_authors` are the submitters of the envelopes behind it.
    """
    if hash_there is None or hash_there != record.closes_hash:
        raise Declined(Refusal.HEAD_MOVED, f"the log does not stand at position {record.closes_seq} as named")
    if any(author in after.members for author in later_authors):
        raise Declined(Refusal.HEAD_MOVED, f"others wrote behind position {record.closes_seq}")


def check_rate(due: int, now: int, removal: bool = False) -> int:
    """SPEC 13.5 step 9: a burst of openings, then one an interval. `due` is when the bucket is full again.

    A `removal` is never refused and counts all the same: whoever it shuts out was let in by an opening that waited
    its turn, so over time there are no more of them. Returns the new `due`; TooOften names the milliseconds to wait.
    """
    wait = due - now - (OPENINGS_BURST - 1) * OPENINGS_INTERVAL
    if wait > 0 and not removal:
        raise Declined(Refusal.TOO_OFTEN, "too many openings by this member", wait)
    return max(due, now) + OPENINGS_INTERVAL


# Slots (SPEC 10.6, 10.7).

def check_slot_size(announcement: bytes, heartbeat: bytes) -> None:
    """What one member's slot may take."""
    if len(announcement) + len(heartbeat) > SLOT_SHARE:
        raise Declined(Refusal.BAD_SLOT, f"a slot holds at most {SLOT_SHARE} bytes")


def check_heartbeat(view: SetView, heartbeat: bytes) -> None:
    """A heartbeat leads with the open epoch's number; the rest is encrypted (SPEC 10.7)."""
    if int.from_bytes(heartbeat[:8], "big") != view.epoch:
        raise Declined(Refusal.EPOCH_CLOSED, "the heartbeat is of another epoch", view.epoch)
    try:
        check_heartbeat_shape(heartbeat, view.epoch)
    except SlotInvalid as error:
        raise Declined(Refusal.BAD_SLOT, error.message) from error


def check_announced(chain: Chain, member: int, raw: bytes, held: bytes) -> None:
    """The announcement is the member's own, and may follow the one held (empty for none; SPEC 10.6)."""
    try:
        announcement = check_announcement(chain, raw, parse_announcement(held) if held else None)
    except E2esyncError as error:
        raise Declined(Refusal.BAD_SLOT, error.message) from error
    if announcement.member != member:
        raise Declined(Refusal.BAD_SLOT, f"member {member} announces for member {announcement.member}")


def check_opening_announcement(after: Chain, raw: bytes, held: bytes) -> None:
    """SPEC 13.5 step 8: with its opening a device announces the very key that the record numbers; a kit announces none.

    `after` is the chain that ends in the record; `held` the opener's announcement before.
    """
    opener = after.head.opener
    if opener not in after.numbers:
        if raw:
            raise Declined(Refusal.BAD_SLOT, f"member {opener} has no slot in the epoch that it opens")
        return
    check_slot_size(raw, b"")
    check_announced(after, opener, raw, held)
    if parse_announcement(raw).number != after.numbers[opener]:
        raise Declined(Refusal.BAD_SLOT, f"member {opener} announces another key number than its record names")


# Blobs (SPEC 11.1, 11.5).

def check_may_upload(view: SetView, member: int) -> None:
    """Who opens no epoch and writes no envelope names no blob either, and so has none to upload."""
    if not RIGHTS[view.chain.members[member].role].opens:
        raise Declined(Refusal.NOT_ALLOWED, f"the role of member {member} uploads nothing")


def check_part(size: int, known_size: int | None, offset: int, part: bytes) -> None:
    """One size per blob, and no byte beyond it."""
    if known_size is not None and known_size != size:
        raise Declined(Refusal.BAD_BLOB, "the blob was begun with another size")
    if size > BLOB_MAX or not part or offset + len(part) > size:
        raise Declined(Refusal.BAD_BLOB, f"a part lies outside of its blob of {size} bytes")


def check_blob(blob: bytes, parts: Iterable[bytes]) -> None:
    """SPEC 11.1: a blob is named by its hash."""
    if blake2b(Label.BLOB, *parts) != blob:
        raise Declined(Refusal.BAD_BLOB, "the bytes do not have the hash that names the blob")


# Mailboxes (SPEC 13.7).

def check_side(request: UseMailbox, token: bytes | None) -> None:
    """A side belongs to the token that came first."""
    if token is not None and token != request.token:
        raise Declined(Refusal.MAILBOX_TAKEN, "somebody else has this side of the mailbox")


def check_mail(mail: Mail, side: int, arrived: int, born: int, now: int) -> None:
    """Messages alternate, side 0 first; `arrived` is how many there are."""
    if now - born > MAILBOX_TTL:
        raise Declined(Refusal.NOT_FOUND, "the mailbox has expired")
    if mail.n >= MAILBOX_MESSAGES_MAX:
        raise Declined(Refusal.MAILBOX_FULL, f"a mailbox takes {MAILBOX_MESSAGES_MAX} messages")
    if mail.n != arrived or mail.n % 2 != side:
        raise Declined(Refusal.NOT_ALLOWED, f"message {mail.n} is out of turn")
