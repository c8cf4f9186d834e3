"""`e2esync history [CONTACT]`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..context import Context
from ..past import device_names, find
from ..times import clock, parse_time

if TYPE_CHECKING:
    from e2esync.stores.history import StepRow

ABOUT = """\
A step is what one command did here, an import of ten thousand contacts too, or what one device sent at once. Steps are
kept on this device for 30 days (`e2esync config set keep-history`); they are never sent to anybody."""
EXAMPLES = """\
  e2esync history                     every step, the newest first
  e2esync history ada                 what happened to Ada, deleted or not
  e2esync history --since yesterday"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The contact and the time."""
    parser.add_argument("contact", nargs="?", metavar="CONTACT", help="only steps that changed this contact")
    parser.add_argument("--since", metavar="TIME", help="only from this time on: a date, or `2 days ago`")


def run(context: Context) -> int:
    """Print the steps."""
    args, out = context.args, context.out
    since = parse_time(args.since, context.now(), end=False) if args.since else 0
    contact = find(context, args.contact) if args.contact else None
    book = context.book()
    steps = book.store.history.steps(since, contact)
    names = device_names(context)
    if out.json:
        out.result(steps=[_as_json(step, names) for step in steps])
    elif not steps:
        out.note("nothing has been changed, as far as this device remembers")
    else:
        out.table(("STEP", "WHEN", "BY", "WHAT", "CONTACTS"), [_row(step, names) for step in steps])
    return 0


def _row(step: StepRow, names: dict[int, str]) -> tuple[str, str, str, str, str]:
    what = step.name or "changes from another device"
    if step.undone:
        what += f" (undone by {step.undone})"
    return str(step.number), clock(step.time), by(step, names), what, f"{step.contacts:,}"


def by(step: StepRow, names: dict[int, str]) -> str:
    """Who did a step."""
    return names.get(step.author) or ("several devices" if step.author < 0 else f"device {step.author}")


def _as_json(step: StepRow, names: dict[int, str]) -> dict[str, Any]:
    return {"step": step.number, "time": step.time, "by": step.author, "device": by(step, names), "name": step.name,
            "undone_by": step.undone or None, "contacts": step.contacts}
