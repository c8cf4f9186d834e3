"""The two things that the demo runs beside itself: a real relay process, and taps that count bytes on its wire.

Invariants: the relay is its own process with its own folder, started by the command that a person would use; it is gone
when the block ends, whatever happens. A tap forwards bytes unchanged and knows nothing of the protocol, so what it
counts is what a network would carry.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import trio

from e2esync.errors import Unreachable

START_TIMEOUT: Final = 30.0
STOP_TIMEOUT: Final = 5.0
_CHUNK: Final = 64 << 10


class RelayProcess:
    """A relay that listens. `folder` holds all its files, the log of its messages included."""

    def __init__(self, process: trio.Process, folder: Path, host: str, port: int) -> None:
        self._process = process
        self.folder = folder
        self.host = host
        self.port = port

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"ws://{self.host}:{self.port}"

    async def stop(self) -> bool:
        """Ask it to stop as a service manager would; False if it had to be killed."""
        with trio.CancelScope(shield=True):
            if self._process.returncode is None:
                self._process.terminate()
            with trio.move_on_after(STOP_TIMEOUT) as patience:
                await self._process.wait()
            if patience.cancelled_caught:
                self._process.kill()
                await self._process.wait()
        return self._process.returncode == 0


@asynccontextmanager
async def relay_process(folder: Path) -> AsyncIterator[RelayProcess]:
    """A relay with its database in `folder`, on a free loopback port, for as long as the block lasts."""
    folder.mkdir(mode=0o700)
    command = [sys.executable, "-m", "e2esync", "relay", "serve", "--db", str(folder / "relay.sqlite3"),
               "--listen", "127.0.0.1:0", "--json"]
    with open(folder / "relay.log", "wb") as log:
        # A session of its own: Ctrl-C is for the demo, which then stops the relay itself.
        process = await trio.lowlevel.open_process(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True,
        )
    try:
        host, port = await _listening(process)
    except BaseException:
        await _kill(process)
        raise
    relay = RelayProcess(process, folder, host, port)
    try:
        yield relay
    finally:
        await relay.stop()


class Tap:
    """A port that leads to the relay and counts what passes, over all connections."""

    def __init__(self) -> None:
        self.url = ""
        self._up = 0
        self._down = 0
        self._open = 0
        self._changed = trio.Event()

    async def run(self, relay: RelayProcess, *, task_status: trio.TaskStatus[list[trio.SocketListener]]) -> None:
        """Forward until cancelled."""
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.url = f"ws://127.0.0.1:{listeners[0].socket.getsockname()[1]}"

        async def forward(device: trio.SocketStream) -> None:
            self._open += 1
            try:
                await self._forward(device, await trio.open_tcp_stream(relay.host, relay.port))
            except (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
                # One side hung up: the other learns it from the closed connection.
                pass
            finally:
                self._open -= 1
                self._changed.set()

        await trio.serve_listeners(forward, listeners, task_status=task_status)

    async def take(self) -> tuple[int, int]:
        """(bytes to the relay, bytes from it) since the last call, once the connections are closed."""
        while self._open:
            self._changed = trio.Event()
            await self._changed.wait()
        counted = self._up, self._down
        self._up = self._down = 0
        return counted

    async def _forward(self, device: trio.SocketStream, relay: trio.SocketStream) -> None:
        async with device, relay, trio.open_nursery() as nursery:

            async def upwards() -> None:
                while data := await device.receive_some(_CHUNK):
                    self._up += len(data)
                    await relay.send_all(data)
                nursery.cancel_scope.cancel()

            nursery.start_soon(upwards)
            while data := await relay.receive_some(_CHUNK):
                self._down += len(data)
                await device.send_all(data)
            nursery.cancel_scope.cancel()


async def _listening(process: trio.Process) -> tuple[str, int]:
    """Read the line that the relay prints when it listens."""
    assert process.stdout is not None
    line = b""
    with trio.move_on_after(START_TIMEOUT):
        while not line.endswith(b"\n") and (data := await process.stdout.receive_some()):
            line += data
    try:
        host, _, port = json.loads(line)["listening"][0].removeprefix("ws://").rpartition(":")
        return host, int(port)
    except (ValueError, KeyError, IndexError) as error:
        raise Unreachable("the demo's relay did not start", "try `e2esync relay serve` by itself") from error


async def _kill(process: trio.Process) -> None:
    with trio.CancelScope(shield=True):
        if process.returncode is None:
            process.kill()
        await process.wait()
