"""Opening the relay's file: new, again, damaged, somebody else's, from the future, twice (issue: bad input)."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import suppress
from pathlib import Path

import pytest

from e2esync.errors import E2esyncError, ProfileBusy, ProfileDamaged
from e2esync.stores.relay import RelayStore
from e2esync.stores.relay_schema import APPLICATION_ID, SCHEMA_VERSION
from tests.stores.relays import Place


def make(path: Path) -> bytes:
    """A relay's file with something in it; its bytes."""
    place = Place(path)
    for _ in range(40):
        place.append(size=4096)
    place.store.checkpoint()
    place.store.close()
    return path.read_bytes()


def refused(path: Path) -> E2esyncError:
    with pytest.raises(E2esyncError) as caught:
        RelayStore(path)
    assert caught.value.hint
    return caught.value


def test_what_holds_the_relays_key_is_for_nobody_else(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with RelayStore(tmp_path / "relay.sqlite3") as store:
            store.probe(1)
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("relay.sqlite3*")
                     if path.suffix != ".lock"}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("relay.sqlite3", "relay.sqlite3-wal", "relay.sqlite3-shm"), 0o600)


def test_a_new_file_is_marked_and_versioned(tmp_path: Path) -> None:
    with RelayStore(tmp_path / "r") as store:
        assert store._writer.pragma("application_id") == APPLICATION_ID
        assert store._writer.pragma("user_version") == SCHEMA_VERSION
        assert store._writer.pragma("journal_mode") == "wal"
        assert store._writer.pragma("synchronous") == 2


@pytest.mark.parametrize("content", [b"x", b"not a database" * 100, b"SQLite format 3\0", b"\0" * 4096])
def test_what_is_no_database_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "r"
    path.write_bytes(content)
    assert isinstance(refused(path), ProfileDamaged)
    assert path.read_bytes() == content


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "r"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.commit()
    connection.close()
    assert "another program" in refused(path).message
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("theirs",)]
    connection.close()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_file_is_refused(tmp_path: Path, share: float) -> None:
    path = tmp_path / "r"
    data = make(path)
    path.write_bytes(data[:int(len(data) * share)])
    assert isinstance(refused(path), ProfileDamaged)


def test_an_interrupted_checkpoint_is_no_damage(tmp_path: Path) -> None:
    path, log = tmp_path / "r", tmp_path / "r-wal"
    place = Place(path)
    for _ in range(40):
        place.append(size=4096)
    before = log.read_bytes()
    place.store.checkpoint()
    after = path.read_bytes()
    place.store.close()
    # As a crash leaves it: the first pages have moved, the log is still whole.
    path.write_bytes(after[:4096])
    log.write_bytes(before)
    place.store = RelayStore(path)
    assert place.counts()["envelopes"] == 40
    place.store.close()


def test_altered_pages_never_raise_anything_else(tmp_path: Path) -> None:
    path = tmp_path / "r"
    data = make(path)
    for page in range(0, len(data), 4096 * 3):
        path.write_bytes(data[:page + 100] + b"\xff" * 1000 + data[page + 1100:])
        # Damage outside of what opening reads may go unnoticed here; what is noticed is one of our errors.
        with suppress(E2esyncError), RelayStore(path) as store:
            store.sweep(0)


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "r"
    with RelayStore(path) as store:
        store._writer.pragma("user_version", SCHEMA_VERSION + 1)
    assert "newer" in refused(path).message


def test_two_relays_do_not_share_a_file(tmp_path: Path) -> None:
    with RelayStore(tmp_path / "r"):
        assert isinstance(refused(tmp_path / "r"), ProfileBusy)
    with RelayStore(tmp_path / "r"):
        pass


def test_a_refused_file_is_not_kept_locked(tmp_path: Path) -> None:
    path = tmp_path / "r"
    path.write_bytes(b"garbage")
    refused(path)
    path.unlink()
    with RelayStore(path):
        pass


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    refused(tmp_path / "no" / "r")
    refused(tmp_path)


def test_a_lost_key_is_said(tmp_path: Path) -> None:
    with RelayStore(tmp_path / "r") as store:
        store._writer.execute("UPDATE meta SET value = x'00' WHERE name = 'key'")
    assert "key" in refused(tmp_path / "r").message
