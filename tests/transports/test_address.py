"""Addresses of relays, and the errors of dialling and listening."""

from __future__ import annotations

import pytest
import trio

from e2esync.errors import Unreachable
from e2esync.transports.address import Address, connect, listen, parse_address


@pytest.mark.parametrize(("text", "expected"), [
    ("ws://relay.example", Address("ws", "relay.example", 80)),
    ("WSS://RELAY.EXAMPLE/sync", Address("wss", "relay.example", 443, "/sync")),
    ("wss://relay.example:8443/", Address("wss", "relay.example", 8443)),
    ("tcp://10.0.0.1", Address("tcp", "10.0.0.1", 8765)),
    ("tls://[::1]:99", Address("tls", "::1", 99)),
    ("127.0.0.1:8765", Address("ws", "127.0.0.1", 8765)),
])
def test_addresses(text: str, expected: Address) -> None:
    address = parse_address(text)
    assert address == expected
    assert parse_address(str(address)) == expected


@pytest.mark.parametrize("text", [
    "", "http://relay.example", "ws://", "ws://h:99999", "ws://h:x", "ws://[::1", "ws://user@h", "ws://h/#frag",
    "ws://h/?q", "ws://h/a b", "ws://h/ü", "ws:///path", "x" * 5000 + "://h",
])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(Unreachable) as caught:
        parse_address(text)
    assert caught.value.hint
    assert len(caught.value.message) < 200


async def test_nobody_listens() -> None:
    sockets = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = sockets[0].socket.getsockname()[1]
    for each in sockets:
        await each.aclose()
    for scheme in ("ws", "tcp"):
        with pytest.raises(Unreachable, match="connection refused"):
            await connect(f"{scheme}://127.0.0.1:{port}")


async def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("e2esync.transports.websocket.CONNECT_TIMEOUT", 0.05)
    (socket,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    with pytest.raises(Unreachable, match="does not answer"):
        await connect(f"ws://127.0.0.1:{socket.socket.getsockname()[1]}")
    await socket.aclose()


async def test_listening_where_one_cannot() -> None:
    listener = await listen("127.0.0.1:0")
    for text in (f"127.0.0.1:{listener.address.port}", "ws://192.0.2.1:0", "wss://127.0.0.1:0"):
        with pytest.raises(Unreachable):
            await listen(text)
    for each in listener.sockets:
        await each.aclose()
