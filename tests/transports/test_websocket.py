"""WebSocket against hostile peers, its upgrade, and its weight (SPEC 13.1)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
import trio
import trio.testing

from e2esync.errors import RemoteProtocolError, SessionError, Unreachable
from e2esync.limits import FRAME_MAX
from e2esync.transports.base import bound_reading
from e2esync.transports.streams import SMALL_READ, WireStream
from e2esync.transports.websocket import WebSocketTransport, accept_websocket, connect_websocket

UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def masked(first: int, payload: bytes) -> bytes:
    """A client's WebSocket frame with a mask of zeros."""
    size = len(payload)
    if size < 126:
        return bytes([first, 0x80 | size]) + b"\0\0\0\0" + payload
    return bytes([first, 0x80 | 127]) + size.to_bytes(8, "big") + b"\0\0\0\0" + payload


@asynccontextmanager
async def upgraded() -> AsyncIterator[tuple[trio.abc.Stream, WebSocketTransport]]:
    """(raw client stream, the server's transport) after the upgrade."""
    near, far = trio.testing.memory_stream_pair()
    await near.send_all(UPGRADE)
    transport = await accept_websocket(WireStream(far))
    response = bytes(await near.receive_some(4096))
    assert response.startswith(b"HTTP/1.1 101 ")
    assert b"Date" not in response
    assert b"Server" not in response
    yield near, transport


async def test_a_message_may_come_in_fragments_with_pings_between() -> None:
    async with upgraded() as (raw, transport):
        parts = masked(0x02, b"one "), masked(0x89, b"ping"), masked(0x00, b"two "), masked(0x80, b"three")
        await raw.send_all(b"".join(parts))
        assert await transport.receive() == b"one two three"
        assert await raw.receive_some(100) == b"\x8a\x04ping"


async def test_the_relay_pings() -> None:
    async with upgraded() as (raw, transport):
        await transport.ping()
        assert await raw.receive_some(100) == b"\x89\x00"


@pytest.mark.parametrize("data", [
    masked(0x81, b"text"), masked(0xC2, b"reserved bit"), masked(0x80, b"continuation of nothing"),
    masked(0x83, b"unknown opcode"), b"\x82\x01x", masked(0x89, b"p" * 126), masked(0x02, b"a") + masked(0x82, b"b"),
    masked(0x82, bytes(FRAME_MAX + 1)), masked(0x02, bytes(FRAME_MAX)) + masked(0x80, b"x"),
    b"\x82\xff" + b"\xff" * 8, masked(0x02, b"") + masked(0x00, b"") * 2000,
])
async def test_broken_rules_are_one_error(data: bytes) -> None:
    async with upgraded() as (raw, transport), trio.open_nursery() as nursery:
        nursery.start_soon(raw.send_all, data)
        with trio.fail_after(10), pytest.raises(RemoteProtocolError):
            await transport.receive()
        await transport.aclose()
        nursery.cancel_scope.cancel()


async def test_a_largest_frame_passes_in_fragments_too() -> None:
    async with upgraded() as (raw, transport), trio.open_nursery() as nursery:
        half = bytes(FRAME_MAX // 2)
        nursery.start_soon(raw.send_all, masked(0x02, half) + masked(0x80, half))
        assert await transport.receive() == half * 2


async def test_a_goodbye_is_the_end() -> None:
    async with upgraded() as (raw, transport):
        await raw.send_all(masked(0x88, b"\x03\xe8"))
        with pytest.raises(Unreachable):
            await transport.receive()
        assert await raw.receive_some(100) == b"\x88\x02\x03\xe8"


@pytest.mark.parametrize("request_", [
    b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b"POST / HTTP/1.1\r\nHost: h\r\n\r\n", b"garbage\r\n\r\n",
    b"\x16\x03\x01\x00\r\n",
    UPGRADE.replace(b"13", b"12"), UPGRADE.replace(b"AAAA", b"%%%%"), b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 1000,
    b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n",
])
async def test_what_is_no_upgrade_is_answered_and_ended(request_: bytes) -> None:
    near, far = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.send_all, request_)
        with trio.fail_after(10), pytest.raises(SessionError):
            await accept_websocket(WireStream(far))


@pytest.mark.parametrize("behind", [b"\xff\xff\xff\xff", masked(0x88, b"\x03\xe8")], ids=["noise", "a goodbye"])
@pytest.mark.parametrize("request_", [UPGRADE, b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: x\r\n\r\n"])
async def test_what_comes_too_soon_behind_a_request_ends_it(request_: bytes, behind: bytes) -> None:
    near, far = trio.testing.memory_stream_pair()
    await near.send_all(request_ + behind)
    with pytest.raises((RemoteProtocolError, Unreachable)):
        await (await accept_websocket(WireStream(far))).receive()


async def test_a_cut_upgrade_is_unreachable() -> None:
    near, far = trio.testing.memory_stream_pair()
    await near.send_all(UPGRADE[:-4])
    await near.send_eof()
    with pytest.raises(Unreachable):
        await accept_websocket(WireStream(far))


@pytest.mark.parametrize("response", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: wrong\r\n\r\n", b"",
])
async def test_something_else_answers(response: bytes) -> None:
    near, far = trio.testing.memory_stream_pair()
    await far.send_all(response)
    await far.send_eof()
    with trio.fail_after(10), pytest.raises(Unreachable):
        await connect_websocket(WireStream(near), "relay.example", 80, "/", False)


async def test_frames_behind_the_upgrade_are_not_lost() -> None:
    near, far = trio.testing.memory_stream_pair()
    await near.send_all(UPGRADE + masked(0x82, b"eager"))
    transport = await accept_websocket(WireStream(far))
    assert await transport.receive() == b"eager"


async def test_who_reads_decides_midway_how_much_of_a_frame_it_takes() -> None:
    async with upgraded() as (raw, transport):
        asked: list[int] = []

        def check(size: int) -> None:
            asked.append(size)
            if size > 1000:
                raise Unreachable("too much")

        bound_reading(transport, check)
        half = masked(0x82, bytes(2000))[:900]
        await raw.send_all(masked(0x82, b"whole") + half)
        assert await transport.receive() == b"whole"
        await raw.send_all(masked(0x82, bytes(2000))[900:1800])
        with pytest.raises(Unreachable):
            await transport.receive()
        # What a library has taken off the buffer is its header alone.
        assert 0 <= 900 - asked[1] < 16
        assert asked[2] == asked[1] + 900


async def test_who_is_bounded_is_read_in_small_pieces() -> None:
    async with upgraded() as (raw, transport):
        asked: list[int] = []
        bound_reading(transport, asked.append)
        await raw.send_all(masked(0x82, bytes(50_000)))
        assert await transport.receive() == bytes(50_000)
        assert max(more - less for less, more in pairwise(asked)) <= SMALL_READ
        bound_reading(transport, None)
        await raw.send_all(masked(0x82, bytes(50_000)))
        assert await transport.receive() == bytes(50_000)


async def test_a_request_that_does_not_end_is_not_kept() -> None:
    near, far = trio.testing.memory_stream_pair()
    lines = b"".join(b"A%d: %s\r\n" % (number, b"b" * 4000) for number in range(100))
    async with trio.open_nursery() as nursery:
        stream = WireStream(far)
        nursery.start_soon(near.send_all, b"GET / HTTP/1.1\r\n" + lines)
        with trio.fail_after(10), pytest.raises(RemoteProtocolError):
            await accept_websocket(stream)
        assert stream.received <= (16 << 10) + 2 * SMALL_READ
