"""`postgres_rows`: how a database is named, what its errors mean, and one moment across statements."""

from __future__ import annotations

from contextlib import closing, suppress

import psycopg
import pytest

from e2esync.errors import DiskFull, E2esyncError, ProfileDamaged, Unreachable
from e2esync.stores.postgres_rows import PostgresRows, dialect, parse_place, snapshot, translated
from e2esync.stores.postgres_schema import set_up
from tests.helpers.postgres import Server


def test_own_options_are_taken_out_and_the_rest_is_libpqs() -> None:
    place = parse_place("postgresql://relay@db/relay?batch=set&sslmode=require&notify=poll")
    assert (place.dsn, place.by_set, place.polls) == ("postgresql://relay@db/relay?sslmode=require", True, True)
    plain = parse_place("postgresql://relay@db/relay")
    assert (plain.dsn, plain.by_set, plain.polls) == ("postgresql://relay@db/relay", False, False)


@pytest.mark.parametrize("query", ["batch=some", "notify=never"])
def test_options_that_are_none(query: str) -> None:
    with pytest.raises(Unreachable, match="unknown batch or notify"):
        parse_place(f"postgresql://db/relay?{query}")


def test_a_statement_as_the_driver_takes_it() -> None:
    assert dialect("SELECT 7 % 2 WHERE a = ? AND b = ?") == "SELECT 7 %% 2 WHERE a = %s AND b = %s"


@pytest.mark.parametrize(("error", "meaning"), [
    (psycopg.errors.DiskFull("no space"), DiskFull), (psycopg.errors.OutOfMemory("no memory"), DiskFull),
    (psycopg.OperationalError("gone"), Unreachable), (psycopg.InterfaceError("closed"), Unreachable),
    (psycopg.errors.UndefinedTable("no table"), ProfileDamaged),
])
def test_what_an_error_means(error: psycopg.Error, meaning: type[E2esyncError]) -> None:
    with pytest.raises(meaning) as raised, translated():
        raise error
    assert raised.value.hint


def test_a_database_that_is_not_there(postgres: Server) -> None:
    with pytest.raises(Unreachable, match="does not answer"):
        parse_place(postgres.url("nowhere")).connect()


def test_an_acknowledgement_is_a_promise(postgres: Server) -> None:
    url = postgres.database() + "&options=-c%20synchronous_commit%3Doff"
    with closing(parse_place(url).connect()) as connection:
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)


def test_a_snapshot_is_of_one_moment_and_a_savepoint_is_undone_alone(postgres: Server) -> None:
    place = parse_place(postgres.database())
    with closing(place.connect()) as one, closing(place.connect()) as other:
        set_up(one, lambda size: bytes(size))
        rows, others = PostgresRows(one, locking=False), PostgresRows(other, locking=False)
        with snapshot(one):
            assert rows.find_set(b"s") is None
            others.make_set(b"s", b"hash")
            assert rows.find_set(b"s") is None
        found = rows.find_set(b"s")
        assert found is not None
        assert (found.key, found.epoch, found.record_hash, found.seq, found.version, found.holds) == (
            b"s", 0, b"hash", 0, 0, b"")
        with one.transaction():
            assert rows.run("UPDATE sets SET held = 5 WHERE owner = ?", (b"s",)) == 1
            with suppress(ZeroDivisionError), rows.savepoint():
                rows.run("UPDATE sets SET held = 9 WHERE owner = ?", (b"s",))
                raise ZeroDivisionError
        assert others.one("SELECT held FROM sets WHERE owner = ?", (b"s",)) == (5,)


def test_what_is_found_to_be_written_nobody_else_writes(postgres: Server) -> None:
    place = parse_place(postgres.database())
    with closing(place.connect()) as one, closing(place.connect()) as other:
        set_up(one, lambda size: bytes(size))
        PostgresRows(one, locking=False).make_set(b"s", b"hash")
        with one.transaction():
            PostgresRows(one, locking=True).find_set(b"s")
            with other.transaction():
                other.execute("SET LOCAL lock_timeout = 50")
                with pytest.raises(psycopg.errors.LockNotAvailable), other.transaction():
                    PostgresRows(other, locking=True).find_set(b"s")
