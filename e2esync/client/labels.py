"""Labels and photos of a book's contacts, as steps of its history (SPEC 7.5, 11.6)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from e2esync.card.digests import IdMaker, media_digest
from e2esync.card.labels import Edits, Labels
from e2esync.card.reader.media import sniff_type
from e2esync.client.importing import Planned, carry_out
from e2esync.errors import BadCard, NotFound
from e2esync.limits import MEDIA_MAX
from e2esync.replica.history import Step
from e2esync.wire import Value

if TYPE_CHECKING:
    from e2esync.client.book import Book


def labels_of(book: Book) -> Labels:
    """The labels of a book, of all three worlds."""
    return Labels({row.contact: book.registers(row.contact) for row in book.list()})


def add_label(book: Book, name: str, contacts: Iterable[bytes]) -> int:
    """Give contacts a label, in the way of this book; returns how many cards that changed."""
    from e2esync.replica.contacts import contact_id

    if not name.strip():
        raise BadCard("a label needs a name")
    uid = f"e2esync-label-{name}"
    edits = labels_of(book).add(name, contacts, new=(contact_id(book.set_id, uid, 0), uid))
    return _write(book, edits, f"label {name}")


def remove_label(book: Book, name: str, contacts: Iterable[bytes]) -> int:
    """Take a label from contacts; returns how many cards that changed. Raises NotFound for a label nobody has."""
    labels = _with(book, name)
    return _write(book, labels.remove(name, contacts), f"take label {name}")


def rename_label(book: Book, old: str, new: str) -> int:
    """Give a label another name; returns how many cards that changed. Raises NotFound, BadCard."""
    if not new.strip():
        raise BadCard("a label needs a name")
    return _write(book, _with(book, old).rename(old, new), f"rename label {old}")


def delete_label(book: Book, name: str) -> int:
    """Take a label from everybody, with the cards that are nothing but that label; no contact leaves."""
    edits, groups = _with(book, name).delete(name)
    with book.step(Step(f"delete label {name}", book.now())):
        _write(book, edits, "")
        book.remove(groups)
    return len(edits) + len(groups)


def photos_of(book: Book, contact: bytes) -> list[tuple[str, dict[str, Value]]]:
    """(path, entry) of a contact's photos, the preferred one first."""
    entries = [(path, entry) for path, entry in book.registers(contact).items()
               if path.startswith("media/") and isinstance(entry, dict) and entry.get("kind") == "photo"]
    return sorted(entries, key=lambda item: (_pref(item[1]), item[0]))


def set_photo(book: Book, contact: bytes, content: bytes) -> None:
    """Make these bytes the contact's photo, as they are. Raises BadCard for what is no picture or too large."""
    media_type = sniff_type(content)
    if not media_type.startswith("image/"):
        raise BadCard("this is no JPEG, PNG, GIF or WebP picture")
    if len(content) > MEDIA_MAX:
        raise BadCard(f"the picture has {len(content):,} bytes; at most {MEDIA_MAX:,} are allowed")
    registers = book.registers(contact)
    digest = media_digest(book.set_id, content)
    path = f"media/{IdMaker(book.set_id, str(registers.get('uid', ''))).make('media', digest)}"
    values: dict[str, Value] = {old: None for old, _entry in photos_of(book, contact)}
    values[path] = {"kind": "photo", "mediaType": media_type, "digest": digest, "size": len(content)}
    wanted = {} if f"blobs/{digest}" in registers else {digest: content}
    with book.step(Step("photo", book.now())):
        carry_out(book, [Planned(contact, "", values, wanted)])


def remove_photo(book: Book, contact: bytes) -> int:
    """Take a contact's photos away; returns how many there were."""
    paths: dict[str, Value] = {path: None for path, _entry in photos_of(book, contact)}
    if paths:
        with book.step(Step("remove photo", book.now())):
            book.write(contact, paths)
    return len(paths)


def _with(book: Book, name: str) -> Labels:
    labels = labels_of(book)
    if labels.get(name) is None:
        raise NotFound(f"no contact has the label {name!r}", "`e2esync labels` shows all")
    return labels


def _write(book: Book, edits: Edits, name: str) -> int:
    with book.step(Step(name, book.now())):
        for contact, values in edits.items():
            book.write(contact, values)
    return len(edits)


def _pref(entry: dict[str, Value]) -> int:
    pref = entry.get("pref")
    return pref if type(pref) is int else 101
