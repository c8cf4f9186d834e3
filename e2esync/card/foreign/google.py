"""Google's CSV, of before and after 2024, which renamed the columns.

Invariants: a column that is not known is kept under its own name; several values in one column (`` ::: ``) are several.
"""

from __future__ import annotations

from typing import Final

from ...errors import BadCard
from ..tables import RELATIONS
from ..vcard import VCardFile
from .csvtext import delimiter_of, parse_csv, unguard
from .record import CUSTOM, Record, Records, file_text

SEVERAL: Final = " ::: "
NAMES: Final = ("Family Name", "Given Name", "Additional Name", "Name Prefix", "Name Suffix")
_OTHERS: Final = ("File As", "Nickname", "Organization Name", "Organization Title", "Notes", "Birthday", "Labels")
_RENAMED: Final = {
    "First Name": "Given Name", "Middle Name": "Additional Name", "Last Name": "Family Name",
    "Given Name Yomi": "Phonetic First Name", "Additional Name Yomi": "Phonetic Middle Name",
    "Family Name Yomi": "Phonetic Last Name", "Name": "File As", "Group Membership": "Labels",
    "Organization 1 - Name": "Organization Name", "Organization 1 - Title": "Organization Title",
    "Organization 1 - Department": "Organization Department",
}
"""Names of one generation of columns in the words of the other."""
PHONETICS: Final = {
    "Phonetic First Name": "X-PHONETIC-FIRST-NAME", "Phonetic Middle Name": "X-PHONETIC-MIDDLE-NAME",
    "Phonetic Last Name": "X-PHONETIC-LAST-NAME",
}
KNOWN: Final = frozenset((*NAMES, *PHONETICS, *_OTHERS))
_NUMBERED: Final = (" - Value", " - Formatted", " - Street", " - City")
ADDRESS: Final = ("PO Box", "Extended Address", "Street", "City", "Region", "Postal Code", "Country")
"""The parts of an address in the order of ADR."""
MARKS: Final = frozenset((
    "E-mail 1 - Value", "Phone 1 - Value", "Group Membership", "Labels", "Given Name Yomi", "Phonetic First Name",
))
"""Columns that no other program's CSV has."""


def read_google(data: bytes, *, salt: bytes) -> VCardFile:
    """The cards of a Google CSV. ``salt`` is the set id. Raises BadCard where the first line names no such column."""
    text = file_text(data)
    rows = parse_csv(text, delimiter_of(text))
    records = Records(salt)
    header = [_RENAMED.get(name.strip(), name.strip()) for name in rows[0].fields] if rows else []
    if rows and not any(name in KNOWN or name.endswith(_NUMBERED) for name in header):
        raise BadCard("the first line names no column of Google's CSV", "leave --from away, or say what it is")
    for row in rows[1:]:
        if not row.whole or len(row.fields) > len(header):
            records.refuse(row.raw, row.line, "this line of the CSV has a quote that is never closed, or more fields "
                                              "than the first line")
            continue
        fields = {name: unguard(value) for name, value in zip(header, row.fields, strict=False) if value.strip()}
        if fields:
            records.take(_record(fields), row.raw, row.line)
    return records.result()


def _record(fields: dict[str, str]) -> Record:
    record, left = Record(), dict(fields)
    full = left.pop("File As", "")
    record.text("FN", full)
    record.parts("N", [left.pop(name, "") for name in NAMES])
    for name, prop in PHONETICS.items():
        record.text(prop, left.pop(name, ""))
    record.parts("NICKNAME", [left.pop("Nickname", "")])
    record.organization(left.pop("Organization Name", ""), left.pop("Organization Department", ""))
    record.text("TITLE", left.pop("Organization Title", ""))
    record.text("BDAY", left.pop("Birthday", "").strip())
    record.text("NOTE", left.pop("Notes", ""))
    record.uri("PHOTO", left.pop("Photo", ""), params=[("VALUE", "uri")])
    labels = [name.strip().removeprefix("* ") for name in left.pop("Labels", "").split(SEVERAL.strip())]
    record.parts("CATEGORIES", [[name for name in labels if name]])
    for name in [name for name in left if name.endswith(_NUMBERED)]:
        _numbered(record, left, name.rpartition(" - ")[0])
    for name, value in left.items():
        if not name.endswith((" - Type", " - Label", " - Service")):
            record.custom(name, value)
    return record


def _numbered(record: Record, left: dict[str, str], prefix: str) -> None:
    """The columns of one number, such as ``Phone 2``."""
    kind = prefix.rpartition(" ")[0]
    label = left.pop(f"{prefix} - Label", "") or left.pop(f"{prefix} - Type", "")
    if kind == "Address":
        _address(record, left, prefix, label)
        return
    values = left.pop(f"{prefix} - Value", "")
    for value in values.split(SEVERAL) if values else []:
        if kind == "E-mail":
            record.text("EMAIL", value.strip(), label)
        elif kind == "Phone":
            record.text("TEL", value.strip(), label)
        elif kind == "Website":
            record.uri("URL", value, label)
        elif kind == "Event":
            record.text("X-ABDATE", value.strip(), label)
        elif kind == "Relation":
            record.text("X-ABRELATEDNAMES", value, label.title() if label.title() in RELATIONS else label)
        elif kind == "IM":
            service = left.get(f"{prefix} - Service", "")
            record.uri("IMPP", value, label, [("X-SERVICE-TYPE", service)] if service else [])
        elif kind == "Custom Field":
            record.custom(label or CUSTOM, value)
        else:
            record.custom(" - ".join(filter(None, (kind, label))), value)


def _address(record: Record, left: dict[str, str], prefix: str, label: str) -> None:
    columns = [left.pop(f"{prefix} - {name}", "").split(SEVERAL) for name in ADDRESS]
    formatted = left.pop(f"{prefix} - Formatted", "").split(SEVERAL)
    for index in range(max(map(len, (*columns, formatted)))):
        parts = [column[index] if index < len(column) else "" for column in columns]
        full = formatted[index] if index < len(formatted) else ""
        if any(parts):
            record.parts("ADR", parts, label)
        elif full:
            record.parts("ADR", ["", "", full, "", "", "", ""], label)
