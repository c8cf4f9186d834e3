"""A testee's process: whatever it does, the run goes on (SPEC appendix B)."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from e2esync.conformance import process

PROGRAM = """
import json, os, signal, sys, time
for line in sys.stdin:
    request = json.loads(line)
    reply = {"id": request["id"], "result": "valid", "output": {"name": "toy", "pid": os.getpid()}}
    match request["command"]:
        case "die": os._exit(7)
        case "kill": os.kill(os.getpid(), signal.SIGKILL)
        case "sleep": time.sleep(60)
        case "babble": print("this is no JSON", flush=True); continue
        case "stale": reply["id"] -= 1
        case "misshapen": del reply["output"]
        case "large": reply["output"]["x"] = "ff" * 300_000
    print(json.dumps(reply), flush=True)
"""


@asynccontextmanager
async def toy(
    program: str = PROGRAM, *, validate: bool = False, patience: float = 5.0,
) -> AsyncIterator[process.Testee]:
    testee = process.Testee([sys.executable, "-c", program], patience=patience, validate=validate)
    try:
        yield testee
    finally:
        await testee.aclose()


async def test_one_process_answers_many_requests() -> None:
    async with toy() as testee:
        first, second = await testee.ask("a"), await testee.ask("large")
        assert first["output"]["pid"] == second["output"]["pid"]
        assert len(second["output"]["x"]) == 600_000
        assert testee.hello["name"] == "toy"
        assert testee.starts == 1


@pytest.mark.parametrize(("command", "why"), [("die", "code 7"), ("kill", "signal 9")])
async def test_a_testee_that_ends_is_started_anew(command: str, why: str) -> None:
    async with toy() as testee:
        await testee.ask("a")
        with pytest.raises(process.TesteeCrashed, match=why):
            await testee.ask(command)
        assert (await testee.ask("a"))["result"] == "valid"
        assert testee.starts == 2


async def test_a_testee_that_hangs_is_started_anew() -> None:
    async with toy(patience=1.0) as testee:
        with pytest.raises(process.TesteeHung, match="within 1 seconds"):
            await testee.ask("sleep")
        assert (await testee.ask("a"))["result"] == "valid"
        assert testee.starts == 2


@pytest.mark.parametrize("command", ["babble", "stale"])
async def test_what_is_no_answer_is_said(command: str) -> None:
    async with toy() as testee:
        with pytest.raises(process.TesteeError, match="no answer to request"):
            await testee.ask(command)


async def test_only_a_validating_run_minds_the_shape() -> None:
    async with toy() as testee:
        assert (await testee.ask("misshapen"))["result"] == "valid"
    async with toy(validate=True) as testee:
        with pytest.raises(process.TesteeError, match="does not fit the schema"):
            await testee.ask("misshapen")


async def test_what_cannot_be_started_or_speaks_another_version() -> None:
    with pytest.raises(process.TesteeCrashed, match="cannot be started"):
        await process.Testee(["/no/such/program"]).ask("a")
    async with toy('print(\'{"id": 1, "result": "invalid", "error": "No"}\', flush=True); input()') as testee:
        with pytest.raises(process.TesteeError, match="does not speak version 1"):
            await testee.ask("a")
