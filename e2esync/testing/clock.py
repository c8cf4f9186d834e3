"""Time for tests (SPEC 3: milliseconds since 1970): it passes when a test says so, and with trio's own clock.

Under trio's autojump clock an hour of waiting takes no time, and the wall clock that devices and relay see moves on by
that hour.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

BEGINNING: Final = 1_700_000_000_000


class Clock:
    """A wall clock. `time` is what it shows, `clock()` looks at it; a millisecond passes at every look.

    `passing` gives seconds that pass besides, such as `trio.current_time`.
    """

    def __init__(self, passing: Callable[[], float] | None = None) -> None:
        self.time = BEGINNING
        self._passing = passing
        self._last = passing() if passing else 0.0

    def __call__(self) -> int:
        if self._passing:
            now = self._passing()
            self.time += int((now - self._last) * 1000)
            self._last = now
        self.time += 1
        return self.time

    def skewed(self, milliseconds: int) -> Callable[[], int]:
        """The clock of a device that is wrong by so much, into the future or (negative) the past."""
        return lambda: self() + milliseconds
