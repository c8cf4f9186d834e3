"""`e2esync relay check-engine URL` proves that a store keeps a relay's rules; `relay migrate FROM TO` moves a relay."""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from .exits import FileProblem
from .relay import books, database

_LOOK_AGAIN: Final = 0.2


def check(args: argparse.Namespace) -> int:
    """Runs the conformance suite of storage engines; 0 if every check holds, 1 if one does not."""
    from e2esync.conformance.engine.run import check_engine

    url = database(args.url)
    _check_empty(url)
    as_json = bool(getattr(args, "json", False))
    verdicts = []
    for verdict in check_engine(url):
        verdicts.append(verdict)
        if not as_json:
            mark = "FAIL" if verdict.fault else "ok"
            print(f"{mark:<6}{verdict.rule}" + (f"\n      {verdict.fault}" if verdict.fault else ""), flush=True)
    failed = sum(bool(verdict.fault) for verdict in verdicts)
    if as_json:
        checks = [{"name": each.name, "rule": each.rule, "fault": each.fault} for each in verdicts]
        print(json.dumps({"schema": 1, "checks": checks, "failed": failed}))
    else:
        print(f"{len(verdicts) - failed} of {len(verdicts)} checks hold")
    return 1 if failed else 0


def _check_empty(url: str) -> None:
    """The checks turn the clock forward and sweep: what a relay keeps for its devices would be gone."""
    from e2esync.stores.relay_engine import POSTGRES_SCHEMES, plugged_engine
    from e2esync.stores.relay_migrate import open_depot

    if plugged_engine(url) is not None:
        # What is in it, only its own tools can say.
        return
    if not url.startswith(POSTGRES_SCHEMES):
        if Path(url).exists():
            raise FileProblem(f"{url} exists", "the checks fill a store of their own: name a new file")
        return
    with closing(open_depot(url)) as depot:
        held = len(depot.sets())
    if held:
        raise FileProblem(f"that database holds {books(held)}", "the checks would ruin them: name one that is empty")


def move(args: argparse.Namespace) -> int:
    """Copies everything to the new store, waits until the relay is stopped, and copies what has changed since."""
    from e2esync.stores.relay_migrate import migrate, open_depot

    old, new = database(args.source, there=True), database(args.target)
    told: list[int] = []

    def wait(copied: int) -> None:
        if not told:
            told.append(copied)
            print(f"{books(copied)} copied; stop the relay, the rest takes a moment", file=sys.stderr, flush=True)
        time.sleep(_LOOK_AGAIN)

    with closing(open_depot(old)) as source, closing(open_depot(new)) as target:
        moved = migrate(source, target, wait)
    if bool(getattr(args, "json", False)):
        print(json.dumps({"schema": 1, "moved": moved}))
    else:
        print(f"{books(moved)} moved; start the relay with its new --db")
    return 0
