"""A rescue file back into its book (SPEC 14.13). Offline: what comes back waits in the outbox like any edit."""

from __future__ import annotations

from collections.abc import Callable

from e2esync.access.kit import RecoveryKit
from e2esync.access.rescue import open_rescue
from e2esync.client.book import Book
from e2esync.client.profile import Profile
from e2esync.client.sync import SYSTEM_ENTROPY, now_ms
from e2esync.crypto import Entropy
from e2esync.errors import NotFound
from e2esync.replica.rescuing import Returned, write_back


def add_rescue(profile: Profile, kit: RecoveryKit, read: Callable[[int], bytes], *, entropy: Entropy = SYSTEM_ENTROPY,
               now: Callable[[], int] = now_ms) -> tuple[Book, Returned]:
    """Write what a rescue file holds into the book that it is of, all or nothing; `read` is that of the open file.

    Raises BadCode for another kit, NotFound for a file of a book that is not here, AuthFailed or CommitMismatch for
    one that was altered or cut short.
    """
    header, parts = open_rescue(kit, read)
    for info in profile.store.books():
        book = Book(profile, info.number, entropy=entropy, now=now)
        if info.set_id == header.set_id and book.exists():
            return book, write_back(book.replica, header.member, parts, book.now(), book.entropy)
    raise NotFound("the rescue file is of a book that is not on this device",
                   "bring it here first; a book that was moved to a new set takes it in its old one only")
