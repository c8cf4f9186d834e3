"""`e2esync doctor`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from e2esync.errors import E2esyncError, ProfileBusy

from ..context import Context
from ..exits import FAILURE
from .verify import report

if TYPE_CHECKING:
    from e2esync.client.checking import Check

ABOUT = """\
Looks over this machine and this profile: who may read its files, the disk, the clock, how old the recovery kit is,
whether another process is syncing, and whether the relay answers, keeps the same time, and is where this device is. It
changes nothing."""
EXAMPLES = "  e2esync doctor\n  e2esync doctor --json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(context: Context) -> int:
    """Look, and say what was found."""
    import platform

    from e2esync import __version__
    from e2esync.client.checking import Check, examine

    profile = context.profile()
    checks = [Check("version", f"e2esync {__version__}, Python {platform.python_version()}"),
              *examine(profile, context.now())]
    try:
        with profile.sync_lock():
            checks.append(Check("lock", "free"))
    except ProfileBusy:
        checks.append(Check("lock", "another process is syncing this profile"))
    else:
        checks += _relay(context)
    return report(context, checks, bad=FAILURE)


def _relay(context: Context) -> list[Check]:
    from e2esync.client.checking import Check, examine_relay

    from ..net import run as run_trio

    book = context.book()
    if not book.exists() or not book.relay_url:
        return [Check("relay", "none yet")]
    profile, number = context.profile(), context.book_number()
    try:
        return run_trio(lambda: examine_relay(profile, number, context.now()))
    except E2esyncError as error:
        return [Check("relay", "", error.message)]
