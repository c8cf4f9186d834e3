"""`e2esync conformance run -- COMMAND…`, `conformance relay URL`, `conformance testee` (SPEC appendix B)."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from e2esync.errors import E2esyncError

from ..context import Context
from ..exits import FAILURE, OK, FileProblem, Unsupported, UsageError
from ..parser import subcommands

if TYPE_CHECKING:
    from e2esync.conformance.protocol import Judged

ABOUT = """\
Tests another implementation of the standard. `run` starts a command and speaks JSON with it, one line asked, one
answered (SPEC appendix B): the vectors first, then whole devices through a relay, honest and lying. `relay` tests a
relay from outside. `testee` is this implementation, as `run` tests it."""
EXAMPLES = """\
  e2esync conformance run -- node my-client.js
  e2esync conformance run --level L1 --validate -- ./my-client
  e2esync conformance run -- e2esync conformance testee
  e2esync conformance relay ws://127.0.0.1:8765
  e2esync conformance testee"""


class TesteeProblem(E2esyncError):
    """What was to be tested cannot even be started."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Three actions."""
    add = subcommands(parser)
    run = add("run", "test a command")
    run.add_argument("--level", action="append", metavar="L1", help="only this level, L1 to L5; repeatable")
    run.add_argument("--only", default="", metavar="PREFIX", help="only cases whose id begins so")
    run.add_argument("--expect", metavar="FILE", help="ids that are known to fail, one a line; they must fail")
    run.add_argument("--validate", action="store_true", help="each answer must fit the JSON schema")
    run.add_argument("--patience", type=float, default=30.0, metavar="SECONDS", help="for one answer (30)")
    run.add_argument("testee", nargs="+", metavar="COMMAND", help="what to start, after --")
    relay = add("relay", "test a relay; makes some small sets there")
    relay.add_argument("url", help="ws://, wss://, tcp:// or tls://")
    add("testee", "be tested: JSON on standard input and output")


def run(context: Context) -> int:
    """Run, and say what was found."""
    if context.args.action is None:
        raise UsageError("what is to be tested?", "run, relay or testee; see `e2esync conformance --help`")
    try:
        import jsonschema  # noqa: F401
        import kyber_py  # noqa: F401
    except ModuleNotFoundError as error:
        raise Unsupported(f"this needs the package {error.name}", "pip install 'e2esync[conformance]'") from None
    action = {"run": _run, "relay": _relay, "testee": _testee}[context.args.action]
    return action(context)


def _testee(_context: Context) -> int:
    from e2esync.conformance.testee import main

    return main()


def _run(context: Context) -> int:
    import trio

    from e2esync.conformance.process import TesteeError
    from e2esync.conformance.protocol import Level
    from e2esync.conformance.reporting import as_json, table
    from e2esync.conformance.running import run as run_testee

    args, out = context.args, context.out
    try:
        levels = frozenset(map(Level, args.level)) if args.level else frozenset(Level)
    except ValueError as error:
        raise UsageError(f"{error.args[0].split()[0]} is no level", "levels are L1, L2, L3, L4 and L5") from None
    expected = _expected(args.expect)
    bar = context.progress()
    try:
        report = trio.run(lambda: run_testee(
            args.testee, levels=levels, only=args.only, expected=expected, validate=args.validate,
            patience=args.patience, progress=lambda done, total: bar.update("cases", done, total),
        ))
    except TesteeError as error:
        raise TesteeProblem(f"{args.testee[0]} cannot be tested: {error}") from None
    finally:
        bar.close()
    out.result(**as_json(report))
    if not out.json:
        out.data(*table(report))
    return OK if report.conforms else FAILURE


def _relay(context: Context) -> int:
    from e2esync.conformance.relay_checks import CHECKS
    from e2esync.conformance.relaying import check_relay

    from ..net import run as run_trio

    out = context.out
    bar = context.progress()
    results = run_trio(lambda: check_relay(
        context.args.url, CHECKS, progress=lambda done, total: bar.update("checks", done, total)))
    bar.close()
    failures = [each for each in results if each.verdict != "pass"]
    out.result(conforms=not failures, results=[_result(each) for each in results])
    if not out.json:
        out.data(*(f"{each.verdict.value:6}{each.id:28}SPEC {each.spec:14}{each.reason}".rstrip() for each in results))
        out.data(f"{len(results)} checks, {len(failures)} failures: {'does not conform' if failures else 'conforms'}")
    return FAILURE if failures else OK


def _result(each: Judged) -> dict[str, str]:
    return {"id": each.id, "spec": each.spec, "verdict": each.verdict.value, "reason": each.reason}


def _expected(path: str | None) -> frozenset[str]:
    """The ids in a file; what follows a `#` is a comment."""
    if path is None:
        return frozenset()
    try:
        with open(path, encoding="utf-8") as file:
            lines = [line.partition("#")[0].strip() for line in file]
    except (OSError, UnicodeDecodeError) as error:
        raise FileProblem(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}") from None
    return frozenset(filter(None, lines))
