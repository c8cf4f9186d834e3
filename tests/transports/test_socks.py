"""A relay behind a real SOCKS5 proxy on loopback, and proxies that lie or fail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing

from e2esync.errors import Unreachable
from e2esync.session import messages as m
from e2esync.transports import connect, listen
from e2esync.transports.socks import ask_proxy, parse_proxy
from tests.relay.driver import Device, running


@asynccontextmanager
async def proxy(asked: list[tuple[str, int]], hosts: dict[str, str]) -> AsyncIterator[int]:
    """A SOCKS5 proxy: names are looked up in `hosts`, as Tor knows names that nobody else does."""
    async def serve(stream: trio.SocketStream) -> None:
        async def take(size: int) -> bytes:
            return b"".join([bytes(await stream.receive_some(1)) for _ in range(size)])

        _, methods = await take(2)
        await take(methods)
        await stream.send_all(b"\x05\x00")
        assert (await take(4)) == b"\x05\x01\x00\x03"
        name = (await take((await take(1))[0])).decode()
        port = int.from_bytes(await take(2), "big")
        asked.append((name, port))
        if name not in hosts:
            await stream.send_all(b"\x05\x04\x00\x01" + bytes(6))
            return
        there = await trio.open_tcp_stream(hosts[name], port)
        await stream.send_all(b"\x05\x00\x00\x03\x04here\x00\x50")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pump, stream, there)
            nursery.start_soon(pump, there, stream)

    async def pump(source: trio.SocketStream, target: trio.SocketStream) -> None:
        try:
            async for data in source:
                await target.send_all(data)
            await target.aclose()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return

    async with trio.open_nursery() as nursery:
        (listener, *_) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        yield listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def test_a_relay_that_only_the_proxy_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []
    listener = await listen("ws://127.0.0.1:0")
    port = listener.address.port
    async with running(tmp_path, (listener,)) as scene, proxy(asked, {"relay.onion": "127.0.0.1"}) as proxy_port:
        monkeypatch.setenv("E2ESYNC_PROXY", f"socks5://127.0.0.1:{proxy_port}")
        transport = await connect(f"ws://relay.onion:{port}")
        one = await Device(transport, scene.session(1)).shake()
        assert isinstance(await one.ask(scene.book.append()), m.Appended)
        await one.aclose()
        assert asked == [("relay.onion", port)]
        with pytest.raises(Unreachable, match="no way to the relay"):
            await connect("ws://other.onion")
        monkeypatch.setenv("E2ESYNC_PROXY", "http://127.0.0.1:1")
        with pytest.raises(Unreachable, match="no address of a proxy"):
            await connect(f"ws://relay.onion:{port}")


@pytest.mark.parametrize("answer", [
    b"", b"\x05", b"\x04\x00", b"\x05\x02", b"\x05\xff", b"HTTP/1.1 400", b"\x05\x00\x04\x00\x00\x01",
    b"\x05\x00\x05\x01\x00\x01", b"\x05\x00\x05\x63\x00\x01", b"\x05\x00\x05\x00\x00\x01\x00",
])
async def test_what_is_no_proxy_is_one_error(answer: bytes) -> None:
    near, far = trio.testing.memory_stream_pair()
    await far.send_all(answer)
    await far.send_eof()
    with trio.fail_after(5), pytest.raises(Unreachable):
        await ask_proxy(near, "relay.example", 443)


async def test_what_the_relay_says_behind_the_answer_is_left_for_it() -> None:
    near, far = trio.testing.memory_stream_pair()
    await far.send_all(b"\x05\x00\x05\x00\x00\x04" + bytes(18) + b"hello")
    await ask_proxy(near, "relay.example", 443)
    assert await near.receive_some(10) == b"hello"
    assert await far.receive_some(100) == b"\x05\x01\x00\x05\x01\x00\x03\x0drelay.example\x01\xbb"


@pytest.mark.parametrize("text", ["127.0.0.1:9050", "http://a", "socks5://", "socks5://a:b", "socks5://u:p@a",
                                  "socks5://a/b"])
def test_how_a_proxy_is_written(text: str) -> None:
    with pytest.raises(Unreachable):
        parse_proxy(text)
    assert parse_proxy("socks5://tor") == ("tor", 1080)
    assert parse_proxy("socks5h://[::1]:9050/") == ("::1", 9050)
