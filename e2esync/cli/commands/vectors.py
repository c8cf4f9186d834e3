"""`e2esync vectors --write DIR | --check DIR`."""

from __future__ import annotations

import argparse

from ..context import Context
from ..exits import FAILURE, OK, Unsupported

ABOUT = """\
The vectors are examples of every rule of the standard, for whoever writes another implementation. --check is for
whoever changes this one: it fails unless the files are byte for byte what this version writes."""
EXAMPLES = "  e2esync vectors --check vectors\n  e2esync vectors --write vectors"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Write or check."""
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--write", metavar="DIR", help="write the vectors into a folder")
    group.add_argument("--check", metavar="DIR", help="compare a folder with what would be written")


def run(context: Context) -> int:
    """Write the vectors, or compare them."""
    from pathlib import Path

    try:
        from e2esync.conformance.vectors import check, write
    except ModuleNotFoundError as error:
        raise Unsupported(f"this needs the package {error.name}", "pip install 'e2esync[test]'") from None
    args, out = context.args, context.out
    if args.write is not None:
        files = write(Path(args.write))
        out.result(written=[str(name) for name in files])
        out.note(f"{len(files)} files written to {args.write}")
        return OK
    differences = [str(line) for line in check(Path(args.check))]
    out.result(differences=differences)
    if differences:
        out.warn(*differences)
        return FAILURE
    out.note(f"{args.check} is what this version writes, byte for byte")
    return OK
