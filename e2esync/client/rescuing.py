"""A rescue file back into a book (SPEC 14.13). Offline: what comes back waits in the outbox like any edit."""

from __future__ import annotations

from collections.abc import Callable

from e2esync.access.kit import RecoveryKit
from e2esync.access.rescue import open_rescue
from e2esync.client.book import Book
from e2esync.errors import NotFound
from e2esync.replica.rescuing import Returned, write_back


def add_rescue(book: Book, kit: RecoveryKit, read: Callable[[int], bytes]) -> Returned:
    """Write what a rescue file holds into the book, all or nothing; `read` is that of the open file.

    Raises BadCode for another kit, NotFound for a file of another book, AuthFailed or CommitMismatch for one that was
    altered or cut short.
    """
    header, parts = open_rescue(kit, read)
    if header.set_id != book.set_id:
        raise NotFound("the rescue file is of another book than this one",
                       "choose the book with --book; a book that was moved to a new set takes it in its old one only")
    return write_back(book.replica, header.member, parts, book.now(), book.entropy)
