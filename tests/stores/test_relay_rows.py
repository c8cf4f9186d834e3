"""`relay_rows`: the little that engines differ in, for SQLite: savepoints, counts, keys, and the sets whose day is."""

from __future__ import annotations

from collections.abc import Iterator

import apsw
import pytest

from e2esync.stores import relay_schema
from e2esync.stores.relay_rows import COLUMNS, SetRow, SqliteRows

HASH = bytes(32)


@pytest.fixture
def connection() -> Iterator[apsw.Connection]:
    made = apsw.Connection(":memory:")
    made.execute(relay_schema._VERSION_1)
    yield made
    made.close()


@pytest.fixture
def rows(connection: apsw.Connection) -> SqliteRows:
    return SqliteRows(connection)


def test_a_set_begins_empty_under_a_key_of_the_engines_own(rows: SqliteRows) -> None:
    first, second = (rows.make_set(bytes([number]) * 32, HASH) for number in (1, 2))
    assert first != second
    assert rows.find_set(b"\2" * 32) == SetRow(second, 0, HASH, 0, HASH, 0, 0, b"", b"", 0, 0)
    assert rows.find_set(b"\3" * 32) is None
    assert COLUMNS.split(", ") == ["owner", *SetRow._fields[1:]]


def test_a_savepoint_is_undone_alone(connection: apsw.Connection, rows: SqliteRows) -> None:
    connection.execute("BEGIN")
    rows.make_set(b"1" * 32, HASH)

    def twice() -> None:
        with rows.savepoint():
            rows.make_set(b"2" * 32, HASH)
            rows.make_set(b"1" * 32, HASH)

    with pytest.raises(apsw.ConstraintError):
        twice()
    with rows.savepoint():
        rows.make_set(b"3" * 32, HASH)
    connection.execute("COMMIT")
    assert rows.all("SELECT set_id FROM sets ORDER BY set_id") == [(b"1" * 32,), (b"3" * 32,)]


def test_an_error_that_ended_the_transaction_is_the_one_that_is_told(
    connection: apsw.Connection, rows: SqliteRows,
) -> None:
    """A full disk rolls everything back by itself: there is no savepoint to go back to, and no other error to raise."""
    connection.execute("BEGIN")

    def filling() -> None:
        with rows.savepoint():
            connection.execute("ROLLBACK")
            raise apsw.FullError("disk full")

    with pytest.raises(apsw.FullError):
        filling()
    assert not connection.in_transaction


def test_a_statement_tells_how_many_rows_it_changed(rows: SqliteRows) -> None:
    rows.many("INSERT INTO invitations VALUES (?, ?)", [(bytes([number]), number) for number in range(5)])
    assert rows.run("DELETE FROM invitations WHERE expires < ?", (3,)) == 3
    assert rows.run("DELETE FROM invitations WHERE expires < ?", (3,)) == 0
    assert rows.run("INSERT INTO invitations VALUES (?, ?) ON CONFLICT DO NOTHING", (b"\4", 9)) == 0
    assert rows.one("SELECT count(*) FROM invitations") == (2,)
    assert rows.one("SELECT 1 FROM invitations WHERE expires = 9") is None


def test_the_sets_whose_day_has_come(rows: SqliteRows) -> None:
    for number, due in enumerate((0, 5, 6, 7)):
        key = rows.make_set(bytes([number]) * 32, HASH)
        rows.run("UPDATE sets SET due = ? WHERE owner = ?", (due, key))
    assert rows.due_sets(6) == [b"\1" * 32, b"\2" * 32]
    assert rows.due_sets(4) == []
