"""How much one address may do (SPEC 13.13): buckets that are full at first and refill by and by.

What is remembered of an address is one number, and only until its bucket is full again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HOUR: Final = 3600.0
_KEYS_MAX: Final = 100_000


@dataclass(frozen=True, slots=True)
class PerAddress:
    """An operator's limits for one address; 0 is none."""

    sets_per_hour: int = 0
    connects_burst: int = 0
    connects_per_minute: int = 60


class Throttle:
    """One limit: `burst` at once, one more every `interval` seconds. Without a burst there is no limit."""

    def __init__(self, burst: int, interval: float) -> None:
        self._burst = burst
        self._interval = interval
        self._full_at: dict[str, float] = {}

    def take(self, key: str, now: float) -> float:
        """Takes one for `key` and returns 0; or, if there is none, the seconds until there will be one."""
        if not self._burst:
            return 0.0
        full_at = max(self._full_at.get(key, now), now)
        wait = full_at - now - (self._burst - 1) * self._interval
        if wait > 0:
            return wait
        if len(self._full_at) >= _KEYS_MAX:
            self._forget(now)
        self._full_at[key] = full_at + self._interval
        return 0.0

    def _forget(self, now: float) -> None:
        """Drops the buckets that are full; if an army of addresses came, all of them."""
        kept = {key: at for key, at in self._full_at.items() if at > now}
        self._full_at = kept if len(kept) < _KEYS_MAX else {}
