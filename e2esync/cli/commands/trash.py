"""`e2esync trash list|restore|empty`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from e2esync.errors import NotFound

from ..context import Context
from ..exits import Declined
from ..parser import subcommands
from ..past import carry_out, device_names, in_trash
from ..prompts import can_ask, confirm
from ..times import clock

if TYPE_CHECKING:
    from e2esync.client.history import Trashed

ABOUT = """\
A contact that was deleted, here or on another device, is kept on this device for 30 days (`e2esync config set
keep-history`). Emptying the trash forgets what this device knows of it; other devices keep theirs."""
EXAMPLES = """\
  e2esync trash
  e2esync trash list
  e2esync trash restore ada
  e2esync trash restore --all
  e2esync trash empty --yes"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The actions."""
    add = subcommands(parser)
    add("list", "list what was deleted")
    restore = add("restore", "bring contacts back")
    restore.add_argument("contacts", nargs="*", metavar="CONTACT", help="part of the name, or the start of the uid")
    restore.add_argument("--all", action="store_true", help="all of them")
    restore.add_argument("-n", "--dry-run", action="store_true", help="say what would happen and change nothing")
    empty = add("empty", "forget what was deleted, on this device and for good")
    empty.add_argument("contacts", nargs="*", metavar="CONTACT", help="only these")


def run(context: Context) -> int:
    """List, bring back, or forget."""
    from e2esync.client.history import plan_untrash, trash

    args = context.args
    if args.action == "restore":
        chosen = _chosen(context, needed=not args.all)
        return carry_out(context, plan_untrash(context.book(), [one.contact for one in chosen]))
    if args.action == "empty":
        return _empty(context, _chosen(context, needed=False))
    _list(context, trash(context.book()))
    return 0


def _chosen(context: Context, *, needed: bool) -> list[Trashed]:
    """The deleted contacts that are named, or all. Raises NotFound for a name that fits none."""
    from e2esync.client.history import trash

    selectors = context.args.contacts
    if not selectors:
        if needed:
            raise NotFound("which contact?", "`e2esync trash` lists them; --all brings back all")
        return trash(context.book())
    chosen = []
    for selector in selectors:
        found = in_trash(context, selector)
        if not found:
            raise NotFound(f"no deleted contact fits {selector!r}", "`e2esync trash` lists them")
        chosen += found
    return chosen


def _list(context: Context, items: list[Trashed]) -> None:
    names = device_names(context)
    if context.out.json:
        context.out.result(contacts=[{"uid": one.uid, "name": one.name, "time": one.time, "by": one.by}
                                     for one in items])
    elif items:
        context.out.table(("DELETED", "BY", "NAME", "UID"), [
            (clock(one.time), names.get(one.by, "another device"), one.name, one.uid.removeprefix("urn:uuid:")[:8])
            for one in items])
    else:
        context.out.note("the trash is empty")


def _empty(context: Context, items: list[Trashed]) -> int:
    if items and not context.args.yes:
        if not can_ask():
            raise Declined("nothing was forgotten: this cannot be undone", "add --yes if this is what you want")
        if not confirm(f"forget {len(items):,} deleted contacts for good?"):
            raise Declined("nothing was forgotten")
    context.book().forget_deleted([one.contact for one in items])
    context.out.result(forgotten=len(items))
    context.out.note(f"{len(items):,} forgotten on this device")
    return 0
