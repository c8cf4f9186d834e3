"""The photos and sounds that stand in a file of vCards (SPEC 7.4): decoded each time that one is asked for.

Invariants: pure; holds the bytes of the file and no others, so that a file with 200 MB of photos is in memory once;
what is given has the digest under which it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .digests import media_digest
from .heads import parse_line
from .lexer import FileText, card_lines
from .reader.media import inline_bytes
from .text import to_bytes


@dataclass(frozen=True, slots=True, eq=False)
class InlineMedia(Mapping[str, bytes]):
    """Media digest → bytes, of one card: where it stands in its file, its version, and the digests that it has."""

    file: FileText
    at: int
    size: int
    version: str
    digests: tuple[str, ...]
    salt: bytes

    def __getitem__(self, digest: str) -> bytes:
        if digest not in self.digests:
            raise KeyError(digest)
        for raw, end in card_lines(self.file.text(self.at, self.size), self.file.newline)[1]:
            line = parse_line(raw, end, self.version if self.version == "2.1" else "", {})
            found = inline_bytes(line) if line else None
            if found and media_digest(self.salt, found[0]) == digest:
                return found[0]
            # A line of inline media that no short words tell is media itself (SPEC 7.3).
            if found and media_digest(self.salt, whole := to_bytes(raw)) == digest:
                return whole
        raise KeyError(digest)

    def __iter__(self) -> Iterator[str]:
        return iter(self.digests)

    def __len__(self) -> int:
        return len(self.digests)
