"""Times for people: how long ago, in words. JSON has milliseconds (UTC) instead."""

from __future__ import annotations

import time
from typing import Final

_UNITS: Final = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"))


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
