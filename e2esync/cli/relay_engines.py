"""`e2esync relay check-engine URL`: proves that a store keeps a relay's rules, or says which it breaks."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from .exits import FileProblem
from .relay import database


def check(args: argparse.Namespace) -> int:
    """Runs the conformance suite of storage engines; 0 if every check holds, 1 if one does not."""
    from e2esync.conformance.engine.run import check_engine

    if len(args.places) != 1:
        raise FileProblem("check-engine takes one URL", "give it an empty database, or a file that does not exist yet")
    url = database(args.places[0])
    if Path(url).exists():
        raise FileProblem(f"{url} exists", "the checks fill a store of their own: name a file that does not exist yet")
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
