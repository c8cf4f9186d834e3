"""What every transport promises (SPEC 13.1): whole frames, in order, both ways, and one error at the end."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from e2esync.errors import RemoteProtocolError, Unreachable
from e2esync.limits import FRAME_MAX
from e2esync.transports import CountingTransport, Listener, batch_sender, connect, listen, memory_pair
from tests.transports.certificates import contexts

SCHEMES = ["memory", "tcp", "ws", "tls", "wss"]


@asynccontextmanager
async def pair(scheme: str, folder: Path) -> AsyncIterator[tuple[Any, Any]]:
    """(client's end, server's end) of a connection."""
    if scheme == "memory":
        yield memory_pair(2)
        return
    server_tls, client_tls = contexts(folder) if scheme in ("tls", "wss") else (None, None)
    listener = await listen(f"{scheme}://127.0.0.1:0", server_tls)
    async with accepting(listener) as accepted:
        near = await connect(str(listener.address), client_tls)
        with trio.fail_after(10):
            far = await accepted.receive()
        try:
            yield near, far
        finally:
            await near.aclose()
            await far.aclose()


@asynccontextmanager
async def accepting(listener: Listener) -> AsyncIterator[trio.MemoryReceiveChannel[CountingTransport]]:
    """Accepts connections; each upgraded transport arrives on the channel."""
    send, receive = trio.open_memory_channel[CountingTransport](8)

    async def upgrade(stream: trio.SocketStream) -> None:
        try:
            await send.send(await listener.upgrade(stream))
        except (Unreachable, RemoteProtocolError):
            return
        # trio closes the socket of a handler that returns.
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, upgrade, list(listener.sockets))
        try:
            yield receive
        finally:
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_frames_arrive_whole_and_in_order(scheme: str, tmp_path: Path) -> None:
    frames = [b"", b"x", b"y" * 125, b"z" * 126, b"w" * 70_000, b"v" * FRAME_MAX, b"end"]
    async with pair(scheme, tmp_path) as ends, trio.open_nursery() as nursery:
        for near, far in (ends, ends[::-1]):
            nursery.start_soon(batch_sender(near), frames)
            with trio.fail_after(20):
                assert [await far.receive() for _ in frames] == frames


@pytest.mark.parametrize("scheme", ["tcp", "ws", "tls", "wss"])
async def test_what_is_sent_without_waiting_arrives_in_order(scheme: str, tmp_path: Path) -> None:
    async with pair(scheme, tmp_path) as (near, far):
        frames, full = [], False
        while not full:
            frames.append(len(frames).to_bytes(2) * 20_000)
            full = not near.send_now(frames[-1:])
        # Beyond what the socket takes at once; under TLS that is everything.
        assert (len(frames) == 1) == (scheme in ("tls", "wss"))
        frames.append(b"behind it")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(near.send_many, frames[-1:])
            with trio.fail_after(20):
                assert [await far.receive() for _ in frames] == frames
        assert near.sent == far.received


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_both_directions_at_once(scheme: str, tmp_path: Path) -> None:
    async with pair(scheme, tmp_path) as ends:
        got: dict[int, list[bytes]] = {0: [], 1: []}

        async def talk(side: int) -> None:
            for count in range(100):
                await ends[side].send(bytes([side]) * count * 50)

        async def hear(side: int) -> None:
            for _ in range(100):
                got[side].append(await ends[side].receive())

        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                for side in (0, 1):
                    nursery.start_soon(talk, side)
                    nursery.start_soon(hear, side)
        for side in (0, 1):
            assert got[side] == [bytes([1 - side]) * count * 50 for count in range(100)]


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_the_end_is_unreachable_on_both_sides(scheme: str, tmp_path: Path) -> None:
    async with pair(scheme, tmp_path) as (near, far):
        await near.send(b"last")
        await near.aclose()
        await near.aclose()
        with trio.fail_after(10):
            assert await far.receive() == b"last"
            with pytest.raises(Unreachable):
                await far.receive()
        for what in (near.receive(), near.send(b"x")):
            with pytest.raises(Unreachable):
                await what
        with trio.fail_after(10), pytest.raises(Unreachable):
            await send_forever(far)


async def send_forever(far: Any) -> None:
    while True:
        await far.send(b"x" * 100_000)


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_closing_wakes_a_receiver(scheme: str, tmp_path: Path) -> None:
    async with pair(scheme, tmp_path) as (near, _), trio.open_nursery() as nursery:
        nursery.start_soon(near.aclose)
        with trio.fail_after(10), pytest.raises(Unreachable):
            await near.receive()


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_bytes_are_counted_as_on_the_wire(scheme: str, tmp_path: Path) -> None:
    async with pair(scheme, tmp_path) as (near, far):
        await near.send(b"x" * 1000)
        await far.receive()
        assert (near.sent, near.received) == (far.received, far.sent)
        assert near.sent >= 1000 + {"memory": 0, "tcp": 4, "ws": 8, "tls": 25, "wss": 29}[scheme]


async def test_memory_waits_for_its_reader() -> None:
    near, _ = memory_pair(1)
    await near.send(b"x")
    with trio.move_on_after(0.02) as waited:
        await near.send(b"y")
    assert waited.cancelled_caught


async def test_a_certificate_that_nobody_vouches_for_is_unreachable(tmp_path: Path) -> None:
    server_tls, _ = contexts(tmp_path)
    for scheme in ("tls", "wss"):
        listener = await listen(f"{scheme}://127.0.0.1:0", server_tls)
        async with accepting(listener):
            with pytest.raises(Unreachable, match="TLS") as caught:
                await connect(str(listener.address))
            assert "self-signed" in caught.value.message or "certificate" in caught.value.message


async def test_tls_that_is_none_is_unreachable() -> None:
    listener = await listen("tcp://127.0.0.1:0")
    async with accepting(listener) as accepted:
        async def hang_up() -> None:
            await (await accepted.receive()).aclose()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(hang_up)
            with pytest.raises(Unreachable):
                await connect(f"tls://127.0.0.1:{listener.address.port}", ssl.create_default_context())
