"""Devices that cost next to nothing: a relay is to be what is measured, not those who load it.

A line is a socket and a few dozen lines of WebSocket, without tasks; a selector turns to whichever has something. Only
the handshake is the library's own client.
"""

from __future__ import annotations

import base64
import os
import selectors
import socket
import struct
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from e2esync.log.envelope import envelope_header
from e2esync.session import messages as m
from e2esync.session.client import Challenged, ClientSession, Connected, Event
from e2esync.session.codec import encode_message
from tests.session.world import Book

APPENDED, REFUSED, PUSHED = 30, 40, 50
ENVELOPE: Final = 512
_READ: Final = 256 << 10
_PATIENCE: Final = 60


class Line:
    """One device's connection. Blocking until `free`; then `receive` gives what is there."""

    def __init__(self, address: str) -> None:
        self.host = urlsplit(address)
        assert self.host.hostname is not None
        self.socket = socket.create_connection((self.host.hostname, self.host.port or 80), _PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._left = b""

    def fileno(self) -> int:
        """For selectors."""
        return self.socket.fileno()

    def upgrade(self) -> Line:
        """Asks for a WebSocket, and waits for it."""
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET / HTTP/1.1\r\nHost: {self.host.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        while b"\r\n\r\n" not in self._left:
            self._more()
        head, _, self._left = self._left.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101"), head
        return self

    def shake(self, session: ClientSession) -> Line:
        """The handshake of SPEC 13.2."""
        self.send(session.hello())
        while True:
            for event in self._events(session):
                if isinstance(event, Connected):
                    return self
                if isinstance(event, Challenged):
                    self.send(session.proof())

    def send(self, *messages: bytes) -> None:
        """Sends messages with one write, however full the socket is."""
        self.socket.sendall(b"".join(map(framed, messages)))

    def free(self) -> Line:
        """From now on nothing waits, but for room to send."""
        self.socket.setblocking(False)
        return self

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

    def _more(self) -> None:
        data = self.socket.recv(_READ)
        if not data:
            raise ConnectionResetError("the relay hung up")
        self._left += data

    def _events(self, session: ClientSession) -> Iterator[Event]:
        if not (messages := unframed(self._left)[0]):
            messages = self.receive()
        else:
            self._left = unframed(self._left)[1]
        for message in messages:
            yield from session.receive(message)


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


def member_line(address: str, key: bytes, book: Book, member: int) -> Line:
    """A device of a set, connected and proved."""
    session = ClientSession(book.set_id, member, book.signing[member], key, os.urandom(32))
    return Line(address).upgrade().shake(session)


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


def selector_of(lines: list[Line]) -> selectors.BaseSelector:
    """Turns to the lines that have something."""
    selector = selectors.DefaultSelector()
    for line in lines:
        selector.register(line, selectors.EVENT_READ, line)
    return selector
