"""Who is in, with trio: removing devices, and renewing this one's keys (SPEC 9, 14.3).

Every one of these opens an epoch: what is written afterwards is sealed under a secret that only those have who are
still in. What a device held before, it held.
"""

from __future__ import annotations

from collections.abc import Callable, Set

from e2esync.client.profile import Profile
from e2esync.client.sync import SYSTEM_ENTROPY, Online, Progress, go_online, no_progress, now_ms
from e2esync.crypto import Entropy
from e2esync.epoch.record import Change, Record, Remove
from e2esync.errors import NotFound, ProfileError
from e2esync.limits import CUT_AFTER_TRIES
from e2esync.procedures.opening import announce, open_epoch
from e2esync.procedures.syncing import sync as sync_procedure
from e2esync.replica.core import Replica
from e2esync.replica.opening import rekey


async def revoke(profile: Profile, members: Set[int], *, lost: bool = False, book: int = 0,
                 progress: Progress = no_progress, entropy: Entropy = SYSTEM_ENTROPY,
                 now: Callable[[], int] = now_ms) -> Record:
    """Remove devices of the book; with `lost` what they wrote last is dropped too. Returns the record that does it.

    Raises NotFound for what is no device of the book, ProfileError for this device itself, RightMissing where
    its role does not allow it, or what `sync` raises.
    """
    def wish(replica: Replica) -> tuple[Change, ...] | None:
        gone = sorted(member for member in members if member in replica.chain.members)
        return tuple(Remove(member) for member in gone) or None

    with profile.sync_lock():
        async with go_online(profile, book, progress=progress, entropy=entropy, now=now) as online:
            check_removable(online.replica, members)
            return await _open(online, wish, cut_after=0 if lost else CUT_AFTER_TRIES)


async def rotate(profile: Profile, *, book: int = 0, progress: Progress = no_progress,
                 entropy: Entropy = SYSTEM_ENTROPY, now: Callable[[], int] = now_ms) -> Record:
    """Begin an epoch under a fresh secret, and replace this device's signing and sealing keys.

    Whoever has copied this device's keys before can then neither read nor write what follows.
    """
    with profile.sync_lock():
        async with go_online(profile, book, progress=progress, entropy=entropy, now=now) as online:
            change = rekey(online.replica, entropy)

            def wish(replica: Replica) -> tuple[Change, ...] | None:
                return None if change.verify_key in replica.chain.used_keys else (change,)

            return await _open(online, wish, cut_after=CUT_AFTER_TRIES)


def check_removable(replica: Replica, members: Set[int]) -> None:
    known = replica.chain.members
    for member in members:
        if member not in known or not known[member].is_device:
            raise NotFound(f"there is no device number {member} in the book", "`e2esync devices` lists them")
    if replica.member in members:
        raise ProfileError("a device cannot shut itself out: it would know the new secret",
                           "remove it with another device")


async def _open(online: Online, wish: Callable[[Replica], tuple[Change, ...] | None], *, cut_after: int) -> Record:
    """Send what waits, open the epoch, announce the next key."""
    replica, link, run = online.replica, online.link, online.connection.run
    await run(sync_procedure(replica, link))
    record = await run(open_epoch(replica, link, wish, cut_after=cut_after))
    await run(announce(replica, link))
    return record or replica.chain.head
