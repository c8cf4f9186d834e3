"""Holds (SPEC 13.6): a member whose opening lost to somebody's append gets five seconds without appends.

Pure bookkeeping; the server asks before it passes a command on, and keeps what is held back.
"""

from __future__ import annotations

from dataclasses import dataclass

from e2esync.limits import HOLD, HOLD_INTERVAL


@dataclass(frozen=True, slots=True)
class Hold:
    """One set waits for one member's next opening, until a moment (ms on the server's steady clock)."""

    member: int
    until: float


class Holds:
    """All holds of a relay. Bounded by the sets and members that opened something within the last minute."""

    def __init__(self) -> None:
        self._active: dict[bytes, Hold] = {}
        self._granted: dict[tuple[bytes, int], float] = {}

    def blocks(self, set_id: bytes, member: int) -> bool:
        """Whether this member's append or opening has to wait."""
        hold = self._active.get(set_id)
        return hold is not None and hold.member != member

    def head_moved(self, set_id: bytes, member: int, now: float) -> Hold | None:
        """An opening was refused with HeadMoved. Returns the new hold, if the member may have one."""
        self._granted = {key: time for key, time in self._granted.items() if time + HOLD_INTERVAL > now}
        if set_id in self._active or (set_id, member) in self._granted:
            return None
        self._granted[set_id, member] = now
        hold = Hold(member, now + HOLD)
        self._active[set_id] = hold
        return hold

    def decided(self, set_id: bytes, member: int) -> bool:
        """The held-for member's opening has been decided, or the member has gone. Returns whether a hold ended."""
        hold = self._active.get(set_id)
        if hold is None or hold.member != member:
            return False
        del self._active[set_id]
        return True

    def expired(self, set_id: bytes, hold: Hold) -> bool:
        """The hold's time is over. Returns whether it was still the active one."""
        if self._active.get(set_id) is not hold:
            return False
        del self._active[set_id]
        return True
