"""Really delete, with trio (SPEC 14.4): what went, goes for good; and by name who has not yet said that it did."""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass

from e2esync.client.book import Book
from e2esync.client.members import check_removable
from e2esync.client.profile import Profile
from e2esync.client.sync import SYSTEM_ENTROPY, Progress, go_online, no_progress, now_ms
from e2esync.crypto import Entropy
from e2esync.epoch.record import parse_record
from e2esync.procedures.forgetting import forget as forget_procedure
from e2esync.procedures.syncing import sync as sync_procedure
from e2esync.replica.core import Replica
from e2esync.replica.forgetting import forgetting, forgotten


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How far a book's newest forget has come, as far as this device has heard."""

    epoch: int
    """The epoch that was flagged; 0 if nothing was ever forgotten."""
    waiting: dict[int, str]
    """Devices (member, name) that must still acknowledge; empty when it is complete."""


async def forget(profile: Profile, *, without: Set[int] = frozenset(), book: int = 0,
                 progress: Progress = no_progress, entropy: Entropy = SYSTEM_ENTROPY,
                 now: Callable[[], int] = now_ms) -> Forgotten:
    """Make everything that was deleted or replaced so far unreadable, and say who must still acknowledge.

    `without`: devices to remove, because they are not to be waited for. Waits for nobody: every later sync goes on
    with it. Where nothing was written since the last one, no further epoch is opened. Raises RightMissing for who is
    no owner, NotFound or ProfileError for devices that cannot be removed, or what `sync` raises.
    """
    with profile.sync_lock():
        async with go_online(profile, book, progress=progress, entropy=entropy, now=now) as online:
            replica, link = online.replica, online.link
            check_removable(replica, without)
            await online.connection.run(sync_procedure(replica, link))
            if without or not _is_forgotten(replica):
                await online.connection.run(forget_procedure(replica, link, without))
    # What was erased leaves the index of names and the write-ahead log too.
    profile.store.settle()
    profile.store.purge()
    return Forgotten(_newest(replica), Book(profile, book).not_forgotten())


def _is_forgotten(replica: Replica) -> bool:
    """Whether nothing was written since the last forget was opened."""
    last = _newest(replica)
    later = (parse_record(raw) for raw in replica.store.records()[last + 1:])
    return bool(last) and not replica.position.seq and not any(record.closes_seq for record in later)


def _newest(replica: Replica) -> int:
    """The epoch of the newest forget, complete or not; 0 for none."""
    state = forgetting(replica)
    return state.epoch if state else forgotten(replica.store)
