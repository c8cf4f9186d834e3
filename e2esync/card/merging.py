"""Two cards of one person become one (SPEC 7): the union of what they say, and nothing silently lost.

Invariants: pure; every entry of both is in the result, equal ones (by number, address or text, whatever their format)
once; where only one value can stand, the first card's does, and the other is named in ``left``; another name is kept as
a nickname. uid and origin are the first card's, so that importing its file again still changes only what changed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from .digests import encode_json
from .display import display_name
from .phone import normalize_email, normalize_phone
from .registers import MAPS, PROPS, SETS
from .summary import fold_case
from .types import ORIGIN, Entry, Registers, Value

_MAIN: Final = {
    "organizations": "name", "titles": "name", "nicknames": "name", "notes": "note", "links": "uri",
    "calendars": "uri", "directories": "uri", "schedulingAddresses": "uri", "preferredLanguages": "language",
    "personalInfo": "value",
}
_INNER: Final = frozenset(("uid", ORIGIN, "updated"))
_QUIET: Final = frozenset(("prodId", "created", "language"))
"""Single values whose loss is nobody's loss."""
_LOCAL_DIGITS: Final = 7
"""A shorter number may be anybody's."""
_UNIONS: Final = ("contexts", "features")

MakeId = Callable[[str, str], str]


def merge_registers(mine: Registers, theirs: Registers, make_id: MakeId) -> tuple[Registers, list[str]]:
    """(what to write into the first card, paths of the second whose values it cannot take).

    ``make_id`` gives an id for (property, normalised value), another one at each call.
    """
    values: Registers = {}
    left: list[str] = []
    known = {(prop, told): path for path, entry in mine.items()
             if (prop := path.partition("/")[0]) in MAPS and (told := meaning_of(prop, entry)) is not None}
    for path, value in theirs.items():
        prop, slash, _key = path.partition("/")
        if path in _INNER or prop == ORIGIN:
            continue
        if prop == "name":
            _merge_name(mine, theirs, values, make_id)
        elif slash and prop in MAPS:
            _merge_entry(prop, path, value, mine, known, values, left, make_id)
        elif slash and prop == PROPS:
            if path not in mine and value not in mine.values():
                values[path] = value
        elif path not in mine:
            values[path] = value
        elif mine[path] != value and prop not in SETS and prop not in _QUIET and prop != "blobs":
            left.append(path)
    return values, left


def _merge_entry(prop: str, path: str, entry: Value, mine: Registers, known: dict[tuple[str, str], str],
                 values: Registers, left: list[str], make_id: MakeId) -> None:
    told = meaning_of(prop, entry)
    if told is None:
        if path not in mine:
            values[path] = entry
        elif mine[path] != entry:
            left.append(path)
        return
    same = known.get((prop, told))
    if same is None and prop == "phones":
        same = next((at for (kind, number), at in known.items() if kind == prop and _one_number(number, told)), None)
    if same is None:
        while path in mine or path in values:
            path = f"{prop}/{make_id(prop, told)}"
        values[path] = entry
        known[prop, told] = path
        return
    before: Any = values.get(same, mine.get(same))
    both = {**entry, **before}
    for name in _UNIONS:
        if isinstance(entry.get(name), dict) and isinstance(before.get(name), dict):
            both[name] = {**entry[name], **before[name]}
    if both != before:
        values[same] = both


def _merge_name(mine: Registers, theirs: Registers, values: Registers, make_id: MakeId) -> None:
    """The first card's name stays; what the other calls the person is a nickname, unless it says the same."""
    name, other = mine.get("name"), theirs["name"]
    if not isinstance(name, dict) or not display_name({"name": name}):
        values["name"] = other
        return
    shown = display_name({"name": other}) if isinstance(other, dict) else ""
    if fold_case(shown) == fold_case(display_name({"name": name})):
        if {**other, **name} != name:
            values["name"] = {**other, **name}
        return
    nicknames = {fold_case(str(entry.get("name", ""))) for path, entry in {**mine, **theirs}.items()
                 if path.startswith("nicknames/") and isinstance(entry, dict)}
    if shown and fold_case(shown) not in nicknames:
        values[f"nicknames/{make_id('nicknames', shown)}"] = {"name": shown}


def meaning_of(prop: str, entry: Any) -> str | None:
    """What makes an entry the same as another; None where that cannot be said."""
    if not isinstance(entry, dict):
        return None
    if prop == "phones":
        return normalize_phone(str(entry.get("number", "")))
    if prop == "emails":
        return normalize_email(str(entry.get("address", "")))
    if prop in _MAIN:
        return fold_case(str(entry.get(_MAIN[prop], "")).strip())
    if prop in ("media", "cryptoKeys"):
        return str(entry.get("digest") or entry.get("uri", ""))
    if prop == "addresses":
        return _address(entry)
    if prop == "anniversaries":
        return encode_json([entry.get("kind"), entry.get("date")])
    if prop == "onlineServices":
        return encode_json([entry.get("service"), entry.get("user"), entry.get("uri")])
    return None


def _one_number(one: str, other: str) -> bool:
    """Whether one of two numbers is the other with its country."""
    if one.startswith("+") == other.startswith("+"):
        return False
    short = (other if one.startswith("+") else one).lstrip("0")
    return len(short) >= _LOCAL_DIGITS and (one if one.startswith("+") else other).endswith(short)


def _address(entry: Entry) -> str:
    components = entry.get("components")
    words = [str(part.get("value", "")) for part in components if isinstance(part, dict)] if isinstance(
        components, list) and components else [str(entry.get("full", ""))]
    return " ".join(sorted(fold_case(" ".join(words)).replace(",", " ").split()))
