"""Which format a file is in, by what it says and never by its name; and the one way to read them all.

Invariants: pure; looks at the first few kilobytes only; what is nothing known is read as vCard, whose reader puts
aside whatever is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from ..errors import BadCard
from . import jcard, jscontact
from .foreign import read_google, read_ldif, read_outlook
from .foreign.csvtext import delimiter_of, parse_csv
from .foreign.google import MARKS
from .foreign.outlook import KNOWN, column_key
from .foreign.record import file_text
from .vcard import VCardFile, read_vcards

FORMATS: Final = ("vcard", "jcard", "jscontact", "google-csv", "outlook-csv", "ldif")
_HEAD: Final = 65536
_VCARD: Final = re.compile(r"BEGIN[ \t]*:[ \t]*VCARD", re.I)
_LDIF: Final = re.compile(r"(?:version:[ \t]*1|dn::?[ \t]*\S)", re.I)
_JCARD: Final = re.compile(r'\[\s*(?:\[\s*)?"vcard"')


def detect(data: bytes) -> str:
    """The format of a file, one of ``FORMATS``."""
    if data[:4].upper() in (b"B\0E\0", b"\0B\0E"):
        return "vcard"
    # A cut may fall inside a character, which must not make the text another charset's.
    utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    text = file_text(data[:_HEAD]) if utf16 else data[:_HEAD].decode("utf-8-sig", "replace")
    text = text.lstrip()
    if text[:1] == "{":
        return "jscontact"
    if text[:1] == "[":
        return "jcard" if _JCARD.match(text) else "jscontact"
    # The first line decides: further down, what looks like a card may be a value.
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    if _VCARD.match(first):
        return "vcard"
    if _LDIF.match(first):
        return "ldif"
    rows = parse_csv(first + "\n", delimiter_of(first))
    columns = {name.strip() for row in rows for name in row.fields}
    if MARKS & columns:
        return "google-csv"
    return "outlook-csv" if {column_key(name) for name in columns} & KNOWN else "vcard"


def read_file(data: bytes, *, salt: bytes, form: str = "auto") -> VCardFile:
    """The cards of a file of any format. ``salt`` (up to 64 bytes, the set id) keys ids and media digests.

    Raises BadCard where the file is not of the format that is asked for, or detected, at all.
    """
    form = detect(data) if form == "auto" else form
    readers: dict[str, Callable[..., VCardFile]] = {
        "vcard": read_vcards, "jcard": jcard.read, "jscontact": jscontact.read, "google-csv": read_google,
        "outlook-csv": read_outlook, "ldif": read_ldif,
    }
    if form not in readers:
        raise BadCard(f"{form} is no format of contacts", f"one of auto, {', '.join(FORMATS)}")
    return readers[form](data, salt=salt)
