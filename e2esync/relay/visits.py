"""What sessions that are no member's make the relay hold, and who has to go when that is too much (SPEC 13.2 step 6).

Anybody may begin a frame of a megabyte. Each session has a little for itself, which is all that pairing needs; what it
holds beyond that counts against one sum for all of them. Who has been at an unfinished frame for longest makes room: an
honest one is whole within moments, so a crowd that never ends its frames turns out itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from e2esync.errors import Refused
from e2esync.limits import VISIT_FREE, VISITS_MAX
from e2esync.session.kinds import Refusal


@dataclass(slots=True)
class _Visit:
    """One session's bytes: of frames that are not decided yet, and of the one that is still coming."""

    turn_out: Callable[[], None]
    pending: int = 0
    unfinished: int = 0

    @property
    def beyond(self) -> int:
        """What of it is not the session's own share."""
        return max(0, self.pending + self.unfinished - VISIT_FREE)


class Visits:
    """The sessions that hold more than their own share, in the order in which they began to. `held` is their sum."""

    def __init__(self, limit: int = VISITS_MAX) -> None:
        self.held = 0
        self._limit = limit
        self._visits: dict[int, _Visit] = {}

    def hold(self, number: int, pending: int, unfinished: int, turn_out: Callable[[], None]) -> None:
        """Session `number` holds so many bytes now. Others are turned out for it, or it is told Refused (Busy).

        With less than it held before it is never refused.
        """
        visit = self._visits.setdefault(number, _Visit(turn_out))
        self._change(visit, pending, unfinished)
        if not visit.beyond:
            del self._visits[number]
            return
        while self.held > self._limit:
            # What is decided goes by itself; what is unfinished may never be.
            oldest = next((each for each in self._visits.values() if each.unfinished), visit)
            self._change(oldest, oldest.pending, 0)
            if oldest is visit:
                raise Refused(Refusal.BUSY.value, "the relay holds too much of visitors now")
            oldest.turn_out()

    def _change(self, visit: _Visit, pending: int, unfinished: int) -> None:
        self.held -= visit.beyond
        visit.pending, visit.unfinished = pending, unfinished
        self.held += visit.beyond
