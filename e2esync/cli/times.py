"""Times for people: how long ago, in words; and what a person means by a time. JSON has milliseconds (UTC) instead.

Invariants: a time without a zone is this computer's; a day by itself is its end (what was so on Tuesday) or, where
somebody asks since when, its beginning; nothing lies in the future.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from .exits import UsageError

if TYPE_CHECKING:
    from datetime import datetime

_UNITS: Final = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"))
_WORDS: Final = {
    "second": 1_000, "seconds": 1_000, "s": 1_000, "minute": 60_000, "minutes": 60_000, "min": 60_000,
    "hour": 3_600_000, "hours": 3_600_000, "h": 3_600_000, "day": 86_400_000, "days": 86_400_000, "d": 86_400_000,
    "week": 604_800_000, "weeks": 604_800_000, "w": 604_800_000,
}
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_HINT: Final = "for example 2026-03-31, \"2026-03-31 14:30\", tuesday, yesterday, \"2 days ago\""


def now() -> int:
    """Milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


def ago(moment: int, present: int) -> str:
    """`2 h ago`; `never` for 0; a moment in the future (clocks differ) is `just now`."""
    if not moment:
        return "never"
    passed = present - moment
    for unit, name in _UNITS:
        if passed >= unit:
            return f"{passed // unit} {name} ago"
    return "just now"


def clock(moment: int, style: str = "%Y-%m-%d %H:%M") -> str:
    """A moment (ms) as a date and time of day of this computer's zone."""
    return time.strftime(style, time.localtime(moment / 1000))


def parse_span(text: str) -> int | None:
    """The milliseconds of `2 days`, `90min` or `1 week`; None if it is no such thing."""
    digits = text[: len(text) - len(text.lstrip("0123456789"))]
    unit = _WORDS.get(text[len(digits):].strip().casefold())
    return int(digits) * unit if digits and len(digits) < 10 and unit else None


def parse_time(text: str, present: int, *, end: bool) -> int:
    """The moment (ms) that a person names; `end`: a day by itself is its end. Raises UsageError."""
    wanted = text.strip().casefold()
    if wanted == "now":
        return present
    span = parse_span(wanted.removesuffix("ago").strip())
    if span is not None:
        return max(present - span, 0)
    moment, whole = _parse_day(wanted, present)
    if moment is None:
        raise UsageError(f"{text} is no time", _HINT)
    if whole and end:
        from datetime import timedelta

        moment += timedelta(days=1, milliseconds=-1)
    return min(int(moment.timestamp() * 1000), present)


def _parse_day(wanted: str, present: int) -> tuple[datetime | None, bool]:
    """A moment, and whether only its day was named; an ISO date or time, a weekday (the last one), a word."""
    from datetime import datetime, timedelta

    today = datetime.fromtimestamp(present / 1000).replace(hour=0, minute=0, second=0, microsecond=0)
    if wanted in ("today", "yesterday"):
        return today - timedelta(days=wanted == "yesterday"), True
    for day, name in enumerate(_DAYS):
        if len(wanted) > 2 and name.startswith(wanted):
            return today - timedelta(days=(today.weekday() - day) % 7), True
    try:
        return datetime.fromisoformat(wanted.upper()), len(wanted) <= len("YYYY-MM-DD")
    except ValueError:
        return None, False
