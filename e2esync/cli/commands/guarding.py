"""`e2esync guard show|confirm|refuse`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..context import Context
from ..exits import Declined, MassChange
from ..output import clean
from ..parser import subcommands
from ..past import device_names
from ..prompts import can_ask, confirm
from ..times import clock

if TYPE_CHECKING:
    from e2esync.client.guarding import Guarded

ABOUT = """\
When another device deletes or overwrites more than 10 contacts and more than a fifth of the book within a day, this
device goes on showing them as they were, until you have looked: `confirm` lets them go (`e2esync undo` brings them back
even then), `refuse` writes them back for everybody. An edit of such a contact keeps it, too, and `rm` lets it go."""
EXAMPLES = """\
  e2esync guard
  e2esync guard show
  e2esync guard refuse            write all of it back on all devices
  e2esync guard confirm ada bob   only these were meant to go"""

_NOTHING = "nothing waits: no device has deleted or changed very many contacts"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The actions."""
    add = subcommands(parser)
    add("show", "show what was deleted or changed, by whom, and when")
    for name, text in (("confirm", "agree: show what everybody else has"), ("refuse", "write back what is shown here")):
        action = add(name, text)
        action.add_argument("contacts", nargs="*", metavar="CONTACT", help="only these")


def run(context: Context) -> int:
    """Show, agree or refuse."""
    args, out, book = context.args, context.out, context.book()
    items = book.guarded()
    if getattr(args, "contacts", None):
        wanted = {context.find(selector).contact for selector in args.contacts}
        items = [one for one in items if one.contact in wanted]
    chosen = [one.contact for one in items]
    if args.action and not items:
        out.result(**{"confirmed" if args.action == "confirm" else "refused": 0})
        out.note(_NOTHING)
    elif args.action == "confirm":
        _check(context, items)
        out.result(confirmed=book.confirm_guarded(chosen))
        out.note(f"{len(chosen):,} are shown as everybody has them; `e2esync history` lists the step, to undo it")
    elif args.action == "refuse":
        out.result(refused=book.refuse_guarded(chosen))
        out.note(f"{len(chosen):,} written back; `e2esync sync` sends them to everybody",
                 "if nobody of you did this, shut the device out: `e2esync revoke DEVICE --lost`")
    else:
        _show(context, items)
    return 0


def _check(context: Context, items: list[Guarded]) -> None:
    """A script says --yes; a person is asked, and the default is no."""
    if not items or context.args.yes:
        return
    if not can_ask():
        raise MassChange(f"this would let {len(items):,} contacts go, or be as another device has made them")
    if not confirm(f"let {len(items):,} contacts go, or be as another device has made them?"):
        raise Declined("nothing was changed")


def _show(context: Context, items: list[Guarded]) -> None:
    names, out = device_names(context), context.out
    if out.json:
        out.result(contacts=[{"name": one.name, "deleted": one.deleted, "by": names.get(one.author, ""),
                              "time": one.time} for one in items])
    elif not items:
        out.note(_NOTHING)
    else:
        out.table(("WHAT", "BY", "WHEN", "NAME"), [
            ("deleted" if one.deleted else "changed", names.get(one.author, "another device"), clock(one.time),
             clean(one.name, 60)) for one in items])
