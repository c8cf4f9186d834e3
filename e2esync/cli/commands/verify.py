"""`e2esync verify`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..context import Context
from ..exits import OK, UNVERIFIED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from e2esync.client.checking import Check

ABOUT = """\
Checks what this device holds (the signatures of the chain, the hashes of the log, every contact) and the relay's copy
against it; with --deep it downloads every piece of the snapshot and checks that too. It changes nothing. Exit code 14
if something does not fit."""
EXAMPLES = "  e2esync verify\n  e2esync verify --deep\n  e2esync verify --offline"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--deep, --offline."""
    parser.add_argument("--deep", action="store_true", help="download and check every piece of the snapshot")
    parser.add_argument("--offline", action="store_true", help="this device's own copy only")


def run(context: Context) -> int:
    """Look, and say what was found."""
    from e2esync.client.checking import verify_local, verify_relay

    checks = verify_local(context.book())
    if not context.args.offline:
        from ..net import run as run_trio

        profile, number, deep = context.profile(), context.book_number(), context.args.deep
        checks += run_trio(lambda: verify_relay(profile, number, deep=deep))
    return report(context, checks, bad=UNVERIFIED)


def report(context: Context, checks: Sequence[Check], *, bad: int) -> int:
    """Print checks; `bad` is the exit code if one has a problem."""
    context.out.result(checks=[{"name": each.name, "found": each.found, "problem": each.problem} for each in checks],
                       ok=not any(each.problem for each in checks))
    if not context.out.json:
        context.out.table(("", "WHAT", "FOUND"), [
            ("!!" if each.problem else "ok", each.name, each.problem or each.found) for each in checks])
    return bad if any(each.problem for each in checks) else OK
