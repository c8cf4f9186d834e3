"""Several relay processes over one database, and a crowd of devices that write through whichever relay answers.

A writer repeats an envelope, through another relay if need be, until one acknowledges it, as a real device does. What
was acknowledged is remembered here, and compared with what the database holds when all is over.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import trio

from e2esync.errors import E2esyncError
from e2esync.log.envelope import next_log_hash
from e2esync.log.head import from_short, verify_head
from e2esync.session import messages as m
from e2esync.session.client import ClientSession
from e2esync.session.commands import Change, Consult
from e2esync.stores.relay_engine import open_engine
from e2esync.transports import connect
from tests.relay.driver import Device
from tests.session.world import NOW, Book


class Relays:
    """Relay processes on one database. `kill` is kill -9; a killed one comes back on its port."""

    def __init__(self, url: str, folder: Path, count: int, scheme: str = "tcp") -> None:
        self._url = url
        self._log: IO[bytes] = (folder / "relays.log").open("ab")
        self._processes: list[subprocess.Popen[str]] = []
        self.addresses: list[str] = []
        for _ in range(count):
            process, address = self._run(f"{scheme}://127.0.0.1:0")
            self._processes.append(process)
            self.addresses.append(address)

    @property
    def program(self) -> list[str]:
        """How a relay is started."""
        return [sys.executable, "-m", "e2esync", "relay"]

    def kill(self, number: int) -> None:
        """kill -9."""
        self._processes[number].kill()
        self._processes[number].wait()

    def restart(self, number: int) -> None:
        """Starts a killed one on its old port."""
        self._processes[number], _ = self._run(self.addresses[number])

    @property
    def pids(self) -> list[int]:
        """Their process numbers."""
        return [process.pid for process in self._processes]

    def cpu(self) -> float:
        """Seconds of processor time that they have used so far."""
        ticks = 0
        for pid in self.pids:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """Ends all of them."""
        for process in self._processes:
            process.kill()
            process.wait()
        self._log.close()

    def _run(self, listen: str) -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(
            [*self.program, "serve", "--db", self._url, "--listen", listen, "--json"],
            stdout=subprocess.PIPE, stderr=self._log, text=True,
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        process.stdout.close()
        assert line, "a relay process did not start"
        return process, json.loads(line)["listening"][0]


@dataclass
class Crowd:
    """Sets with two writers and a listener each, every one of them at home at another relay."""

    url: str
    relays: Relays
    sets: int
    acknowledged: list[dict[bytes, int]] = field(default_factory=list)
    pushed: int = 0
    retries: int = 0
    stopping: bool = False
    patience: float = 90

    def found(self) -> None:
        """Makes the sets."""
        engine = open_engine(self.url)
        self.key = engine.key.verify_key
        self.books = [Book(self.key, seed=f"set {number}") for number in range(self.sets)]
        for book in self.books:
            (made,) = engine.execute([Change(b"", 0, 1, book.create())], NOW).outcomes
            assert made.result == m.Created(book.set_id)
            self.acknowledged.append({})
        engine.close()

    async def write(self, number: int, member: int) -> None:
        """Appends one envelope after the other until it is told to stop; each until it is acknowledged."""
        request: m.Append | None = None
        while not self.stopping or request is not None:
            try:
                async with self._device(number, member) as device:
                    while not self.stopping or request is not None:
                        request = request or self.books[number].append()
                        answer = await device.ask(request)
                        if isinstance(answer, m.Appended):
                            self.acknowledged[number][request.envelope] = answer.seq
                            request = None
                        else:
                            # Busy: the database is away.
                            self.retries += 1
                            await trio.sleep(0.1)
            except (E2esyncError, OSError, trio.TooSlowError):
                self.retries += 1
                await trio.sleep(0.05)

    async def listen(self, number: int) -> None:
        """Counts what is pushed; after a break it comes back through another relay."""
        while True:
            try:
                async with self._device(number, 2) as device:
                    while True:
                        push = await device.push()
                        if isinstance(push, m.LogPush):
                            self.pushed += len(push.envelopes)
            except (E2esyncError, OSError, trio.TooSlowError):
                await trio.sleep(0.05)

    async def run(self, chaos: Any) -> None:
        """Everybody at once, until the chaos is over and every writer has its acknowledgement."""
        with trio.fail_after(self.patience):
            async with trio.open_nursery() as listeners:
                async with trio.open_nursery() as writers:
                    for number in range(self.sets):
                        listeners.start_soon(self.listen, number)
                        for member in (1, 2):
                            writers.start_soon(self.write, number, member)
                    await chaos()
                    self.stopping = True
                listeners.cancel_scope.cancel()

    def check(self) -> int:
        """Nothing acknowledged is lost, nothing is there twice, and heads sign it. Returns how many were checked."""
        engine = open_engine(self.url)
        try:
            for book, acknowledged in zip(self.books, self.acknowledged, strict=True):
                log, head = _log(engine, book)
                assert len(set(log)) == len(log), "an envelope is in the log twice"
                for envelope, seq in acknowledged.items():
                    assert seq <= len(log), "an acknowledged envelope is lost"
                    assert log[seq - 1] == envelope, "an acknowledged envelope is lost"
                log_hash = book.chain.head.hash
                for envelope in log:
                    log_hash = next_log_hash(log_hash, envelope)
                whole = from_short(head, 0, log_hash, book.chain.head.hash, engine.incarnation)
                verify_head(whole, book.set_id, self.key)
        finally:
            engine.close()
        return sum(map(len, self.acknowledged))

    @asynccontextmanager
    async def _device(self, number: int, member: int) -> AsyncIterator[Device]:
        address = random.choice(self.relays.addresses)
        book = self.books[number]
        session = ClientSession(book.set_id, member, book.signing[member], self.key, random.randbytes(32))
        with trio.fail_after(5):
            transport = await connect(address)
        try:
            with trio.fail_after(5):
                device = await Device(transport, session).shake()
            yield device
        finally:
            await transport.aclose()


def _log(engine: Any, book: Book) -> tuple[list[bytes], Any]:
    log: list[bytes] = []
    while True:
        part = engine.read(Consult(book.set_id, 1, m.Read(0, len(log) + 1)), NOW)
        log += part.envelopes
        if part.head is not None:
            return log, part.head
