"""The words that the card floor's modules share (SPEC 7): values, content lines, styles.

Invariants: nothing here does anything but hold data; a ``Line`` never outlives the reading of its card.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, TypeAlias

Value: TypeAlias = Any
"""A JSON value: None, bool, int within +-(2^53-1), finite float, str, list, dict with str keys.
``bytes`` occur in the origin register only."""

Entry: TypeAlias = dict[str, Any]
Registers: TypeAlias = dict[str, Any]

V21: Final = "2.1"
V30: Final = "3.0"
V40: Final = "4.0"
VERSIONS: Final = (V21, V30, V40)

ORIGIN: Final = "origin"
"""The path of the origin register: never part of a card, never shown as a conflict."""

VENDOR: Final = "e2esync.org:"
"""Prefix of the few JSContact members that this implementation adds."""


@dataclass(slots=True)
class Head:
    """What stands before the colon of a content line, parsed once per distinct text."""

    text: str
    group: str
    name: str
    params: list[tuple[str, str]]
    types: list[str] = field(default_factory=list)
    encoding: str = ""
    charset: str = ""
    pref: int | None = None
    altid: str = ""
    prop_id: str = ""
    traits: int = 0
    memo: dict[Any, Any] = field(default_factory=dict)

    def param(self, name: str) -> str | None:
        """The first value of the parameter ``name`` (upper case), or None."""
        for key, value in self.params:
            if key == name:
                return value
        return None


@dataclass(slots=True)
class Line:
    """One content line: its head, its value still encoded, its bytes as text, its line end."""

    head: Head
    value: str
    raw: str
    eol: str


@dataclass(frozen=True, slots=True)
class Style:
    """How an exporter writes what the standard leaves open; guessed from a card, so that few raw lines are kept.

    ``jcard``: the raw lines are those of a jCard. ``foreign``: the card came from something that has no lines at all
    (JSContact, CSV, LDIF).
    """

    version: str = V30
    eol: str = "\r\n"
    type_lower: bool = False
    value_lower: bool = False
    joined: bool = False
    name_first: bool = False
    unfolded: bool = False
    internet: bool = False
    basic_dates: bool = False
    omit_year: bool = False
    pref_first: bool = False
    jcard: bool = False
    foreign: bool = False

    @staticmethod
    def number(version: str, eol: str, flags: tuple[bool, ...]) -> int:
        """A style as one small integer, first in every origin register: version, line end, flags from bit 6 on.

        ``flags`` are in the order of the fields. Bits 4 and 5 are the origin record's.
        """
        bits = 0
        for index, flag in enumerate(flags):
            bits |= flag << index
        return _VERSION_CODES.index(version) | _EOLS.index(eol) << 2 | bits << 6

    @classmethod
    def decode(cls, number: int) -> Style:
        """The style of a number from ``encode``; unknown bits are ignored."""
        return _decode_style(number & _STYLE_MASK)


@lru_cache(maxsize=256)
def _decode_style(number: int) -> Style:
    """A book has few styles and many cards, so each style is made once."""
    flags = {name: bool(number >> 6 + index & 1) for index, name in enumerate(_FLAGS)}
    return Style(version=_VERSION_CODES[number & 3], eol=_EOLS[min(number >> 2 & 3, 2)], **flags)


_FLAGS: Final = (
    "type_lower", "value_lower", "joined", "name_first", "unfolded", "internet", "basic_dates", "omit_year",
    "pref_first", "jcard", "foreign",
)
JCARD_BIT: Final = 1 << 6 + _FLAGS.index("jcard")
FOREIGN_BIT: Final = 1 << 6 + _FLAGS.index("foreign")
_STYLE_MASK: Final = (1 << 6 + len(_FLAGS)) - 1 & ~(3 << 4)
_VERSION_CODES: Final = (V21, V30, V40, V30)
_EOLS: Final = ("\r\n", "\n", "\r")
