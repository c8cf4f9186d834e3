"""LDIF (RFC 2849) as Thunderbird and directories export it.

Invariants: linear; folded lines and base64 values are undone; a value that stands at an address (``:<``) is never
fetched (attack A53) but kept as that address; group entries become group cards whose members are those of the file.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import Final

from ..text import decode
from ..vcard import VCardFile
from .record import Record, Records, file_text

Attributes = dict[str, list[str]]

_TEXTS: Final = {
    "mail": ("EMAIL", ""), "mozillasecondemail": ("EMAIL", ""), "xmozillasecondemail": ("EMAIL", ""),
    "telephonenumber": ("TEL", "work"), "homephone": ("TEL", "home"), "mobile": ("TEL", "mobile"),
    "cellphone": ("TEL", "mobile"), "pager": ("TEL", "pager"), "pagerphone": ("TEL", "pager"),
    "facsimiletelephonenumber": ("TEL", "fax"), "fax": ("TEL", "fax"), "title": ("TITLE", ""),
    "description": ("NOTE", ""), "mozillanickname": ("NICKNAME", ""), "xmozillanickname": ("NICKNAME", ""),
}
_LINKS: Final = {
    "mozillahomeurl": "home", "homeurl": "home", "mozillaworkurl": "work", "workurl": "work", "labeleduri": "",
}
_ADDRESSES: Final = {
    "work": ("postofficebox", ("mozillaworkstreet2",), ("street", "streetaddress", "postaladdress"),
             ("l", "locality"), ("st", "region"), ("postalcode",), ("c", "countryname", "co")),
    "home": ("mozillahomepostofficebox", ("mozillahomestreet2",), ("mozillahomestreet", "homestreet"),
             ("mozillahomelocalityname",), ("mozillahomestate",), ("mozillahomepostalcode",),
             ("mozillahomecountryname",)),
}
_SERVICES: Final = {
    "mozilla_aimscreenname": "X-AIM", "nsaimid": "X-AIM", "_aimscreenname": "X-AIM", "_icq": "X-ICQ",
    "_jabberid": "X-JABBER", "_msn": "X-MSN", "_qq": "X-QQ", "_skype": "X-SKYPE", "_yahoo": "X-YAHOO",
    "_googletalk": "X-GTALK",
}
_SILENT: Final = frozenset(("dn", "objectclass", "modifytimestamp", "version", "changetype"))
"""Attributes of the directory, not of the person."""
GROUPS: Final = frozenset(("groupofnames", "groupofuniquenames", "mozillaabpersonlist"))
_BREAK: Final = re.compile(r"\r\n|\r|\n")


def read_ldif(data: bytes, *, salt: bytes) -> VCardFile:
    """The cards of an LDIF file. ``salt`` is the set id."""
    records = Records(salt)
    uids: dict[str, str] = {}
    groups: list[tuple[Attributes, str, int]] = []
    for attributes, raw, line in _entries(file_text(data)):
        if not attributes or set(attributes) <= {"version"}:
            continue
        if GROUPS & {kind.lower() for kind in attributes.get("objectclass", ())}:
            groups.append((attributes, raw, line))
            continue
        dn = _dn(attributes)
        card = records.take(_person(attributes), raw, line)
        if card is not None:
            uids[dn] = card.uid
    for attributes, raw, line in groups:
        records.take(_group(attributes, uids), raw, line)
    return records.result()


def _entries(text: str) -> Iterator[tuple[Attributes, str, int]]:
    """(attributes, raw text, line of the beginning) of each entry."""
    start, number, lines = 1, 0, list[str]()
    for number, line in enumerate(_BREAK.split(text), start=1):
        if line.strip():
            if not lines:
                start = number
            lines.append(line)
        elif lines:
            yield _attributes(lines), "\n".join(lines) + "\n", start
            lines = []
    if lines:
        yield _attributes(lines), "\n".join(lines) + "\n", start


def _attributes(lines: list[str]) -> Attributes:
    """The values of one entry by lower-case attribute; options such as ``;lang-de`` are part of none."""
    folded: list[list[str]] = []
    for line in lines:
        if line[0] == " " and folded:
            folded[-1].append(line[1:])
        else:
            folded.append([line])
    attributes: Attributes = {}
    for parts in folded:
        name, colon, value = "".join(parts).partition(":")
        if not colon or name.startswith("#"):
            continue
        attributes.setdefault(name.partition(";")[0].strip().lower(), []).append(_value(name, value))
    return attributes


def _value(name: str, value: str) -> str:
    """A value with its base64 undone; of a photo the base64 itself."""
    if not value.startswith(":"):
        return value.removeprefix("<").strip()
    encoded = value[1:].strip()
    if name.strip().lower() == "jpegphoto":
        return encoded
    try:
        return decode(binascii.a2b_base64(encoded.encode("ascii", "replace")), "")
    except binascii.Error:
        return encoded


def _dn(attributes: Attributes) -> str:
    return "".join(attributes.get("dn", [""])[0].split()).casefold()


def _person(attributes: Attributes) -> Record:
    record, left = Record(), {name: values for name, values in attributes.items() if name not in _SILENT}

    def take(*names: str) -> str:
        return "\n".join(value for name in names for value in left.pop(name, ()))

    record.text("UID", take("entryuuid"))
    record.text("FN", take("cn", "displayname", "commonname"))
    surname, given = take("sn", "surname"), take("givenname")
    record.parts("N", [surname, given, "", "", ""])
    record.organization(take("o", "company"), take("ou", "department"))
    for name, (prop, label) in _TEXTS.items():
        for value in left.pop(name, ()):
            record.text(prop, value, label)
    for name, label in _LINKS.items():
        for value in left.pop(name, ()):
            record.uri("URL", value, label)
    for name, prop in _SERVICES.items():
        record.text(prop, take(name))
    for label, columns in _ADDRESSES.items():
        record.parts("ADR", [take(*([names] if isinstance(names, str) else names)) for names in columns], label)
    record.text("BDAY", _birthday(take("birthyear"), take("birthmonth"), take("birthday")))
    _photo(record, take("jpegphoto"))
    for name, values in left.items():
        for value in values:
            record.custom(name, value)
    return record


def _photo(record: Record, value: str) -> None:
    """A photo inline, or as the address that it is said to be at, which nobody fetches."""
    if ":" in value:
        record.uri("PHOTO", value, params=[("VALUE", "uri")])
    else:
        record.uri("PHOTO", value, params=[("ENCODING", "b"), ("TYPE", "JPEG")])


def _birthday(year: str, month: str, day: str) -> str:
    if not (month.isdigit() and day.isdigit()):
        return "-".join(filter(None, (year, month, day)))
    return f"{year.zfill(4) if year.isdigit() else '-'}-{month.zfill(2)}-{day.zfill(2)}"


def _group(attributes: Attributes, uids: dict[str, str]) -> Record:
    record = Record()
    record.text("X-ADDRESSBOOKSERVER-KIND", "group")
    record.text("FN", attributes.get("cn", [""])[0])
    record.text("NOTE", "\n".join(attributes.get("description", ())))
    for name in (*attributes.get("member", ()), *attributes.get("uniquemember", ())):
        uid = uids.get("".join(name.split()).casefold())
        if uid is not None:
            record.uri("X-ADDRESSBOOKSERVER-MEMBER", uid)
    return record
