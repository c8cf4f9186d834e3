"""`e2esync undo [STEP] [CONTACT...]`."""

from __future__ import annotations

import argparse

from ..context import Context
from ..past import carry_out, find_all

ABOUT = """\
Takes back the last step that this device did and that is not undone yet; or, with its number, any step of `e2esync
history`, another device's too. An undo is a new change: it syncs like any other, and undoing it does the thing again.
What somebody has changed since is left as it is, and named. Photos and members of groups come back with their
contacts."""
EXAMPLES = """\
  e2esync undo                    the last command, an import of thousands too
  e2esync undo 17 --dry-run       say what undoing step 17 would do
  e2esync undo 17 ada             of step 17, only what it did to Ada"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The step, and in which contacts."""
    parser.add_argument("step", nargs="?", type=int, metavar="STEP", help="its number in `e2esync history`")
    parser.add_argument("contacts", nargs="*", metavar="CONTACT", help="only in these contacts")
    parser.add_argument("-n", "--dry-run", action="store_true", help="say what would happen and change nothing")


def run(context: Context) -> int:
    """Plan, show, carry out."""
    args = context.args
    plan = context.book().plan_undo(args.step, find_all(context, args.contacts))
    context.out.note(f"{plan.name} (step {plan.undoes})")
    return carry_out(context, plan)
