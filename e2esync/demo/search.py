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
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

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
_BATCH: Final = 100_000
_LONG: Final = 8
_SHORT: Final = 4
_SHORTEST: Final = 6
_CHANCE: Final = 1e-6
_SLICE: Final = 64 << 10


class Needle(NamedTuple):
    """One text of the book."""

    kind: str
    content: bytes
    """UTF-8, or bytes of a photo."""


@dataclass(slots=True)
class Found:
    """What a search came to."""

    texts: int = 0
    """Needles sought in at least one spelling."""
    spellings: int = 0
    hits: list[set[Needle]] = field(default_factory=list)
    """By content: what is in it."""


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
    """Look for all needles in each of the contents."""
    found = Found(hits=[set() for _content in contents])
    shortest = _shortest_told_from_chance(sum(map(len, contents)), len(wanted))
    for start in range(0, len(wanted), _BATCH):
        batch = wanted[start : start + _BATCH]
        long, short = _index(batch, shortest, found)
        for content, hits in zip(contents, found.hits, strict=True):
            for begin in range(0, len(content), _SLICE):
                # Windows that begin in this slice; comparing looks beyond its ends.
                _scan(content, begin, long, _LONG, "Q", batch, shortest, hits)
                _scan(content, begin, short, _SHORT, "I", batch, shortest, hits)
    return found


def read_folder(folder: Path) -> dict[str, bytes]:
    """The content of every file under a folder, by name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


_Index = dict[int, list[int]]
"""Window → the numbers of the needles that have a spelling with it in the middle."""


def _index(batch: list[Needle], shortest: int, found: Found) -> tuple[_Index, _Index]:
    """The windows of spellings of eight bytes and more, and those of shorter ones."""
    long: _Index = {}
    short: _Index = {}
    for number, needle in enumerate(batch):
        sought = [spelling for spelling in spellings(needle.content) if len(spelling) >= shortest]
        for spelling in sought:
            index, size = (long, _LONG) if len(spelling) >= _LONG else (short, _SHORT)
            offset = (len(spelling) - size) // 2
            window = int.from_bytes(spelling[offset : offset + size], sys.byteorder)
            if window in index:
                index[window].append(number)
            else:
                index[window] = [number]
        found.spellings += len(sought)
        found.texts += bool(sought)
    return long, short


def _scan(content: bytes, begin: int, index: _Index, size: int, code: str, batch: list[Needle],
          shortest: int, hits: set[Needle]) -> None:
    """Compare the needles of the index wherever one of their windows begins in a slice of the content."""
    end = min(begin + _SLICE + size - 1, len(content))
    for first in range(begin, begin + size if index else begin):
        windows = array(code, content[first : first + max(end - first, 0) // size * size])
        # Random bytes hardly ever hold a window of the index; this passes over them at the speed of C.
        if index.keys().isdisjoint(windows):
            continue
        for place in [place for place, window in enumerate(windows) if window in index]:
            for needle in {batch[number] for number in index[windows[place]]} - hits:
                if _stands(content, first + place * size, needle, size, shortest):
                    hits.add(needle)


def _stands(content: bytes, position: int, needle: Needle, size: int, shortest: int) -> bool:
    """Whether a spelling of the needle has its middle window here."""
    for spelling in spellings(needle.content):
        start = position - (len(spelling) - size) // 2
        if len(spelling) >= max(size, shortest) and start >= 0 and content.startswith(spelling, start):
            return True
    return False


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

