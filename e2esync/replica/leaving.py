"""Going (SPEC 14.12): a device asks to leave, or finds the record that has removed it.

The relay's word removes nobody. What counts is a record that follows the chain which this device has verified, and it
alone says whether the copy is to be erased or kept for its person.
"""

from __future__ import annotations

from dataclasses import dataclass

from e2esync.crypto import Entropy
from e2esync.epoch.announcement import AskLeave
from e2esync.epoch.chain import Chain
from e2esync.epoch.record import Remove
from e2esync.errors import LocalProtocolError, RightMissing
from e2esync.replica.announcing import announcement, next_number
from e2esync.replica.core import Replica
from e2esync.replica.writing import all_landed


@dataclass(frozen=True, slots=True)
class Removal:
    """The record that removed this device: its epoch and time, who signed it, and whether that is a recovery kit."""

    epoch: int
    time: int
    opener: int
    by_kit: bool


def removal_of(chain: Chain) -> Removal:
    """The removal that a chain ends in."""
    opener = chain.all_members[chain.head.opener]
    return Removal(chain.head.epoch, chain.head.time, opener.index, not opener.is_device)


def ask_leave(replica: Replica, entropy: Entropy) -> bytes:
    """The announcement of a device that asks to leave. Raises LocalProtocolError while something is unsent."""
    if not all_landed(replica):
        raise LocalProtocolError("a device that leaves has to send everything first", "sync, then ask again")
    return announcement(replica, replica.signing_key, next_number(replica), entropy,
                        (AskLeave(replica.position.epoch),))


def who_closes(replica: Replica) -> list[int]:
    """The other devices that may fulfil this one's request to leave (SPEC 9.4 step 3), by index."""
    closes = []
    for index, member in sorted(replica.chain.members.items()):
        if index != replica.member and member.is_device:
            try:
                replica.chain.after(index, (Remove(replica.member),))
            except RightMissing:
                continue
            closes.append(index)
    return closes
