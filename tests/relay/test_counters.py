"""Totals as Prometheus reads them: every family has its help and type, and says nothing about anybody."""

from __future__ import annotations

import re

from e2esync.relay.counters import Counters, exposition

_LINE = re.compile(r"""^(?:# (?:HELP|TYPE) e2esync_relay_\w+ .+|e2esync_relay_\w+(?:\{\w+="[\w.]+"\})? \d+)$""")


def test_every_line_is_one_that_prometheus_reads() -> None:
    counters = Counters(connections=3, turned_away=1, batches=7, store_errors=2)
    counters.requests.update(["Append", "Append", "Open"])
    counters.refusals["Busy"] += 1
    text = exposition(counters, connected=2, version="0.1.0", started=1234.9)
    assert text.endswith("\n")
    lines = text.splitlines()
    assert [line for line in lines if not _LINE.match(line)] == []
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert values == {
        "e2esync_relay_connected": "2", "e2esync_relay_connections_total": "3", "e2esync_relay_turned_away_total": "1",
        'e2esync_relay_requests_total{kind="Append"}': "2", 'e2esync_relay_requests_total{kind="Open"}': "1",
        'e2esync_relay_refusals_total{code="Busy"}': "1", "e2esync_relay_batches_total": "7",
        "e2esync_relay_store_errors_total": "2", "e2esync_relay_start_time_seconds": "1234",
        'e2esync_relay_info{version="0.1.0"}': "1",
    }
    families = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    assert {name.partition("{")[0] for name in values} == families
    assert all(name.endswith("_total") == (kind == "counter")
               for name, kind in (line.split()[2:] for line in lines if line.startswith("# TYPE")))


def test_a_relay_that_nobody_asked_yet_has_its_families() -> None:
    text = exposition(Counters(), connected=0, version="x", started=0)
    assert "# TYPE e2esync_relay_requests_total counter\n" in text
