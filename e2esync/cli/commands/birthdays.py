"""`e2esync birthdays [QUERY]`."""

from __future__ import annotations

import argparse
from typing import Any, Final

from ..context import Context

ABOUT = """\
Birthdays in the order of the calendar, also those without a year. -p prints DATE and NAME with a tab between, as khard
does; a date without a year is --MM-DD there. Exit code 1 if there is none."""
EXAMPLES = "  e2esync birthdays\n  e2esync birthdays -p ada"

_LEAP: Final = 2000
"""A year in which every day of a month exists."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The query."""
    parser.add_argument("query", nargs="*", metavar="QUERY", help="only contacts that it fits, as in `list`")
    parser.add_argument("-p", "--parsable", action="store_true", help="lines of DATE and NAME with a tab between")


def run(context: Context) -> int:
    """Print the birthdays."""
    out = context.out
    found = sorted(_birthdays(context), key=lambda one: (one[1].get("month", 0), one[1].get("day", 0), one[0]))
    style = context.setting("date-format")
    if out.json:
        out.result(birthdays=[{"name": name, **{part: date[part] for part in ("year", "month", "day") if part in date}}
                              for name, date in found])
    elif context.args.parsable:
        out.tabbed((_parsable(date), name) for name, date in found)
    elif found:
        out.table(("NAME", "BIRTHDAY"), [(name, _text(date, style)) for name, date in found])
    else:
        out.note("no birthdays")
    return 0 if found else 1


def _birthdays(context: Context) -> list[tuple[str, dict[str, int]]]:
    found = []
    for row in context.cards(" ".join(context.args.query) or None):
        dates = context.card(row.contact).get("anniversaries")
        for entry in dates.values() if isinstance(dates, dict) else ():
            if isinstance(entry, dict) and entry.get("kind") == "birth" and (date := _parts(entry.get("date"))):
                found.append((row.name, date))
    return found


def _parts(date: Any) -> dict[str, int]:
    """Year, month and day, as far as they are known."""
    if not isinstance(date, dict):
        return {}
    if isinstance(date.get("utc"), str):
        texts = dict(zip(("year", "month", "day"), date["utc"][:10].split("-"), strict=False))
        return {part: int(text) for part, text in texts.items() if text.isascii() and text.isdecimal()}
    return {part: date[part] for part in ("year", "month", "day") if type(date.get(part)) is int}


def _parsable(date: dict[str, int]) -> str:
    if "year" in date and "month" in date and "day" in date:
        return f"{date['year']:04}.{date['month']:02}.{date['day']:02}"
    return _plain(date)


def _plain(date: dict[str, int]) -> str:
    from ..cardtext import date_text

    return date_text(date)


def _text(date: dict[str, int], style: str) -> str:
    """The date in the person's format; without a year only the rest of it."""
    import datetime

    if "month" not in date or "day" not in date:
        return _plain(date)
    try:
        if "year" in date:
            return datetime.date(date["year"], date["month"], date["day"]).strftime(style)
        parts = style.replace("%Y", "").replace("%y", "").strip(" -./,")
        return datetime.date(_LEAP, date["month"], date["day"]).strftime(parts or "%m-%d")
    except ValueError:
        return _plain(date)
