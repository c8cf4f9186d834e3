"""A progress bar of one line on stderr: rate and time left, removed at the end.

Invariants: nothing is drawn unless stderr is a terminal (`auto`) or the person asked for plain lines (`plain`); plain
lines hold no control characters; drawing costs at most ten lines a second whatever calls.
"""

from __future__ import annotations

import sys
import time
from typing import Final

_BAR: Final = 24
_INTERVAL: Final = 0.1
_PLAIN_INTERVAL: Final = 2.0
_ERASE: Final = "\r\x1b[K"


class Progress:
    """Call `update(stage, done, total)` as often as you like; `close()` removes what was drawn."""

    __slots__ = ("_drawn", "_last", "_mode", "_stage", "_started")

    def __init__(self, mode: str = "auto", *, quiet: bool = False) -> None:
        if quiet or (mode == "auto" and not _is_terminal()):
            mode = "never"
        self._mode = mode
        self._stage = ""
        self._started = 0.0
        self._last = 0.0
        self._drawn = False

    def update(self, stage: str, done: int, total: int) -> None:
        """Say how far a stage is. `total` 0 means that nobody knows."""
        if self._mode == "never":
            return
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._started, self._last = stage, now, 0.0
        interval = _PLAIN_INTERVAL if self._mode == "plain" else _INTERVAL
        if now - self._last < interval and done < total:
            return
        self._last = now
        text = describe(stage, done, total, now - self._started)
        if self._mode == "plain":
            sys.stderr.write(text + "\n")
        else:
            sys.stderr.write(_ERASE + text)
            self._drawn = True
        sys.stderr.flush()

    def close(self) -> None:
        """Remove the bar, so that what is printed next stands on a clean line."""
        if self._drawn:
            sys.stderr.write(_ERASE)
            sys.stderr.flush()
            self._drawn = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def describe(stage: str, done: int, total: int, seconds: float) -> str:
    """The line of a stage: bar, share, rate, time left."""
    rate = done / seconds if seconds > 0 else 0.0
    if not total:
        return f"{stage}: {done:,}" + (f", {rate:,.0f}/s" if rate else "")
    share = min(done / total, 1.0)
    filled = int(share * _BAR)
    line = f"{stage} [{'#' * filled}{'.' * (_BAR - filled)}] {share:4.0%} {done:,}/{total:,}"
    if rate and done < total:
        line += f", {rate:,.0f}/s, {_duration((total - done) / rate)} left"
    return line


def _duration(seconds: float) -> str:
    whole = int(seconds + 0.5)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60:02d} s"


def _is_terminal() -> bool:
    try:
        return sys.stderr.isatty()
    except ValueError:  # a closed stream
        return False
