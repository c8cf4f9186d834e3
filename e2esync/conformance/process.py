"""The implementation under test as a process: one line asked, one line answered, started anew when it ends or hangs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import trio

from e2esync.conformance.protocol import LINE_MAX, VERSION, shape_problem

PATIENCE: Final = 30.0
"""Seconds that a testee may take for an answer: a passphrase takes one, a sync of thousands of contacts some."""
_READ: Final = 1 << 16


class TesteeError(Exception):
    """A testee did not answer as it has to. The words say how."""


class TesteeCrashed(TesteeError):
    """Its process ended, or could not be started."""


class TesteeHung(TesteeError):
    """It did not answer in time."""


class Testee:
    """A command that is started when it is first asked. With `validate` each of its answers must fit the schema."""

    def __init__(self, command: Sequence[str], *, patience: float = PATIENCE, validate: bool = False) -> None:
        self._command = list(command)
        self._patience = patience
        self._validate = validate
        self._process: trio.Process | None = None
        self._buffer = bytearray()
        self._asked = 0
        self.hello: dict[str, Any] = {}
        """What it says of itself: name, version, language."""
        self.starts = 0

    async def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """The answer to a request. Raises TesteeCrashed, TesteeHung, or TesteeError for what is no answer."""
        if self._process is None:
            await self._start()
        try:
            with trio.fail_after(self._patience):
                return await self._exchange({"command": command, **arguments})
        except trio.TooSlowError:
            await self.aclose()
            raise TesteeHung(f"no answer to `{command}` within {self._patience:g} seconds") from None
        except TesteeCrashed:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """End the process; the next request starts another one."""
        process, self._process = self._process, None
        self._buffer.clear()
        if process is None:
            return
        with trio.CancelScope(shield=True):
            if process.stdin is not None:
                await process.stdin.aclose()
            with trio.move_on_after(2):
                await process.wait()
            process.kill()
            await process.wait()
            if process.stdout is not None:
                await process.stdout.aclose()

    async def _start(self) -> None:
        try:
            self._process = await trio.lowlevel.open_process(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )
        except OSError as error:
            raise TesteeCrashed(f"{self._command[0]} cannot be started: {error.strerror or error}") from error
        self.starts += 1
        answer = await self.ask("hello", version=VERSION)
        if answer.get("result") != "valid":
            raise TesteeError(f"it does not speak version {VERSION} of the protocol")
        self.hello = dict(answer.get("output") or {})

    async def _exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdin is not None
        self._asked += 1
        request = {"id": self._asked, **request}
        try:
            await self._process.stdin.send_all(json.dumps(request).encode() + b"\n")
        except trio.BrokenResourceError as error:
            raise TesteeCrashed(await self._ended()) from error
        return self._answer(await self._line())

    async def _line(self) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        seen = 0
        while (end := self._buffer.find(b"\n", seen)) < 0:
            seen = len(self._buffer)
            if seen > LINE_MAX:
                raise TesteeCrashed(f"it wrote a line of more than {LINE_MAX} bytes")
            chunk = await self._process.stdout.receive_some(_READ)
            if not chunk:
                raise TesteeCrashed(await self._ended())
            self._buffer += chunk
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def _answer(self, line: bytes) -> dict[str, Any]:
        answer: Any = None
        with suppress(ValueError):
            answer = json.loads(line)
        if not isinstance(answer, dict) or answer.get("id") != self._asked:
            raise TesteeError(f"it wrote a line that is no answer to request {self._asked}: {line[:80]!r}")
        problem = shape_problem("answer", answer) if self._validate else ""
        if problem:
            raise TesteeError(f"its answer does not fit the schema: {problem}")
        return answer

    async def _ended(self) -> str:
        assert self._process is not None
        with trio.move_on_after(2):
            code = await self._process.wait()
            return f"it ended with code {code}" if code >= 0 else f"it was ended by signal {-code}"
        return "it closed its output"
