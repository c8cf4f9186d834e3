"""`relay_engine`: which engine a name stands for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from e2esync.errors import Unreachable
from e2esync.session.policy import Policy
from e2esync.stores.postgres import PostgresStore
from e2esync.stores.relay import RelayStore
from e2esync.stores.relay_engine import open_engine
from tests.helpers.postgres import Server


def test_a_file_or_a_database(tmp_path: Path, postgres: Server) -> None:
    policy = Policy(set_members=3)
    file = open_engine(str(tmp_path / "relay.sqlite3"), draw=lambda size: b"r" * size, policy=policy)
    assert isinstance(file, RelayStore)
    assert file.notifier() is None
    url = postgres.database()
    for name in (url, url.replace("postgresql://", "postgres://")):
        database = open_engine(name, draw=lambda size: b"r" * size, policy=policy)
        assert isinstance(database, PostgresStore)
        assert database.key.verify_key == file.key.verify_key
        assert database.incarnation == file.incarnation
        database.close()
    file.close()


def test_without_the_driver_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "e2esync.stores.postgres", None)
    with pytest.raises(Unreachable) as missing:
        open_engine("postgresql://relay@db/relay")
    assert "e2esync[postgres]" in missing.value.hint
