"""An embedder's own transport: three methods, here over lines of base64, as a serial line or a chat room would take.

The relay runs in this process and is handed the other end, so that nothing but the transport carries the protocol.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from e2esync import Book, Plain, Profile, RecoveryKit, SystemEntropy
from e2esync.client.connection import Connection
from e2esync.client.sync import now_ms
from e2esync.errors import RemoteProtocolError, Unreachable
from e2esync.procedures.founding import create
from e2esync.procedures.steps import Link
from e2esync.procedures.syncing import sync
from e2esync.relay.server import Relay
from e2esync.replica.core import Replica
from e2esync.replica.founding import found
from e2esync.session.client import ClientSession
from e2esync.stores.relay import RelayStore

ENTROPY = SystemEntropy()
LINE_MAX = 2 << 20


class LineTransport:
    """Frames as lines of base64. `sent` and `received` are for who counts; the protocol does not need them."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._buffer = b""
        self.sent = 0
        self.received = 0

    async def send(self, frame: bytes) -> None:
        """Send one frame; whatever breaks is Unreachable."""
        line = base64.b64encode(frame) + b"\n"
        try:
            await self._stream.send_all(line)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise Unreachable("the line is cut") from error
        self.sent += len(line)

    async def receive(self) -> bytes:
        """The next frame; what is no frame is RemoteProtocolError."""
        while b"\n" not in self._buffer:
            try:
                data = await self._stream.receive_some()
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise Unreachable("the line is cut") from error
            if not data or len(self._buffer) > LINE_MAX:
                raise Unreachable("the line is cut")
            self.received += len(data)
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        try:
            return base64.b64decode(line, validate=True)
        except ValueError as error:
            raise RemoteProtocolError("a line that is not base64") from error

    async def aclose(self) -> None:
        """Hang up; never raises."""
        await trio.aclose_forcefully(self._stream)


@asynccontextmanager
async def line_to(relay: Relay) -> AsyncIterator[LineTransport]:
    """A line with the relay at its other end."""
    ours, theirs = (LineTransport(trio.SocketStream(end)) for end in trio.socket.socketpair())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(relay.handle, theirs)
        yield ours
        await ours.aclose()


async def test_a_sync_over_it(tmp_path: Path) -> None:
    with (RelayStore(tmp_path / "relay.sqlite3") as held,
          Profile.create(tmp_path / "profile", Plain(), entropy=ENTROPY) as profile):
        relay, store, kit = Relay(held), profile.store.book(0), RecoveryKit.generate(ENTROPY)
        async with trio.open_nursery() as nursery:
            await nursery.start(lambda task_status: relay.run([], task_status=task_status))
            async with line_to(relay) as line:
                visit = Connection(line, ClientSession(None, 0, None, None, ENTROPY.draw("session nonce", 32)))
                await visit.shake_hands()
                founding = found(store, kit.signing_key(0), kit.sealing_key(0), visit.relay_key, now_ms(), ENTROPY)
                await visit.run(create(founding))
            book = Book(profile)
            book.add({"@type": "Card", "version": "1.0", "name": {"full": "Over a serial line"}})
            replica = Replica(store)
            async with line_to(relay) as line:
                session = ClientSession(replica.set_id, replica.member, replica.signing_key, replica.chain.relay_key,
                                        ENTROPY.draw("session nonce", 32))
                member = Connection(line, session)
                await member.shake_hands()
                assert member.head is not None
                done = await member.run(sync(replica, Link(member.head, ENTROPY, now_ms)))
                assert (done.sent, book.status().unsent) == (1, 0)
                assert line.sent > 500
            nursery.cancel_scope.cancel()


async def test_it_keeps_the_promises_of_a_transport() -> None:
    here, there = (trio.SocketStream(end) for end in trio.socket.socketpair())
    line = LineTransport(here)
    await there.send_all(b"not base64!\n")
    with pytest.raises(RemoteProtocolError):
        await line.receive()
    await there.aclose()
    with pytest.raises(Unreachable):
        await line.receive()
    await line.aclose()
    with pytest.raises(Unreachable):
        await line.send(b"x")
