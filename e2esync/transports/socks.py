"""SOCKS5 (RFC 1928), as much as Tor and ssh -D speak it: CONNECT to a name, without a password.

The name goes to the proxy as it is: who resolves it here has told the network where it is about to connect, and a name
that ends in .onion means nothing outside of Tor.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import trio

from e2esync.errors import E2esyncError, Unreachable

SCHEMES: Final = ("socks5", "socks5h")
DEFAULT_PORT: Final = 1080
_VERSION: Final = 5
_NAME_MAX: Final = 255
_REASONS: Final = {
    1: "it failed", 2: "its rules do not allow it", 3: "no way to the network", 4: "no way to the relay",
    5: "the relay does not take connections", 6: "the relay does not answer", 7: "it cannot connect",
    8: "it does not take names",
}
_ADDRESS_SIZES: Final = {1: 4, 4: 16}


def parse_proxy(text: str) -> tuple[str, int]:
    """Host and port of a proxy. Raises Unreachable, which says how one is written."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise _no_proxy() from error
    if parts.scheme not in SCHEMES or not parts.hostname or parts.username or parts.path not in ("", "/"):
        raise _no_proxy()
    return parts.hostname, port or DEFAULT_PORT


async def ask_proxy(stream: trio.abc.Stream, host: str, port: int) -> None:
    """Has the proxy at the other end connect to `host`:`port`; the stream is that connection then.

    Raises Unreachable with the proxy's reason.
    """
    name = host.encode("idna") if not host.isascii() else host.encode()
    if not 0 < len(name) <= _NAME_MAX:
        raise Unreachable("the relay's name is too long for a proxy")
    try:
        await stream.send_all(bytes([_VERSION, 1, 0]))
        if await _exactly(stream, 2) != bytes([_VERSION, 0]):
            raise Unreachable("the proxy wants a password, or is no SOCKS5 proxy", "check the address of the proxy")
        await stream.send_all(bytes([_VERSION, 1, 0, 3, len(name)]) + name + port.to_bytes(2, "big"))
        version, code, _, kind = await _exactly(stream, 4)
        if version != _VERSION:
            raise Unreachable("the proxy is no SOCKS5 proxy", "check the address of the proxy")
        if code:
            raise Unreachable(f"the proxy does not reach {host}:{port}: {_REASONS.get(code, 'it does not say why')}")
        size = _ADDRESS_SIZES.get(kind) or (await _exactly(stream, 1))[0]
        await _exactly(stream, size + 2)
    except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
        raise Unreachable("the proxy hung up") from error


async def _exactly(stream: trio.abc.Stream, size: int) -> bytes:
    """So many bytes and no more: what comes behind them is the relay's."""
    data = b""
    while len(data) < size:
        more = await stream.receive_some(size - len(data))
        if not more:
            raise Unreachable("the proxy hung up")
        data += more
    return data


def _no_proxy() -> E2esyncError:
    return Unreachable("this is no address of a proxy", "write it as socks5://127.0.0.1:9050")
