"""Small helpers for the tests of cards."""

from __future__ import annotations

from typing import Any

from e2esync import wire
from e2esync.card import ReadCard, VCardFile, read_vcards, write_as_imported, write_vcards

SALT = bytes(range(32))


def vcard(*lines: str, version: str = "3.0", eol: str = "\r\n") -> bytes:
    """A card of these lines."""
    return (eol.join(("BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD")) + eol).encode()


def read(data: bytes) -> VCardFile:
    return read_vcards(data, salt=SALT)


def one(*lines: str, version: str = "3.0") -> ReadCard:
    """The one card of a file of these lines."""
    file = read(vcard(*lines, version=version))
    assert len(file.cards) == 1
    assert file.quarantine == []
    return file.cards[0]


def stored(registers: dict[str, Any]) -> dict[str, Any]:
    """Registers as they come back from a book: names in another order."""
    data = wire.encode(registers)
    back: dict[str, Any] = wire.decode_values(data, limit=len(data))
    return back


def again(file: VCardFile) -> bytes:
    """The file written as it was imported, by a book, which keeps registers in the one spelling of SPEC 6."""
    cards = {(card.uid, card.ordinal): stored(card.registers) for card in file.cards}
    media = {digest: data for card in file.cards for digest, data in card.media.items()}
    return write_as_imported(file.layout, lambda uid, ordinal: cards.get((uid, ordinal)), media.get)


def lines_of(
    registers: dict[str, Any], version: str | None = None, media: dict[str, bytes] | None = None
) -> list[str]:
    """The unfolded lines of a card between VERSION and END."""
    text = write_vcards([registers], version=version, media=(media or {}).get).decode()
    text = text.replace("\r\n", "\n").replace("=\n", "").replace("\n ", "")
    return text.split("\n")[2:-2]


def values(card: ReadCard, prop: str) -> list[Any]:
    """The entries of a property."""
    return [value for path, value in card.registers.items() if path.startswith(prop + "/")]
