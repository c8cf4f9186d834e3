"""To forget (SPEC 14.4): the epoch that drops what is dead, under the flag that tells every device to do the same."""

from __future__ import annotations

from collections.abc import Set

from e2esync.epoch.record import Change, Flag, Remove
from e2esync.procedures.opening import announce, open_epoch
from e2esync.procedures.steps import Link, Procedure
from e2esync.procedures.syncing import be_heard
from e2esync.replica.core import Replica
from e2esync.replica.forgetting import note_complete


def forget(replica: Replica, link: Link, without: Set[int] = frozenset()) -> Procedure[None]:
    """Open the flagged epoch, and remove the devices that are not to be waited for. The replica is in step.

    Raises RightMissing for a device that may not sign it, and what `open_epoch` raises.
    """
    def wish(current: Replica) -> tuple[Change, ...]:
        return tuple(Remove(member) for member in sorted(without) if member in current.chain.members)

    yield from open_epoch(replica, link, wish, Flag.FORGET)
    yield from announce(replica, link)
    yield from be_heard(replica, link)
    note_complete(replica)
