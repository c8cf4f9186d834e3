"""Holds (SPEC 13.6): who gets time to open an epoch while the set's other members wait.

A member whose opening lost to somebody's append gets five seconds; a recovery member gets a minute as soon as it comes.
Pure values: they are kept with the set, so that they hold in every process of a relay, whichever a member talks to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from e2esync.limits import HOLD, HOLD_INTERVAL, HOLD_KIT_INTERVAL, HOLD_ROOT
from e2esync.wire import decode_values, encode


class HoldKind(IntEnum):
    """For whom others wait. A higher one takes the place of a lower one; only the root's gives way to no other."""

    DEVICE = 0
    KIT = 1
    ROOT = 2


_INTERVALS: Final = {HoldKind.DEVICE: HOLD_INTERVAL, HoldKind.KIT: HOLD_KIT_INTERVAL, HoldKind.ROOT: 0}


@dataclass(frozen=True, slots=True)
class Hold:
    """One set waits for one member's next opening until a time (ms); `place` is the process that its session is at."""

    member: int
    until: int
    kind: HoldKind
    place: str

    def lasts(self, now: int) -> bool:
        """Whether it is not over. One that lasts longer than any may was given by a clock that has been set back."""
        return now < self.until <= now + (HOLD if self.kind is HoldKind.DEVICE else HOLD_ROOT)


@dataclass(frozen=True, slots=True)
class Holds:
    """A set's hold, if it has one, and who was given one when: (member, kind, time), as long as that matters."""

    hold: Hold | None = None
    given: tuple[tuple[int, int, int], ...] = ()

    def against(self, member: int, now: int) -> Hold | None:
        """The hold that this member's append or opening has to wait for."""
        hold = self.hold
        return hold if hold is not None and hold.member != member and hold.lasts(now) else None

    def lost(self, member: int, now: int, place: str) -> Holds:
        """An opening was refused with HeadMoved: a hold, if the member may have one."""
        if self.hold is not None and self.hold.lasts(now):
            return self
        return self._give(Hold(member, now + HOLD, HoldKind.DEVICE, place), now)

    def came(self, member: int, now: int, place: str, *, root: bool) -> Holds:
        """A session of a recovery member began: a hold, if it may have one."""
        if not root and self.hold is not None and self.hold.kind is HoldKind.ROOT and self.hold.lasts(now):
            return self
        return self._give(Hold(member, now + HOLD_ROOT, HoldKind.ROOT if root else HoldKind.KIT, place), now)

    def decided(self, member: int, *, accepted: bool) -> Holds:
        """The member's opening has been decided: a device's hold is over, a kit's if it was accepted."""
        hold = self.hold
        over = hold is not None and hold.member == member and (accepted or hold.kind is HoldKind.DEVICE)
        return replace(self, hold=None) if over else self

    def left(self, member: int, place: str) -> Holds:
        """No session of the member is left at a process; if it was there that it came, its hold is over."""
        hold = self.hold
        return replace(self, hold=None) if hold is not None and (hold.member, hold.place) == (member, place) else self

    def pack(self) -> bytes:
        """As it is stored; nothing for nothing."""
        if self.hold is None and not self.given:
            return b""
        hold = None if self.hold is None else [
            self.hold.member, self.hold.until, int(self.hold.kind), self.hold.place]
        return encode([hold, [list(each) for each in self.given]])

    def _give(self, hold: Hold, now: int) -> Holds:
        given = tuple(each for each in self.given if each[2] <= now < each[2] + _INTERVALS[HoldKind(each[1])])
        if any(each[:2] == (hold.member, hold.kind) for each in given):
            return replace(self, given=given)
        mark = () if hold.kind is HoldKind.ROOT else ((hold.member, int(hold.kind), now),)
        return Holds(hold, given + mark)


NONE: Final = Holds()


def unpack(raw: bytes) -> Holds:
    """What `pack` made."""
    if not raw:
        return NONE
    hold, given = decode_values(raw)
    return Holds(
        None if hold is None else Hold(hold[0], hold[1], HoldKind(hold[2]), hold[3]),
        tuple((member, kind, time) for member, kind, time in given),
    )
