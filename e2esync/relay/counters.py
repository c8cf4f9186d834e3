"""What a relay counts about itself, as Prometheus reads it: totals of the process, and nothing about anybody."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

_HEAD: Final = "# HELP {name} {about}\n# TYPE {name} {kind}\n"


@dataclass(slots=True)
class Counters:
    """Totals since the process began."""

    connections: int = 0
    turned_away: int = 0
    requests: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    batches: int = 0
    store_errors: int = 0


def exposition(counters: Counters, *, connected: int, version: str, started: float) -> str:
    """The counters in Prometheus' text format. `started`: seconds since 1970."""
    parts = [
        _one("e2esync_relay_connected", "gauge", "Connections at this moment.", connected),
        _one("e2esync_relay_connections_total", "counter", "Connections so far.", counters.connections),
        _one("e2esync_relay_turned_away_total", "counter", "Connections that found no room.", counters.turned_away),
        _many("e2esync_relay_requests_total", "Requests by kind.", "kind", counters.requests),
        _many("e2esync_relay_refusals_total", "Refusals by code.", "code", counters.refusals),
        _one("e2esync_relay_batches_total", "counter", "Batches made durable.", counters.batches),
        _one("e2esync_relay_store_errors_total", "counter", "Batches that the store failed.", counters.store_errors),
        _one("e2esync_relay_start_time_seconds", "gauge", "When the process began.", int(started)),
        _many("e2esync_relay_info", "The version that runs.", "version", Counter({version: 1}), "gauge"),
    ]
    return "".join(parts)


def _one(name: str, kind: str, about: str, value: int) -> str:
    return _HEAD.format(name=name, kind=kind, about=about) + f"{name} {value}\n"


def _many(name: str, about: str, label: str, values: Counter[str], kind: str = "counter") -> str:
    rows = "".join(f'{name}{{{label}="{key}"}} {values[key]}\n' for key in sorted(values))
    return _HEAD.format(name=name, kind=kind, about=about) + rows
