"""`e2esync email [QUERY]`."""

from __future__ import annotations

import argparse

from ..context import Context
from ..listing import add_listing_options, entries, show

ABOUT = """\
Email addresses, one a line. Exit code 1 if there is none. --mutt prints a first line for people and then ADDRESS, NAME
and TYPE with tabs between, which is what mutt's query_command and the like expect."""
EXAMPLES = """\
  e2esync email ada
  e2esync email -p ada
  set query_command = "e2esync email --mutt %s"      in muttrc"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The query."""
    add_listing_options(parser)
    parser.add_argument("--mutt", action="store_true", help="as -p, after a line that mutt shows")


def run(context: Context) -> int:
    """Print the addresses."""
    found = list(entries(context, "emails", "address"))
    if context.args.mutt:
        context.args.parsable = True
        if not context.out.json:
            context.out.data(f"searching for '{' '.join(context.args.query)}' ...")
    return show(context, found, "EMAIL", "emails")
