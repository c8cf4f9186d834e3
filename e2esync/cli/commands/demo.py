"""`e2esync demo [FILE]`."""

from __future__ import annotations

import argparse

from ..context import Context

ABOUT = """\
Starts a relay on a free local port, makes a phone and a laptop, imports a sample book (or FILE), edits both sides while
they are offline, lets them converge, and shows what the two devices and the relay hold. It then searches the relay's
disk for every name, number and address of the book, and fails if it finds one. Everything is in a temporary folder that
is gone afterwards; nothing of yours is touched."""
EXAMPLES = "  e2esync demo\n  e2esync demo contacts.vcf --keep demo-folder"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A book of one's own, and where to leave it all."""
    parser.add_argument("file", nargs="?", metavar="FILE", help="a .vcf file instead of the sample book")
    parser.add_argument("--keep", metavar="DIR", help="do it in this folder, and leave it")


def run(context: Context) -> int:
    """Run the demo; its exit code says whether everything it claims is so."""
    from e2esync.demo.run import run as run_demo

    code: int = run_demo(context)
    return code
