"""`e2esync merge CONTACT CONTACT...`."""

from __future__ import annotations

import argparse

from ..context import Context
from ..exits import UsageError
from ..guard import check_merging, some_names
from ..output import clean

ABOUT = """\
The first contact gets what the others say and it does not: numbers, addresses, notes, photos, labels, its place in
groups. Where only one value can stand, the first one's does; another name becomes a nickname. The others go to the
trash, and `e2esync undo` takes all of it back. More than 10 others that are more than 10 % of the book need a yes, or
--yes (exit code 15)."""
EXAMPLES = "  e2esync merge ada \"A. Lovelace\"\n  e2esync merge ada@example.org 089123456 --dry-run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Who stays and who is merged into it."""
    parser.add_argument("contact", metavar="CONTACT", help="the contact that stays")
    parser.add_argument("others", nargs="+", metavar="CONTACT", help="contacts that are merged into it")
    parser.add_argument("-n", "--dry-run", action="store_true", help="say what would happen and change nothing")


def run(context: Context) -> int:
    """Plan, show, merge."""
    from e2esync.client.duplicates import merge, plan_merge

    args, out, book = context.args, context.out, context.book()
    target, others = context.find(args.contact), [context.find(selector) for selector in args.others]
    if any(row.contact == target.contact for row in others):
        raise UsageError(f"{args.contact} and another of them name the same contact", "see `e2esync help selectors`")
    plan = plan_merge(book, target.contact, [row.contact for row in others])
    names = some_names([row.name for row in others])
    out.note(f"{target.name or target.uid} gets {len(plan.values)} entries of {names}")
    if plan.left:
        out.note(f"said differently, and kept with the trash only: {', '.join(sorted(set(plan.left)))}")
    if not args.dry_run:
        check_merging(context, clean(target.name, 60), [row.name for row in others])
        merge(book, [plan], f"merge {names} into {target.name}"[:200])
        out.note("done; `e2esync undo` takes it back")
    out.result(uid=target.uid, gained=sorted(plan.values), left=sorted(set(plan.left)), applied=not args.dry_run)
    return 0
