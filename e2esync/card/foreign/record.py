"""One record of a foreign file as content lines, and the cards of all of them (SPEC 7.2).

Invariants: values are escaped by the one writer of content lines, so that none can become another property; equal
records give equal cards on every device.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from ...errors import BadCard
from ..heads import parse_line
from ..layout import Layout
from ..text import decode, to_bytes
from ..types import FOREIGN_BIT, V30, Head, Line, Style
from ..vcard import ReadCard, Unreadable, VCardFile, card_of
from ..writer.target import Params, Target

CUSTOM: Final = "X-CUSTOM"
CUSTOM_LABEL: Final = "X-LABEL"
TYPES: Final = {
    "home": ("HOME",), "work": ("WORK",), "mobile": ("CELL",), "pager": ("PAGER",), "home fax": ("HOME", "FAX"),
    "work fax": ("WORK", "FAX"), "fax": ("FAX",),
}
"""Labels of other programs that vCard has types for."""
_STYLE: Final = Style.number(V30, "\n", ()) | FOREIGN_BIT
_NUMBER: Final = re.compile(r"\d{1,4}", re.A)


def _no_media(_digest: str) -> bytes | None:
    """No record has media by digest: what is inline stands in its line."""
    return None


class Record:
    """Content lines under construction. Empty values are left out."""

    def __init__(self) -> None:
        self._target = Target(Style(V30, unfolded=True), {}, _no_media)
        self._groups = 0
        self.lines: list[str] = []

    def text(self, name: str, value: str, label: str = "", params: Params | None = None) -> None:
        """A property with one text, under the label of another program."""
        if value.strip():
            self._add(label, lambda kinds, group: self._target.text(name, [*kinds, *(params or ())], value, group))

    def parts(self, name: str, parts: Sequence[str | Sequence[str]], label: str = "",
              params: Params | None = None) -> None:
        """A property with components, each a text or several."""
        lists = [[part] if isinstance(part, str) else list(part) for part in parts]
        if any(item for part in lists for item in part):
            self._add(label, lambda kinds, group: self._target.parts(name, [*kinds, *(params or ())], lists, group))

    def uri(self, name: str, value: str, label: str = "", params: Params | None = None) -> None:
        """A property with a URI, which is not escaped."""
        if value.strip():
            self._add(label, lambda kinds, group: self._target.raw(
                name, [*kinds, *(params or ())], value.strip(), group))

    def organization(self, name: str, unit: str) -> None:
        """ORG with at most one unit."""
        self.parts("ORG", [name, unit] if unit else [name])

    def custom(self, label: str, value: str) -> None:
        """A field that has no place in a vCard, with its own name."""
        if value.strip():
            self.lines.append(self._target.text(CUSTOM, [(CUSTOM_LABEL, label)], value))

    def _add(self, label: str, make: Callable[[Params, str], str]) -> None:
        label = label.strip()
        kinds: Params = []
        if label.startswith("* "):
            label = label[2:].strip()
            kinds.append(("TYPE", "pref"))
        if label.lower() in TYPES:
            kinds += [("TYPE", kind) for kind in TYPES[label.lower()]]
            label = ""
        if not label:
            self.lines.append(make(kinds, ""))
            return
        self._groups += 1
        group = f"item{self._groups}"
        self.lines += [make(kinds, group), self._target.text("X-ABLabel", [], label, group)]


class Records:
    """The cards of a foreign file while it is read."""

    def __init__(self, salt: bytes) -> None:
        self._salt = salt
        self._heads: dict[str, Head] = {}
        self._cards: list[ReadCard] = []
        self._refused: list[Unreadable] = []
        self._items: list[tuple[str, int] | bytes] = []
        self._seen: set[str] = set()

    def take(self, record: Record, raw: str, line: int) -> ReadCard | None:
        """Make the card of a record; equal records count once, and a record that says nothing is refused."""
        texts = [(text, "\n") for text in record.lines]
        lines: list[Line | None] = [parse_line(text, end, V30, self._heads) for text, end in texts]
        try:
            card = card_of(lines, texts, _STYLE, self._salt)
        except BadCard as error:
            self.refuse(raw, line, error.message)
            return None
        if card.uid not in self._seen:
            self._seen.add(card.uid)
            self._cards.append(card)
        self._items.append((card.uid, 0))
        return card

    def refuse(self, raw: str, line: int, reason: str) -> None:
        """Set a record aside."""
        self._refused.append(Unreadable(to_bytes(raw), line, reason))

    def result(self) -> VCardFile:
        """What was read."""
        return VCardFile(self._cards, self._refused, Layout("utf-8", False, tuple(self._items), "foreign"))


def file_text(data: bytes) -> str:
    """The text of a file in UTF-8, UTF-16 with a mark, or, where it is neither, Windows-1252."""
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if data.startswith(mark):
            return data[2:].decode(encoding, "replace")
    return decode(data[3:] if data.startswith(b"\xef\xbb\xbf") else data, "")


def read_date(text: str) -> str:
    """A day as vCard writes it; what has no known form stays as it is.

    ``12.4.1985`` is day first, as wherever dots are used; ``4/12/1985`` is month first, unless only the other order
    is a date.
    """
    numbers = _NUMBER.findall(text)
    if len(numbers) != 3 or len(text) > 12:
        return "" if text.strip() in ("0/0/00", "00.00.0000") else text.strip()
    if not any(int(number) for number in numbers):
        return ""
    if text.strip()[0] == "-" or len(numbers[0]) == 4:
        return text.strip()
    first, second, year = (int(number) for number in numbers)
    day, month = (first, second) if "." in text or first > 12 else (second, first)
    if not (1 <= month <= 12 and 1 <= day <= 31 and len(numbers[2]) == 4):
        return text.strip()
    return f"{year:04}-{month:02}-{day:02}"
