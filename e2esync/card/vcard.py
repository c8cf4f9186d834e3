"""Files of vCards in and out (SPEC 7): the entry points of the card floor.

Invariants: pure functions of their arguments: no clock, no randomness, equal results on every device; no bytes make
them raise; one bad card or line never stops the file: it is quarantined with its raw text and the rest is read.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from ..errors import BadCard
from ..limits import CONTACT_MAX
from ..wire import encode
from .digests import base_digest, media_digest
from .export import write_card
from .heads import guess_style, parse_line
from .inline import InlineMedia
from .layout import Layout
from .lexer import STRETCH_MAX, Block, FileText, blocks, card_lines, decode_file, encode_file
from .origin import UID_DERIVED, UID_FIRST, UID_IN_BASE, UID_LAST, encode_origin
from .reader import card_version, read_card
from .reader.builder import Card
from .reader.media import inline_bytes, layout_of
from .registers import assemble
from .shape import Shape
from .text import to_bytes
from .types import ORIGIN, Head, Line, Registers, Style, Value
from .values import check_value
from .writer.target import MediaSource

_REV: Final = re.compile(r"\nREV[^:\n]*:([0-9TZ:.+-]+)", re.I | re.A)
OUTSIDE: Final = "this is not inside a card"
UNCLOSED: Final = "the card has no END line; it was read as far as it goes"
_SMALL: Final = 60_000
"""Texts below this length cannot make a card that is over the limit."""


@dataclass(frozen=True, slots=True)
class ReadCard:
    """A card of a file: its uid, which of several different ones with this uid, its registers, its inline media."""

    uid: str
    ordinal: int
    registers: Registers
    media: Mapping[str, bytes]
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A piece of a file that is no card: its bytes, the line where it begins, and why."""

    raw: bytes
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class VCardFile:
    """What a file holds: cards, what could not be read, and the layout that gives the file back."""

    cards: list[ReadCard]
    quarantine: list[Unreadable]
    layout: Layout


def read_vcards(data: bytes, *, salt: bytes) -> VCardFile:
    """Read a file of vCards of any version. ``salt`` (up to 64 bytes, the set id) keys ids and media digests."""
    file = decode_file(data)
    reading = _Reading(file, salt)
    for block in blocks(file):
        reading.take(block)
    return reading.result()


@dataclass(slots=True)
class _Seen:
    """A card of this file that another one may copy or revise, with its places among items and cards."""

    at: int
    """Where in the file it stands: a file with large photos is not kept twice."""
    size: int
    rev: str
    ordinal: int
    item: int
    card: int


@dataclass(slots=True)
class _Reading:
    """The state of reading one file."""

    file: FileText
    salt: bytes
    cards: list[ReadCard] = field(default_factory=list)
    quarantine: list[Unreadable] = field(default_factory=list)
    items: list[tuple[str, int] | bytes] = field(default_factory=list)
    heads: dict[str, Head] = field(default_factory=dict)
    copies: dict[tuple[str, bytes], int] = field(default_factory=dict)
    known: dict[str, list[_Seen]] = field(default_factory=dict)

    def take(self, block: Block) -> None:
        """Read one stretch of the file."""
        if block.size > STRETCH_MAX:
            self._leave(block)
            return
        if not block.card:
            if block.text.strip():
                self._refuse(block, OUTSIDE)
            self.items.append(to_bytes(block.text))
            return
        try:
            card = self._read(block)
        except BadCard as error:
            self._refuse(block, error.message)
            self.items.append(to_bytes(block.text))
            return
        self._identify(card, block)

    def _refuse(self, block: Block, reason: str) -> None:
        raw = encode_file(block.text, self.file.encoding, False)
        self.quarantine.append(Unreadable(raw, block.line, reason))

    def _leave(self, block: Block) -> None:
        """What is too long for any card: not even kept, for a gigabyte in quarantine serves nobody."""
        reason = f"{block.size:,} bytes are no card ({STRETCH_MAX >> 20} MiB at most): they stay in the file alone"
        self.quarantine.append(Unreadable(b"", block.line, reason))

    def _read(self, block: Block) -> ReadCard:
        eol, texts = card_lines(block.text, self.file.newline)
        lines = [parse_line(raw, end, "", self.heads) for raw, end in texts]
        version = card_version(lines)
        if version == "2.1":
            lines = [parse_line(raw, end, version, self.heads) for raw, end in texts]
        read = card_of(lines, texts, guess_style(lines, version, eol), self.salt)
        notices = list(read.notices)
        if not block.closed:
            notices.append(UNCLOSED)
        if any(line is None and raw.strip() for line, (raw, _) in zip(lines, texts, strict=True)):
            notices.append("a line without a property name was kept as it is, but not understood")
        if read.media:
            # What was decoded to be named is decoded again where it is wanted: the file has it already.
            media = InlineMedia(self.file, block.at, block.size, version, tuple(read.media), self.salt)
            return replace(read, media=media, notices=tuple(notices))
        return replace(read, notices=tuple(notices)) if notices else read

    def _identify(self, card: ReadCard, block: Block) -> None:
        """Give a second card with a known uid its place: a copy, a revision if its REV is newer, or its own."""
        copy = self.copies.setdefault((card.uid, _likeness(block.text)), len(self.items))
        if copy != len(self.items):
            self.items.append(self.items[copy])
            return
        known = self.known.setdefault(card.uid, [])
        rev = _revision(block.text)
        if known and rev and known[-1].rev and known[-1].rev < rev:
            older = known[-1]
            self.items[older.item] = self.file.data[older.at : older.at + older.size]
            notices = (*card.notices, "it revises an older card of this file")
            card = replace(card, ordinal=older.ordinal, notices=notices)
            self.cards[older.card] = card
            older.at, older.size, older.rev, older.item = block.at, block.size, rev, len(self.items)
        else:
            if known:
                notice = "another card of this file has the same uid; both are kept"
                card = replace(card, ordinal=len(known), notices=(*card.notices, notice))
            known.append(_Seen(block.at, block.size, rev, card.ordinal, len(self.items), len(self.cards)))
            self.cards.append(card)
        self.items.append((card.uid, card.ordinal))

    def result(self) -> VCardFile:
        """What was read."""
        layout = Layout(self.file.encoding, self.file.bom, tuple(self.items))
        return VCardFile(self.cards, self.quarantine, layout)


