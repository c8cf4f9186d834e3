"""A running relay and devices that talk to it, for tests: real sessions over memory or loopback transports."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from e2esync.errors import Unreachable
from e2esync.relay.server import Relay
from e2esync.session import messages as m
from e2esync.session.client import (
    Answered,
    Challenged,
    ClientSession,
    Closing,
    Connected,
    Event,
    Pushed,
    RefusedRequest,
)
from e2esync.stores.relay import RelayStore
from e2esync.transports import Listener, connect, memory_pair
from e2esync.transports.base import Transport
from tests.session.world import NOW, Book, blob_of

PATIENCE = 20.0


class Device:
    """One session. Events wait in order; `ask` and `push` take what they are for and leave the rest."""

    def __init__(self, transport: Any, session: ClientSession) -> None:
        self.transport = transport
        self.session = session
        self.head: Any = None
        self._events: list[Event] = []

    async def shake(self) -> Device:
        """The handshake."""
        await self.transport.send(self.session.hello())
        while True:
            event = await self.event(Challenged, Connected)
            if isinstance(event, Connected):
                self.head = event.head
                return self
            await self.transport.send(self.session.proof())

    async def event(self, *kinds: type[Any]) -> Any:
        """The first event of these kinds; the others stay in order."""
        seen = 0
        with trio.fail_after(PATIENCE):
            while True:
                for index in range(seen, len(self._events)):
                    if isinstance(self._events[index], kinds):
                        return self._events.pop(index)
                seen = len(self._events)
                self._events += self.session.receive(await self.transport.receive())

    async def send(self, *requests: Any) -> None:
        """Sends requests and waits for nothing."""
        for request in requests:
            await self.transport.send(self.session.request(request))

    async def answer(self) -> Any:
        """The next answer, or the code of a refusal."""
        event = await self.event(Answered, RefusedRequest)
        return event.answer if isinstance(event, Answered) else event.error.reason

    async def ask(self, request: Any) -> Any:
        """A request's answer, or the code of its refusal. Nothing may be unanswered before."""
        await self.send(request)
        return await self.answer()

    async def push(self) -> Any:
        """The next push."""
        return (await self.event(Pushed)).message

    async def closing(self) -> int:
        """The relay says that it stops."""
        milliseconds: int = (await self.event(Closing)).milliseconds
        return milliseconds

    async def aclose(self) -> None:
        """Hangs up."""
        await self.transport.aclose()


class Scene:
    """A relay with one set on it, and ways to connect."""

    def __init__(self, relay: Relay, store: RelayStore, nursery: trio.Nursery, stop: trio.Event) -> None:
        self.relay = relay
        self.store = store
        self.stop = stop
        self.nursery = nursery
        self.book = Book(store.key.verify_key)
        self.transports: list[Transport] = []
        self._nonces = 0

    def raw(self, capacity: int = 16) -> Transport:
        """A transport whose other end the relay serves."""
        near, far = memory_pair(capacity)
        self.transports.append(near)
        self.nursery.start_soon(self.relay.handle, far)
        return near

    def session(self, member: int | None) -> ClientSession:
        """A fresh session of a member, or of a visitor."""
        self._nonces += 1
        nonce = self._nonces.to_bytes(32, "big")
        if member is None:
            return ClientSession(None, 0, None, self.store.key.verify_key, nonce)
        return ClientSession(self.book.set_id, member, self.book.signing[member], self.store.key.verify_key, nonce)

    async def device(self, member: int | None, listener: Listener | None = None, capacity: int = 16) -> Device:
        """A connected device; over the listener if one is given, else over memory."""
        transport = self.raw(capacity) if listener is None else await self.dial(listener)
        return await Device(transport, self.session(member)).shake()

    async def dial(self, listener: Listener) -> Transport:
        """A transport over a real socket."""
        transport = await connect(str(listener.address))
        self.transports.append(transport)
        return transport

    async def append(self, device: Device, **options: Any) -> m.Appended:
        """An append that is accepted."""
        request = self.book.append(**options)
        answer = await device.ask(request)
        assert isinstance(answer, m.Appended), answer
        self.book.landed(request.envelope)
        return answer

    async def blob(self, device: Device, content: bytes = b"m") -> bytes:
        """A complete blob's id."""
        name, data = blob_of(content)
        assert await device.ask(m.PutBlob(name, len(data), 0, data)) == m.BlobStored(len(data))
        return name


@asynccontextmanager
async def running(path: Path, listeners: tuple[Listener, ...] = (), **options: Any) -> AsyncIterator[Scene]:
    """A relay that runs, with the set made, until the block ends."""
    with RelayStore(path / "relay.sqlite3") as store:
        stop = trio.Event()
        relay = Relay(store, **{"now": lambda: NOW, **options})
        async with trio.open_nursery() as nursery:
            async def run(task_status: Any) -> None:
                await relay.run(listeners, stop=stop, task_status=task_status)

            await nursery.start(run)
            scene = Scene(relay, store, nursery, stop)
            visitor = await scene.device(None)
            assert await visitor.ask(scene.book.create()) == m.Created(scene.book.set_id)
            await visitor.aclose()
            try:
                yield scene
            finally:
                for transport in scene.transports:
                    await transport.aclose()
                nursery.cancel_scope.cancel()


async def gone(device: Device) -> None:
    """The relay hangs up on this device, after whatever it still has to say."""
    async def listen_on() -> None:
        while True:
            await device.transport.receive()

    with trio.fail_after(5), pytest.raises(Unreachable):
        await listen_on()
