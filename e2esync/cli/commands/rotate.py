"""`e2esync rotate`."""

from __future__ import annotations

import argparse

from ..context import Context

ABOUT = """\
Replaces the book's secret and this device's own keys. If somebody may have copied this device (a repair shop, an old
backup), run it on this device: the copy can then neither read nor write what follows. It does not reach back."""
EXAMPLES = "  e2esync rotate"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""
    del parser


def run(context: Context) -> int:
    """Open an epoch with new keys."""
    from e2esync.client.members import rotate

    from ..net import run as run_trio

    bar = context.progress()
    profile, number = context.profile(), context.book_number()
    record = run_trio(lambda: rotate(profile, book=number, progress=bar.update))
    bar.close()
    context.out.result(epoch=record.epoch)
    context.out.note("The book has a new secret, and this device new keys.")
    return 0
