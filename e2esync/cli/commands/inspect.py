"""`e2esync inspect`."""

from __future__ import annotations

import argparse

from ..context import Context

ABOUT = """\
Asks the relay for everything that it holds about this book: how many encrypted pieces, and how large. What it lists is
all that a relay can know; names, numbers and addresses are not among it."""
EXAMPLES = "  e2esync inspect\n  e2esync inspect --json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(context: Context) -> int:
    """Print what the relay says."""
    from e2esync.client.sync import inspect

    from ..net import run as run_trio

    profile, number = context.profile(), context.book_number()
    held = run_trio(lambda: inspect(profile, number))
    if context.out.json:
        context.out.result(relay=held)
    else:
        context.out.table(("WHAT", "HOW MUCH"), [(key.replace("_", " "), _text(value)) for key, value in held.items()])
    return 0


def _text(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
