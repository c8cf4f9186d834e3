"""Cards as Google's CSV of today: the one CSV that phones, clouds and Outlook's own web page all read.

A CSV cannot say everything: uids, several organizations, photos and unknown properties have no column. What has none
goes to a custom field where it is one short text, and is counted otherwise.

Invariants: reading what was written and writing it again gives the same text; every value is guarded.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ..dates import format_date
from ..display import entries_of, name_from_components
from ..export import in_order
from ..labels import is_group
from ..tables import CONTEXT_TYPES, FEATURE_TYPES
from ..types import V30, VENDOR, Entry, Registers
from .csvtext import format_csv
from .google import ADDRESS, PHONETICS, SEVERAL
from .record import CUSTOM_LABEL, TYPES

_FIXED: Final = (
    "First Name", "Middle Name", "Last Name", *PHONETICS, "Name Prefix", "Name Suffix", "Nickname", "File As",
    "Organization Name", "Organization Title", "Organization Department", "Birthday", "Notes", "Photo", "Labels",
)
_PARTS: Final = {
    "given": "First Name", "given2": "Middle Name", "surname": "Last Name", "title": "Name Prefix",
    "credential": "Name Suffix",
}
_SPOKEN: Final = {"given": "Phonetic First Name", "given2": "Phonetic Middle Name", "surname": "Phonetic Last Name"}
_ADDRESS_KINDS: Final = (
    ("postOfficeBox",), ("apartment", "room", "floor", "building"), ("number", "name", "block", "landmark",
    "direction"), ("locality", "district", "subdistrict"), ("region",), ("postcode",), ("country",),
)
_LABELS: Final = {frozenset(kinds): label.title() for label, kinds in TYPES.items()}
_NUMBERED: Final = ("E-mail", "Phone", "Address", "Relation", "Website", "Event", "Custom Field")


def write_google(cards: Iterable[Registers]) -> bytes:
    """The cards, but for groups (whose members' labels say them), as UTF-8 with a mark, which Excel needs."""
    rows = [_row(in_order(card)) for card in cards if not is_group(card)]
    most = {kind: max((len(row[1].get(kind, ())) for row in rows), default=0) for kind in _NUMBERED}
    header = list(_FIXED)
    for kind in _NUMBERED:
        for number in range(1, most[kind] + 1):
            header += [f"{kind} {number} - {name}" for name in _columns(kind)]
    lines = [header]
    for fixed, numbered in rows:
        line = [fixed.get(name, "") for name in _FIXED]
        for kind in _NUMBERED:
            found = numbered.get(kind, [])
            width = len(_columns(kind))
            line += [field for each in found for field in each]
            line += [""] * (width * (most[kind] - len(found)))
        lines.append(line)
    return b"\xef\xbb\xbf" + format_csv(lines).encode("utf-8", "replace")


def _columns(kind: str) -> tuple[str, ...]:
    return ("Label", "Formatted", *ADDRESS) if kind == "Address" else ("Label", "Value")


def _row(card: Registers) -> tuple[dict[str, str], dict[str, list[list[str]]]]:
    """The fields of one card: those of fixed columns, and those of numbered ones by kind."""
    fixed: dict[str, str] = {}
    numbered: dict[str, list[list[str]]] = {}
    custom: list[list[str]] = []
    _name(card, fixed)
    for kind, prop, member in (("E-mail", "emails", "address"), ("Phone", "phones", "number"),
                               ("Website", "links", "uri")):
        numbered[kind] = [[_label(entry), str(entry.get(member, ""))] for entry in entries_of(card, prop)]
    numbered["Address"] = [_address(entry) for entry in entries_of(card, "addresses")]
    _organizations(card, fixed, custom)
    _dates(card, fixed, numbered, custom)
    numbered["Relation"] = [
        [str(entry.get("label") or next(iter(entry.get("relation") or {}), "")).capitalize(), path.partition("/")[2]]
        for path, entry in card.items() if path.startswith("relatedTo/") and isinstance(entry, dict)
    ]
    _first(fixed, custom, "Nickname", [str(entry.get("name", "")) for entry in entries_of(card, "nicknames")])
    fixed["Notes"] = "\n".join(str(entry.get("note", "")) for entry in entries_of(card, "notes"))
    fixed["Photo"] = next((str(entry["uri"]) for entry in entries_of(card, "media")
                           if entry.get("kind") == "photo" and str(entry.get("uri", "")).startswith("http")), "")
    fixed["Labels"] = SEVERAL.join(
        f"* {name}" if name in ("myContacts", "starred") else name
        for name in (path.partition("/")[2] for path in card if path.startswith("keywords/"))
    )
    custom += [[str(entry.get("service") or "IM"), str(entry.get("user") or entry.get("uri", ""))]
               for entry in entries_of(card, "onlineServices")]
    custom += _unknown(card)
    numbered["Custom Field"] = [row for row in custom if row[1]]
    return fixed, numbered


def _name(card: Registers, fixed: dict[str, str]) -> None:
    name = card.get("name")
    if not isinstance(name, dict):
        return
    components = [part for part in name.get("components") or () if isinstance(part, dict)]
    for kind, column in _PARTS.items():
        fixed[column] = " ".join(str(part.get("value", "")) for part in components if part.get("kind") == kind)
    for part in components:
        if part.get("phonetic") and part.get("kind") in _SPOKEN:
            fixed.setdefault(_SPOKEN[part["kind"]], str(part["phonetic"]))
    full = str(name.get("full") or "")
    if full != name_from_components(name):
        fixed["File As"] = full


def _label(entry: Entry) -> str:
    """The label as Google writes it: a star before the preferred one, its own word for a type."""
    star = "* " if entry.get("pref") == 1 else ""
    if entry.get("label"):
        return star + str(entry["label"])
    kinds = [CONTEXT_TYPES.get(name, name).upper() for name in entry.get("contexts") or ()]
    kinds += [FEATURE_TYPES.get(name, name).upper() for name in entry.get("features") or () if name != "voice"]
    for wanted in (frozenset(kinds), frozenset(kinds[-1:]), frozenset(kinds[:1])):
        if wanted in _LABELS:
            return star + _LABELS[wanted]
    return star.strip() and star + "Other"


def _address(entry: Entry) -> list[str]:
    components = [part for part in entry.get("components") or () if isinstance(part, dict)]
    columns = [
        " ".join(str(part.get("value", "")) for kind in kinds for part in components if part.get("kind") == kind)
        for kinds in _ADDRESS_KINDS
    ]
    if not any(columns):
        columns[2] = str(entry.get("full") or entry.get("coordinates") or "")
    return [_label(entry), "", *columns]


def _organizations(card: Registers, fixed: dict[str, str], custom: list[list[str]]) -> None:
    found = entries_of(card, "organizations")
    if found:
        units = [str(unit.get("name", "")) for unit in found[0].get("units") or () if isinstance(unit, dict)]
        fixed["Organization Name"] = str(found[0].get("name", ""))
        fixed["Organization Department"] = " / ".join(filter(None, units))
    custom += [["Organization", str(entry.get("name", ""))] for entry in found[1:]]
    _first(fixed, custom, "Organization Title", [str(entry.get("name", "")) for entry in entries_of(card, "titles")])


def _first(fixed: dict[str, str], custom: list[list[str]], column: str, values: list[str]) -> None:
    """The first value in the column that there is, the others as custom fields of its name."""
    fixed[column] = values[0] if values else ""
    custom += [[column, value] for value in values[1:]]


def _dates(card: Registers, fixed: dict[str, str], numbered: dict[str, list[list[str]]],
           custom: list[list[str]]) -> None:
    for entry in entries_of(card, "anniversaries"):
        date, kind = entry.get("date"), entry.get("kind")
        text = format_date(date, V30, basic=False) if isinstance(date, dict) else ""
        if kind == "birth" and not fixed.get("Birthday"):
            fixed["Birthday"] = text
        elif kind == "birth":
            custom.append(["Birthday", text])
        else:
            word = {"wedding": "Anniversary", "death": "Death"}.get(str(kind), str(entry.get(VENDOR + "label") or ""))
            numbered.setdefault("Event", []).append([word or "Other", text])


def _unknown(card: Registers) -> list[list[str]]:
    """Custom fields as they came, and other unknown properties that are one text."""
    rows = []
    for path, prop in card.items():
        if path.startswith("vCardProps/") and isinstance(prop, list) and len(prop) == 4 and isinstance(prop[1], dict):
            label = prop[1].get(CUSTOM_LABEL.lower()) or str(prop[0])
            if isinstance(prop[3], str) and isinstance(label, str):
                rows.append([label, prop[3]])
    return rows
