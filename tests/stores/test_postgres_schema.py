"""`postgres_schema`: the same tables as in SQLite, made once, and refused where they are not a relay's."""

from __future__ import annotations

import os
from contextlib import closing
from typing import Any

import psycopg
import pytest

from e2esync.errors import ProfileDamaged
from e2esync.stores.postgres_schema import TABLES, identity, set_up
from tests.helpers.postgres import Server
from tests.stores.test_relay_view import columns


@pytest.fixture
def connection(postgres: Server) -> Any:
    with closing(psycopg.connect(postgres.database(), autocommit=True)) as made:
        yield made


def test_the_tables_are_those_of_the_other_engine(connection: psycopg.Connection[Any]) -> None:
    set_up(connection, os.urandom)
    found: dict[str, set[str]] = {}
    for table, column in connection.execute(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
    ):
        found.setdefault(table, set()).add(column)
    other = columns()
    # Here a set's key is its id, and needs no number.
    other["sets"].remove("set_id")
    assert found == other
    assert TABLES.keys() == found.keys() - {"meta"}
    assert all(owner in found[table] for table, owner in TABLES.items())


def test_the_second_finds_what_the_first_has_made(connection: psycopg.Connection[Any]) -> None:
    first = set_up(connection, os.urandom)
    again = set_up(connection, os.urandom)
    assert again.key.verify_key == first.key.verify_key
    assert again.incarnation == first.incarnation == identity(connection).incarnation


@pytest.mark.parametrize(("spoil", "what"), [
    ("DROP TABLE sets", "another program"),
    ("UPDATE meta SET value = '\\x00ff' WHERE name = 'schema'", "newer e2esync"),
    ("DELETE FROM meta WHERE name = 'key'", "lost the relay's key"),
    ("UPDATE meta SET value = '\\x01' WHERE name = 'incarnation'", "lost the relay's key"),
    ("INSERT INTO meta VALUES ('moved', '\\x01')", "moved to another store"),
])
def test_what_is_no_relays_is_refused_and_left_alone(
    connection: psycopg.Connection[Any], spoil: str, what: str,
) -> None:
    set_up(connection, os.urandom)
    connection.execute(spoil)
    before = connection.execute("SELECT name, value FROM meta ORDER BY name").fetchall()
    with pytest.raises(ProfileDamaged, match=what):
        set_up(connection, os.urandom)
    assert connection.execute("SELECT name, value FROM meta ORDER BY name").fetchall() == before
