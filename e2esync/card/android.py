"""Android's own property, X-ANDROID-CUSTOM: nicknames, days and relations, each in a row of its contacts table.

``vnd.android.cursor.item/<table>;value;type;label;…`` with empty columns up to fifteen. Invariants: pure; a row of
another table, or of an odd form, is left to be kept as it is.
"""

from __future__ import annotations

from typing import Final

from .dates import format_date, parse_date
from .types import V30, VENDOR, Entry, Registers, Value

NAME: Final = "X-ANDROID-CUSTOM"
_TABLE: Final = "vnd.android.cursor.item/"
_COLUMNS: Final = 15
_RELATIONS: Final = (
    "", "Assistant", "Brother", "Child", "Domestic partner", "Father", "Friend", "Manager", "Mother", "Parent",
    "Partner", "Referred by", "Relative", "Sister", "Spouse",
)
"""The words of Android's numbers for relations."""
_KINDS: Final = {"1": "wedding", "3": "birth"}
_NUMBERS: Final = {kind: number for number, kind in _KINDS.items()}


def parse_row(columns: list[str]) -> tuple[str, str, Entry] | None:
    """(property, key or text that names it, entry) of a row, or None where it is none that is known."""
    table = columns[0].removeprefix(_TABLE) if columns else ""
    value, number, label = (columns[index].strip() if index < len(columns) else "" for index in (1, 2, 3))
    if not value or table == columns[0]:
        return None
    if table == "nickname":
        return "nicknames", value, {"name": value}
    if table == "contact_event":
        date = parse_date(value)
        if date is None:
            return None
        if number in _KINDS:
            return "anniversaries", _KINDS[number], {"kind": _KINDS[number], "date": date}
        return "anniversaries", f"{label}\0{value}", {"kind": VENDOR + "other", "date": date, VENDOR + "label": label}
    if table == "relation":
        known = number.isdigit() and len(number) < 3 and 0 < int(number) < len(_RELATIONS)
        word = _RELATIONS[int(number)] if known else label
        return "relatedTo", value, {"label": word} if word else {}
    return None


def to_custom(card: Registers) -> Registers:
    """The card with days and relations as Android reads them, and the labels of its entries as ``TYPE=X-label``."""
    out: Registers = {}
    for path, entry in card.items():
        prop, _, key = path.partition("/")
        columns = _row(prop, key, entry) if isinstance(entry, dict) else None
        if columns is not None:
            row = ";".join([_TABLE + columns[0], *map(_column, columns[1:]), *[""] * (_COLUMNS - len(columns) + 1)])
            out[f"vCardProps/{path.replace('/', '-')}"] = [NAME.lower(), {}, "unknown", row]
        elif isinstance(entry, dict) and prop in ("phones", "emails", "addresses", "links") and entry.get("label"):
            out[path] = _typed(entry)
        else:
            out[path] = entry
    return out


def _column(text: str) -> str:
    return text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")


def _row(prop: str, key: str, entry: Entry) -> tuple[str, str, str, str] | None:
    if prop == "anniversaries" and entry.get("kind") != "birth":
        date = entry.get("date")
        text = format_date(date, V30, basic=False) if isinstance(date, dict) else ""
        number = _NUMBERS.get(str(entry.get("kind")), "0")
        label = str(entry.get(VENDOR + "label") or entry.get("kind") or "") if number == "0" else ""
        return ("contact_event", text, number, label) if text else None
    if prop == "relatedTo" and ":" not in key:
        word = str(entry.get("label") or next(iter(entry.get("relation") or {}), "")).capitalize()
        known = word in _RELATIONS and word != ""
        return "relation", key, str(_RELATIONS.index(word)) if known else "0", "" if known else word
    return None


def _typed(entry: Entry) -> Entry:
    """An entry whose label is a type of Android's kind, beside the types that it has."""
    params: dict[str, Value] = {
        key: value for key, value in (entry.get("vCardParams") or {}).items() if key != "group"
    }
    types = params.get("type", [])
    params["type"] = [*(types if isinstance(types, list) else [types]), f"X-{entry['label']}"]
    return {**{key: value for key, value in entry.items() if key != "label"}, "vCardParams": params}
