"""Slots and mailboxes in the relay's store (SPEC 10.6, 10.7, 13.7)."""

from __future__ import annotations

from typing import Final

from e2esync.epoch.announcement import parse_announcement
from e2esync.epoch.chain import Chain
from e2esync.errors import E2esyncError
from e2esync.limits import MAILBOX_TTL
from e2esync.session import rules
from e2esync.session.commands import Change
from e2esync.session.kinds import Refusal
from e2esync.session.messages import Mail, MailboxUsed, MailStored, PutSlot, SlotStored, UseMailbox
from e2esync.session.rules import Declined
from e2esync.stores.relay_batch import Batch, Known, Mailed, Outcome, SideTaken, SlotChanged, with_leaving
from e2esync.stores.relay_rows import Key, Rows

_MAILBOXES_MAX: Final = 10_000


def put_slot(batch: Batch, change: Change, request: PutSlot) -> Outcome:
    """PUT_SLOT: the member's own announcement, heartbeat, or both; an empty one leaves what is there."""
    known = batch.member(change.set_id, change.member)
    view, member = known.view, change.member
    if member not in view.chain.numbers:
        raise Declined(Refusal.NOT_ALLOWED, f"member {member} is no device and has no slot")
    announced, beat = _slot(batch.rows, known.row, member)
    announcement, heartbeat = request.announcement or announced, request.heartbeat or beat
    rules.check_slot_size(announcement, heartbeat)
    if request.announcement:
        rules.check_announced(view.chain, member, request.announcement, announced)
    if request.heartbeat:
        rules.check_heartbeat(view, request.heartbeat)
    urgent = announcement != announced
    write_slot(batch, known, member, announcement, heartbeat, announced=urgent)
    batch.update(known, with_leaving(batch.rows, known.row, view) if urgent else view)
    effect = SlotChanged(view.set_id, member, announcement, heartbeat, batch.now, change.session, urgent)
    return Outcome(SlotStored(), effect)


def write_slot(
    batch: Batch, known: Known, member: int, announcement: bytes, heartbeat: bytes, *, announced: bool
) -> None:
    """A member's slot as it is from now on; `announced` says whether the announcement is a new one."""
    version = known.version + 1
    batch.rows.run(
        "INSERT INTO slots (owner, member, announcement, heartbeat, time, version, announced) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (owner, member) DO UPDATE SET announcement = excluded.announcement, "
        "heartbeat = excluded.heartbeat, time = excluded.time, version = excluded.version"
        + (", announced = excluded.announced" if announced else ""),
        (known.row, member, announcement, heartbeat, batch.now, version, version),
    )


def check_opening_announcement(rows: Rows, row: Key, after: Chain, raw: bytes) -> None:
    """SPEC 13.5 step 8, against what the opener's slot holds."""
    held, _ = _slot(rows, row, after.head.opener)
    rules.check_opening_announcement(after, raw, held)


def store_announcement(batch: Batch, known: Known, raw: bytes) -> None:
    """The announcement of a device of a new set."""
    try:
        member = parse_announcement(raw).member
    except E2esyncError as error:
        raise Declined(Refusal.BAD_SLOT, error.message) from error
    rules.check_slot_size(raw, b"")
    held, _ = _slot(batch.rows, known.row, member)
    rules.check_announced(known.view.chain, member, raw, held)
    write_slot(batch, known, member, raw, b"", announced=True)


def use_mailbox(batch: Batch, change: Change, request: UseMailbox) -> Outcome:
    """MAILBOX: the first visitor makes it; each side belongs to the token that it first came with."""
    rows, mailbox = batch.rows, request.mailbox
    found = rows.one("SELECT token0, token1, born FROM mailboxes WHERE mailbox = ?", (mailbox,))
    if found is not None and found[2] < batch.now - MAILBOX_TTL:
        expire_mailbox(rows, mailbox)
        found = None
    if found is None:
        others = rows.one("SELECT count(*) FROM mailboxes")
        if others is not None and others[0] >= _MAILBOXES_MAX:
            raise Declined(Refusal.BUSY, "the relay has too many mailboxes now")
        rows.run("INSERT INTO mailboxes (mailbox, born) VALUES (?, ?)", (mailbox, batch.now))
    rules.check_side(request, found[request.side] if found else None)
    column = "token1" if request.side else "token0"
    rows.run(f"UPDATE mailboxes SET {column} = ? WHERE mailbox = ?", (request.token, mailbox))
    waiting = tuple((n, message) for n, message in mail(rows, mailbox) if n % 2 != request.side)
    return Outcome(MailboxUsed(), SideTaken(mailbox, request.side, change.session, waiting))


def put_mail(batch: Batch, using: UseMailbox | None, request: Mail) -> Outcome:
    """MAIL: message n of the conversation. The same message again is a lost answer, and gets the same one."""
    rows = batch.rows
    if using is None:
        raise Declined(Refusal.NOT_FOUND, "MAIL comes after MAILBOX")
    mailbox, side = using.mailbox, using.side
    found = rows.one("SELECT born, token0, token1 FROM mailboxes WHERE mailbox = ?", (mailbox,))
    if found is None:
        raise Declined(Refusal.NOT_FOUND, "there is no such mailbox")
    born = found[0]
    # Mail may follow right behind a MAILBOX that was refused, or come long after another took the side.
    rules.check_side(using, found[1 + side])
    arrived = mail(rows, mailbox)
    if (request.n, request.message) in arrived and request.n % 2 == side:
        return Outcome(MailStored())
    rules.check_mail(request, side, len(arrived), born, batch.now)
    rows.run("INSERT INTO mail (mailbox, n, message) VALUES (?, ?, ?)", (mailbox, request.n, request.message))
    return Outcome(MailStored(), Mailed(mailbox, side, request.n, request.message))


def mail(rows: Rows, mailbox: bytes) -> list[tuple[int, bytes]]:
    """What has been said in a mailbox: (n, message)."""
    found = rows.all("SELECT n, message FROM mail WHERE mailbox = ? ORDER BY n", (mailbox,))
    return [(n, message) for n, message in found]


def old_mailboxes(rows: Rows, now: int) -> list[bytes]:
    """The mailboxes past their five minutes."""
    return [mailbox for (mailbox,) in rows.all("SELECT mailbox FROM mailboxes WHERE born < ?", (now - MAILBOX_TTL,))]


def expire_mailbox(rows: Rows, mailbox: bytes) -> None:
    """Deletes a mailbox and what was said in it."""
    rows.run("DELETE FROM mail WHERE mailbox = ?", (mailbox,))
    rows.run("DELETE FROM mailboxes WHERE mailbox = ?", (mailbox,))


def _slot(rows: Rows, row: Key, member: int) -> tuple[bytes, bytes]:
    found = rows.one("SELECT announcement, heartbeat FROM slots WHERE owner = ? AND member = ?", (row, member))
    return (found[0], found[1]) if found else (b"", b"")
