"""The soak: relay and clients killed with -9 at random moments, `python -m tests.faults --kills 1000`.

Every fifty kills the two devices sync until nothing moves; each edit that was acknowledged must then be on both, once,
and their digests must agree. The first failure ends it, with the seed that repeats its choices.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import trio

from tests.faults.test_processes import RelayProcess, play

EACH = 50


def main() -> int:
    """Exit code 1 on the first thing that is lost, doubled or different."""
    parser = argparse.ArgumentParser(description="kill relay and clients at random moments, and look for what is lost")
    parser.add_argument("--kills", type=int, default=1000, help="how many (default 1000)")
    parser.add_argument("--seed", type=int, default=1000, help="of the first fifty (default 1000)")
    chosen = parser.parse_args()
    done, seed, began = 0, chosen.seed, time.monotonic()
    while done < chosen.kills:
        with tempfile.TemporaryDirectory() as folder:
            relay = RelayProcess(Path(folder))
            try:
                trio.run(play, Path(folder), relay, seed, EACH, 0)
            except AssertionError as error:
                print(f"seed {seed}: {error}")
                return 1
            finally:
                relay.kill()
        done, seed = done + EACH, seed + 1
        print(f"{done} clients killed, nothing lost, nothing twice ({time.monotonic() - began:.0f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
