"""JSContact cards to registers and back (SPEC 7, design: a whole entry is one value).

Invariants: ``assemble(flatten(card))`` is the card with version "1.0" (the order within ``vCardProps`` apart);
``updated`` is never a register (it is the largest operation time); the origin register is never in a card.
"""

from __future__ import annotations

from typing import Final

from .digests import content_id
from .paths import join_path, split_path
from .types import ORIGIN, Entry, Registers, Value

MAPS: Final = frozenset((
    "addresses", "anniversaries", "calendars", "cryptoKeys", "directories", "emails", "links", "localizations",
    "media", "nicknames", "notes", "onlineServices", "organizations", "personalInfo", "phones",
    "preferredLanguages", "schedulingAddresses", "titles",
))
"""Properties that are maps of entries: one register for each entry."""
SETS: Final = frozenset(("keywords", "members", "relatedTo"))
"""Properties that are sets: one register for each key, of any text."""
PROPS: Final = "vCardProps"
SINGLE: Final = frozenset(("uid", "kind", "name", "language", "prodId", "created", "speakToAs"))
IMPLIED: Final = frozenset(("@type", "version", "updated"))
KNOWN_PROPERTIES: Final = MAPS | SETS | SINGLE | IMPLIED | {PROPS, ORIGIN}


def flatten(card: dict[str, Value]) -> Registers:
    """The registers of a JSContact card. The card is not checked here: see ``check_card``."""
    registers: Registers = {}
    for prop, value in card.items():
        if prop in IMPLIED or prop == ORIGIN:
            continue
        if prop == PROPS and isinstance(value, list):
            registers |= _number_props(value)
        elif (prop in MAPS or prop in SETS) and isinstance(value, dict) and value:
            for key, entry in value.items():
                registers[f"{prop}/{key}"] = entry
        else:
            registers[join_path(prop)] = value
    return registers


def _number_props(props: list[Value]) -> Registers:
    """An array has no ids to merge by: each property is named by its content, equal ones by ordinal."""
    registers: Registers = {}
    # Counted, not searched for: a file may hold one line ten thousand times.
    seen: dict[str, int] = {}
    for entry in props:
        base = f"{PROPS}/{content_id(entry)}"
        ordinal = seen.get(base, 0)
        seen[base] = ordinal + 1
        registers[f"{base}-{ordinal}" if ordinal else base] = entry
    return registers


def assemble(registers: Registers) -> dict[str, Value]:
    """The JSContact card of these registers, version "1.0"; values are shared, not copied."""
    card: Entry = {"@type": "Card", "version": "1.0"}
    props: list[tuple[str, Value]] = []
    for path, value in registers.items():
        prop, key = split_path(path)
        if path == ORIGIN:
            continue
        if key is None:
            if prop in MAPS or prop in SETS:  # An empty map has no entry to be told by, so it is a register itself.
                card.setdefault(prop, {} if value == {} else value)
            else:
                card[prop] = value
        elif prop == PROPS:
            props.append((key, value))
        else:
            entries = card.setdefault(prop, {})
            if isinstance(entries, dict):
                entries[key] = value
    if props:
        card[PROPS] = [value for _, value in sorted(props, key=lambda item: item[0])]
    return card
