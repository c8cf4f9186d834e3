"""The layout of an imported file (SPEC 7): order of cards, encoding, byte order mark, bytes between cards.

Invariants: with the cards it gives the file back to the byte; as a plain value it can be stored in an import record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..errors import BadCard
from .types import Value

ENCODINGS: Final = ("utf-8", "utf-16-le", "utf-16-be")
KINDS: Final = ("vcard", "jcard", "jscontact", "foreign")


@dataclass(frozen=True, slots=True)
class Layout:
    """``items`` in file order: (uid, ordinal) of a card, or the UTF-8 bytes of what is no card.

    ``kind`` is the format, as ``KINDS`` names it; a CSV or LDIF file is not written back.
    """

    encoding: str
    bom: bool
    items: tuple[tuple[str, int] | bytes, ...]
    kind: str = "vcard"

    def to_value(self) -> Value:
        """The layout as a value of lists, texts, numbers and bytes."""
        items = [item if isinstance(item, bytes) else list(item) if item[1] else item[0] for item in self.items]
        return [ENCODINGS.index(self.encoding), int(self.bom), items, KINDS.index(self.kind)]

    @classmethod
    def from_value(cls, value: Value) -> Layout:
        """The layout of a value from ``to_value``; ``BadCard`` where it is none."""
        if not isinstance(value, list) or len(value) != 4 or not isinstance(value[2], list):
            raise BadCard("the layout of the imported file is damaged; export without it")
        encoding, bom, items, kind = value
        if type(encoding) is not int or not 0 <= encoding < len(ENCODINGS) or bom not in (0, 1):
            raise BadCard("the encoding of the imported file is unknown; export without its layout")
        if type(kind) is not int or not 0 <= kind < len(KINDS):
            raise BadCard("the format of the imported file is unknown; export without its layout")
        return cls(ENCODINGS[encoding], bool(bom), tuple(_item(item) for item in items), KINDS[kind])


def _item(item: Value) -> tuple[str, int] | bytes:
    if isinstance(item, bytes):
        return item
    if isinstance(item, str):
        return item, 0
    if isinstance(item, list) and len(item) == 2 and isinstance(item[0], str) and type(item[1]) is int:
        return item[0], item[1]
    raise BadCard("the layout of the imported file is damaged; export without it")
