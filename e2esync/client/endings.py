"""What people are told of a book that is to be deleted at its relay, was, or has moved (SPEC 14.15, 12.9).

No network and no trio: `status` says them too.
"""

from __future__ import annotations

import time

from e2esync.errors import SetDeleted
from e2esync.replica.core import Replica
from e2esync.replica.deletion import Deleting, deletion_of
from e2esync.replica.moving import move_notice


def day(moment: int) -> str:
    """A time in ms as a date, UTC."""
    return time.strftime("%Y-%m-%d", time.gmtime(moment // 1000))


def coming(deleting: Deleting) -> str:
    """A deletion that is to come, and how it is cancelled."""
    return (f"{deleting.by} wants this book deleted at its relay: that will be on {day(deleting.time)}. "
            "`e2esync delete-everything --cancel` keeps it, on any owner's device or by the recovery kit; if nobody of "
            "yours asked for it, shut that device out")


def set_deleted(deleting: Deleting, word: bytes = b"") -> SetDeleted:
    """A deletion that was carried out, and what can be done now."""
    by = f"30 days after {deleting.by} asked for it" if deleting.by else "with the recovery kit"
    hint = ("it had moved to another relay before: `e2esync relay move URL`, with that one's address, goes there"
            if deleting.moved else
            "everything is still on this device, and nothing is sent any more: `e2esync relay move URL` takes the book "
            "to another relay, `e2esync retire` erases it here")
    return SetDeleted(f"this book was deleted at its relay on {day(deleting.time)}, {by}", hint, word)


def ending_notices(replica: Replica, now: int, *, home: bool) -> list[str]:
    """What `status` says of a book that may be over: it has moved to another set, which only a home book does, or is
    to be deleted."""
    moved = move_notice(replica) if home else None
    return [each for each in (moved, deletion_notice(replica, now)) if each]


def deletion_notice(replica: Replica, now: int) -> str | None:
    """What `status` says; None where nobody wants the book deleted."""
    deleting = deletion_of(replica, now)
    if deleting is None:
        return None
    if not deleting.done:
        return coming(deleting)
    error = set_deleted(deleting)
    return f"{error.message} ({error.hint})"
