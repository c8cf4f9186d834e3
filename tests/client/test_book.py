"""The book without the network: edits, selectors, imports and what status says of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2esync.card import read_vcards
from e2esync.client import importing as module
from e2esync.client.book import Book
from e2esync.client.importing import BATCH_FROM
from e2esync.client.profile import Profile
from e2esync.crypto import Secret, SigningKey
from e2esync.errors import Ambiguous, BadCard, NoProfile, NotFound
from tests.client.world import card, profile_in

RELAY = SigningKey(Secret(bytes(32))).verify_key
PHOTO = "/9j/4AAQSkZJRgABAQAAAQABAAD/2Q=="


def vcards(count: int, note: str = "", photo: bool = False) -> bytes:
    extra = (f"NOTE:{note}\r\n" if note else "") + (f"PHOTO;ENCODING=b;TYPE=JPEG:{PHOTO}\r\n" if photo else "")
    return "".join(f"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:u{n}\r\nFN:c{n:03}\r\nN:;c{n:03};;;\r\n{extra}END:VCARD\r\n"
                   for n in range(count)).encode()


def load(book: Book, data: bytes) -> tuple[int, int, int]:
    result = book.apply(book.plan(read_vcards(data, salt=book.set_id)))
    return result.new, result.updated, result.identical


def test_a_profile_without_a_book(tmp_path: Path) -> None:
    with profile_in(tmp_path / "a") as profile:
        book = Book(profile)
        assert not book.exists()
        with pytest.raises(NoProfile):
            book.add(card("Ada"))


def test_what_is_added_is_there(book: Book) -> None:
    contact = book.add(card("Ada", phones={"p": {"number": "+49 170 1"}}))
    assert book.card(contact)["name"] == {"full": "Ada"}
    assert [row.name for row in book.list()] == ["Ada"]
    assert book.find("Ada").contact == contact
    assert (book.name, book.device_name) == ("Contacts", "Phone")
    assert book.exists()


def test_a_card_without_a_uid_gets_one(book: Book) -> None:
    bare = {"@type": "Card", "version": "1.0", "name": {"full": "Ada"}}
    first, second = book.add(bare), book.add(bare)
    assert first != second
    assert str(book.card(first)["uid"]).startswith("urn:uuid:")


@pytest.mark.parametrize("bad", [{"@type": "Group", "uid": "x"}, {"@type": "Card", "version": "1.0", "uid": 5}])
def test_what_is_no_card_is_refused(book: Book, bad: dict[str, object]) -> None:
    with pytest.raises(BadCard):
        book.add(bad)  # type: ignore[arg-type]
    assert book.list() == []


def test_an_update_writes_what_differs(book: Book) -> None:
    contact = book.add(card("Ada", notes={"n": {"note": "x"}}))
    edited = book.card(contact)
    assert book.update(contact, edited) == 0
    edited["phones"] = {"p": {"number": "1"}}
    del edited["notes"]
    assert book.update(contact, edited) == 2
    assert book.card(contact) == edited


def test_what_is_removed_is_gone(book: Book) -> None:
    contact = book.add(card("Ada"))
    assert book.remove([contact]) == 1
    assert book.remove([contact]) == 0
    assert book.list() == []
    with pytest.raises(NotFound):
        book.card(contact)
    with pytest.raises(NotFound):
        book.find("Ada")


def test_a_selector_that_fits_two(book: Book) -> None:
    book.add(card("Ada One"))
    book.add(card("Ada Two"))
    with pytest.raises(Ambiguous) as raised:
        book.find("Ada")
    assert len(raised.value.candidates) == 2


@pytest.mark.parametrize("count", [3, BATCH_FROM + 1])
def test_an_import_and_the_same_again(book: Book, count: int) -> None:
    assert load(book, vcards(count)) == (count, 0, 0)
    assert load(book, vcards(count)) == (0, 0, count)
    assert load(book, vcards(count, "changed")) == (0, count, 0)
    assert len(book.list()) == count
    assert book.status().unsent > 0


@pytest.mark.parametrize("count", [1, BATCH_FROM + 1])
def test_photos_wait_for_their_upload(book: Book, count: int) -> None:
    """Also those of a card in which the same import takes something away."""
    load(book, vcards(count, "old"))
    load(book, vcards(count, photo=True))
    store = book.store
    uploads = {name for row in store.outbox() for name in store.uploads(row.counter)}
    for row in book.list():
        registers = book.registers(row.contact)
        assert not any(path.startswith("notes/") for path in registers)
        places = [value for path, value in registers.items() if path.startswith("blobs/")]
        assert places
        for place in places:
            assert set(place["parts"]) <= uploads  # type: ignore[index,call-overload]
        (digest,) = (path.removeprefix("blobs/") for path in registers if path.startswith("blobs/"))
        assert book.media(digest)


def test_more_photos_than_one_envelope_can_name(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_BLOBS", 20)
    load(book, vcards(70, photo=True))
    rows = book.store.outbox()
    # The first one holds the names of book and device.
    assert len(rows) == 1 + 4
    assert all(len(book.store.uploads(row.counter)) <= 22 for row in rows)
    assert sum(len(book.store.outbox_contacts(row.counter)) for row in rows[1:]) == 70
    assert len(book.list()) == 70


def test_names(book: Book) -> None:
    book.rename("Family")
    book.rename_device(1, "Old phone")
    assert (book.name, book.device_name) == ("Family", "Old phone")
    for bad in ("", "  ", "x" * 65):
        with pytest.raises(BadCard):
            book.rename(bad)
        with pytest.raises(BadCard):
            book.rename_device(1, bad)


def test_conflicts_of_a_contact_that_has_none(book: Book) -> None:
    contact = book.add(card("Ada"))
    assert book.conflicts(contact) == {}
    assert book.conflicts(b"x" * 16) == {}


def test_status_counts(book: Book) -> None:
    book.add(card("Ada"))
    status = book.status()
    assert (status.contacts, status.epoch, status.position, status.last_sync, status.conflicts) == (1, 0, 0, 0, 0)
    assert status.relay_url == ""
    (device,) = status.devices
    assert (device.this, device.role, device.added_epoch) == (True, "owner", 0)
    assert (device.last_heard, device.key_number) == (0, 1)
    assert len(device.fingerprint) == 4


def test_two_connections_see_each_others_edits(book: Book) -> None:
    with Profile.open(book.profile.home) as again:
        other = Book(again)
        contact = other.add(card("Ada"))
        edited = book.card(contact)
        edited["notes"] = {"n": {"note": "x"}}
        book.update(contact, edited)
        assert other.card(contact) == edited
