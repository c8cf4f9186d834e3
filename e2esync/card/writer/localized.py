"""Localizations to lines: in 4.0 as alternatives of the property that they translate, otherwise as JSPROP.

Invariants: all patches of a language go out as lines, or none: then they are one JSPROP; a line is written only beside
a property whose own line has an ALTID, so that reading it gives the same patch.
"""

from __future__ import annotations

from typing import Final

from ..types import V40, Entry, Value
from .entries import address_parts
from .names import write_components
from .target import Params, Target

_TEXTS: Final = {"titles": "TITLE", "nicknames": "NICKNAME", "notes": "NOTE"}


def write_localization(target: Target, path: str, patch: Entry) -> list[str] | None:
    """The alternatives of one language, or None where not all of its patches can be one."""
    language = path.partition("/")[2]
    if target.version != V40 or not patch or not language.isascii():
        return None
    groups: dict[str, dict[str, Value]] = {}
    for pointer, value in sorted(patch.items()):
        owner, _, member = pointer.rpartition("/")
        groups.setdefault(owner, {})[member] = value
    lines: list[str] = []
    for owner, members in groups.items():
        main = target.registers.get(owner)
        altid = (main.get("vCardParams") or {}).get("altid") if isinstance(main, dict) else None
        if not isinstance(main, dict) or not isinstance(altid, str):
            return None
        params = [("ALTID", altid), ("LANGUAGE", language)]
        made = _name(target, members, params) if owner == "name" else _entry(target, owner, main, members, params)
        if made is None:
            return None
        lines += made
    return lines


def _name(target: Target, members: Entry, params: Params) -> list[str] | None:
    if members.keys() - {"full", "components", "isOrdered", "defaultSeparator", "phoneticSystem", "phoneticScript"}:
        return None
    lines = []
    if "full" in members:
        lines.append(target.text("FN", params, str(members["full"])))
    if "components" in members:
        extra = [(key, str(members[name])) for key, name in (("PHONETIC", "phoneticSystem"),
                                                              ("SCRIPT", "phoneticScript")) if name in members]
        lines.append(write_components(target, members, members["components"], [*params, *extra]))
    elif len(members) > 1 or "full" not in members:
        return None
    return lines


def _entry(target: Target, owner: str, main: Entry, members: Entry, params: Params) -> list[str] | None:
    prop = owner.partition("/")[0]
    unknown = main.get("vCardParams")
    group = str(unknown.get("group", "")) if isinstance(unknown, dict) else ""
    if prop in _TEXTS and members.keys() == {"note" if prop == "notes" else "name"} and not group:
        name = "ROLE" if main.get("kind") == "role" else _TEXTS[prop]
        (text,) = members.values()
        return [target.text(name, params, text)] if isinstance(text, str) and text else None
    if prop == "addresses" and "components" in members and not members.keys() - {
        "components", "isOrdered", "defaultSeparator"
    }:
        parts, order = address_parts(target, members)
        return [target.parts("ADR", [*params, *order], parts)]
    return None
