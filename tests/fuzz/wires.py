"""What strangers say before there is a frame: framing, WebSocket upgrades of both sides, HTTP, a proxy's answers.

Each target gives a connection these bytes, in pieces, and then hangs up. That it hung up is no error here.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import trio

from e2esync.errors import Unreachable
from e2esync.transports.base import Transport
from e2esync.transports.http import Page, answer_one
from e2esync.transports.socks import ask_proxy
from e2esync.transports.streams import WireStream
from e2esync.transports.tcp import TcpTransport
from e2esync.transports.websocket import accept_websocket, connect_websocket

PIECE: Final = 48
ACCEPT: Final = b"{accept}"
"""In what a server says: the answer to the client's key, which is drawn anew each time."""
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY: Final = re.compile(rb"Sec-WebSocket-Key: (\S+)")

_UPGRADE = (b"GET / HTTP/1.1\r\nHost: relay.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n")
_UPGRADED = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             b"Sec-WebSocket-Accept: " + ACCEPT + b"\r\n\r\n")
FRAMES: Final = [b"\0\0\0\3abc\0\0\0\0", b"\0\x10\0\1" + b"x" * 60]
UPGRADES: Final = [
    _UPGRADE + b"\x82\x83\0\0\0\0abc\x89\x80\0\0\0\0\x88\x82\0\0\0\0\x03\xe8",
    _UPGRADE + b"\x02\x81\0\0\0\0a\x80\x81\0\0\0\0b", b"GET / HTTP/1.1\r\nHost: relay.example\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: relay.example\r\nUpgrade: websocket\r\n\r\n\xff\xff\xff\xff",
]
ANSWERS: Final = [_UPGRADED + b"\x82\x03abc\x8a\x00", _UPGRADED + b"\x02\x01a\x80\x01b\x88\x02\x03\xe8"]
REQUESTS: Final = [b"GET /?a HTTP/1.1\r\nHost: a\r\n\r\n", b"HEAD / HTTP/1.1\r\n\r\n", b"POST / HTTP/1.1\r\n\r\n"]
REPLIES: Final = [b"\5\0\5\0\0\1\x7f\0\0\1\1\xbb", b"\5\0\5\0\0\3\1a\1\xbb", b"\5\0\5\4\0\1"]


class _Canned(trio.abc.Stream):
    """A stream whose other side says what it was told to, and hangs up."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        key = _KEY.search(bytes(data))
        if key:
            accept = base64.b64encode(hashlib.sha1(key[1] + _GUID, usedforsecurity=False).digest())
            self._data = self._data.replace(ACCEPT, accept)

    async def wait_send_all_might_not_block(self) -> None:
        """It never does."""

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        size = min(PIECE, max_bytes or PIECE)
        piece, self._data = self._data[:size], self._data[size:]
        return piece

    async def aclose(self) -> None:
        """There is nothing to close."""


def _run(talk: Callable[[_Canned], Awaitable[None]]) -> Callable[[bytes], None]:
    async def main(data: bytes) -> None:
        with suppress(Unreachable):
            await talk(_Canned(data))

    return lambda data: trio.run(main, data)


async def _read(transport: Transport) -> None:
    while True:
        await transport.receive()


async def _tcp(stream: _Canned) -> None:
    await _read(TcpTransport(WireStream(stream)))


async def _server(stream: _Canned) -> None:
    await _read(await accept_websocket(WireStream(stream)))


async def _client(stream: _Canned) -> None:
    await _read(await connect_websocket(WireStream(stream), "relay.example", 80, "/", False))


async def _page(stream: _Canned) -> None:
    async def answer(path: str) -> Page:
        return Page(path)

    await answer_one(WireStream(stream), answer)


async def _proxy(stream: _Canned) -> None:
    await ask_proxy(stream, "relay.example", 443)


WIRES: Final = {
    "wire-tcp": (_run(_tcp), FRAMES), "wire-websocket-server": (_run(_server), UPGRADES),
    "wire-websocket-client": (_run(_client), ANSWERS), "wire-http": (_run(_page), REQUESTS),
    "wire-proxy": (_run(_proxy), REPLIES),
}
