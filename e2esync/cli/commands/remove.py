"""`e2esync rm CONTACT...`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from ..context import Context
from ..exits import Declined, MassChange
from ..output import clean
from ..prompts import can_ask, confirm

if TYPE_CHECKING:
    from e2esync.stores.index import CardRow

ABOUT = """\
The contacts leave this device at once and the others with their next sync. Each CONTACT has to fit exactly one, or
nothing is deleted. Removing more than 10 contacts and more than 10 % of the book needs --yes."""
EXAMPLES = "  e2esync rm ada\n  e2esync rm ada@example.org 089123456 --yes"

GUARD_COUNT: Final = 10
GUARD_SHARE: Final = 10
_PREVIEW: Final = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The contacts."""
    parser.add_argument("contacts", nargs="+", metavar="CONTACT",
                        help="name, phone, email or uid (`e2esync help selectors`)")


def run(context: Context) -> int:
    """Delete the contacts."""
    book = context.book()
    rows = list({row.contact: row for row in map(context.find, context.args.contacts)}.values())
    if not context.args.yes:
        _check(rows, len(context.cards()))
        if can_ask() and not confirm(f"delete {_names(rows)} on all devices?"):
            raise Declined("nothing was deleted")
    count = book.remove([row.contact for row in rows])
    context.out.result(removed=[row.uid for row in rows], count=count)
    context.out.note(f"deleted {_names(rows)}")
    return 0


def is_mass_change(removed: int, total: int) -> bool:
    """Whether so many contacts leave that a person has to say so twice."""
    return removed > GUARD_COUNT and removed * 100 > total * GUARD_SHARE


def _check(rows: list[CardRow], total: int) -> None:
    if is_mass_change(len(rows), total):
        raise MassChange(f"this would delete {len(rows)} of {total} contacts: {_names(rows)}")


def _names(rows: list[CardRow]) -> str:
    names = [clean(row.name, 60) or row.uid[:8] for row in rows[:_PREVIEW]]
    more = len(rows) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")
