"""`e2esync accept CODE`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..carry import carry
from ..context import Context
from ..exits import UsageError
from ..files import read_first_line
from ..output import clean, counted
from ..people import own_name
from ..prompts import can_ask, confirm
from .init import check_address
from .join import show_words
from .pair import NO_VERIFY_WARNING

if TYPE_CHECKING:
    from e2esync.access.pairing import Offer

ABOUT = """\
Takes the code of an invitation, shows who invites you to which book and as what, and asks. If you accept, it shows
three words; read them to whoever invited you. The book is then on this device, and comes to your other devices by
itself. A copy from before you were removed from it is sealed with what you had not sent (`e2esync recover
--add-rescue`), and the new one takes its place."""
EXAMPLES = """\
  e2esync accept CODE
  e2esync accept CODE --yes --name "Bob Example"
  e2esync accept CODE --decline"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Code, answer, name, relay."""
    parser.add_argument("code", metavar="CODE", help="the code of the invitation; - reads it from stdin")
    parser.add_argument("--decline", action="store_true", help="say no, so that they need not wait")
    parser.add_argument("--name", metavar="NAME", help="what they are to call you; remembered")
    parser.add_argument("--relay", metavar="URL", help="the relay's address, if the code does not hold it")
    parser.add_argument("--no-verify", action="store_true",
                        help="go with a `share --no-verify`: no words are compared. For tests only")


def run(context: Context) -> int:
    """Accept or decline."""
    from e2esync.client.books import accept

    from ..net import run as run_trio

    args, out, profile = context.args, context.out, context.profile()
    text = read_first_line("-") if args.code == "-" else args.code.strip()
    if args.relay is not None:
        check_address(args.relay)
    if not (args.yes or args.decline or can_ask()):
        raise UsageError("accept shows who invites you and asks, and there is no terminal", "give --yes or --decline")
    if args.no_verify:
        out.warn(NO_VERIFY_WARNING)
    # Who declines says no name: a guest's is sent only with an acceptance.
    name = "-" if args.decline else own_name(context, args.name)
    device = _device(context)
    bar = context.progress()

    async def decide(offer: Offer) -> bool:
        from ..net import in_thread

        return await in_thread(lambda: _decide(context, offer))

    info = run_trio(lambda: accept(
        profile, text, name, device, decide=decide, relay=args.relay, progress=bar.update,
        show_words=lambda words: show_words(context, words)))
    bar.close()
    args.book = str(info.number)
    count = len(context.book().list())
    out.result(book=info.number, name=info.name, contacts=count)
    out.note(f"{clean(info.name, 60)} is here, with {counted(count, 'contact')}: `e2esync list --book {info.number}`.")
    carry(context)
    return 0


def _device(context: Context) -> str:
    """This device's name in the home book."""
    from e2esync.client.book import Book

    return Book(context.profile(), 0).device_name


def _decide(context: Context, offer: Offer) -> bool:
    """Show the offer, and ask the person unless the command line has answered."""
    from e2esync.access.fingerprint import device_fingerprint
    from e2esync.epoch.roles import Role

    from ..marks import question as careful

    inviter = offer.inviter
    assert inviter is not None
    role, words = Role(offer.role).name.lower(), device_fingerprint(offer.set_id, inviter.verify_key)
    context.out.result(invitation={"by": inviter.name, "book": inviter.book, "role": role, "fingerprint": list(words)})
    context.out.show(f"{careful(inviter.name, {})}{clean(inviter.name, 60)} invites you to the book "
                     f"{clean(inviter.book, 60)}, as {role}.",
                     f"Their device's fingerprint: {' '.join(words)}")
    if context.args.decline:
        return False
    return bool(context.args.yes) or confirm("Accept?")
