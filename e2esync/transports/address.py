"""Addresses of relays, and how to connect to and listen on them.

    ws://HOST[:PORT][/PATH]     WebSocket           port 80
    wss://HOST[:PORT][/PATH]    WebSocket on TLS    port 443
    tcp://HOST[:PORT]           bare frames         port 8765
    tls://HOST[:PORT]           bare frames on TLS  port 8765
    ssh://[USER@]HOST[:PORT][/PATH]   a relay that ssh starts there; see `stdio`

Anything else is for a distribution that somebody has installed: an entry point of the group `e2esync.transports`, named
as the scheme, is an async function that takes the URL and returns a transport, or raises Unreachable. With
E2ESYNC_PROXY=socks5://HOST:PORT, as for Tor, every connection but ssh's goes through that proxy, names and all.

Within `dialing` somebody else makes the connections: a test's network, or an application that has a line of its own.

The path is `/` unless given; a relay takes any. Scheme and host are case-blind, so an address survives a QR code in
capitals. To listen, `HOST:PORT` alone means ws, and port 0 means any free one.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Final
from urllib.parse import urlsplit

import trio

from e2esync.errors import E2esyncError, Unreachable
from e2esync.transports.base import CountingTransport
from e2esync.transports.http import Page
from e2esync.transports.stdio import SSH_PORT, connect_program, ssh_command
from e2esync.transports.streams import WireStream, open_stream
from e2esync.transports.tcp import TcpTransport
from e2esync.transports.websocket import accept_websocket, connect_websocket

DEFAULT_PORTS: Final = {"ws": 80, "wss": 443, "tcp": 8765, "tls": 8765, "ssh": SSH_PORT}
PLUGINS: Final = "e2esync.transports"
PROXY: Final = "E2ESYNC_PROXY"
_SECURE: Final = ("wss", "tls")

Dialer = Callable[[str], Awaitable[CountingTransport]]
"""Makes a transport to the relay at a URL, or raises Unreachable."""

_dialer: ContextVar[Dialer | None] = ContextVar("dialer", default=None)


@contextmanager
def dialing(dialer: Dialer) -> Iterator[None]:
    """Have this task, and those that it starts, connect through `dialer`, whatever the address."""
    token = _dialer.set(dialer)
    try:
        yield
    finally:
        _dialer.reset(token)


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed address."""

    scheme: str
    host: str
    port: int
    path: str = "/"

    @property
    def secure(self) -> bool:
        """Whether the address means TLS."""
        return self.scheme in _SECURE

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{'' if self.path == '/' else self.path}"


def parse_address(text: str) -> Address:
    """The address that `text` spells. Raises Unreachable, which says what an address looks like."""
    try:
        parts = urlsplit(text if "://" in text else f"ws://{text}")
        port = parts.port
    except ValueError as error:
        raise _no_address(text) from error
    ssh = parts.scheme == "ssh"
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or parts.fragment or parts.query or parts.password:
        raise _no_address(text)
    if parts.username is not None and not ssh:
        raise _no_address(text)
    if not ssh and (not parts.path.isascii() or any(letter <= " " for letter in parts.path)):
        raise _no_address(text)
    host = f"{parts.username}@{parts.hostname}" if parts.username else parts.hostname
    return Address(
        parts.scheme, host, DEFAULT_PORTS[parts.scheme] if port is None else port, parts.path or "/"
    )


async def connect(url: str, tls: ssl.SSLContext | None = None) -> CountingTransport:
    """A transport to the relay at `url`. Raises Unreachable, with one sentence that says why.

    `tls` replaces the ordinary context, which trusts the system's certificate authorities.
    """
    own = _dialer.get()
    if own is not None:
        return await own(url)
    plugged = _plugged(url)
    if plugged is not None:
        return await plugged(url)
    address = parse_address(url)
    if address.scheme == "ssh":
        return await connect_program(ssh_command(address.host, address.port, address.path))
    context = (tls or ssl.create_default_context()) if address.secure else None
    stream = await open_stream(address.host, address.port, context, os.environ.get(PROXY, ""))
    if address.scheme in ("tcp", "tls"):
        return TcpTransport(stream)
    try:
        return await connect_websocket(stream, address.host, address.port, address.path, address.secure)
    except BaseException:
        await stream.aclose()
        raise


@dataclass(frozen=True, slots=True)
class Listener:
    """A place where connections come in. `upgrade` makes a transport of a stream, or raises a SessionError."""

    address: Address
    sockets: tuple[trio.SocketListener, ...]
    upgrade: Callable[[trio.abc.Stream], Awaitable[CountingTransport]]


async def listen(text: str, tls: ssl.SSLContext | None = None, page: Page | None = None) -> Listener:
    """Listens on an address; its `address` names the real port. Raises Unreachable if that cannot be.

    A TLS address needs a context with a certificate. `page` is for browsers, on addresses of WebSockets.
    """
    address = parse_address(text)
    if address.scheme == "ssh":
        raise Unreachable("nobody listens on ssh", "ssh runs `e2esync relay serve --stdio` by itself")
    if address.secure and tls is None:
        raise Unreachable(f"{address} needs a certificate", "give --tls-cert and --tls-key")
    try:
        sockets = await trio.open_tcp_listeners(address.port, host=address.host)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or "no such address"
        hint = "choose another port, or an address of this machine"
        raise Unreachable(f"cannot listen on {address}: {str(reason).lower()}", hint) from error
    port = sockets[0].socket.getsockname()[1]
    real = Address(address.scheme, address.host, port, address.path)
    context = tls if address.secure else None

    async def upgrade(raw: trio.abc.Stream) -> CountingTransport:
        stream = WireStream(raw, context)
        try:
            await stream.handshake()
            if address.scheme in ("tcp", "tls"):
                return TcpTransport(stream)
            return await accept_websocket(stream, page)
        except BaseException:
            await stream.aclose()
            raise
    return Listener(real, tuple(sockets), upgrade)


def _plugged(url: str) -> Dialer | None:
    """What somebody else's distribution makes of an address whose scheme is none of ours."""
    scheme, found, _ = url.partition("://")
    if not found or scheme.lower() in DEFAULT_PORTS:
        return None
    for entry in entry_points(group=PLUGINS, name=scheme.lower()):
        dialer: Dialer = entry.load()
        return dialer
    return None


def _no_address(text: str) -> E2esyncError:
    return Unreachable(f"{text[:100]!r} is no relay address", "write it as wss://relay.example or ws://127.0.0.1:8765")
