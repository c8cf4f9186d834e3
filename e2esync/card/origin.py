"""The origin record: what an export needs to give back the bytes of the import (SPEC 7).

One register per card, ``[style, base, ops?]``. *base*: a four-byte digest of each register, in the order of the file:
the *slots*. (The uid has a slot without a digest where the style says that it came first or last.) *ops*: how the
file differs from what the writer gives for the slots in that order:

    0                        BEGIN, VERSION and END are not implied, but among the ops
    n > 0                    the next n slots, as the writer gives them
    raw                      the next slot, by this line
    [slot]                   this slot has no line
    [slot, k|raw|m, end?]    line k of what the writer gives for this slot, or this line, and its odd line end
    [raw, end?]              a line of no slot (REV, blank, unreadable), and its odd line end
    m                        the next slot, inline media laid out so: [head, f, w, indent, tail, inner?] is base64
                             after this head, f characters, then w a line; [digest] is a line that is media itself

Slots named by a list with their number are left out of the counting; what the ops do not reach follows as the writer
gives it. Raw text is kept only where writing would differ, and counts only while the slot's digest still fits.

Invariants: a function of the file and the salt alone, so that two devices that import one file store equal values;
a value of another shape, from a broken client, is ignored and never raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from .digests import BASE_LENGTH, base_digest
from .text import to_bytes
from .types import ORIGIN, Registers, Style, Value

UID_DERIVED: Final = 0
UID_FIRST: Final = 1
UID_LAST: Final = 2
UID_IN_BASE: Final = 3


@dataclass(frozen=True, slots=True)
class Origin:
    """A decoded origin register."""

    style: Style
    uid_place: int
    base: tuple[bytes, ...]
    ops: tuple[Value, ...] | None


@dataclass(slots=True)
class FileLine:
    """A line of the file as the packer sees it: its slot or None, raw text, line end, layout of inline media."""

    slot: int | None
    raw: str
    eol: str
    media: list[Value] | None = None


def encode_origin(style: int, uid_place: int, base: Sequence[bytes], ops: list[Value] | None) -> list[Value]:
    """The value of the origin register."""
    value: list[Value] = [style | uid_place << 4, b"".join(base)]
    return value if ops is None else [*value, ops]


def decode_origin(value: Value) -> Origin | None:
    """The origin record of a register's value, or None where there is none that can be read."""
    if not isinstance(value, list) or not 2 <= len(value) <= 3:
        return None
    number, base = value[0], value[1]
    ops = value[2] if len(value) == 3 else None
    if type(number) is not int or not isinstance(base, bytes) or len(base) % BASE_LENGTH or number < 0:
        return None
    if ops is not None and not isinstance(ops, list):
        return None
    digests = tuple(base[start : start + BASE_LENGTH] for start in range(0, len(base), BASE_LENGTH))
    return Origin(Style.decode(number), number >> 4 & 3, digests, None if ops is None else tuple(ops))


def slots_of(origin: Origin, registers: Registers) -> tuple[list[str | None], list[str]]:
    """For each slot the register that still has its value, or None; and the registers that are in no slot."""
    by_digest = {base_digest(path, value): path for path, value in registers.items() if path not in (ORIGIN, "uid")}
    if origin.uid_place == UID_IN_BASE:
        by_digest[base_digest("uid", registers.get("uid"))] = "uid"
    slots = [by_digest.get(digest) for digest in origin.base]
    if origin.uid_place in (UID_FIRST, UID_LAST):
        slots.insert(0 if origin.uid_place == UID_FIRST else len(slots), "uid")
    found = set(slots)
    return slots, [path for path in registers if path not in found and path not in (ORIGIN, "uid")]


def changes(current: Registers, incoming: Registers) -> dict[str, Value]:
    """The edits that a re-import means: what the file changed since this card was last imported from a file.

    ``current`` is the card as it is now, ``incoming`` the card just read. A register of the file that the last import
    already had is no edit, however much it was changed here since; one that the file no longer has is removed (None)
    only where nobody changed it here. Without an origin, everything that differs in the file is an edit and nothing
    is removed.
    """
    origin = decode_origin(current.get(ORIGIN))
    known = set(origin.base) if origin else set()
    edits: dict[str, Value] = {}
    for path, value in incoming.items():
        if path == "uid" or (path in current and current[path] == value):
            continue
        if path == ORIGIN or base_digest(path, value) not in known:
            edits[path] = value
    for path, value in current.items():
        if path not in incoming and path not in (ORIGIN, "uid") and base_digest(path, value) in known:
            edits[path] = None
    return edits


def pack(lines: list[FileLine], given: list[list[str]], eol: str) -> list[Value]:
    """The ops that turn the writer's lines, slot by slot, into these lines of a file."""
    places: list[list[int]] = [[] for _ in given]
    for index, line in enumerate(lines):
        if line.slot is not None:
            places[line.slot].append(index)
    clean = {slot for slot, at in enumerate(places) if _is_clean([lines[i] for i in at], at, given[slot], eol)}
    single = {
        slot for slot, at in enumerate(places) if slot not in clean and len(at) == 1 and lines[at[0]].eol == eol
    }
    ops: list[Value] = [[slot] for slot, at in enumerate(places) if not at and slot not in clean]
    run = 0
    for index, line in enumerate(lines):
        slot = line.slot
        if slot in clean:
            run += places[slot][0] == index
            continue
        if run:
            ops.append(run)
            run = 0
        if slot in single:
            ops.append(line.media or to_bytes(line.raw))
        else:
            ops.append(_explicit(line, given[slot] if slot is not None else [], eol))
    return ops


def _is_clean(lines: list[FileLine], at: list[int], given: list[str], eol: str) -> bool:
    if not lines:
        return not given
    adjacent = at[-1] - at[0] + 1 == len(at)
    return adjacent and [line.raw for line in lines] == given and all(line.eol == eol for line in lines)


def _explicit(line: FileLine, given: list[str], eol: str) -> list[Value]:
    op: list[Value] = [] if line.slot is None else [line.slot]
    if line.media is not None:
        op.append(line.media)
    elif line.raw in given and line.raw[:4] != "item":
        op.append(given.index(line.raw))
    else:
        # The writer numbers its groups: beside a raw line it may write another number after an edit elsewhere.
        op.append(to_bytes(line.raw))
    if line.eol != eol:
        op.append(to_bytes(line.eol))
    return op
