"""Registers to the text of a vCard (SPEC 7): the writer's lines, put into the shape of the import.

Invariants: an untouched card of its own version is the text it was read from, to the byte; after an edit only the
lines of the edited register differ (and REV, which would lie, is left out); hostile origin records cost linear time
and yield a card all the same.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from .display import display_name
from .origin import UID_DERIVED, Origin, decode_origin, slots_of
from .types import ORIGIN, V21, V30, V40, Registers, Style, Value
from .writer import order_key, write_register
from .writer.media import wrap
from .writer.target import MediaSource, Target

_GROUPED: Final = ("keywords/", "nicknames/")
"""Properties whose registers share a line: when one of them changes, no raw line of theirs counts."""


def default_style(version: str, *, unfolded: bool = False, eol: str = "\r\n") -> Style:
    """How a card is written that did not come from a file of this version."""
    return Style(version=version, eol=eol, value_lower=version == V40, internet=False, unfolded=unfolded)


def write_card(registers: Registers, version: str | None, media: MediaSource, style: Style | None = None) -> str:
    """The text of one card, from BEGIN to END with their line ends; ``version`` None is the card's own.

    With a ``style`` every line is made anew in it, whatever the import was like.
    """
    origin = decode_origin(registers.get(ORIGIN))
    if origin is not None and style is None and _is_own(origin, version):
        return _Restored(registers, origin, media).text()
    style = style or default_style(version or V30)
    if origin is None:
        paths = sorted((path for path in registers if path != ORIGIN), key=order_key)
    else:
        slots, rest = slots_of(origin, registers)
        paths = list(dict.fromkeys(path for path in (*slots, *sorted(rest, key=order_key)) if path))
        if "uid" not in paths:
            paths.insert(0, "uid")
    return write_ordered({path: registers[path] for path in paths if path in registers}, style, media)


def in_order(registers: Registers) -> Registers:
    """The registers in the order of their file, or of the writer, without the origin: for what is made anew."""
    origin = decode_origin(registers.get(ORIGIN))
    slots, rest = slots_of(origin, registers) if origin is not None else ([], list(registers))
    paths = dict.fromkeys([*[path for path in slots if path], *sorted(rest, key=order_key), "uid"])
    return {path: registers[path] for path in paths if path in registers and path != ORIGIN}


def write_ordered(registers: Registers, style: Style, media: MediaSource) -> str:
    """The text of one card, made anew in the order of its registers."""
    target = Target(style, registers, media)
    lines = [line for path, value in registers.items() for line in write_register(target, path, value)]
    lines += missing_name(target)
    return style.eol.join(["BEGIN:VCARD", f"VERSION:{style.version}", *lines, "END:VCARD", ""])


def _is_own(origin: Origin, version: str | None) -> bool:
    """Whether the card came as a vCard of this version, so that its raw lines count."""
    return not (origin.style.jcard or origin.style.foreign) and version in (None, origin.style.version)


def restored(registers: Registers, media: MediaSource) -> str | None:
    """The lines of a card that came as a jCard: raw where untouched. None for a card of another form."""
    origin = decode_origin(registers.get(ORIGIN))
    return _Restored(registers, origin, media).text() if origin is not None and origin.style.jcard else None


def missing_name(target: Target) -> list[str]:
    """The name lines that a version demands of a card that has no name."""
    if "name" in target.registers:
        return []
    lines = [target.text("N", [], "")] if target.version == V21 else []
    return lines if target.version == V21 else [*lines, target.text("FN", [], display_name(target.registers))]


@dataclass(slots=True)
class _Restored:
    """One card on its way back to the shape of its file."""

    registers: Registers
    origin: Origin
    media: MediaSource
    slots: list[str | None] = field(default_factory=list)
    given: list[list[str]] = field(default_factory=list)
    after: dict[int, list[str]] = field(default_factory=dict)
    tail: list[str] = field(default_factory=list)
    touched: bool = False
    regroup: bool = False
    matched: list[bool] = field(default_factory=list)

    def text(self) -> str:
        style = self.origin.style
        self._place()
        out: list[str] = []
        ops = self.origin.ops or ()
        bare = bool(ops) and type(ops[0]) is int and ops[0] == 0
        if not bare:
            out += ("BEGIN:VCARD", style.eol, "VERSION:", style.version, style.eol)
        last = None
        for slot, line, eol in self._lines(ops[1:] if bare else ops, style.eol):
            if last is not None and slot != last:
                self._extras(last, out)
            last = slot if slot is not None else last
            out += (line, eol)
            if bare and slot is None and line[:3].upper() == "END" and self.tail:
                tail, self.tail = self.tail, []
                out[-2:-2] = [part for text in tail for part in (text, style.eol)]
        if last is not None:
            self._extras(last, out)
        for line in self.tail:
            out += (line, style.eol)
        if not bare:
            out += ("END:VCARD", style.eol)
        return "".join(out)

    def _extras(self, slot: int, out: list[str]) -> None:
        for line in self.after.pop(slot, ()):
            out += (line, self.origin.style.eol)

    def _place(self) -> None:
        """Match registers to slots; put edited ones where something was edited, new ones after their like."""
        slots, rest = slots_of(self.origin, self.registers)
        self.matched = [path is not None for path in slots]
        self.touched = bool(rest) or not all(self.matched)
        rest.sort(key=order_key)
        self.regroup = not all(self.matched) or any(path.startswith(_GROUPED) for path in rest)
        fresh = iter(rest)
        filled = [path if path is not None else next(fresh, None) for path in slots]
        left = list(fresh)
        if self.touched and self.origin.uid_place == UID_DERIVED:
            left.append("uid")
        ordered = {path: self.registers.get(path) for path in (*filled, *left) if path}
        target = Target(self.origin.style, ordered, self.media)
        lines = {path: write_register(target, path, value) for path, value in ordered.items()}
        self.slots = filled
        self.given = [lines.pop(path, []) if path else [] for path in filled]
        for path in left:
            like = path.partition("/")[0]
            place = max((i for i, other in enumerate(filled) if other and other.partition("/")[0] == like), default=-1)
            (self.after.setdefault(place, []) if place >= 0 else self.tail).extend(lines.pop(path, []))

    def _lines(self, ops: tuple[Value, ...], eol: str) -> Iterator[tuple[int | None, str, str]]:
        """(slot, line, line end) in the order of the file."""
        named = {op[0] for op in ops if isinstance(op, list) and op and type(op[0]) is int}
        free = iter([slot for slot in range(len(self.slots)) if slot not in named])
        done: set[int] = set()
        for op in ops:
            if type(op) is int:
                for _ in range(min(op, len(self.slots))):
                    yield from self._all(next(free, None), eol)
            elif isinstance(op, bytes):
                yield from self._raw(next(free, None), op, eol)
            elif isinstance(op, list) and op:
                if isinstance(op[0], bytes) and len(op) < 3:
                    yield from self._loose(op, eol)
                elif type(op[0]) is int:
                    yield from self._named(op, done, eol)
                else:
                    yield from self._media(next(free, None), op, eol)
        for slot in free:
            yield from self._all(slot, eol)

    def _all(self, slot: int | None, eol: str) -> Iterator[tuple[int | None, str, str]]:
        if slot is not None:
            for line in self.given[slot]:
                yield slot, line, eol

    def _holds(self, slot: int | None) -> bool:
        """Whether raw lines of a slot still say what its register says."""
        if slot is None or slot >= len(self.slots) or not self.matched[slot]:
            return False
        path = self.slots[slot]
        return not (self.regroup and path is not None and path.startswith(_GROUPED))

    def _raw(self, slot: int | None, raw: bytes, eol: str) -> Iterator[tuple[int | None, str, str]]:
        if self._holds(slot):
            yield slot, raw.decode("utf-8", "surrogateescape"), eol
        else:
            yield from self._all(slot, eol)

    def _loose(self, op: list[Value], eol: str) -> Iterator[tuple[int | None, str, str]]:
        line = op[0].decode("utf-8", "surrogateescape")
        if self.touched and line[:3].upper() == "REV" and line[3:4] in (":", ";"):
            return
        yield None, line, _end(op, 1, eol)

    def _named(self, op: list[Value], done: set[int], eol: str) -> Iterator[tuple[int | None, str, str]]:
        slot = op[0]
        if not 0 <= slot < len(self.slots):
            return
        if not self._holds(slot):
            if slot not in done:
                done.add(slot)
                yield from self._all(slot, eol)
        elif len(op) > 1:
            line = op[1]
            if isinstance(line, bytes):
                yield slot, line.decode("utf-8", "surrogateescape"), _end(op, 2, eol)
            elif isinstance(line, list) and line and (text := self._media_line(slot, line, eol)) is not None:
                yield slot, text, _end(op, 2, eol)
            elif type(line) is int and 0 <= line < len(self.given[slot]):
                yield slot, self.given[slot][line], _end(op, 2, eol)

    def _media(self, slot: int | None, op: list[Value], eol: str) -> Iterator[tuple[int | None, str, str]]:
        line = self._media_line(slot, op, eol) if slot is not None and self._holds(slot) else None
        if line is None:
            yield from self._all(slot, eol)
        else:
            yield slot, line, eol

    def _media_line(self, slot: int, op: list[Value], eol: str) -> str | None:
        if len(op) == 1 and isinstance(op[0], str):
            data = self.media(op[0])
            return None if data is None else data.decode("utf-8", "surrogateescape")
        return media_from_layout(self.registers.get(self.slots[slot] or ""), op, eol, self.media)


def _end(op: list[Value], index: int, eol: str) -> str:
    return op[index].decode("utf-8", "surrogateescape") if len(op) > index and isinstance(op[index], bytes) else eol


def media_from_layout(entry: Value, op: list[Value], eol: str, media: MediaSource) -> str | None:
    """The line of inline media by the layout of its file."""
    digest = entry.get("digest") if isinstance(entry, dict) else None
    data = media(digest) if isinstance(digest, str) else None
    if data is None or [type(part) for part in op[:5]] != [bytes, int, int, bytes, bytes] or op[1] < 0 or op[2] < 1:
        return None
    head, indent, tail = (part.decode("utf-8", "surrogateescape") for part in (op[0], op[3], op[4]))
    encoded = binascii.b2a_base64(data, newline=False).decode("ascii")
    return wrap(head, encoded, (op[1], op[2], indent, tail), _end(op, 5, eol))
