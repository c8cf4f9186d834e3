"""An imported file again, from its layout and its cards (SPEC 7.3).

Invariants: untouched cards and all that lay between them come back to the byte (vCard) or equal as JSON (JSContact,
jCard); an edited card is as it is now; a deleted one is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..errors import BadCard
from . import jcard, jscontact
from .export import write_card
from .layout import Layout
from .lexer import encode_file
from .types import Registers
from .writer.target import MediaSource

Cards = Callable[[str, int], Registers | None]


def parts_as_imported(layout: Layout, card: Cards, media: MediaSource) -> Iterator[bytes]:
    """The file of this layout, piece by piece. ``card(uid, ordinal)`` gives the registers of a card of it, or None
    where it is gone.

    Raises BadCard for the layout of a file that has no lines to give back (CSV, LDIF).
    """
    if layout.kind == "foreign":
        raise BadCard("a CSV or LDIF file is not written back", "export it in another format: --format csv, for one")
    texts = _texts(layout, card, media)
    if layout.kind != "vcard":
        texts = iter(_join(list(texts)))
    yield encode_file("", layout.encoding, layout.bom)
    for text in texts:
        yield encode_file(text, layout.encoding, False)


def write_as_imported(layout: Layout, card: Cards, media: MediaSource) -> bytes:
    """As ``parts_as_imported``, in one piece."""
    return b"".join(parts_as_imported(layout, card, media))


def _texts(layout: Layout, card: Cards, media: MediaSource) -> Iterator[str]:
    for item in layout.items:
        if isinstance(item, bytes):
            yield item.decode("utf-8", "surrogateescape")
        elif (registers := card(*item)) is not None:
            yield _render(layout.kind, registers, media)


def _render(kind: str, registers: Registers, media: MediaSource) -> str:
    if kind == "jcard":
        return jcard.restore(registers, media)
    if kind == "jscontact":
        return jscontact.restore(registers, media)
    return write_card(registers, None, media)


def _join(parts: list[str]) -> list[str]:
    """The elements of a JSON array, whose brackets are items of the layout, with commas between them."""
    if parts[:1] != ["["]:
        return parts
    return ["[", ",".join(parts[1:-1]), *parts[-1:]]
