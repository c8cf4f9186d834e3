"""Explains encoded objects byte by byte, for appendix C of SPEC (SPEC 6).

A *shape* says what the parts of a value are called: a text for one part; `Parts` for an array with a schema; `Each`
for any number of equal parts; `Inside` for a byte string that is an encoded object itself. What is explained is always
all of the object: `explain` fails if the lines do not join to its bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from e2esync.wire import decode, encode

WIDTH: Final = 32
WHOLE: Final = 128
"""Byte strings up to this length are written out; of longer ones the beginning and the end."""
COLUMN: Final = 72


@dataclass(frozen=True, slots=True)
class Parts:
    """An array with a schema: one shape for each element."""

    name: str
    parts: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Each:
    """An array of any length, or a map: one shape for all elements."""

    name: str
    part: Shape


@dataclass(frozen=True, slots=True)
class Inside:
    """A byte string that holds an encoded object."""

    name: str
    shape: Shape


Shape = str | Parts | Each | Inside
Line = tuple[bytes, int, str]


def parts(name: str, *shapes: Shape) -> Parts:
    """An array with a schema."""
    return Parts(name, shapes)


def explain(raw: bytes, shape: Shape) -> str:
    """A code block: every byte of an encoded object on the left, what it is on the right."""
    return _block(_value(decode(raw), shape, 0), raw)


def cut(raw: bytes, *pieces: tuple[int, str]) -> str:
    """A code block of a fixed layout: lengths and names, the last length being what is left if it is 0."""
    lines: list[Line] = []
    at = 0
    for length, name in pieces:
        lines.append((raw[at : at + (length or len(raw))], 0, name))
        at += length
    return _block(iter(lines), raw)


def named(*pairs: tuple[str, bytes]) -> str:
    """A code block of byte strings with their names before them."""
    width = max(len(name) for name, _ in pairs)
    lines = [
        f"{name if row == 0 else '':<{width}}  {text}" for name, raw in pairs for row, text in enumerate(_wrapped(raw))
    ]
    return "\n".join(["```", *lines, "```"])


def _block(lines: Iterator[Line], raw: bytes) -> str:
    """The lines as text. A line that was forgotten would mislead a reader, so it is an error here."""
    told = list(lines)
    if b"".join(piece for piece, _, _ in told) != raw:
        raise ValueError("the explanation leaves bytes out")
    rows = ["```"]
    for piece, depth, name in told:
        for row, text in enumerate(_wrapped(piece)):
            left = "  " * depth + text
            rows.append(f"{left:<{COLUMN}}  {name}" if row == 0 and name else left)
    return "\n".join([*rows, "```"])


def _wrapped(raw: bytes) -> list[str]:
    """Hex in rows; the middle of a long byte string is left out."""
    if len(raw) > WHOLE:
        return [f"{raw[:12].hex()} … {raw[-12:].hex()}  ({len(raw):,} bytes)"]
    return [raw[at : at + WIDTH].hex() for at in range(0, len(raw), WIDTH)] or ['""']


def _value(value: Any, shape: Shape, depth: int) -> Iterator[Line]:
    """The lines of one value."""
    if isinstance(value, bytes):
        yield from _bytes(value, shape, depth)
    elif isinstance(value, list):
        name, inner = _elements(shape, len(value))
        yield _head(value), depth, name
        for item, part in zip(value, inner, strict=True):
            yield from _value(item, part, depth + 1)
    elif isinstance(value, dict):
        name, inner = _elements(shape, len(value))
        yield _head(value), depth, name
        for (key, item), part in zip(value.items(), inner, strict=True):
            yield encode(key), depth + 1, f'"{key}"'
            yield from _value(item, part, depth + 1)
    else:
        yield encode(value), depth, f"{shape}: {value}" if isinstance(value, int) else f'{shape}: "{value}"'


def _bytes(value: bytes, shape: Shape, depth: int) -> Iterator[Line]:
    """Type and length of a byte string, then what is in it."""
    head = encode(value)[: len(encode(value)) - len(value)]
    name = shape if isinstance(shape, str) else shape.name
    yield head, depth, f"{name}: {len(value):,} bytes" if value else f"{name}: empty"
    if isinstance(shape, Inside):
        yield from _value(decode(value), shape.shape, depth + 1)
    elif value:
        yield value, depth + 1, ""


def _head(value: list[Any] | dict[str, Any]) -> bytes:
    """The bytes of an array or map that come before its elements; all here are shorter than 16."""
    return bytes([(0x80 if isinstance(value, dict) else 0x90) | len(value)])


def _elements(shape: Shape, count: int) -> tuple[str, list[Shape]]:
    """The name of an array or map, and the shapes of its elements."""
    if isinstance(shape, Parts):
        return shape.name, list(shape.parts)
    if isinstance(shape, Each):
        return shape.name, [shape.part] * count
    if count:
        raise ValueError(f"no shape for the elements of {shape}")
    return f"{shape}: none", []
