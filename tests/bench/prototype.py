"""What a relay costs that keeps no rule: the measure for one that does (`tests.bench.load`).

The same clients, the same frames, the same WebSocket library on trio, SQLite with group commit from one thread, an
answer to the writer and a push to the set's other device. No handshake, no chain, no limits, no hashes, no heads.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import apsw
import msgpack
import trio
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import SEND_EOF
from websockets.server import ServerProtocol

from e2esync.session.client import Connected
from tests.bench.lines import APPENDED, PUSHED, Line

_HELLO, _READY = 1, 4


class Peer:
    """A connection: frames out as one write per turn of the loop."""

    def __init__(self) -> None:
        self.protocol = ServerProtocol()
        self.wake = trio.Event()
        self.place = (0, 0)

    def queue(self, body: list[Any]) -> None:
        """Has a message sent."""
        self.protocol.send_binary(msgpack.packb(body))
        self.wake.set()


class Prototype:
    """Sets are numbers, members 1 and 2; whoever says it is one is believed."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._peers: dict[tuple[int, int], Peer] = {}
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._busy = False
        self._seqs: dict[int, int] = {}
        self._queue: SimpleQueue[list[tuple[int, bytes]]] = SimpleQueue()

    async def run(self) -> None:
        """Until it is killed."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(trio.to_thread.run_sync, self._store, trio.lowlevel.current_trio_token()))
            (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
            print(f"ws://127.0.0.1:{listener.socket.getsockname()[1]}", flush=True)
            await trio.serve_listeners(self._serve, [listener])

    async def _serve(self, stream: trio.SocketStream) -> None:
        peer = Peer()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._send, peer, stream)
            while data := await stream.receive_some(1 << 16):
                peer.protocol.receive_data(data)
                for event in peer.protocol.events_received():
                    if isinstance(event, Request):
                        peer.protocol.send_response(peer.protocol.accept(event))
                        peer.wake.set()
                    elif isinstance(event, Frame) and event.opcode is Opcode.BINARY:
                        self._received(peer, msgpack.unpackb(event.data))
            nursery.cancel_scope.cancel()

    async def _send(self, peer: Peer, stream: trio.SocketStream) -> None:
        while True:
            await peer.wake.wait()
            peer.wake = trio.Event()
            await stream.send_all(b"".join(part for part in peer.protocol.data_to_send() if part != SEND_EOF))

    def _received(self, peer: Peer, body: list[Any]) -> None:
        if body[0] == _HELLO:
            peer.place = (body[1], body[2])
            self._peers[peer.place] = peer
            peer.queue([_READY])
            return
        self._waiting.append((peer.place[0], body[2]))
        self._hand_over()

    def _hand_over(self) -> None:
        if self._waiting and not self._busy:
            batch, self._waiting = list(self._waiting), deque()
            self._busy = True
            self._queue.put(batch)

    def _stored(self, done: list[tuple[int, int, bytes]]) -> None:
        self._busy = False
        self._hand_over()
        for number, seq, envelope in done:
            self._peers[number, 1].queue([APPENDED, seq])
            if (number, 2) in self._peers:
                self._peers[number, 2].queue([PUSHED, seq, [envelope]])

    def _store(self, token: trio.lowlevel.TrioToken) -> None:
        connection = apsw.Connection(self._path)
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "full")
        connection.execute("CREATE TABLE sets (id INTEGER PRIMARY KEY, seq INTEGER NOT NULL)")
        connection.execute("CREATE TABLE log (owner INTEGER, seq INTEGER, envelope BLOB, PRIMARY KEY (owner, seq))")
        while batch := self._queue.get():
            done = []
            connection.execute("BEGIN IMMEDIATE")
            for number, envelope in batch:
                seq = self._seqs.get(number, 0) + 1
                self._seqs[number] = seq
                connection.execute("INSERT INTO log VALUES (?, ?, ?)", (number, seq, envelope))
                done.append((number, seq, envelope))
            for number in {number for number, _ in batch}:
                connection.execute(
                    "INSERT INTO sets VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET seq = ?2 WHERE seq < ?2",
                    (number, self._seqs[number]),
                )
            connection.execute("COMMIT")
            token.run_sync_soon(self._stored, done)


class Believed:
    """The client's side of a handshake that proves nothing."""

    def __init__(self, number: int, member: int) -> None:
        self._hello = msgpack.packb([_HELLO, number, member])

    def hello(self) -> bytes:
        """Who one says one is."""
        return self._hello

    def proof(self) -> bytes:
        """Nothing asks for it."""
        raise AssertionError("a prototype challenges nobody")

    def receive(self, message: bytes) -> list[Connected]:
        """Whatever comes, one is in."""
        del message
        return [Connected(None, b"")]


class Running:
    """A prototype in a process of its own."""

    def __init__(self, path: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.prototype", str(path)], stdout=subprocess.PIPE, text=True,
        )
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip()

    def lines(self, number: int) -> tuple[Line, Line]:
        """A set's two devices."""
        return Line(self.address, Believed(number, 1)), Line(self.address, Believed(number, 2))

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """Ends it."""
        self._process.kill()
        self._process.wait()


if __name__ == "__main__":
    trio.run(Prototype(sys.argv[1]).run)
