"""`e2esync phone [QUERY]`."""

from __future__ import annotations

import argparse

from ..context import Context
from ..listing import add_listing_options, entries, show

ABOUT = "Phone numbers, one a line. Exit code 1 if there is none."
EXAMPLES = "  e2esync phone ada\n  e2esync phone -p ada      NUMBER, NAME and TYPE with tabs, as khard prints them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The query."""
    add_listing_options(parser)


def run(context: Context) -> int:
    """Print the numbers."""
    return show(context, list(entries(context, "phones", "number")), "PHONE", "phones")
