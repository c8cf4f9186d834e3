"""Dates of anniversaries: every spelling of vCard to PartialDate or Timestamp and back (RFC 9553 2.8).

Invariants: parsing never raises and never invents: a date without a year stays one; the year 1604, by which Apple
says "no year", is never shown.
"""

from __future__ import annotations

import re
from typing import Final

from .types import V40, Entry

_DATE: Final = re.compile(
    r"(?:(?P<y>\d{4})-?(?P<m>\d\d)-?(?P<d>\d\d)|(?P<y2>\d{4})-(?P<m2>\d\d)|(?P<y3>\d{4})"
    r"|--(?P<m4>\d\d)-?(?P<d4>\d\d)|--(?P<m5>\d\d))"
    r"(?P<time>T\d\d(?::?\d\d(?::?\d\d(?:[.,]\d+)?)?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?",
    re.A,
)
_UTC: Final = re.compile(r"T(\d\d):?(\d\d):?(\d\d)(?:[.,]\d+)?Z", re.A)
_UNKNOWN_YEAR: Final = 1604


def parse_date(text: str, omit_year: str = "") -> Entry | None:
    """The PartialDate or Timestamp that a vCard value says, or None where it is no date that JSContact can hold."""
    if len(text) == 10 and text.isascii() and text[4] == text[7] == "-" and text[:4].isdigit():
        plain = _plain_date(text[:4], text[5:7], text[8:], omit_year)
        if plain is not None:
            return plain
    match = _DATE.fullmatch(text.strip())
    if match is None:
        return None
    group = match.groupdict()
    year, month, day = (
        next((int(value) for key, value in group.items() if key[0] == letter and value), 0) for letter in "ymd"
    )
    if month > 12 or day > 31 or (group["time"] and not day):
        return None
    if year and (year == _UNKNOWN_YEAR or str(year) == omit_year):
        year = 0
    clock = _UTC.fullmatch(group["time"] or "")
    if clock and clock.groups() != ("00", "00", "00") and year:
        return {"@type": "Timestamp", "utc": f"{year:04}-{month:02}-{day:02}T{':'.join(clock.groups())}Z"}
    date = {name: value for name, value in (("year", year), ("month", month), ("day", day)) if value}
    return date or None


def _plain_date(year: str, month: str, day: str, omit_year: str) -> Entry | None:
    """The commonest form, ``1985-04-12``, without the cost of the pattern; None where it is not quite that."""
    if not (month.isdigit() and day.isdigit()) or year in (omit_year, "0000", str(_UNKNOWN_YEAR)):
        return None
    date = {"year": int(year), "month": int(month), "day": int(day)}
    return date if 1 <= date["month"] <= 12 and 1 <= date["day"] <= 31 else None


def format_date(date: Entry, version: str, *, basic: bool) -> str:
    """The vCard spelling of a PartialDate or Timestamp; "" where the version has none (4.0 alone has ``1985-04``)."""
    if "utc" in date:
        stamp = str(date["utc"])
        return stamp.replace("-", "").replace(":", "") if basic or version == V40 else stamp
    year, month, day = (date.get(name, 0) for name in ("year", "month", "day"))
    if not all(isinstance(part, int) for part in (year, month, day)):
        return ""
    dash = "" if basic or version == V40 else "-"
    if year and month and day:
        return f"{year:04}{dash}{month:02}{dash}{day:02}"
    if month and day:
        return f"--{month:02}{dash}{day:02}"
    if year and month:
        return f"{year:04}-{month:02}"
    if year:
        return f"{year:04}"
    return f"--{month:02}" if month else ""
