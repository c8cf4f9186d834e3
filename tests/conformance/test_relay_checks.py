"""`conformance relay`: our relay passes, and a relay that lacks a rule does not (SPEC 13)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import trio

from e2esync.conformance.protocol import Verdict
from e2esync.conformance.relay_checks import CHECKS
from e2esync.conformance.relaying import check_relay
from e2esync.relay.server import Relay
from e2esync.stores.relay import RelayStore
from e2esync.transports.address import listen
from tests.saboteurs.removing import Saboteur, at_work, nothing


@asynccontextmanager
async def relay(folder: Path) -> AsyncIterator[str]:
    """The address of a relay of ours."""
    with RelayStore(folder / "relay.sqlite3") as store:
        listener = await listen("ws://127.0.0.1:0")
        async with trio.open_nursery() as nursery:
            await nursery.start(Relay(store).run, [listener])
            yield str(listener.address)
            nursery.cancel_scope.cancel()


async def verdicts(folder: Path, *ids: str, sabotaged: str = "", instead: Callable[..., Any] = nothing,
                   ) -> dict[str, tuple[Verdict, str]]:
    checks = tuple(each for each in CHECKS if not ids or each.id.removeprefix("relay::") in ids)
    removal = at_work(Saboteur(f"e2esync.{sabotaged}", "", (), instead)) if sabotaged else nullcontext()
    with removal:
        async with relay(folder) as url:
            return {each.id: (each.verdict, each.reason) for each in await check_relay(url, checks)}


async def test_our_relay_conforms(tmp_path: Path) -> None:
    found = await verdicts(tmp_path)
    assert len(found) == len(CHECKS)
    assert {verdict for verdict, _reason in found.values()} == {Verdict.PASS}, found


@pytest.mark.parametrize(("rule", "check"), [
    ("session.rules:check_blob", "blobs"),
    ("session.rules:check_part", "blobs"),
    ("session.rules:check_announced", "slots"),
    ("session.rules:check_heartbeat", "slots"),
    ("session.rules:check_side", "mailboxes"),
    ("session.rules:check_mail", "mailboxes"),
    ("session.rules:check_append", "bad-appends"),
    ("session.rules:check_envelope", "bad-appends"),
])
async def test_a_relay_without_a_rule_fails(tmp_path: Path, rule: str, check: str) -> None:
    found = await verdicts(tmp_path, check, sabotaged=rule)
    ((verdict, reason),) = found.values()
    assert verdict in (Verdict.FAIL, Verdict.HANG), rule
    assert reason


async def test_nobody_at_the_address() -> None:
    (result,) = await check_relay("ws://127.0.0.1:1", CHECKS[:1])
    assert (result.verdict, result.reason.partition(":")[0]) == (Verdict.FAIL, "Unreachable")
