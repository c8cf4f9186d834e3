"""`e2esync version`."""

from __future__ import annotations

import argparse
from importlib.metadata import PackageNotFoundError, version

from e2esync.limits import SPEC_VERSION, SUITE

from ..context import Context

ABOUT = "The version of the program, of the protocol that it speaks, and of its cryptographic suite."
EXAMPLES = "  e2esync version\n  e2esync version --json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(context: Context) -> int:
    """Print the version."""
    try:
        number = version("e2esync")
    except PackageNotFoundError:  # a source tree on the path, not installed
        number = "unknown"
    if context.out.json:
        context.out.result(version=number, protocol=SPEC_VERSION, suite=SUITE)
    else:
        context.out.data(f"e2esync {number} (protocol {SPEC_VERSION}, suite {SUITE})")
    return 0
