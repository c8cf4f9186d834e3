"""`e2esync unshare BOOK PERSON`."""

from __future__ import annotations

import argparse

from ..context import Context
from ..exits import UsageError
from ..output import clean
from ..people import find_person
from ..prompts import can_ask, confirm

ABOUT = """\
Shuts a person out of a book, with all their devices and their recovery kit. From then on nothing that is written can be
read by them, and nothing that they write is accepted. What they have read, they have read. Whoever made a book cannot
be shut out of it."""
EXAMPLES = "  e2esync unshare Family Bob"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Book and person."""
    parser.add_argument("shared", metavar="BOOK", help="its name or number")
    parser.add_argument("person", metavar="PERSON", help="their name, or the letters in `e2esync people`")


def run(context: Context) -> int:
    """Ask, then open the epoch that shuts them out."""
    from e2esync.client.books import people, unshare

    from ..net import run as run_trio

    args, out = context.args, context.out
    args.book = args.shared
    person = find_person(people(context.book().replica), args.person)
    name = clean(person.name or args.person, 60)
    if not args.yes:
        if not can_ask():
            raise UsageError("unshare asks before it shuts a person out, and there is no terminal", "give --yes")
        if not confirm(f"Shut {name} out of this book, with {person.devices} devices? They can be invited again."):
            out.note("Nothing was changed.")
            return 1
    profile, number, bar = context.profile(), context.book_number(), context.progress()
    count = run_trio(lambda: unshare(profile, number, person.tag, progress=bar.update))
    bar.close()
    out.result(person=person.tag, name=person.name, members=count)
    out.note(f"{name} is out. Nothing written from now on can be read or changed there.",
             "What they had before, they keep.")
    return 0
