"""`e2esync restore --at TIME [CONTACT...]`."""

from __future__ import annotations

import argparse

from ..context import Context
from ..past import carry_out, find_all
from ..times import clock, parse_time

ABOUT = """\
Puts the book, or only the contacts that you name, back as this device showed it at a time within the last 30 days. A
day by itself means its end. Whatever was added since leaves, what was deleted comes back, and what was changed is as it
was. It is a new change, which syncs like any other and which `e2esync undo` takes back. Removing more than 10 contacts
and more than 10 % of the book needs --yes."""
EXAMPLES = """\
  e2esync restore --at tuesday --dry-run
  e2esync restore --at "2026-03-31 14:30" ada
  e2esync restore --at "2 days ago" --yes"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The time, and which contacts."""
    parser.add_argument("contacts", nargs="*", metavar="CONTACT", help="only these; a deleted one is named as before")
    parser.add_argument("--at", required=True, metavar="TIME", help="a date, a time, a weekday, or `2 days ago`")
    parser.add_argument("-n", "--dry-run", action="store_true", help="say what would happen and change nothing")


def run(context: Context) -> int:
    """Plan, show, carry out."""
    args = context.args
    at = parse_time(args.at, context.now(), end=True)
    plan = context.book().plan_restore(at, find_all(context, args.contacts))
    context.out.note(f"back to {clock(at)}")
    return carry_out(context, plan)
