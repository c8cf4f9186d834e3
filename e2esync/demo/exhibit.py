"""What a relay's own database holds, read from the outside, as whoever seizes the disk would read it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import apsw

_COUNTED: Final = {
    "records": "SELECT count(*) FROM records",
    "envelopes": "SELECT count(*) FROM envelopes",
    "envelope_bytes": "SELECT coalesce(sum(length(envelope)), 0) FROM envelopes",
    "blobs": "SELECT count(*) FROM blobs WHERE state != 2",
    "blob_bytes": "SELECT coalesce(sum(received), 0) FROM blobs WHERE state != 2",
    "slots": "SELECT count(*) FROM slots",
}
_SAMPLES: Final = (
    "SELECT envelope FROM envelopes ORDER BY epoch DESC, seq DESC LIMIT 16",
    "SELECT bytes FROM parts LIMIT 16",
)
_HEADER: Final = 16
"""The first bytes of an object say what kind it is; what is shown begins behind them."""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A relay's database."""

    counts: dict[str, int]
    """Under the names that `inspect` uses."""
    samples: list[bytes]
    """Bytes out of some envelopes and blobs."""


def relay_exhibit(folder: Path) -> Exhibit:
    """Read the database in a relay's folder, beside the relay that has it open."""
    # WAL lets a second process read what is committed; it has to be able to write the shared memory for that.
    connection = apsw.Connection(str(folder / "relay.sqlite3"), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        counts = {name: _number(connection.execute(query).get) for name, query in _COUNTED.items()}
        samples = [row[0] for query in _SAMPLES for row in connection.execute(query)]
        return Exhibit(counts, [bytes(sample[_HEADER : _HEADER + 64]) for sample in samples])
    finally:
        connection.close()


def _number(value: Any) -> int:
    assert isinstance(value, int)
    return value
