"""Slots and mailboxes in the relay's store (SPEC 10.6, 10.7, 13.7)."""

from __future__ import annotations

from typing import Final

import apsw

from e2esync.epoch.announcement import parse_announcement
from e2esync.epoch.chain import Chain
from e2esync.errors import E2esyncError
from e2esync.limits import MAILBOX_TTL
from e2esync.session import rules
from e2esync.session.commands import Change
from e2esync.session.kinds import Refusal
from e2esync.session.messages import Mail, MailboxUsed, MailStored, PutSlot, SlotStored, UseMailbox
from e2esync.session.rules import Declined
from e2esync.stores.relay_batch import Batch, Mailed, Outcome, SideTaken, SlotChanged, with_leaving

_MAILBOXES_MAX: Final = 10_000


def put_slot(batch: Batch, change: Change, request: PutSlot) -> Outcome:
    """PUT_SLOT: the member's own announcement, heartbeat, or both; an empty one leaves what is there."""
    known = batch.member(change.set_id, change.member)
    view, member = known.view, change.member
    if member not in view.chain.numbers:
        raise Declined(Refusal.NOT_ALLOWED, f"member {member} is no device and has no slot")
    announced, beat = _slot(batch.connection, known.row, member)
    announcement, heartbeat = request.announcement or announced, request.heartbeat or beat
    rules.check_slot_size(announcement, heartbeat)
    if request.announcement:
        rules.check_announced(view.chain, member, request.announcement, announced)
    if request.heartbeat:
        rules.check_heartbeat(view, request.heartbeat)
    batch.connection.execute(
        "INSERT OR REPLACE INTO slots VALUES (?, ?, ?, ?, ?)",
        (known.row, member, announcement, heartbeat, batch.now),
    )
    urgent = announcement != announced
    if urgent:
        batch.update(known, with_leaving(batch.connection, known.row, view))
    effect = SlotChanged(view.set_id, member, announcement, heartbeat, batch.now, change.session, urgent)
    return Outcome(SlotStored(), effect)


def check_opening_announcement(connection: apsw.Connection, row: int, after: Chain, raw: bytes) -> None:
    """SPEC 13.5 step 8, against what the opener's slot holds."""
    held, _ = _slot(connection, row, after.head.opener)
    rules.check_opening_announcement(after, raw, held)


def store_announcement(batch: Batch, row: int, chain: Chain, raw: bytes) -> None:
    """The announcement of a device of a new set."""
    try:
        member = parse_announcement(raw).member
    except E2esyncError as error:
        raise Declined(Refusal.BAD_SLOT, error.message) from error
    rules.check_slot_size(raw, b"")
    held, _ = _slot(batch.connection, row, member)
    rules.check_announced(chain, member, raw, held)
    batch.connection.execute("INSERT OR REPLACE INTO slots VALUES (?, ?, ?, x'', ?)", (row, member, raw, batch.now))


def use_mailbox(batch: Batch, change: Change, request: UseMailbox) -> Outcome:
    """MAILBOX: the first visitor makes it; each side belongs to the token that it first came with."""
    connection = batch.connection
    _expire(connection, batch.now, request.mailbox)
    found = connection.execute("SELECT token0, token1 FROM mailboxes WHERE id = ?", (request.mailbox,)).fetchone()
    if found is None:
        if connection.execute("SELECT count(*) FROM mailboxes").get >= _MAILBOXES_MAX:
            raise Declined(Refusal.BUSY, "the relay has too many mailboxes now")
        connection.execute("INSERT INTO mailboxes VALUES (?, ?, NULL, NULL)", (request.mailbox, batch.now))
    rules.check_side(request, found[request.side] if found else None)
    column = "token1" if request.side else "token0"
    connection.execute(f"UPDATE mailboxes SET {column} = ? WHERE id = ?", (request.token, request.mailbox))
    waiting = tuple(connection.execute(
        "SELECT n, message FROM mail WHERE mailbox = ? AND n % 2 != ? ORDER BY n", (request.mailbox, request.side)
    ))
    return Outcome(MailboxUsed(), SideTaken(request.mailbox, request.side, change.session, waiting))


def put_mail(batch: Batch, using: UseMailbox | None, request: Mail) -> Outcome:
    """MAIL: message n of the conversation. The same message again is a lost answer, and gets the same one."""
    connection = batch.connection
    if using is None:
        raise Declined(Refusal.NOT_FOUND, "MAIL comes after MAILBOX")
    mailbox, side = using.mailbox, using.side
    found = connection.execute("SELECT born, token0, token1 FROM mailboxes WHERE id = ?", (mailbox,)).fetchone()
    if found is None:
        raise Declined(Refusal.NOT_FOUND, "there is no such mailbox")
    born = found[0]
    # Mail may follow right behind a MAILBOX that was refused, or come long after another took the side.
    rules.check_side(using, found[1 + side])
    earlier = connection.execute("SELECT message FROM mail WHERE mailbox = ? AND n = ?", (mailbox, request.n)).get
    if earlier == request.message and request.n % 2 == side:
        return Outcome(MailStored())
    arrived = connection.execute("SELECT count(*) FROM mail WHERE mailbox = ?", (mailbox,)).get
    rules.check_mail(request, side, arrived, born, batch.now)
    connection.execute("INSERT INTO mail VALUES (?, ?, ?)", (mailbox, request.n, request.message))
    return Outcome(MailStored(), Mailed(mailbox, side, request.n, request.message))


def sweep_mailboxes(batch: Batch) -> int:
    """Deletes mailboxes past their five minutes. Returns how many."""
    return _expire(batch.connection, batch.now, None)


def _slot(connection: apsw.Connection, row: int, member: int) -> tuple[bytes, bytes]:
    found = connection.execute(
        "SELECT announcement, heartbeat FROM slots WHERE owner = ? AND member = ?", (row, member)
    ).fetchone()
    return found or (b"", b"")


def _expire(connection: apsw.Connection, now: int, mailbox: bytes | None) -> int:
    old = connection.execute(
        "SELECT id FROM mailboxes WHERE born < ? AND (?2 IS NULL OR id = ?2)", (now - MAILBOX_TTL, mailbox)
    ).fetchall()
    for (each,) in old:
        connection.execute("DELETE FROM mail WHERE mailbox = ?", (each,))
        connection.execute("DELETE FROM mailboxes WHERE id = ?", (each,))
    return len(old)
