"""`e2esync retire`."""

from __future__ import annotations

import argparse
from dataclasses import replace

from ..context import Context
from ..exits import UsageError
from ..prompts import can_ask, confirm

ABOUT = """\
Run it on a device before you sell it or give it away. It sends what is unsent, asks to leave every book, and erases the
keys and contacts that it holds. Another device of yours must then sync once: that closes the door, and the record that
removes this one is your receipt. With --wait this one stays to see it; without keys it cannot look later.
Erasing overwrites and removes files. A flash disk may keep old pages: reset the device as its maker says, too.
On a device that was shut out and locked, it erases what was kept for the recovery kit: that is your consent."""
EXAMPLES = """\
  e2esync retire                  asks, then leaves
  e2esync retire --wait 60        stays a minute to see the door closed by another device that is online"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--wait."""
    parser.add_argument("--wait", metavar="SECONDS", type=float, default=0.0,
                        help="stay connected so long, to see another device close the door")


def run(context: Context) -> int:
    """Ask, leave, erase."""
    from e2esync.client.farewell import ERASED, FROZEN, erase_file, read_left, rescue_files, write_left

    out, left = context.out, read_left(context.home)
    if left is not None:
        # Nothing is left to leave; what a frozen device keeps goes with its person's word (SPEC 14.12 step 1).
        kept = rescue_files(context.home)
        if kept:
            _confirm(context, "Erase what this locked device keeps for your recovery kit?")
            for path in kept:
                erase_file(path)
            left = replace(left, state=ERASED if left.state == FROZEN else left.state)
            write_left(context.home, left)
        out.result(state=left.state, erased=len(kept), epoch=left.epoch)
        out.note("Nothing is left here." if kept else left.told()[0] + ".")
        return 0
    return _leave(context)


def _leave(context: Context) -> int:
    from e2esync.client.leaving import retire
    from e2esync.replica.leaving import who_closes

    from ..net import run as run_trio

    out, profile, book = context.out, context.profile(), context.book()
    alone = not who_closes(book.replica)
    last = " It is the last one: nobody can close the door behind it, and only the recovery kit brings the book back." \
        if alone else ""
    _confirm(context, f"Leave {book.name or 'the book'} and erase it on this device, {book.device_name}?{last}")
    member, set_id, epoch = book.replica.member, book.set_id, book.replica.position.epoch
    bar = context.progress()
    left = run_trio(lambda: retire(profile, wait=context.args.wait, progress=bar.update))
    bar.close()
    out.result(state=left.state, device=left.device, member=member, set_id=set_id, closed=left.epoch,
               closed_by=left.by, others=list(left.others))
    happened, following = left.told()
    out.note(f"Next: {following}.", f"{happened}. Erasing is logical: reset the device before it changes hands.")
    if left.epoch:
        out.note(f"Your receipt: the record of epoch {left.epoch}, signed by {left.by}, removes device {member}.")
    elif not alone and not left.gone:
        out.note(f"Your receipt will be the record after epoch {epoch} that removes device {member}; `e2esync devices` "
                 "on another device no longer lists it then.")
    return 0


def _confirm(context: Context, question: str) -> None:
    """Raises UsageError without a terminal, Declined for a no."""
    from ..exits import Declined

    if context.args.yes:
        return
    if not can_ask():
        raise UsageError("retire asks before it erases, and there is no terminal", "give --yes")
    if not confirm(question):
        raise Declined("nothing was changed")
