"""`e2esync delete-everything`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from e2esync.errors import SetDeleted

from ..context import Context
from ..exits import Declined, UsageError
from ..kitinput import add_kit_option, has_profile, read_kit
from ..prompts import ask, can_ask
from .init import check_address

if TYPE_CHECKING:
    from e2esync.access.kit import KitFile
    from e2esync.client.deleting import Said

ABOUT = """\
Deletes a book at its relay: the log, the snapshots, the photos, the keys in boxes, everything but a signed note that it
was deleted, which keeps your devices from bringing it back by mistake. By the recovery kit (--kit) at once. By this
device alone in 30 days: every other device says so until then, and --cancel, on any owner's device or with the kit,
takes it back; so does shutting out the device that asked. A thief with a phone can therefore delete nothing for good.
What your devices hold stays there: `e2esync retire` erases it, `e2esync relay move URL` brings the book to another
relay. What the relay's operator has in backups goes when he drops them. It asks you to type the book's name."""
EXAMPLES = """\
  e2esync delete-everything                              in 30 days
  e2esync delete-everything --cancel
  e2esync delete-everything --kit                        at once; asks for the words
  e2esync delete-everything --book Family --kit-file kit.txt --yes
  e2esync delete-everything --kit-file kit.txt --relay wss://relay.example       without any device"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--cancel, the kit, and where its book is."""
    parser.add_argument("--cancel", action="store_true", help="keep the book after all, while its 30 days last")
    parser.add_argument("--kit", action="store_true", help="by the recovery kit, whose words it asks for: at once")
    add_kit_option(parser)
    parser.add_argument("--relay", metavar="URL",
                        help="your own book at this relay, by the kit alone, whatever is on this device")


def run(context: Context) -> int:
    """Ask, say the word, and say what comes of it."""
    args = context.args
    kit = read_kit(context, args.kit_file) if args.kit or args.kit_file is not None else None
    if args.relay is not None and kit is None:
        raise UsageError("--relay is for the recovery kit alone", "give --kit, or --kit-file FILE")
    alone = kit is not None and (args.relay is not None or not has_profile(context))
    if alone and args.book is not None:
        raise UsageError("the kit alone deletes your own book", "on a device of yours --book names another one")
    name = "" if alone else context.book().name or f"book {context.book_number()}"
    if not args.cancel:
        _confirm(context, name, at_once=kit is not None)
    try:
        said = _say(context, kit, alone=alone)
    except SetDeleted as error:
        if args.cancel:
            raise
        context.out.result(book=name, state="deleted", due=0, left={}, message=error.message)
        context.out.note(f"{error.message[0].upper()}{error.message[1:]}: there is nothing left to do.")
        return 0
    _tell(context, name or "your book", said)
    return 0


def _confirm(context: Context, name: str, *, at_once: bool) -> None:
    """The person types the book's name. Raises UsageError without a terminal, Declined for another word."""
    if context.args.yes:
        return
    if not can_ask():
        raise UsageError("delete-everything asks before it deletes, and there is no terminal", "give --yes")
    word = name or "delete everything"
    when = "now, for good" if at_once else "in 30 days, unless somebody cancels it"
    context.out.note(f"{name or 'Your own book'} goes from its relay {when}. Devices keep what they hold.")
    if ask(f"Type “{word}” to have it deleted:", why="give --yes") != word:
        raise Declined("nothing was deleted")


def _say(context: Context, kit: KitFile | None, *, alone: bool) -> Said:
    from e2esync.client.deleting import delete, delete_by_kit
    from e2esync.epoch.deletion import Act

    from ..net import run as run_trio

    args = context.args
    act = Act.KEEP if args.cancel else Act.DELETE
    if kit is not None and alone:
        words, url = kit.kit, args.relay or kit.relay_url
        if not url:
            raise UsageError("the kit does not say where the relay is", "give --relay URL")
        check_address(url)
        relay_key = kit.relay_key if url == kit.relay_url else None
        return run_trio(lambda: delete_by_kit(words, url, act=act, relay_key=relay_key))
    profile, number = context.profile(), context.book_number()
    return run_trio(lambda: delete(profile, number, act=act, kit=None if kit is None else kit.kit))


def _tell(context: Context, name: str, said: Said) -> None:
    from e2esync.client.endings import day

    state = "kept" if context.args.cancel else "pending" if said.due else "deleted"
    result: dict[str, Any] = {"book": name, "set_id": said.set_id, "state": state, "due": said.due,
                              "left": dict(said.left)}
    context.out.result(**result)
    if state == "kept":
        context.out.note(f"Nothing is deleted: {name} stays at its relay.")
    elif state == "pending":
        context.out.note(f"{name} goes from its relay on {day(said.due)}. Every device says so until then, and "
                         "`e2esync delete-everything --cancel` keeps it.",
                         "At once: the same with --kit, and the words of the recovery kit.")
    else:
        left = said.left.get("record_bytes", 0)
        kept = f" What it still has: who was in the book, under which keys ({left:,} bytes), for two years." \
            if left else ""
        context.out.note(f"{name} is deleted at its relay.{kept}",
                         "Your devices hold what they had: `e2esync retire` erases it there, `e2esync relay move URL` "
                         "takes the book to another relay.")
