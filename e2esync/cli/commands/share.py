"""`e2esync share BOOK`."""

from __future__ import annotations

import argparse

from ..context import Context
from ..exits import Declined, UsageError
from ..output import clean, counted
from ..people import own_name
from ..prompts import ask, can_ask, confirm
from .init import add_invitation_option, read_invitation
from .newbook import free_name
from .pair import NO_VERIFY_WARNING, show_code

ABOUT = """\
Shows an invitation, good for five minutes and one person. Send it to them, or read it out; they run `e2esync accept`,
see who invites them to what, and read you three words, which you type: so no relay can put somebody else in between.
Their other devices follow by themselves. A reader can read, a writer also change contacts, an owner also invite and
remove people. Your own book is never shared: `e2esync share 0 --as NAME` first moves its contacts to a book of their
own, with photos and all; `e2esync undo` in either book takes that back there."""
EXAMPLES = """\
  e2esync share Family --role writer
  e2esync share Club --role reader --name "Ada Example"
  e2esync share 0 --as Family"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Book, role, name."""
    parser.add_argument("shared", metavar="BOOK", help="its name or number")
    parser.add_argument("--role", choices=("reader", "writer", "owner"), default="writer",
                        help="what they may do; default: writer")
    parser.add_argument("--as", dest="moved_to", metavar="BOOK",
                        help="with `share 0`: the name of the book that your own contacts move to")
    add_invitation_option(parser, "with `share 0`: ")
    parser.add_argument("--name", metavar="NAME", help="what they are to call you; remembered")
    parser.add_argument("--no-verify", action="store_true",
                        help="skip the three words: whoever learns the code in time can step in. For tests only")
    parser.add_argument("--qr", action=argparse.BooleanOptionalAction, default=None,
                        help="draw the code as a QR code; default: on a terminal")


def run(context: Context) -> int:
    """Invite somebody."""
    from e2esync.client.books import share
    from e2esync.epoch.roles import Role

    from ..net import run as run_trio

    args, out, profile = context.args, context.out, context.profile()
    args.book = args.shared
    if not args.no_verify and not can_ask():
        raise UsageError("share asks for the three words that the other person reads to you, and there is no terminal",
                         "in tests, give --no-verify on both sides")
    if args.no_verify:
        out.warn(NO_VERIFY_WARNING)
    number = context.book_number()
    name = own_name(context, args.name)
    number = number or _moved(context)
    bar = context.progress()
    person, guest = run_trio(lambda: share(
        profile, number, Role[args.role.upper()], name, progress=bar.update,
        show_code=lambda code: show_code(context, code.text(), "e2esync accept"),
        ask_words=None if args.no_verify else lambda device, person: _ask_words(context, device, person)))
    bar.close()
    out.result(person=person, name=guest, role=args.role)
    out.note(f"{clean(guest, 60)} is in, as {args.role}. See `e2esync people --book {number}`.")
    return 0


def _moved(context: Context) -> int:
    """Move the home book's contacts to a book of their own, whose number is returned. Raises UsageError, Declined."""
    from e2esync.client.books import move_to_book

    from ..net import run as run_trio

    args, out, profile = context.args, context.out, context.profile()
    if args.moved_to is None:
        raise UsageError("your own book is never shared: its contacts have to move to a book of their own",
                         "name it: `e2esync share 0 --as NAME`")
    invitation = read_invitation(args.invitation)
    name = free_name(context, args.moved_to)
    if not args.yes:
        if not can_ask():
            raise UsageError("share asks before it moves your contacts, and there is no terminal", "give --yes")
        if not confirm(f"Move all contacts of your own book to {name}, where whoever you invite reads them?"):
            raise Declined("nothing was changed")
    bar = context.progress()
    info, count = run_trio(lambda: move_to_book(profile, name, invitation=invitation, progress=bar.update))
    bar.close()
    args.book = str(info.number)
    out.note(f"{counted(count, 'contact')} moved to {name}.",
             f"To mean that book without --book: `e2esync config set book {info.number}`.",
             "Your other devices may ask before they let the contacts go from your own book.")
    return info.number


async def _ask_words(context: Context, device: str, person: str) -> str:
    """The three words that the other person reads out."""
    from e2esync.client.books import people

    from ..marks import question as careful
    from ..net import in_thread

    others = {each.tag: each.name for each in people(context.book().replica)}
    question = (f"Somebody called {clean(person, 60)} is there, on {clean(device, 60)}. {careful(person, others)}"
                "The three words they read out:")
    return await in_thread(lambda: ask(question, why="give --no-verify in tests"))
