"""`e2esync leave BOOK`."""

from __future__ import annotations

import argparse

from ..context import Context
from ..exits import UsageError
from ..output import counted
from ..prompts import can_ask, confirm

ABOUT = """\
Leaves a book with all your devices. Nobody can make the secret that shuts themselves out: you are out when a device of
one of the book's owners has synced next. Then the book is erased from your devices. Until then `e2esync status` says
so."""
EXAMPLES = "  e2esync leave Club"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The book."""
    parser.add_argument("shared", metavar="BOOK", help="its name or number")


def run(context: Context) -> int:
    """Ask, then ask to be let go."""
    from e2esync.client.books import leave

    from ..net import run as run_trio

    args, out = context.args, context.out
    args.book = args.shared
    book, number = context.book(), context.book_number()
    name = book.name or args.shared
    if not args.yes:
        if not can_ask():
            raise UsageError("leave asks before it gives a book up, and there is no terminal", "give --yes")
        count = counted(len(book.list()), "contact")
        if not confirm(f"Leave {name} with all your devices? Its {count} will go from them."):
            out.note("Nothing was changed.")
            return 1
    profile, bar = context.profile(), context.progress()
    run_trio(lambda: leave(profile, number, progress=bar.update))
    bar.close()
    out.result(book=number, name=name, left=True)
    out.note(f"You have left {name}. It goes from your devices when a device of one of its owners has synced.")
    return 0
