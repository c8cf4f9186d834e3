"""Looking for a book's texts in files: every text in several spellings, all at once, however large the book is.

Each text is sought in UTF-8, UTF-16 (both byte orders), base64 (at each of its three alignments) and hexadecimal. A
spelling is indexed by the eight bytes in its middle (four for a short one); files are read window by window at every
offset, and a window that is in the index is compared in full. So the time grows with the size of the files and with
the number of texts, and not with their product.

Encrypted bytes are random, and random bytes hold every short text somewhere. A spelling is therefore sought only if
it is so long that chance would not bring it forth in a million runs.
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from e2esync.card import normalize_phone

SPELLINGS: Final = ("UTF-8", "UTF-16", "base64", "hex")
KINDS: Final = ("names", "numbers", "e-mails", "addresses", "notes", "organizations", "other texts", "photos")

_KIND_OF: Final = {
    "name": "names", "nicknames": "names", "phones": "numbers", "emails": "e-mails", "addresses": "addresses",
    "notes": "notes", "organizations": "organizations", "titles": "organizations", "onlineServices": "other texts",
    "links": "other texts", "personalInfo": "other texts", "keywords": "other texts",
}
_NOT_TEXT: Final = frozenset({"@type", "kind", "mediaType", "contexts", "features", "pref", "phoneticSystem",
                              "phoneticScript", "countryCode", "defaultSeparator", "isOrdered", "listAs", "level",
                              "vCardName", "group"})
_PIECE: Final = 24
_PIECES_MAX: Final = 8
_BATCH: Final = 50_000
_LONG: Final = 8
_SHORT: Final = 4
_SHORTEST: Final = 6
_CHANCE: Final = 1e-6
_SLICE: Final = 8 << 20


@dataclass(frozen=True, slots=True)
class Needle:
    """One text of the book."""

    kind: str
    content: bytes
    """UTF-8, or bytes of a photo."""


@dataclass(slots=True)
class Found:
    """What a search came to."""

    files: int = 0
    size: int = 0
    texts: int = 0
    """Needles sought in at least one spelling."""
    spellings: int = 0
    hits: set[Needle] = field(default_factory=set)


def needles(cards: Iterable[dict[str, Any]], photos: Iterable[bytes]) -> list[Needle]:
    """Every text of JSContact cards that says something about a person, and a piece of every photo."""
    found: dict[Needle, None] = {}
    for card in cards:
        for name, value in card.items():
            kind = _KIND_OF.get(name)
            if kind is None:
                continue
            for text in value if name == "keywords" else _texts(value):
                for piece in _pieces(text):
                    found[Needle(kind, piece.encode("utf-8", "surrogatepass"))] = None
                if kind == "numbers":
                    found[Needle(kind, normalize_phone(text).lstrip("+").encode())] = None
    for photo in photos:
        middle = len(photo) // 2
        found[Needle("photos", photo[middle : middle + 2 * _PIECE])] = None
    return [needle for needle in found if needle.content.strip()]


def spellings(content: bytes) -> Iterator[bytes]:
    """The ways in which a text may stand in a file."""
    yield content
    try:
        text = content.decode()
    except UnicodeDecodeError:
        pass
    else:
        yield text.encode("utf-16-le")
        yield text.encode("utf-16-be")
    for shift in range(3):
        # Only the letters that the text alone decides: its neighbours have a say in the first and the last.
        letters = base64.b64encode(bytes(shift) + content)[(0, 2, 3)[shift] : (shift + len(content)) * 8 // 6]
        yield letters
        if b"+" in letters or b"/" in letters:
            yield letters.translate(bytes.maketrans(b"+/", b"-_"))
    yield content.hex().encode()
    yield content.hex().upper().encode()


def search(wanted: list[Needle], contents: list[bytes]) -> Found:
    """Look for all needles in all contents."""
    found = Found(len(contents), sum(map(len, contents)))
    shortest = _shortest_told_from_chance(found.size, len(wanted))
    for start in range(0, len(wanted), _BATCH):
        long, short = _index(wanted[start : start + _BATCH], shortest, found)
        for content in contents:
            for begin in range(0, len(content), _SLICE):
                # Windows of one slice; a comparison may look beyond its ends.
                end = min(begin + _SLICE + _LONG, len(content))
                _scan(content, begin, end, long, _LONG, "Q", found.hits)
                _scan(content, begin, end, short, _SHORT, "I", found.hits)
    return found


def read_folder(folder: Path) -> dict[str, bytes]:
    """The content of every file under a folder, by name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


_Index = dict[int, list[tuple[bytes, int, Needle]]]


def _index(wanted: list[Needle], shortest: int, found: Found) -> tuple[_Index, _Index]:
    """The spellings by the window in their middle: those of eight bytes and more, and the shorter ones."""
    long: _Index = {}
    short: _Index = {}
    for needle in wanted:
        sought = {spelling for spelling in spellings(needle.content) if len(spelling) >= shortest}
        for spelling in sought:
            index, size = (long, _LONG) if len(spelling) >= _LONG else (short, _SHORT)
            offset = (len(spelling) - size) // 2
            window = int.from_bytes(spelling[offset : offset + size], sys.byteorder)
            index.setdefault(window, []).append((spelling, offset, needle))
        found.spellings += len(sought)
        found.texts += bool(sought)
    return long, short


def _scan(content: bytes, begin: int, end: int, index: _Index, size: int, code: str, hits: set[Needle]) -> None:
    """Compare what the index has wherever one of its windows stands in content[begin:end]."""
    if not index:
        return
    for shift in range(size):
        first = begin + shift
        whole = (end - first) // size * size
        if whole <= 0:
            continue
        windows = memoryview(content)[first : first + whole].cast(code)
        for place in [place for place, window in enumerate(windows) if window in index]:
            position = first + place * size
            for spelling, offset, needle in index[windows[place]]:
                if needle not in hits and content.startswith(spelling, max(position - offset, 0)):
                    hits.add(needle)


def _shortest_told_from_chance(size: int, count: int) -> int:
    """How long a spelling has to be, so that random bytes of this size hardly ever hold one of them."""
    length = _SHORTEST
    # A tenth at most of all texts are as short as the limit; of their spellings one is.
    while size * count / 10 / 256**length > _CHANCE:
        length += 1
    return length


def _texts(value: Any) -> Iterator[str]:
    """The strings inside a JSContact value, but those that are words of the format."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name not in _NOT_TEXT:
                yield from _texts(item)


def _pieces(text: str) -> Iterator[str]:
    """A text as it is if it is short, else in pieces: a database may cut a long one anywhere."""
    if len(text) <= 2 * _PIECE and "\n" not in text:
        yield text
        return
    pieces = [line[at : at + _PIECE] for line in text.splitlines() for at in range(0, len(line), _PIECE)]
    yield from [piece for piece in pieces if len(piece) >= _SHORTEST][:_PIECES_MAX]

