"""`e2esync verify`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..context import Context
from ..exits import OK, UNREACHABLE, UNVERIFIED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from e2esync.client.checking import Check

ABOUT = """\
Checks what this device holds (the signatures of the chain, the hashes of the log, every contact) and the relay's copy
against it: its chain, its signed head, its log. With --deep it makes the book anew from the relay's copy alone, every
envelope and every piece of the snapshot, compares the two, and asks for the photos. It changes nothing. Exit code 14
if something does not fit, or a sync has found something that is not over."""
EXAMPLES = "  e2esync verify\n  e2esync verify --deep\n  e2esync verify --offline"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--deep, --offline."""
    parser.add_argument("--deep", action="store_true", help="make the book anew from the relay's copy, and compare")
    parser.add_argument("--offline", action="store_true", help="this device's own copy only")


def run(context: Context) -> int:
    """Look, and say what was found."""
    from e2esync.client.checking import Check, verify_local, verify_relay
    from e2esync.errors import Unreachable

    checks = verify_local(context.book())
    if not context.args.offline:
        from ..net import run as run_trio

        profile, number, deep = context.profile(), context.book_number(), context.args.deep
        try:
            checks += run_trio(lambda: verify_relay(profile, number, deep=deep))
        except Unreachable as error:
            # What is here was looked at all the same.
            here = report(context, [*checks, Check("relay", "", error.message)], bad=UNVERIFIED)
            return here if any(check.problem for check in checks) else UNREACHABLE
    return report(context, checks, bad=UNVERIFIED)


def report(context: Context, checks: Sequence[Check], *, bad: int) -> int:
    """Print checks; `bad` is the exit code if one has a problem."""
    context.out.result(checks=[{"name": each.name, "found": each.found, "problem": each.problem} for each in checks],
                       ok=not any(each.problem for each in checks))
    if not context.out.json:
        # No table: what is wrong is never cut short.
        width = max(len(each.name) for each in checks)
        context.out.data(*(f"{'!!' if each.problem else 'ok'}  {each.name:<{width}}  {each.problem or each.found}"
                           for each in checks))
    return bad if any(each.problem for each in checks) else OK
