"""`python -m e2esync.conformance.vectors --write DIR` or `--check DIR`; exits 1 if anything differs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from e2esync.conformance.vectors import check, write
from e2esync.errors import E2esyncError


def main(arguments: list[str] | None = None) -> int:
    """Run it; returns the exit code."""
    parser = argparse.ArgumentParser(prog="e2esync vectors", description="Write or check the test vectors.")
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--write", metavar="DIR", type=Path, help="write all files under DIR")
    choice.add_argument("--check", metavar="DIR", type=Path, help="say how DIR differs from what would be written")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.write is not None:
            print("\n".join(write(chosen.write)))
            return 0
        differences = check(chosen.check)
    except (E2esyncError, OSError) as error:
        print(error, getattr(error, "hint", ""), sep="\n", file=sys.stderr)
        return 1
    print("\n".join(differences) or f"{chosen.check} is what the reference writes, byte for byte")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
