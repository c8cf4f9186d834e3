"""The relay on real sockets: the weight of a reconnect, raw hostile bytes, a transport of one's own."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from e2esync.errors import Unreachable
from e2esync.limits import FRAME_MAX
from e2esync.session import messages as m
from e2esync.transports import listen
from tests.relay.driver import Device, running

RECONNECT_MAX = 1024


@pytest.mark.parametrize("scheme", ["ws", "tcp"])
async def test_a_conversation_over_sockets(tmp_path: Path, scheme: str) -> None:
    listener = await listen(f"{scheme}://127.0.0.1:0")
    async with running(tmp_path, (listener,)) as scene:
        one, two = await scene.device(1, listener), await scene.device(2, listener)
        for _ in range(3):
            answer = await scene.append(one)
            assert (await two.push()).head == answer.head
        assert len((await two.ask(m.Read(0, 1))).envelopes) == 3


async def test_a_reconnect_with_nothing_new_is_light(tmp_path: Path) -> None:
    listener = await listen("ws://127.0.0.1:0")
    async with running(tmp_path, (listener,)) as scene:
        one = await scene.device(1, listener)
        for _ in range(30):
            await scene.append(one)
        again = await scene.device(1, listener)
        assert again.head.seq == 30
        # What a device does that finds nothing new: it sees the head, and asks nothing.
        await again.aclose()
        assert again.transport.sent + again.transport.received < RECONNECT_MAX


async def test_a_silent_connection_is_kept_alive(tmp_path: Path) -> None:
    listener = await listen("ws://127.0.0.1:0")
    async with running(tmp_path, (listener,), keepalive=0.01) as scene:
        one = await scene.device(1, listener)
        before = one.transport.received
        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(swallow, one)
                while one.transport.received == before:
                    await trio.testing.wait_all_tasks_blocked()
                nursery.cancel_scope.cancel()
        assert await one.ask(m.Ping()) == m.Pong()


async def swallow(one: Device) -> None:
    """Receives, so that pings are answered; no frame comes."""
    pytest.fail(f"a frame came: {(await one.transport.receive())!r}")


async def test_two_ways_in_lead_to_one_relay(tmp_path: Path) -> None:
    listeners = await listen("ws://127.0.0.1:0"), await listen("tcp://127.0.0.1:0")
    async with running(tmp_path, listeners) as scene:
        one, two = [await scene.device(number + 1, listener) for number, listener in enumerate(listeners)]
        answer = await scene.append(one)
        assert (await two.push()).head == answer.head


@pytest.mark.parametrize("scheme", ["ws", "tcp"])
async def test_random_bytes_on_the_port_hurt_nobody(tmp_path: Path, scheme: str) -> None:
    draw = random.Random(7)
    listener = await listen(f"{scheme}://127.0.0.1:0")
    async with running(tmp_path, (listener,)) as scene:
        one = await scene.device(1, listener)
        for size in (0, 1, 4, 100, 5000, 70_000):
            stream = await trio.open_tcp_stream("127.0.0.1", listener.address.port)
            async with stream:
                try:
                    await stream.send_all(draw.randbytes(size))
                    await stream.send_eof()
                    with trio.fail_after(10):
                        while await stream.receive_some(4096):
                            pass
                except trio.BrokenResourceError:
                    # Reset: the relay hung up before it had read everything.
                    continue
        await scene.append(one)


async def test_an_announced_giant_is_refused_at_once(tmp_path: Path) -> None:
    listener = await listen("tcp://127.0.0.1:0")
    async with running(tmp_path, (listener,)) as scene:
        async with await trio.open_tcp_stream("127.0.0.1", listener.address.port) as stream:
            await stream.send_all((FRAME_MAX + 1).to_bytes(4, "big"))
            with trio.fail_after(10):
                assert b"BadFrame" in await stream.receive_some(4096)
                assert await stream.receive_some(4096) == b""
        assert scene.relay.connections == 0


async def test_an_upgrade_that_never_ends_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("e2esync.relay.server.HANDSHAKE_TIMEOUT", 50)
    listener = await listen("ws://127.0.0.1:0")
    async with running(tmp_path, (listener,)), await trio.open_tcp_stream("127.0.0.1", listener.address.port) as raw:
        await raw.send_all(b"GET / HTTP/1.1\r\n")
        with trio.fail_after(10):
            assert await raw.receive_some(100) == b""


async def test_addresses_are_logged_only_when_asked(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    for log_addresses in (False, True):
        listener = await listen("ws://127.0.0.1:0")
        folder = tmp_path / str(log_addresses)
        folder.mkdir()
        async with running(folder, (listener,), log_addresses=log_addresses) as scene:
            await scene.append(await scene.device(1, listener))
            assert ("127.0.0.1" in caplog.text) is log_addresses
            assert scene.book.set_id.hex() not in caplog.text
    assert "e2esync.websocket" not in caplog.text


# README's page: a transport that somebody else writes.

class PipeTransport:
    """Frames over any two byte streams, in a dozen lines: what an embedder writes."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.buffer = b""

    async def send(self, frame: bytes) -> None:
        await self.stream.send_all(b"%08x" % len(frame) + frame)

    async def receive(self) -> bytes:
        while len(self.buffer) < 8 or len(self.buffer) < 8 + int(self.buffer[:8], 16):
            data = await self.stream.receive_some(65536)
            if not data:
                raise Unreachable("the pipe is closed")
            self.buffer += data
        end = 8 + int(self.buffer[:8], 16)
        frame, self.buffer = self.buffer[8:end], self.buffer[end:]
        return frame

    async def aclose(self) -> None:
        await self.stream.aclose()


async def test_a_transport_of_ones_own_is_enough_on_both_sides(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        near, far = trio.testing.memory_stream_pair()
        scene.nursery.start_soon(scene.relay.handle, PipeTransport(far))
        one = await Device(PipeTransport(near), scene.session(1)).shake()
        two = await scene.device(2)
        answer = await scene.append(one)
        assert (await two.push()).head == answer.head
        await one.aclose()
