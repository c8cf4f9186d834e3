"""Byte streams under the transports: sockets, TLS, and the count of bytes on the wire.

A `WireStream` turns every way in which a socket or TLS can fail into Unreachable, so that the transports above have
one error to think of.
"""

from __future__ import annotations

import os
import socket
import ssl
from contextlib import suppress
from typing import Final

import trio

from e2esync.errors import Unreachable
from e2esync.transports.base import gone
from e2esync.transports.socks import ask_proxy, parse_proxy

READ_SIZE: Final = 64 << 10
SMALL_READ: Final = 8 << 10
"""Bytes read at once from whoever has not proved anything: who is refused still holds as much until it is gone."""
CONNECT_TIMEOUT: Final = 15.0
_KEEPALIVE: Final = 50

_BROKEN: Final = (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError, OSError)


def keep_alive(stream: trio.abc.Stream) -> None:
    """Has the system ask a silent peer whether it is there; address translators then remember the connection too."""
    if not isinstance(stream, trio.SocketStream):
        return
    # The names differ between systems, and a system without them has its own idea of how long is long.
    idle = getattr(socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", None))
    with suppress(OSError):
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if idle is not None:
            stream.setsockopt(socket.IPPROTO_TCP, idle, _KEEPALIVE)


class CountedStream(trio.abc.Stream):
    """A stream that counts its bytes; under TLS it counts the encrypted ones."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self.sent = 0
        self.received = 0

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Sends and counts."""
        await self._stream.send_all(data)
        self.sent += len(data)

    async def wait_send_all_might_not_block(self) -> None:
        """As the stream below."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receives and counts."""
        data = await self._stream.receive_some(max_bytes)
        self.received += len(data)
        return data

    async def aclose(self) -> None:
        """Closes the stream below."""
        await self._stream.aclose()


class WireStream:
    """A byte stream whose every failure is Unreachable, and whose bytes are counted."""

    def __init__(self, stream: trio.abc.Stream, tls: ssl.SSLContext | None = None, host: str | None = None) -> None:
        keep_alive(stream)
        self._counted = CountedStream(stream)
        self._stream: trio.abc.Stream = self._counted
        self._tls: trio.SSLStream[CountedStream] | None = None
        # Only a bare socket can be written to without waiting.
        self._socket = stream.socket if isinstance(stream, trio.SocketStream) and tls is None else None
        if tls is not None:
            # Peers hang up without TLS's goodbye all the time; frames carry their own lengths, so nothing is cut short.
            self._tls = trio.SSLStream(
                self._counted, tls, server_hostname=host, server_side=host is None, https_compatible=True
            )
            self._stream = self._tls

    @property
    def sent(self) -> int:
        """Bytes sent, as they are on the wire."""
        return self._counted.sent

    @property
    def received(self) -> int:
        """Bytes received, as they are on the wire."""
        return self._counted.received

    async def handshake(self) -> None:
        """The TLS handshake, if there is TLS. Raises Unreachable with the reason."""
        if self._tls is None:
            return
        try:
            await self._tls.do_handshake()
        except _BROKEN as error:
            cause = error.__cause__ if isinstance(error, trio.BrokenResourceError) else error
            reason = getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or "the connection broke"
            raise Unreachable(
                f"TLS with the other side failed: {reason}", "check the relay's address and its certificate"
            ) from error

    async def send_all(self, data: bytes) -> None:
        """Sends all of `data`."""
        try:
            await self._stream.send_all(data)
        except _BROKEN as error:
            raise gone() from error

    def send_now(self, data: bytes) -> int:
        """Sends as much of `data` as there is room for without waiting. Returns how many bytes that was."""
        if self._socket is None:
            return 0
        try:
            sent = os.write(self._socket.fileno(), data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise gone() from error
        self._counted.sent += sent
        return sent

    async def receive_some(self, limit: int = READ_SIZE) -> bytes:
        """Some bytes, at most `limit`; none at the end of the stream."""
        try:
            if self._socket is None:
                return bytes(await self._stream.receive_some(limit))
            return await self._read(self._socket, limit)
        except _BROKEN as error:
            raise gone() from error

    async def _read(self, source: trio.socket.SocketType, limit: int) -> bytes:
        # trio's own way tries first and waits then, which is two turns of its loop and a call in vain for each read.
        while source.fileno() >= 0:
            await trio.lowlevel.wait_readable(source)
            try:
                data = os.read(source.fileno(), limit)
            except BlockingIOError:
                continue
            self._counted.received += len(data)
            return data
        raise gone()

    async def aclose(self) -> None:
        """Closes at once; never raises."""
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(self._stream)


async def open_stream(host: str, port: int, tls: ssl.SSLContext | None, proxy: str = "") -> WireStream:
    """A connection to `host`:`port`, with TLS if a context is given, through a proxy if one is. Raises Unreachable."""
    first, first_port = parse_proxy(proxy) if proxy else (host, port)
    where = f"{'the proxy ' if proxy else ''}{first}:{first_port}"
    try:
        with trio.fail_after(CONNECT_TIMEOUT):
            stream = await trio.open_tcp_stream(first, first_port)
            if proxy:
                await _through_proxy(stream, host, port)
    except trio.TooSlowError as error:
        raise Unreachable(f"{where} does not answer") from error
    except OSError as error:
        raise Unreachable(f"cannot connect to {where}: {_reason(error)}") from error
    wire = WireStream(stream, tls, host if tls else None)
    try:
        with trio.fail_after(CONNECT_TIMEOUT):
            await wire.handshake()
    except BaseException as error:
        await wire.aclose()
        if isinstance(error, trio.TooSlowError):
            raise Unreachable(f"{where} does not answer") from error
        raise
    return wire


async def _through_proxy(stream: trio.SocketStream, host: str, port: int) -> None:
    try:
        await ask_proxy(stream, host, port)
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise


def _reason(error: OSError) -> str:
    # trio wraps the errors of all addresses of a name; the innermost one says what happened.
    inner: BaseException = error
    while isinstance(inner.__cause__, OSError | BaseExceptionGroup):
        inner = inner.__cause__
    if isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    if isinstance(inner, OSError) and inner.errno is not None and inner.errno > 0:
        return os.strerror(inner.errno).lower()
    return str(getattr(inner, "strerror", "") or "it is not in use").lower()