def card_of(lines: list[Line | None], texts: list[tuple[str, str]], style: int, salt: bytes) -> ReadCard:
    """The card of these lines (None: no content line) with the raw texts and ends, in the style of this number.

    Raises BadCard for one that says nothing, or too much.
    """
    card, owners = read_card(lines, Style.decode(style).version, salt)
    if len(card.registers) == 1 and "uid" not in owners:
        raise BadCard("the card is empty")
    card.registers[ORIGIN] = _origin(card, owners, lines, texts, style)
    if sum([len(raw) for raw, _ in texts]) > _SMALL:
        _check_size(card)
    return ReadCard(card.uid, 0, card.registers, card.media, tuple(card.notices))


def _likeness(text: str) -> bytes:
    """What equal cards have in common, and no others."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=32).digest()


def _revision(text: str) -> str:
    """The digits of REV, which compare as times do; "" where there are fewer than a date's."""
    match = _REV.search(text)
    digits = re.sub(r"\D", "", match[1])[:14] if match else ""
    return digits.ljust(14, "0") if len(digits) >= 8 else ""


def _check_size(card: Card) -> None:
    """That the card and its origin are no larger than a contact may be (SPEC 7.1 step 3)."""
    size = check_value(assemble(card.registers)) + len(encode(card.registers[ORIGIN]))
    if size > CONTACT_MAX:
        raise BadCard(f"the card takes {size} bytes without its photos; at most {CONTACT_MAX} are allowed")


def _origin(
    card: Card, owners: list[str | None], lines: list[Line | None], texts: list[tuple[str, str]], number: int
) -> list[Value]:
    """The origin register of a card just read; the registers are put into the order of its slots."""
    style = Style.decode(number)
    registers = card.registers
    slots = list(dict.fromkeys(owner for owner in owners if owner is not None))
    place = UID_DERIVED
    if "uid" in slots:
        place = UID_FIRST if slots[0] == "uid" else UID_LAST if slots[-1] == "uid" else UID_IN_BASE
    if len(registers) > len(slots):
        known = set(slots)
        carried = [path for path in registers if path not in known and path != "uid"]
        slots[len(slots) - (place == UID_LAST) : len(slots) - (place == UID_LAST)] = carried
    ordered = {path: registers[path] for path in slots}
    base = [base_digest(path, value) for path, value in ordered.items() if path != "uid" or place == UID_IN_BASE]
    if style.foreign:
        card.registers = ordered if place else ordered | {"uid": card.uid}
        return encode_origin(number, place, base, None)
    shape = Shape(texts, owners, lines, number, style, card.media.get, ordered)
    ops = shape.ops(lambda line: _media_op(card, line, style.eol))
    card.registers = ordered if place else ordered | {"uid": card.uid}
    return encode_origin(number, place, base, ops)


def _media_op(card: Card, line: Line, eol: str) -> list[Value] | None:
    """How inline media lie in the file; where no short words tell it, the line itself becomes media bytes."""
    found = inline_bytes(line)
    if found is None:
        return None
    if (layout := layout_of(line, found[0], eol)) is not None:
        return layout
    raw = to_bytes(line.raw)
    digest = media_digest(card.salt, raw)
    card.media[digest] = raw
    return [digest]


def vcard_parts(cards: Iterable[Registers], *, version: str | None, media: MediaSource) -> Iterator[bytes]:
    """Cards as a UTF-8 file of vCards of ``version``, or each of the version it came in (None), raw where untouched.

    Card by card, for a book may have more photos than fit into memory. ``media`` gives the bytes of a media digest,
    or None where they are not here.
    """
    for card in cards:
        yield to_bytes(write_card(card, version, media))


def write_vcards(cards: Iterable[Registers], *, version: str | None, media: MediaSource) -> bytes:
    """As ``vcard_parts``, in one piece."""
    return b"".join(vcard_parts(cards, version=version, media=media))
