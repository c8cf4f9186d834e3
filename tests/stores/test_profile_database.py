"""stores.database: transactions, and SQLite's errors as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import apsw
import pytest

from e2esync.errors import DiskFull, ProfileBusy, ProfileDamaged, ProfileError
from e2esync.stores import database as module
from e2esync.stores.database import MEMORY, Database
from e2esync.stores.schema import migrate


@pytest.fixture
def database() -> Iterator[Database]:
    opened = Database.open(MEMORY, None, create=True)
    migrate(opened, create=True)
    opened.run("CREATE TEMP TABLE t(a UNIQUE)")  # no part of the file, whose schema stays what it must be
    yield opened
    opened.close()


def numbers(database: Database) -> list[int]:
    return [row[0] for row in database.all("SELECT a FROM t ORDER BY a")]


def insert(database: Database, *values: int) -> None:
    database.many("INSERT INTO t VALUES(?)", ((value,) for value in values))


def test_a_transaction_keeps_all_or_nothing(database: Database) -> None:
    with database.transaction():
        insert(database, 1, 2)
    with suppress(KeyError), database.transaction():
        insert(database, 3)
        raise KeyError
    assert numbers(database) == [1, 2]


def test_a_nested_transaction_is_undone_alone_or_with_the_outermost(database: Database) -> None:
    with database.transaction():
        insert(database, 1)
        with suppress(KeyError), database.transaction():
            insert(database, 2)
            with database.transaction():
                insert(database, 3)
            raise KeyError
        with database.transaction():
            insert(database, 4)
    assert numbers(database) == [1, 4]
    with suppress(KeyError), database.transaction():
        with database.transaction():
            insert(database, 5)
        raise KeyError
    assert numbers(database) == [1, 4]


def test_many_rows_outside_a_transaction_are_one_of_their_own(database: Database) -> None:
    with pytest.raises(apsw.ConstraintError):
        insert(database, 1, 2, 1)
    assert numbers(database) == []


def test_a_bug_of_ours_is_not_called_damage(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "db", None, create=True)
    migrate(database, create=True)
    with pytest.raises(apsw.SQLError):
        database.run("SELEKT")
    database.run("DROP TABLE named")
    with pytest.raises(ProfileDamaged):
        database.one("SELECT value FROM named")
    database.close()


def test_after_a_rollback_by_sqlite_nothing_more_is_written(database: Database) -> None:
    def write() -> None:
        with database.transaction():
            insert(database, 1)
            database._connection.execute("ROLLBACK")  # as SQLite does by itself on some errors
            with suppress(DiskFull):
                _provoke(database, apsw.FullError())
            with pytest.raises(DiskFull):
                insert(database, 2)
            with pytest.raises(DiskFull), database.transaction():
                pytest.fail("a transaction in one that is lost")
            with pytest.raises(DiskFull):
                database.run("INSERT INTO t VALUES(3)")

    with pytest.raises(DiskFull):
        write()
    assert numbers(database) == []
    insert(database, 4)
    assert numbers(database) == [4]


def _provoke(database: Database, error: Exception) -> None:
    database._fail(error)


def _io_error(code: int) -> apsw.IOError:
    error = apsw.IOError()
    error.extendedresult = code  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (apsw.BusyError(), ProfileBusy),
        (apsw.LockedError(), ProfileBusy),
        (apsw.FullError(), DiskFull),
        (_io_error(apsw.SQLITE_IOERR_WRITE), DiskFull),
        (_io_error(apsw.SQLITE_IOERR_FSYNC), DiskFull),
        (_io_error(apsw.SQLITE_IOERR_READ), ProfileDamaged),
        (_io_error(apsw.SQLITE_IOERR_SHORT_READ), ProfileDamaged),
        (apsw.CorruptError(), ProfileDamaged),
        (apsw.NotADBError(), ProfileDamaged),
        (UnicodeDecodeError("utf-8", b"", 0, 1, ""), ProfileDamaged),
        (apsw.ReadOnlyError(), ProfileError),
        (apsw.CantOpenError(), ProfileError),
    ],
)
def test_errors_of_sqlite_are_ours(database: Database, error: Exception, ours: type[ProfileError]) -> None:
    with pytest.raises(ours) as caught:
        _provoke(database, error)
    assert type(caught.value) is ours
    assert caught.value.__cause__ is error


def test_a_second_writer_waits_and_then_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUSY_TIMEOUT", 20)
    first = Database.open(tmp_path / "db", None, create=True)
    first.run("CREATE TABLE t(a UNIQUE)")
    second = Database.open(tmp_path / "db", None)
    with first.transaction():
        insert(first, 1)
        assert numbers(second) == [], "a reader sees the last committed state and does not wait"
        with pytest.raises(ProfileBusy), second.transaction():
            pytest.fail("two writers at once")
        with pytest.raises(ProfileBusy):
            insert(second, 2)
    insert(second, 2)
    assert numbers(first) == [1, 2]
    first.close()
    second.close()


def test_what_makes_it_durable_and_private_is_switched_on(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "db", None, create=True)
    wanted = {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1, "temp_store": 2,
              "page_size": module.PAGE_SIZE, "busy_timeout": 5_000}
    assert {name: database._pragma(name)[0][0] for name in wanted} == wanted
    database.close()


@pytest.mark.parametrize(
    ("check", "right", "wrong"),
    [(module.blob, b"x", ["x", 1, None]), (module.number, 1, [b"x", "x", None, 1.5]), (module.text, "x", [b"x", 1])],
)
def test_columns_of_another_type_are_damage(check: object, right: object, wrong: list[object]) -> None:
    assert callable(check)
    assert check(right) == right
    for value in wrong:
        with pytest.raises(ProfileDamaged):
            check(value)
