"""Frames over WebSocket (SPEC 13.1), on the sans-I/O core of `websockets` and a trio stream.

One frame is one binary message. No extensions: what is encrypted does not compress, and a compressor is memory that a
stranger can make a relay spend. The upgrade has the headers that RFC 6455 requires and no others, which is a third of
a reconnect's bytes.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import trio
from websockets.client import ClientProtocol
from websockets.exceptions import WebSocketException
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import SEND_EOF, Event, Protocol, State
from websockets.server import ServerProtocol
from websockets.uri import WebSocketURI

from e2esync.errors import RemoteProtocolError, Unreachable
from e2esync.limits import FRAME_MAX
from e2esync.transports.base import gone
from e2esync.transports.http import NO_PAGE, Page, page_bytes
from e2esync.transports.streams import CONNECT_TIMEOUT, READ_SIZE, SMALL_READ, WireStream

# Empty fragments cost memory that no size limit sees.
_FRAGMENTS_MAX: Final = 1024
_GOODBYE_TIMEOUT: Final = 0.5
_REQUEST_MAX: Final = 16 << 10
"""An upgrade's request is larger than this only if somebody means harm: the library alone would hold a megabyte."""

# The library logs every connection, and tracebacks of what strangers send. What matters comes as an exception here.
_SILENT: Final = logging.getLogger("e2esync.websocket")
_SILENT.setLevel(logging.CRITICAL + 1)


