"""`e2esync rehome` and `e2esync rehome --confirm CODE`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..context import Context
from ..exits import PARTLY, UsageError
from ..files import read_first_line
from ..output import counted
from ..prompts import can_ask, confirm
from .init import check_address, read_invitation
from .join import show_words
from .kit import add_hand_over_options, check_hand_over, hand_over
from .pair import NO_VERIFY_WARNING

if TYPE_CHECKING:
    from e2esync.replica.core import Replica

ABOUT = """\
Is the recovery kit lost, or in other hands? It outranks every device, so nothing but itself can take it out of the
book. This moves the book: a new set with a new kit, with all contacts and photos, and a word in the old one. Then, for
each other device: `e2esync pair` here, and rehome --confirm CODE there, so that a person says yes on each. What was
written there meanwhile comes along. The old set stays at the relay with what it held until then, for whoever finds the
old kit; nothing written from now on goes there.

Your other books get the new kit as well: those that you alone are in move in the same way, and your other devices
follow by themselves; in those that you share it takes the old kit's place, if you are an owner. Where that cannot be,
the command says what to do; --finish tries again what could not be reached."""
EXAMPLES = """\
  e2esync rehome --sheet new-kit.html
  e2esync rehome --relay wss://other.example --kit-file kit.txt --yes
  e2esync rehome --confirm CODE                          on each other device
  e2esync rehome --finish                                if it was broken off, or a relay could not be reached"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The new kit, another relay, or the code of a device that has moved."""
    parser.add_argument("--confirm", metavar="CODE", help="follow a move, with the code of `pair` on a device that has")
    parser.add_argument("--finish", action="store_true",
                        help="go on with a move that was broken off, and with books that could not be reached")
    parser.add_argument("--relay", metavar="URL", help="move to another relay too; with --confirm: where the code is")
    parser.add_argument("--invitation", metavar="CODE", action="append", default=[],
                        help="from who runs the relay, where it asks for one; once for each book that moves, your own "
                             "first")
    parser.add_argument("--no-verify", action="store_true",
                        help="go with a `pair --no-verify`: no words are compared. For tests only")
    add_hand_over_options(parser)


def run(context: Context) -> int:
    """Move, or follow."""
    args = context.args
    if args.relay is not None:
        check_address(args.relay)
    return _follow(context) if args.confirm is not None else _move(context)


def _move(context: Context) -> int:
    from e2esync.access.kit import KitFile, RecoveryKit
    from e2esync.client.entropy import SystemEntropy
    from e2esync.client.moving import finish_move, rehome

    from ..net import run as run_trio

    args, out = context.args, context.out
    invitations = [read_invitation(text) for text in args.invitation]
    profile, book = context.profile(), context.book()
    if finish_move(profile) or args.finish:
        books, code = _renew(context, invitations)
        out.result(set_id=profile.store.books()[0].set_id, finished=True, books=books)
        out.note("The move is finished. Your other devices, if they have not followed: `e2esync pair` here, then",
                 "`e2esync rehome --confirm CODE` there.")
        return code
    if not args.yes:
        if not can_ask():
            raise UsageError("rehome asks before it moves the book, and there is no terminal", "give --yes")
        if not confirm("Move the book to a new set with a new recovery kit? Each other device has to confirm it."):
            out.note("Nothing was changed.")
            return 1
    check_hand_over(context)
    invitation, *further = invitations or [b""]
    kit = RecoveryKit.generate(SystemEntropy())
    relay = args.relay or book.relay_url

    def ready(replica: Replica) -> None:
        hand_over(context, KitFile(kit, relay, replica.chain.relay_key, None), replica.set_id, result=False)

    done = run_trio(lambda: rehome(profile, kit, relay=args.relay, invitation=invitation, ready=ready))
    written = args.kit_file is not None or args.sheet is not None
    out.note(f"The book has moved, with {counted(done.contacts, 'contact')}.")
    books, code = _renew(context, further)
    out.result(set_id=done.set_id, relay=relay, contacts=done.contacts, others=list(done.others), books=books,
               **({} if written else {"kit": kit.words()}))
    out.note("The old kit opens nothing that is written from now on" + (" in what has moved." if code else "."))
    if done.others:
        out.note(f"Next, for {', '.join(done.others)}: `e2esync pair` here, and `e2esync rehome --confirm CODE` there.")
    return code


def _renew(context: Context, invitations: list[bytes]) -> tuple[list[dict[str, Any]], int]:
    """The person's further books under the new kit; what became of them, and the exit code for that."""
    from e2esync.client.renewing import renew_books

    from ..net import run as run_trio

    profile, out = context.profile(), context.out
    done = run_trio(lambda: renew_books(profile, invitations=invitations))
    for each in done:
        if each.problem:
            out.warn(f"{each.name}: the old kit still opens it ({each.problem}).")
        else:
            out.note(f"{each.name}: the new kit is in the old one's place.")
    problems = any(each.problem for each in done)
    return [{"book": each.book, "name": each.name, "problem": each.problem} for each in done], PARTLY if problems else 0


def _follow(context: Context) -> int:
    from e2esync.access.code import parse_code
    from e2esync.client.moving import follow_move

    from ..net import run as run_trio

    args, out = context.args, context.out
    text = read_first_line("-") if args.confirm == "-" else args.confirm.strip()
    parse_code(text)
    if args.no_verify:
        out.warn(NO_VERIFY_WARNING)
    profile = context.profile()
    late = run_trio(lambda: follow_move(profile, text, relay=args.relay,
                                        show_words=lambda words: show_words(context, words)))
    out.result(contacts=late)
    out.note("This device is in the new set now, and has left the old one.",
             *([f"{counted(late, 'contact')} that changed here meanwhile came along."] if late else []))
    return 0
