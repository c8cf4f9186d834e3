"""`e2esync dedupe [--merge]`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..context import Context
from ..exits import NoTerminal
from ..guard import some_names
from ..output import clean
from ..prompts import ask, can_ask

if TYPE_CHECKING:
    from e2esync.client.duplicates import Duplicates

ABOUT = """\
Suggests contacts that have a phone number (however it is written) or an email address in common and whose names do not
contradict one another; never by the name alone, and never people of one household under one number. Nothing is merged
without --merge, which asks about each group; with --yes it merges all that is suggested. Entries are united, photos and
labels carried along, and the contacts merged away are in the trash. All of it is one step for `e2esync undo`."""
EXAMPLES = """\
  e2esync dedupe                    suggest, change nothing
  e2esync dedupe --merge            ask about each group
  e2esync dedupe --merge --yes      merge all that is suggested; `e2esync undo` takes it back"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whether to merge."""
    parser.add_argument("--merge", action="store_true", help="merge the groups, asking about each")
    parser.add_argument("-n", "--dry-run", action="store_true", help="say what would happen and change nothing")


def run(context: Context) -> int:
    """Suggest, show, merge."""
    from e2esync.client.duplicates import find_duplicates, merge, plan_merge

    args, out, book = context.args, context.out, context.book()
    found = find_duplicates(book)
    _show(context, found)
    chosen = found if args.merge else []
    if chosen and not args.yes and not args.dry_run:
        if not can_ask():
            raise NoTerminal("no terminal to ask which of these to merge", "add --yes to merge all, or use "
                                                                            "`e2esync merge A B`")
        chosen = _choose(chosen)
    gone = 0
    if chosen and not args.dry_run:
        plans = [plan_merge(book, one.rows[0].contact, [row.contact for row in one.rows[1:]]) for one in chosen]
        gone = merge(book, plans, "dedupe")
        out.note(f"{gone:,} merged away; `e2esync undo` takes it back")
    elif found and not args.merge:
        out.note("`e2esync dedupe --merge` merges them")
    out.result(groups=[_as_json(one) for one in found], merged=gone)
    return 0


def _choose(found: list[Duplicates]) -> list[Duplicates]:
    """The groups that a person wants merged."""
    chosen = []
    for one in found:
        answer = ask(f"merge {some_names([row.name for row in one.rows])}? [y/N/q]", why="add --yes").casefold()
        if answer in ("q", "quit"):
            break
        if answer in ("y", "yes"):
            chosen.append(one)
    return chosen


def _show(context: Context, found: list[Duplicates]) -> None:
    out = context.out
    if out.json:
        return
    if not found:
        out.note("no possible duplicates")
    for one in found:
        out.heading(f"{len(one.rows)} may be one: {', '.join(clean(what, 60) for what in one.shared)}")
        for row in one.rows:
            about = ", ".join([*row.phones, *row.emails, *([row.org] if row.org else [])])
            out.data(f"  {clean(row.name, 60) or '(no name)'}   {clean(about, 200)}   {row.uid}")


def _as_json(one: Duplicates) -> dict[str, Any]:
    return {"shared": one.shared, "contacts": [{"uid": row.uid, "name": row.name} for row in one.rows]}
