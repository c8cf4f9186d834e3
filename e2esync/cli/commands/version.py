"""`e2esync version`."""

from __future__ import annotations

import argparse

from e2esync import __version__
from e2esync.limits import SPEC_VERSION, SUITE

from ..context import Context

ABOUT = "The version of the program, of the protocol that it speaks, and of its cryptographic suite."
EXAMPLES = "  e2esync version\n  e2esync version --json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(context: Context) -> int:
    """Print the version."""
    if context.out.json:
        context.out.result(version=__version__, protocol=SPEC_VERSION, suite=SUITE)
    else:
        context.out.data(f"e2esync {__version__} (protocol {SPEC_VERSION}, suite {SUITE})")
    return 0
