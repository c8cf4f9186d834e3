"""`e2esync vdir DIR`."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from e2esync.errors import E2esyncError

from ..context import Context
from ..exits import OK, PARTLY, MassChange, UsageError
from ..guard import some_names
from ..prompts import can_ask, confirm
from ..watching import INTERVAL, look

if TYPE_CHECKING:
    from e2esync.client.vdir import BridgePlan
    from e2esync.client.vdir_writing import Bridged

ABOUT = """\
Keeps a folder and the book in step, both ways: one .vcf file for each contact, as khard and vdirsyncer (and through it
CardDAV servers and DAVx5) read and write them. An edit in the folder changes only what changed in it; edits of both
sides are merged; a deletion on either side goes over, and an edit beats it. More than 10 contacts and more than 10 %,
or all of them, do not leave without --force-delete: an unmounted folder never empties the book. What is no card stays
where it is, is reported (exit code 3), and its text is kept in `e2esync quarantine`. It talks to no relay: `e2esync
sync` does. The files are not encrypted, and readable by you alone."""
EXAMPLES = """\
  e2esync vdir ~/.contacts                   once; a folder that is not there is made
  e2esync vdir ~/.contacts --watch           until Ctrl-C
  e2esync vdir ~/.contacts --dry-run         say what would happen
  e2esync vdir ~/.contacts --refill          files are missing by mistake: write them again"""

_LISTED: Final = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The folder."""
    parser.add_argument("folder", metavar="DIR", help="the folder; a symbolic link is refused")
    parser.add_argument("--watch", action="store_true", help="stay, and go over whenever either side changes")
    parser.add_argument("-n", "--dry-run", action="store_true", help="say what would happen and change nothing")
    parser.add_argument("--force-delete", action="store_true", help="let many contacts or files leave")
    parser.add_argument("--refill", action="store_true",
                        help="write files that are missing again, instead of deleting their contacts")


def run(context: Context) -> int:
    """Bridge once, or whenever something changes."""
    if context.args.watch:
        return watch(context, wait=lambda: time.sleep(INTERVAL))
    return bridge_once(context)


def bridge_once(context: Context) -> int:
    """One pass."""
    from e2esync.client.folder import Folder
    from e2esync.client.vdir import plan_bridge
    from e2esync.client.vdir_writing import Bridged, carry_out_bridge

    args, book = context.args, context.book()
    if not args.folder:
        raise UsageError("an empty name is no folder", "write . for the one that you are in")
    path = Path(args.folder)
    known = bool(book.store.copies.of_folder(str(path.absolute())))
    # A folder that was there and is not: its disk is not mounted, more likely than not.
    with Folder.open(path, create=(args.refill or not known) and not args.dry_run) as folder:
        plan = plan_bridge(book, folder, refill=args.refill)
        _check(context, plan)
        done = Bridged() if args.dry_run else carry_out_bridge(book, folder, plan)
    _tell(context, plan, done)
    return PARTLY if plan.problems else OK


def _check(context: Context, plan: BridgePlan) -> None:
    """Stop at what removes much, unless somebody agrees. Raises MassChange."""
    from e2esync.client.vdir import going_names

    args = context.args
    if not plan.stop or args.force_delete or args.dry_run:
        return
    names = some_names(list(going_names(plan)))
    if not args.watch and can_ask() and confirm(f"{plan.stop}: {names}. Go on?"):
        return
    refill = "; --refill writes the files again" if plan.removed else ""
    raise MassChange(f"{plan.stop}: {names}", f"nothing was changed; --force-delete if this is what you want{refill}")


def _tell(context: Context, plan: BridgePlan, done: Bridged) -> None:
    args, out = context.args, context.out
    written = len(plan.write) if args.dry_run else done.written
    unlinked = len(plan.unlink) if args.dry_run else done.unlinked
    if plan.stop and args.dry_run:
        out.warn(plan.stop, "without --force-delete nothing would be changed")
    if not plan.quiet or not args.watch:
        would = "would " if args.dry_run else ""
        out.note(f"{would}bring into the book: {len(plan.new):,} new, {len(plan.updated):,} changed, "
                 f"{len(plan.removed):,} deleted; into the folder: {written:,} written, {unlinked:,} deleted")
    for name in plan.both:
        out.warn(f"{name} was changed on both sides; the folder's is shown now", "`e2esync history` has the other")
    for name, reason in plan.problems[:_LISTED]:
        out.note(f"{name}: {reason}")
    if len(plan.problems) > _LISTED:
        out.note(f"and {len(plan.problems) - _LISTED:,} more")
    if done.left:
        out.note(f"{done.left:,} changed meanwhile: the next run takes them")
    out.result(new=len(plan.new), updated=len(plan.updated), removed=len(plan.removed), written=written,
               unlinked=unlinked, left=done.left, both=plan.both, applied=not args.dry_run,
               problems=[{"file": name, "reason": reason} for name, reason in plan.problems], stop=plan.stop)


def watch(context: Context, *, wait: Callable[[], None]) -> int:
    """Pass after pass, whenever the folder rests after a change or the book has changed; an interrupt ends it."""
    out = context.out
    out.note(f"watching {context.args.folder} and the book; Ctrl-C ends it")
    store = context.profile().store
    seen: object = None
    before = look(context.args.folder)
    while True:
        now, changes = look(context.args.folder), store.changes()
        # A folder that somebody writes into rests first; what this pass itself writes is looked at once more.
        if now == before and (now, changes) != seen:
            seen = now, changes
            try:
                bridge_once(context)
            except E2esyncError as error:
                out.error(error)
        before = now
        try:
            wait()
        except KeyboardInterrupt:
            return OK
