"""Holds (SPEC 13.6): who gets time to open an epoch while the set's other members wait.

A member whose opening lost to somebody's append gets five seconds; a recovery member gets a minute as soon as it
comes. Pure bookkeeping; the server asks before it passes a command on, and keeps what is held back.
"""

from __future__ import annotations

from dataclasses import dataclass

from e2esync.limits import HOLD, HOLD_INTERVAL, HOLD_KIT_INTERVAL, HOLD_ROOT


@dataclass(frozen=True, slots=True)
class Hold:
    """One set waits for one member's next opening, until a moment (ms on the server's steady clock).

    A hold for a recovery member lasts until an opening of it is accepted; the root's gives way to no other.
    """

    member: int
    until: float
    kit: bool = False
    root: bool = False


class Holds:
    """All holds of a relay. Bounded by the sets and members that opened something, or came, within the last hour."""

    def __init__(self) -> None:
        self._active: dict[bytes, Hold] = {}
        self._granted: dict[tuple[bytes, int], float] = {}
        self._granted_kits: dict[tuple[bytes, int], float] = {}

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
        return self._begin(set_id, Hold(member, now + HOLD))

    def kit_came(self, set_id: bytes, member: int, now: float, *, root: bool) -> Hold | None:
        """A session of a recovery member began. Returns the new hold, if it may have one."""
        active = self._active.get(set_id)
        if root:
            return self._begin(set_id, Hold(member, now + HOLD_ROOT, kit=True, root=True))
        kits = {key: time for key, time in self._granted_kits.items() if time + HOLD_KIT_INTERVAL > now}
        self._granted_kits = kits
        if (active is not None and active.root) or (set_id, member) in kits:
            return None
        kits[set_id, member] = now
        return self._begin(set_id, Hold(member, now + HOLD_ROOT, kit=True))

    def decided(self, set_id: bytes, member: int, *, accepted: bool) -> bool:
        """The held-for member's opening has been decided. Returns whether a hold ended."""
        hold = self._active.get(set_id)
        if hold is None or hold.member != member or (hold.kit and not accepted):
            return False
        del self._active[set_id]
        return True

    def left(self, set_id: bytes, member: int) -> bool:
        """No session of the member is left. Returns whether a hold ended."""
        return self.decided(set_id, member, accepted=True)

    def expired(self, set_id: bytes, hold: Hold) -> bool:
        """The hold's time is over. Returns whether it was still the active one."""
        if self._active.get(set_id) is not hold:
            return False
        del self._active[set_id]
        return True

    def _begin(self, set_id: bytes, hold: Hold) -> Hold:
        self._active[set_id] = hold
        return hold
