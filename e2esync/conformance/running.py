"""A conformance run: every case of the vectors, then the scenarios, against one implementation (SPEC appendix B).

A testee that ends or hangs costs one case; it is started anew for the next one.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import trio

from e2esync.conformance import syncing, withstanding
from e2esync.conformance.devices import Devices
from e2esync.conformance.hostile import hostile_relay
from e2esync.conformance.process import PATIENCE, Testee, TesteeCrashed, TesteeError, TesteeHung
from e2esync.conformance.protocol import Case, Judged, Level, Verdict, judge, vector_cases
from e2esync.conformance.stage import Scenario, Stage, play, reference_side, testee_side
from e2esync.relay.server import Relay
from e2esync.stores.relay import RelayStore
from e2esync.transports.address import listen

Progress = Callable[[int, int], None]
SCENARIOS: tuple[Scenario, ...] = (*syncing.SCENARIOS, *withstanding.SCENARIOS)


@dataclass(frozen=True, slots=True)
class Report:
    """What a run found: who was tested, and a verdict per case."""

    testee: dict[str, object]
    results: tuple[Judged, ...]
    unexpected: tuple[str, ...]
    """Ids that were expected to fail and did not: a list of known failures is to be kept true."""
    expected: frozenset[str]

    @property
    def failures(self) -> list[Judged]:
        """What is neither right, nor skipped, nor expected."""
        good = (Verdict.PASS, Verdict.SKIP)
        return [each for each in self.results if each.verdict not in good and each.id not in self.expected]

    @property
    def conforms(self) -> bool:
        """Whether nothing failed that was not expected to, and everything failed that was."""
        return not self.failures and not self.unexpected


async def run(command: Sequence[str], *, levels: frozenset[Level] = frozenset(Level), only: str = "",
              expected: frozenset[str] = frozenset(), validate: bool = False, patience: float = PATIENCE,
              vectors: Path | None = None, progress: Progress = lambda _done, _total: None) -> Report:
    """Test a command. `only`: cases whose id begins so; `expected`: ids that are known to fail.

    Raises TesteeCrashed if the command cannot even be started.
    """
    cases = [case for case in vector_cases(vectors) if case.level in levels and case.id.startswith(only)]
    scenarios = [each for each in SCENARIOS if each.level in levels and each.id.startswith(only)]
    results: list[Judged] = []
    testee = Testee(command, patience=patience, validate=validate)

    def add(judged: Judged) -> None:
        results.append(judged)
        progress(len(results), len(cases) + len(scenarios))

    try:
        await testee.ask("hello", version=1)
        for case in cases:
            add(await _ask(testee, case))
        if scenarios:
            async with _reference() as (relay, devices):
                for scenario in scenarios:
                    label = f"{scenario.id}-{len(results)}"
                    stage = Stage(relay, testee_side(testee), reference_side(devices), label)
                    if scenario.level is Level.WITHSTAND:
                        async with hostile_relay(label) as (url, hostile):
                            add(await play(scenario, replace(stage, relay=url, hostile=hostile)))
                    else:
                        add(await play(scenario, stage))
    finally:
        await testee.aclose()
    passed = {each.id for each in results if each.verdict is Verdict.PASS}
    return Report(dict(testee.hello), tuple(results), tuple(sorted(expected & passed)), expected)


async def _ask(testee: Testee, case: Case) -> Judged:
    """A case's verdict."""
    try:
        return judge(case, await testee.ask(
            "perform", operation=case.operation, input=case.input, entropy=case.entropy))
    except TesteeHung as error:
        verdict, reason = Verdict.HANG, str(error)
    except TesteeCrashed as error:
        verdict, reason = Verdict.CRASH, str(error)
    except TesteeError as error:
        verdict, reason = Verdict.FAIL, str(error)
    return Judged(case.id, case.level, case.spec, verdict, reason)


@asynccontextmanager
async def _reference() -> AsyncIterator[tuple[str, Devices]]:
    """A relay of the reference on a loopback port, and a folder of its devices."""
    with (
        tempfile.TemporaryDirectory(prefix="e2esync-conformance-") as folder,
        RelayStore(Path(folder) / "relay.sqlite3") as store,
    ):
        listener = await listen("ws://127.0.0.1:0")
        async with trio.open_nursery() as nursery:
            await nursery.start(Relay(store).run, [listener])
            devices = Devices(Path(folder), nursery)
            try:
                yield str(listener.address), devices
            finally:
                devices.close()
                nursery.cancel_scope.cancel()
