"""`e2esync rm CONTACT...`."""

from __future__ import annotations

import argparse

from ..context import Context
from ..guard import check_removal, some_names

ABOUT = """\
The contacts leave this device at once and the others with their next sync; `e2esync undo` brings them back. Each
CONTACT has to fit exactly one, or nothing is deleted. Removing more than 10 contacts and more than 10 % of the book
needs --yes."""
EXAMPLES = "  e2esync rm ada\n  e2esync rm ada@example.org 089123456 --yes"

def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The contacts."""
    parser.add_argument("contacts", nargs="+", metavar="CONTACT",
                        help="name, phone, email or uid (`e2esync help selectors`)")


def run(context: Context) -> int:
    """Delete the contacts."""
    book = context.book()
    rows = list({row.contact: row for row in map(context.find, context.args.contacts)}.values())
    names = [row.name or row.uid[:8] for row in rows]
    check_removal(context, names)
    count = book.remove([row.contact for row in rows])
    context.out.result(removed=[row.uid for row in rows], count=count)
    context.out.note(f"deleted {some_names(names)}; `e2esync undo` brings them back")
    return 0
