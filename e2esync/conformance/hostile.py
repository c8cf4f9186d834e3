"""The hostile relay of `e2esync.testing` on a loopback port, for testees in any language (SPEC appendix B).

Who is lied to is known by the member that a connection says it is: `member-2`; a visitor is `visitor`.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import trio

from e2esync.errors import E2esyncError, SessionError
from e2esync.session.codec import decode_message
from e2esync.session.messages import Hello, Side
from e2esync.testing import Clock, HostileRelay, Seen, Wire
from e2esync.testing.network import Conditions
from e2esync.transports.address import Listener, listen
from e2esync.transports.base import Transport


def name_of(member: int) -> str:
    """What the hostile relay calls a member's connections."""
    return f"member-{member}"


@asynccontextmanager
async def hostile_relay(seed: str) -> AsyncIterator[tuple[str, HostileRelay]]:
    """A relay that is honest until it is told to lie, and its URL."""
    with tempfile.TemporaryDirectory(prefix="e2esync-hostile-") as folder:
        listener = await listen("ws://127.0.0.1:0")
        async with trio.open_nursery() as nursery:
            relay = HostileRelay(Path(folder), Clock(trio.current_time), seed, nursery)
            nursery.start_soon(partial(_listen, listener, relay, nursery))
            try:
                yield str(listener.address), relay
            finally:
                nursery.cancel_scope.cancel()
        relay.close()


async def _listen(listener: Listener, relay: HostileRelay, nursery: trio.Nursery) -> None:
    async def handle(stream: trio.SocketStream) -> None:
        with suppress(SessionError):
            await _serve(await listener.upgrade(stream), relay)

    await trio.serve_listeners(handle, list(listener.sockets), handler_nursery=nursery)


async def _serve(transport: Transport, relay: HostileRelay) -> None:
    """Carry a connection's frames to the relay and back, until either end hangs up."""
    with suppress(SessionError):
        hello = await transport.receive()
        trace: list[Seen] = []
        wire = Wire(_name(hello), Conditions("none"), relay.hooks, trace)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(relay.serve, wire)
            await wire.client.send(hello)
            nursery.start_soon(_carry, transport, wire.client, nursery)
            await _carry(wire.client, transport, nursery)
    await transport.aclose()


async def _carry(source: Transport, target: Transport, nursery: trio.Nursery) -> None:
    with suppress(SessionError):
        while True:
            await target.send(await source.receive())
    nursery.cancel_scope.cancel()


def _name(frame: bytes) -> str:
    with suppress(E2esyncError):
        hello = decode_message(frame, Side.CLIENT)
        if isinstance(hello, Hello) and hello.set_id:
            return name_of(hello.member)
    return "visitor"
