"""Devices that cost next to nothing: a relay is to be what is measured, not those who load it.

A line is a socket and a few dozen lines of WebSocket, without tasks; a selector turns to whichever has something. Only
the handshake is the library's own client.
"""

from __future__ import annotations

import base64
import os
import socket
import struct
from contextlib import suppress
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from e2esync.log.envelope import envelope_header
from e2esync.session import messages as m
from e2esync.session.client import Challenged, ClientSession, Connected
from e2esync.session.codec import encode_message
from tests.session.world import Book

APPENDED, REFUSED, PUSHED = 30, 40, 50
ENVELOPE: Final = 512
_READ: Final = 256 << 10
_PATIENCE: Final = 60


class Session(Protocol):
    """The client's side of a handshake: what a `ClientSession` does until both sides are proved."""

    def hello(self) -> bytes:
        """The first frame."""

    def proof(self) -> bytes:
        """The frame for a challenge."""

    def receive(self, frame: bytes) -> list[Any]:
        """What a frame means."""


class Line:
    """One device's connection. `advance` takes the handshake on; with `waiting`, as far as it goes."""

    def __init__(self, address: str, session: Session, *, waiting: bool = True) -> None:
        self._netloc = urlsplit(address).netloc
        self._session = session
        self._left = b""
        self._upgraded = self._asked = False
        host, _, port = self._netloc.partition(":")
        self.socket = socket.socket()
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(_PATIENCE if waiting else 0)
        with suppress(BlockingIOError):
            self.socket.connect((host, int(port)))
        if waiting:
            self._come()

    def fileno(self) -> int:
        """For selectors."""
        return self.socket.fileno()

    def advance(self) -> bool:
        """Does what can be done now; the socket is connected, or has failed to. Returns whether both sides are proved.

        Raises OSError when the connection breaks, or the relay says no.
        """
        if not self._asked:
            if error := self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(error, os.strerror(error))
            self._ask()
            return False
        self._more()
        if not self._upgraded:
            if b"\r\n\r\n" not in self._left:
                return False
            head, _, self._left = self._left.partition(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 101"):
                raise ConnectionRefusedError("the relay does not upgrade")
            self._upgraded = True
            self.send(self._session.hello())
        messages, self._left = unframed(self._left)
        for message in messages:
            for event in self._session.receive(message):
                if isinstance(event, Connected):
                    return True
                if isinstance(event, Challenged):
                    self.send(self._session.proof())
        return False

    def send(self, *messages: bytes) -> None:
        """Sends messages with one write."""
        self.socket.sendall(b"".join(map(framed, messages)))

    def receive(self) -> list[bytes]:
        """The messages that are there. Raises ConnectionResetError at the end of the connection."""
        try:
            self._more()
        except BlockingIOError:
            return []
        messages, self._left = unframed(self._left)
        return messages

    def close(self) -> None:
        """Hangs up."""
        self.socket.close()

    def _come(self) -> None:
        try:
            while not self.advance():
                pass
        except BaseException:
            self.close()
            raise
        self.socket.setblocking(False)

    def _ask(self) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        self._asked = True
        self.socket.sendall(
            f"GET / HTTP/1.1\r\nHost: {self._netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())

    def _more(self) -> None:
        data = self.socket.recv(_READ)
        if not data:
            raise ConnectionResetError("the relay hung up")
        self._left += data


def framed(message: bytes) -> bytes:
    """A message as a client's binary frame. A mask of zeroes is a mask: the relay takes it off as any other."""
    size = len(message)
    if size < 126:
        return struct.pack("!BBI", 0x82, 0x80 | size, 0) + message
    if size < 1 << 16:
        return struct.pack("!BBHI", 0x82, 0xFE, size, 0) + message
    return struct.pack("!BBQI", 0x82, 0xFF, size, 0) + message


def unframed(data: bytes) -> tuple[list[bytes], bytes]:
    """The whole messages in what a relay sent, and what is behind them. Its pings need no answer."""
    messages, start = [], 0
    while len(data) >= start + 2:
        size, begin = data[start + 1], start + 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size, begin = int.from_bytes(data[begin : begin + width]), begin + width
        if begin + size > len(data):
            break
        if data[start] == 0x82:
            messages.append(data[begin : begin + size])
        start = begin + size
    return messages, data[start:]


def member_line(address: str, key: bytes, book: Book, member: int, *, waiting: bool = True) -> Line:
    """A device of a set."""
    session = ClientSession(book.set_id, member, book.signing[member], key, os.urandom(32))
    return Line(address, session, waiting=waiting)


def visitor_line(address: str, key: bytes, *, waiting: bool = True) -> Line:
    """Somebody who is nobody's member."""
    return Line(address, ClientSession(None, 0, None, key, os.urandom(32)), waiting=waiting)


class Appends:
    """APPEND requests of a set's first epoch: each envelope another one, and as random as an encrypted one looks."""

    _number = int.from_bytes(os.urandom(6))

    def __init__(self) -> None:
        header = envelope_header(0)
        frame = framed(encode_message(m.Append(0, header + bytes(ENVELOPE - len(header)))))
        self._start = frame[: len(header) - ENVELOPE]
        self._end = os.urandom(ENVELOPE - len(header) - 8)

    def frames(self, count: int) -> bytes:
        """The frames of so many appends."""
        first = Appends._number
        Appends._number += count
        return b"".join(
            self._start + number.to_bytes(8) + self._end for number in range(first, first + count))
