"""The soak: relay and clients killed with -9 at every named point and at random ones, `python -m tests.faults`.

First a device or the relay dies at each point of `dying`, the first time that it comes there, the second, and so on;
then both at any moment, until there are as many kills as were asked for. Every fifty the two devices sync until nothing
moves; each edit that was acknowledged must then be on both, once, and their digests must agree. The first failure ends
it, with what repeats its choices.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import trio

from tests.faults.test_processes import ACTS, RelayProcess, play, play_named

EACH = 50

Killed = TypeVar("Killed")


def main() -> int:
    """Exit code 1 on the first thing that is lost, doubled or different."""
    parser = argparse.ArgumentParser(description="kill relay and clients, and look for what is lost")
    parser.add_argument("--kills", type=int, default=1000, help="how many (default 1000)")
    parser.add_argument("--seed", type=int, default=1000, help="of the first fifty at random moments (default 1000)")
    chosen = parser.parse_args()
    began, named = time.monotonic(), 0

    def tell(count: int, what: str) -> None:
        print(f"{count} {what}, nothing lost, nothing twice ({time.monotonic() - began:.0f} s)", flush=True)

    try:
        for act in ACTS:
            named += sum(_played(play_named, act).values())
            tell(named, f"killed at named points of {' and '.join(ACTS[: ACTS.index(act) + 1])}")
        for done in range(named, chosen.kills, EACH):
            seed = chosen.seed + (done - named) // EACH
            _played(play, seed, EACH, 0)
            tell(done + EACH, "killed")
    except AssertionError as error:
        print(f"after {named} at named points, with --seed {chosen.seed}: {error}")
        return 1
    return 0


def _played(story: Callable[..., Awaitable[Killed]], *arguments: object) -> Killed:
    """What a story has killed, over a relay of its own."""
    with tempfile.TemporaryDirectory() as folder:
        relay = RelayProcess(Path(folder))
        try:
            return trio.run(story, Path(folder), relay, *arguments)
        finally:
            relay.kill()


if __name__ == "__main__":
    sys.exit(main())
