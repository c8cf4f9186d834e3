"""`e2esync diff [STEP|TIME] [CONTACT]`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Final

from e2esync.errors import NotFound

from ..context import Context
from ..exits import UsageError
from ..past import find
from ..times import parse_time
from .conflicts import value_text

if TYPE_CHECKING:
    from e2esync.client.history import Difference

ABOUT = """\
With the number of a step (`e2esync history`) what it changed; with a time what has changed since; with neither, what
the last step changed. `-` is what was, `+` what is."""
EXAMPLES = """\
  e2esync diff                    the last step
  e2esync diff 17                 step 17
  e2esync diff tuesday ada        what has changed about Ada since the end of Tuesday"""

_INNER: Final = ("blobs/", "origin")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is compared."""
    parser.add_argument("since", nargs="?", metavar="STEP|TIME", help="a step's number, or a time; default: last step")
    parser.add_argument("contact", nargs="?", metavar="CONTACT", help="only this contact")


def run(context: Context) -> int:
    """Print what is different."""
    from e2esync.client.history import differences

    args, out, book = context.args, context.out, context.book()
    step, at = _which(context)
    contact = find(context, args.contact) if args.contact else None
    found = differences(book, step=step, at=at, contact=contact)
    if out.json:
        out.result(step=step, since=at, contacts=[_as_json(one) for one in found])
    elif not found:
        out.note("nothing is different")
    for one in found if not out.json else ():
        _show(context, one)
    return 0


def _which(context: Context) -> tuple[int | None, int | None]:
    """(step, time): one of the two."""
    wanted, history = context.args.since, context.book().store.history
    if wanted is None:
        steps = history.steps()
        if not steps:
            raise NotFound("nothing has been changed, as far as this device remembers")
        return steps[0].number, None
    if wanted.isdecimal() and len(wanted) < len("20260331"):
        if history.step(int(wanted)) is None:
            raise NotFound(f"there is no step {wanted}", "`e2esync history` lists them")
        return int(wanted), None
    try:
        return None, parse_time(wanted, context.now(), end=True)
    except UsageError as error:
        raise UsageError(f"{wanted} is neither a step nor a time", error.hint) from None


def _show(context: Context, one: Difference) -> None:
    out = context.out
    sign = "+" if not one.before else "-" if not one.after else "~"
    out.heading(f"{sign} {one.name or '(no name)'}")
    for path, (old, new) in one.values.items():
        if path.startswith(_INNER):
            continue
        out.data(f"  {path}")
        for mark, value in (("-", old), ("+", new)):
            if value is not None:
                out.data(f"    {mark} {value_text(value)}")


def _as_json(one: Difference) -> dict[str, Any]:
    return {"name": one.name, "before": one.before, "after": one.after, "values": {
        path: {"before": old, "after": new} for path, (old, new) in one.values.items() if not path.startswith(_INNER)}}
