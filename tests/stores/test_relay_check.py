"""`relay_check`: a store that is well has no fault, and each thing that can be altered is one."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw
import pytest

from e2esync.stores.relay_check import check_store, count_store
from e2esync.stores.relay_migrate import open_depot
from tests.stores.relays import Place
from tests.stores.test_relay_migrate import fill


@pytest.fixture
def path(tmp_path: Path) -> Path:
    place = Place(tmp_path / "relay")
    fill(place)
    place.append()
    place.store.close()
    return place.path


def faults(path: Path) -> list[str]:
    with closing(open_depot(str(path))) as depot:
        return [fault.what for fault in check_store(depot)]


def test_a_store_that_is_well(path: Path) -> None:
    assert faults(path) == []
    with closing(open_depot(str(path))) as depot:
        counts = count_store(depot)
    assert (counts["sets"]["count"], counts["records"]["count"], counts["envelopes"]["count"]) == (1, 2, 73)
    assert counts["blobs"]["bytes"] > 0


@pytest.mark.parametrize(("statement", "what"), [
    ("UPDATE records SET record = zeroblob(99) WHERE epoch = 1", "chain does not verify"),
    ("UPDATE records SET record = CAST(substr(record, 1, length(record) - 1) || x'ff' AS BLOB) WHERE epoch = 1",
     "chain does not verify"),
    ("DELETE FROM records WHERE epoch = 0", "records are missing"),
    ("DELETE FROM records WHERE epoch = 1", "another record"),
    ("UPDATE sets SET seq = seq + 1", "does not end at its head"),
    ("UPDATE sets SET log_hash = zeroblob(32)", "does not end at its head"),
    ("UPDATE sets SET held = held + 1", "bytes"),
    ("DELETE FROM envelopes WHERE epoch = 1 AND seq = 2", "does not end at its head"),
    ("DELETE FROM envelopes WHERE epoch = 0 AND seq = 5", "position 5 of epoch 0 is missing"),
    ("DELETE FROM envelopes WHERE epoch = 0 AND seq = 71", "does not end where the next record closed it"),
    ("UPDATE envelopes SET envelope = zeroblob(length(envelope)) WHERE epoch = 0 AND seq = 7", "envelope at 0.7"),
    ("UPDATE envelopes SET log_hash = zeroblob(32) WHERE epoch = 0 AND seq = 7", "log hash at 0.7"),
    ("UPDATE boxes SET box = zeroblob(length(box)) WHERE epoch = 1", "boxes of epoch 1"),
    ("DELETE FROM boxes WHERE member = 2", "boxes of epoch 1"),
    ("UPDATE parts SET bytes = zeroblob(length(bytes))", "not the one that was accepted"),
    ("DELETE FROM parts", "counts"),
    ("UPDATE slots SET announcement = x'01'", "slot of member"),
    ("DELETE FROM kits", "would not be found"),
])
def test_each_alteration_is_found(path: Path, statement: str, what: str) -> None:
    connection = apsw.Connection(str(path))
    connection.execute(statement)
    assert connection.changes() > 0
    connection.close()
    found = faults(path)
    assert any(what in fault for fault in found), found
