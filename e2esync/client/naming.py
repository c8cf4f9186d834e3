"""Members by the names that their devices have in the book: what is said to a person names no numbers (SPEC 14.6).

Invariants: findings are kept with numbers, as a device may be named later, or otherwise; names go in when they are
told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from e2esync.errors import Detection
from e2esync.replica.core import Replica


def device_name(names: Mapping[int, str], member: int) -> str:
    """What a person calls a device, as far as it has a name."""
    return names.get(member) or f"device {member}"


def with_names(replica: Replica, text: str) -> str:
    """A sentence, with the names of the devices in it."""
    from e2esync.replica.own_object import device_names

    names, members = device_names(replica), replica.chain.all_members

    def named(found: re.Match[str]) -> str:
        member = members.get(int(found[1]))
        return "the recovery kit" if member and not member.is_device else device_name(names, int(found[1]))
    return re.sub(r"\bmember (\d+)", named, text)


def tell(replica: Replica, detections: Iterable[Detection]) -> None:
    """Put names into what was detected, which is about to be shown."""
    for detection in detections:
        detection.message = with_names(replica, detection.message)
