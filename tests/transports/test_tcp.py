"""Frames over a byte stream: what a hostile stream can do (SPEC 13.1)."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from e2esync.errors import RemoteProtocolError, Unreachable
from e2esync.limits import FRAME_MAX
from e2esync.transports.base import bound_reading
from e2esync.transports.streams import WireStream
from e2esync.transports.tcp import TcpTransport


async def fed(data: bytes) -> TcpTransport:
    near, far = trio.testing.memory_stream_pair()
    await near.send_all(data)
    await near.send_eof()
    return TcpTransport(WireStream(far))


async def test_frames_are_led_by_their_length() -> None:
    near, far = trio.testing.memory_stream_pair()
    await TcpTransport(WireStream(near)).send(b"frame")
    assert await far.receive_some(100) == b"\0\0\0\5frame"


async def test_bytes_may_come_one_by_one() -> None:
    near, far = trio.testing.lockstep_stream_pair()
    transport = TcpTransport(WireStream(far))

    async def drip() -> None:
        for byte in b"\0\0\0\2ab\0\0\0\0":
            await near.send_all(bytes([byte]))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(drip)
        assert [await transport.receive(), await transport.receive()] == [b"ab", b""]


async def test_a_length_above_a_frame_is_refused_before_its_bytes_come() -> None:
    for length in (FRAME_MAX + 1, 0xFFFFFFFF):
        with pytest.raises(RemoteProtocolError):
            await (await fed(length.to_bytes(4, "big"))).receive()


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0\0\5fra"])
async def test_a_cut_stream_is_unreachable(data: bytes) -> None:
    with pytest.raises(Unreachable):
        await (await fed(data)).receive()


async def test_who_reads_decides_midway_how_much_of_a_frame_it_takes() -> None:
    near, far = trio.testing.memory_stream_pair()
    transport = TcpTransport(WireStream(far))

    def check(size: int) -> None:
        if size > 1000:
            raise Unreachable("too much")

    bound_reading(transport, check)
    await near.send_all(b"\0\0\0\2ab" + (5000).to_bytes(4, "big") + bytes(996))
    assert await transport.receive() == b"ab"
    async with trio.open_nursery() as nursery:
        async def one_more() -> None:
            await trio.testing.wait_all_tasks_blocked()
            await near.send_all(b"x")

        nursery.start_soon(one_more)
        with trio.fail_after(5), pytest.raises(Unreachable):
            await transport.receive()
