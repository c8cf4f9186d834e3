"""All saboteurs, by all suites, in one table: `python -m tests.saboteurs`.

Columns: the suite, the SPEC step, the check that was removed, and what caught it. The last lines count; the exit code
is 1 if anybody survived. Takes some minutes. A row of `vectors`, `tests` or `attacks` is one check removed from the
library; `laws` breaks rules of the protocol itself, in the model.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import NamedTuple

from e2esync.conformance.performing import layers
from tests.saboteurs import attacks, laws, units, vectors

SUITES = ("vectors", "tests", "attacks", "laws")


class Row(NamedTuple):
    """A saboteur, and what caught it; None if it survived."""

    suite: str
    spec: str
    target: str
    caught: str | None


def rows(suite: str) -> Iterator[Row]:
    """The saboteurs of one suite, one by one."""
    if suite == "vectors":
        layers()
        for saboteur in vectors.SABOTEURS:
            yield Row(suite, saboteur.spec, saboteur.target, vectors.caught_by(saboteur))
    elif suite == "tests":
        broken = units.caught_by(units.HONEST)
        if broken is not None:
            sys.exit(f"{broken} fails with every check in place")
        for saboteur in units.SABOTEURS:
            yield Row(suite, saboteur.spec, saboteur.target, units.caught_by(saboteur))
    elif suite == "attacks":
        alive = attacks.survivors()
        for module, test, weak in attacks.controls():
            caught = None if (module, test, weak.name) in alive else test
            yield Row(suite, "17.1", f"e2esync.{weak.target}", caught)
    else:
        for broken in laws.BROKEN:
            yield Row(suite, "8 to 14", broken.name, laws.caught_by(broken))


def main(chosen: tuple[str, ...] = SUITES) -> int:
    """Print the table and the counts."""
    seen: list[Row] = []
    for suite in chosen:
        for row in rows(suite):
            seen.append(row)
            print(f"{row.suite:8} {row.spec:12} {row.target.removeprefix('e2esync.'):45} {row.caught or 'SURVIVES'}",
                  flush=True)
    checks = {row.target for row in seen if row.suite != "laws"}
    survivors = sum(row.caught is None for row in seen)
    print(", ".join(f"{sum(row.suite == suite for row in seen)} by {suite}" for suite in chosen))
    print(f"{len(seen)} saboteurs of {len(checks)} checks, {survivors} survivors")
    return 1 if survivors else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="remove the checks one by one: does a suite notice?")
    parser.add_argument("suites", nargs="*", choices=[[], *SUITES], help="which suites; all by default")
    sys.exit(main(tuple(parser.parse_args().suites) or SUITES))
