"""stores.profile: a profile's file, its key, its settings, books and quarantine."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

import pytest

from e2esync.crypto.secret import Secret
from e2esync.errors import DiskFull, ProfileDamaged, ProfileError, WrongPassphrase
from e2esync.replica.port import OutboxRow
from e2esync.stores import schema
from e2esync.stores.profile import BookInfo, ProfileStore, Quarantined

KEY = Secret(bytes(range(32)))
CANARY = b"Wilhelmina-Canary-4711"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "profile.sqlite3"


def files_of(path: Path) -> bytes:
    """Everything on the disk: the file and SQLite's companions."""
    return b"".join(each.read_bytes() for each in sorted(path.parent.iterdir()))


@pytest.mark.parametrize("key", [None, KEY])
def test_what_was_stored_is_there_after_opening_again(path: Path, key: Secret | None) -> None:
    with ProfileStore.create(path, key) as store:
        store.book(3).put("name", b"value")
    with ProfileStore.open(path, key) as store:
        assert store.book(3).get("name") == b"value"
        assert store.book(0).get("name") is None


@pytest.mark.parametrize("other", [None, Secret(bytes(32))])
def test_another_key_is_a_wrong_passphrase_or_damage_and_changes_nothing(path: Path, other: Secret | None) -> None:
    with ProfileStore.create(path, KEY) as store:
        store.book().put("name", b"value")
    before = files_of(path)
    with pytest.raises(WrongPassphrase if other else ProfileDamaged):
        ProfileStore.open(path, other)
    assert files_of(path) == before


def test_a_plain_file_does_not_open_under_a_key(path: Path) -> None:
    ProfileStore.create(path).close()
    with pytest.raises(WrongPassphrase):
        ProfileStore.open(path, KEY)


@pytest.mark.parametrize("key", [None, KEY])
def test_only_an_encrypted_file_hides_what_it_holds_and_what_it_is(path: Path, key: Secret | None) -> None:
    store = ProfileStore.create(path, key)
    store.book().put("canary", CANARY)
    open_files = files_of(path)
    store.close()
    for content in (open_files, files_of(path)):
        assert (CANARY in content) is (key is None)
        assert (b"SQLite format 3" in content) is (key is None)


def test_the_file_and_its_companions_are_for_their_owner_only(path: Path) -> None:
    previous = os.umask(0)
    try:
        with ProfileStore.create(path) as store:
            store.put_setting("a", b"b")
            modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    finally:
        os.umask(previous)
    assert modes == {path.name + end: 0o600 for end in ("", "-wal", "-shm")}


def test_create_neither_replaces_a_file_nor_follows_a_link(path: Path) -> None:
    path.write_bytes(b"somebody's")
    link = path.with_name("link.sqlite3")
    link.symlink_to(path.with_name("elsewhere"))
    for taken in (path, link):
        with pytest.raises(ProfileError):
            ProfileStore.create(taken)
    assert path.read_bytes() == b"somebody's"
    assert not path.with_name("elsewhere").exists()


def test_open_makes_no_file(path: Path) -> None:
    with pytest.raises(ProfileError):
        ProfileStore.open(path)
    assert not path.exists()


def test_purge_leaves_nothing_of_what_was_deleted_in_the_files(path: Path) -> None:
    with ProfileStore.create(path) as store:
        book = store.book()
        book.put("canary", CANARY)
        book.keep_secret("epoch", 1, Secret(CANARY))
        store.quarantine("a.vcf", CANARY * 500, "broken", 1)
        assert store.purge()
        assert CANARY in files_of(path)
        book.drop("canary")
        book.erase_secrets("epoch", 2)
        store.delete_quarantined(*(item.id for item in store.quarantined()))
        assert CANARY in files_of(path)
        assert store.purge()
        assert CANARY not in files_of(path)


def test_purge_says_so_when_a_reader_holds_it_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("e2esync.stores.database.BUSY_TIMEOUT", 20)
    with ProfileStore.create(path) as store, ProfileStore.open(path) as reader:
        store.put_setting("a", b"b")
        with reader.transaction():
            assert not store.purge()
        assert store.purge()


def test_settings(path: Path) -> None:
    with ProfileStore.create(path) as store:
        store.put_setting("theme", b"dark")
        store.put_setting("theme", b"light")
        store.put_setting("pager", b"")
        assert store.setting("theme") == b"light"
        assert store.settings() == {"pager": b"", "theme": b"light"}
        store.drop_setting("theme")
        assert store.setting("theme") is None


def test_books_and_deleting_one_with_all_its_rows() -> None:
    with ProfileStore.memory() as store:
        home = BookInfo(0, b"i" * 32, "Home", "ws://relay")
        store.put_book(BookInfo(1, b"", "Team", ""))
        store.put_book(home)
        store.put_book(BookInfo(1, b"j" * 32, "Team", "ws://other"))
        for number in (0, 1):
            store.book(number).put("name", b"value")
            store.book(number).add_outbox(OutboxRow(1, b"e", b"", 0), [b"c" * 16])
        assert [info.name for info in store.books()] == ["Home", "Team"]
        store.delete_book(1)
        assert store.books() == [home]
        assert store.book(1).get("name") is None
        assert store.book(1).outbox_of(b"c" * 16) == []
        assert store.book(0).get("name") == b"value"


def test_every_table_with_a_book_number_is_emptied_with_its_book() -> None:
    with ProfileStore.memory() as store:
        tables = store._db.all("SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%book INTEGER%'")
        assert {name for (name,) in tables} == set(schema.BOOK_TABLES)


def test_quarantine_keeps_bytes_as_they_came() -> None:
    with ProfileStore.memory() as store:
        first = store.quarantine("a\udc80.vcf", b"\x00\xff", "no END", 5)
        second = store.quarantine("b.vcf", b"", "too long", 6)
        assert list(store.quarantined()) == [
            Quarantined(first, "a?.vcf", b"\x00\xff", "no END", 5), Quarantined(second, "b.vcf", b"", "too long", 6),
        ]
        store.delete_quarantined(first)
        assert [item.id for item in store.quarantined()] == [second]
        store.delete_quarantined(second)
        assert store.quarantine("c.vcf", b"", "", 7) > second, "a number is never used again"


def test_a_transaction_spans_books_and_settings() -> None:
    with ProfileStore.memory() as store:
        with suppress(KeyError), store.transaction():
            store.book(0).put("name", b"value")
            store.book(1).put("name", b"value")
            store.put_setting("name", b"value")
            raise KeyError
        assert store.book(0).get("name") is store.book(1).get("name") is store.setting("name") is None


def test_a_full_disk_is_one_clear_error_and_loses_nothing(path: Path) -> None:
    with ProfileStore.create(path, KEY) as store:
        book = store.book()
        book.put("kept", b"value")

        def write() -> None:
            with store.transaction():
                book.drop("kept")
                book.put_media("photo", os.urandom(100_000))

        limit = store._db.limit_pages(1)
        with pytest.raises(DiskFull):
            write()
        store._db.limit_pages(limit)
        assert book.get("kept") == b"value"
        assert book.media("photo") is None
        book.put_media("photo", b"jpeg")
    with ProfileStore.open(path, KEY) as store:
        assert store.book().media("photo") == b"jpeg"
