"""stores.schema: schema versions and the way from one to the next."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from e2esync.errors import ProfileDamaged, ProfileError
from e2esync.stores.database import Database
from e2esync.stores.profile import ProfileStore
from e2esync.stores.schema import APPLICATION, MIGRATIONS, VERSION, is_intact, migrate

NEXT = (*MIGRATIONS, "ALTER TABLE books ADD COLUMN colour TEXT NOT NULL DEFAULT 'blue'; CREATE TABLE later(a);")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "db"
    with ProfileStore.create(path) as store:
        store.put_setting("kept", b"value")
    return path


def version(path: Path) -> tuple[int, int]:
    connection = apsw.Connection(str(path))
    pair = (connection.pragma("user_version"), connection.pragma("application_id"))
    connection.close()
    return pair


def test_a_new_profile_has_the_newest_schema(path: Path) -> None:
    assert version(path) == (VERSION, APPLICATION)


def test_an_older_schema_is_brought_up_to_date_with_its_rows(path: Path) -> None:
    database = Database.open(path, None)
    migrate(database, migrations=NEXT)
    assert database.one("SELECT count(colour) FROM books") == (0,)
    assert database.one("SELECT value FROM settings") == (b"value",)
    migrate(database, migrations=NEXT)
    database.close()
    assert version(path) == (len(NEXT), APPLICATION)


def test_a_migration_that_fails_leaves_the_older_schema(path: Path) -> None:
    database = Database.open(path, None)
    with pytest.raises(ProfileDamaged):
        migrate(database, migrations=(*NEXT, "CREATE TABLE more(a); SELECT nonsense"))
    assert database.all("SELECT name FROM sqlite_schema WHERE name IN ('later', 'more')") == []
    database.close()
    assert version(path) == (VERSION, APPLICATION)


def test_a_newer_schema_is_refused_and_left_alone(path: Path) -> None:
    database = Database.open(path, None)
    migrate(database, migrations=NEXT)
    database.close()
    before = path.read_bytes()
    with pytest.raises(ProfileError, match="schema 2, this e2esync knows 1") as caught:
        ProfileStore.open(path)
    assert caught.value.hint == "update e2esync"
    assert path.read_bytes() == before


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other"
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE history(a); PRAGMA user_version = 1")
    connection.close()
    with pytest.raises(ProfileDamaged):
        ProfileStore.open(path)


def test_an_empty_file_is_not_taken_for_a_new_profile(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(ProfileDamaged):
        ProfileStore.open(tmp_path / "empty")


def test_an_altered_schema_is_noticed(path: Path) -> None:
    connection = apsw.Connection(str(path))
    assert is_intact(connection)
    connection.execute("DROP INDEX history_step")
    assert not is_intact(connection)
    connection.close()