class WebSocketTransport:
    """An upgraded connection."""

    def __init__(self, stream: WireStream, protocol: Protocol) -> None:
        self._stream = stream
        self._protocol = protocol
        self._frames: deque[bytes] = deque()
        self._fragments: list[bytes] = []
        self.check_unfinished: Callable[[int], None] | None = None
        # Whom a proxy in front says that it speaks for; a stranger can write anything there.
        self.forwarded = ""
        # Pongs leave from the task that receives, frames from the one that sends.
        self._sending = trio.Lock()
        self._unsent = b""

    @property
    def sent(self) -> int:
        """Bytes sent, as they are on the wire, upgrade included."""
        return self._stream.sent

    @property
    def received(self) -> int:
        """Bytes received, as they are on the wire, upgrade included."""
        return self._stream.received

    async def send(self, frame: bytes) -> None:
        """Sends one frame."""
        await self.send_many((frame,))

    async def send_many(self, frames: Sequence[bytes]) -> None:
        """Sends frames with one write."""
        if self._protocol.state is not State.OPEN:
            raise gone()
        for frame in frames:
            self._protocol.send_binary(frame)
        await self._flush()

    def send_now(self, frames: Sequence[bytes]) -> bool:
        """Sends frames with one write that does not wait. Returns whether that was all of them."""
        if self._protocol.state is not State.OPEN:
            raise gone()
        for frame in frames:
            self._protocol.send_binary(frame)
        if self._sending.locked() or self._unsent:
            return False
        self._gather()
        self._unsent = self._unsent[self._stream.send_now(self._unsent) :]
        return not self._unsent

    async def ping(self) -> None:
        """Keeps the connection alive through proxies; the other side's library answers."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_ping(b"")
            await self._flush()

    async def receive(self) -> bytes:
        """The next frame. RemoteProtocolError for text, or for what is no WebSocket; pings are answered meanwhile."""
        while not self._frames:
            if self.check_unfinished is not None:
                self.check_unfinished(len(self._protocol.reader.buffer) + sum(map(len, self._fragments)))
            data = await self._stream.receive_some(READ_SIZE if self.check_unfinished is None else SMALL_READ)
            if data:
                self._protocol.receive_data(data)
            else:
                self._protocol.receive_eof()
            self._collect()
            await self._flush()
            if not self._frames and (not data or self._protocol.state is not State.OPEN):
                raise self._why_ended()
        return self._frames.popleft()

    async def aclose(self) -> None:
        """Says goodbye, if that costs no waiting, and closes."""
        with trio.CancelScope(shield=True, deadline=trio.current_time() + _GOODBYE_TIMEOUT):
            if self._protocol.state is State.OPEN:
                self._protocol.send_close(CloseCode.NORMAL_CLOSURE)
                with suppress(Unreachable):
                    await self._flush()
        await self._stream.aclose()

    async def _flush(self) -> None:
        if not self._protocol.writes and not self._unsent:
            return
        async with self._sending:
            self._gather()
            data, self._unsent = self._unsent, b""
            if data:
                await self._stream.send_all(data)

    def _gather(self) -> None:
        self._unsent = b"".join((self._unsent, *(part for part in self._protocol.data_to_send() if part != SEND_EOF)))

    def _collect(self) -> None:
        self._take(self._protocol.events_received())

    def _take(self, events: Sequence[Event]) -> None:
        for event in events:
            if not isinstance(event, Frame):
                continue
            if event.opcode is Opcode.TEXT:
                raise self._broken(CloseCode.UNSUPPORTED_DATA, "frames are binary messages, and text came")
            if event.opcode is not Opcode.BINARY and event.opcode is not Opcode.CONT:
                continue
            self._fragments.append(bytes(event.data))
            if event.fin:
                self._frames.append(self._fragments[0] if len(self._fragments) == 1 else b"".join(self._fragments))
                self._fragments = []
            elif len(self._fragments) > _FRAGMENTS_MAX:
                raise self._broken(CloseCode.POLICY_VIOLATION, "a message came in too many fragments")

    def _broken(self, code: CloseCode, reason: str) -> RemoteProtocolError:
        if self._protocol.state is State.OPEN:
            self._protocol.fail(code, reason)
        return RemoteProtocolError(f"the other side broke the rules of WebSocket: {reason}")

    def _why_ended(self) -> Exception:
        error = self._protocol.parser_exc
        if isinstance(error, WebSocketException):
            return RemoteProtocolError(f"the other side broke the rules of WebSocket: {error}")
        return gone()


async def connect_websocket(stream: WireStream, host: str, port: int, path: str, secure: bool) -> WebSocketTransport:
    """The upgrade, as client. Raises Unreachable if something other than a relay answers."""
    protocol = ClientProtocol(WebSocketURI(secure, host, port, path, ""), max_size=FRAME_MAX, logger=_SILENT)
    transport = WebSocketTransport(stream, protocol)
    protocol.send_request(protocol.connect())
    try:
        with trio.fail_after(CONNECT_TIMEOUT):
            await transport._flush()
            await _upgraded(stream, protocol)
    except trio.TooSlowError as error:
        raise Unreachable(f"{host}:{port} takes connections and does not answer") from error
    if protocol.handshake_exc is not None:
        raise Unreachable(
            f"{host}:{port} answers, but is no relay: {protocol.handshake_exc}", "check the relay's address and path"
        ) from protocol.handshake_exc
    # Frames that came in one packet with the response are there already.
    transport._collect()
    return transport


async def accept_websocket(stream: WireStream, page: Page | None = None) -> WebSocketTransport:
    """The upgrade, as server. Raises RemoteProtocolError for a request that is none; it has been answered then.

    `page` is what a browser sees at `/`.
    """
    protocol = ServerProtocol(max_size=FRAME_MAX, logger=_SILENT)
    transport = WebSocketTransport(stream, protocol)
    request, behind = await _requested(stream, protocol)
    if page is not None and "Upgrade" not in request.headers:
        await stream.send_all(page_bytes(page if request.path.partition("?")[0] == "/" else NO_PAGE))
        raise RemoteProtocolError("the other side asked for a page, and has it")
    if protocol.eof_sent:
        # Frames that it must not send yet, or that are none: the library has ended its side and cannot answer.
        raise RemoteProtocolError("the other side sent something behind its request that ends the connection")
    transport.forwarded = ",".join(request.headers.get_all("X-Forwarded-For"))
    response = protocol.accept(request)
    # A date tells strangers the clock, which heads tell members already, and costs 37 bytes of every reconnect.
    for name in ("Date", "Server"):
        if name in response.headers:
            del response.headers[name]
    protocol.send_response(response)
    await transport._flush()
    if protocol.state is not State.OPEN:
        raise RemoteProtocolError("the other side asked for something that is no WebSocket")
    # Frames that came in one packet with the request.
    transport._take(behind)
    return transport


async def _upgraded(stream: WireStream, protocol: ClientProtocol) -> None:
    while protocol.state is State.CONNECTING and protocol.handshake_exc is None:
        data = await stream.receive_some()
        if not data:
            raise gone()
        protocol.receive_data(data)


async def _requested(stream: WireStream, protocol: ServerProtocol) -> tuple[Request, Sequence[Event]]:
    size = 0
    while True:
        data = await stream.receive_some(SMALL_READ)
        if not data:
            raise gone()
        if size > _REQUEST_MAX:
            raise RemoteProtocolError("the other side's request does not end")
        size += len(data)
        protocol.receive_data(data)
        if protocol.handshake_exc is not None:
            raise RemoteProtocolError("the other side does not speak HTTP") from protocol.handshake_exc
        events = protocol.events_received()
        if events and isinstance(events[0], Request):
            return events[0], events[1:]
