"""What moves frames (SPEC 13.1): the whole interface between the protocol and a network.

A transport carries frames of at most 1 MiB, whole and in order, both ways, until one side closes. It promises nothing
about who is at the other end: the handshake of SPEC 13.2 does. To embed e2esync over something else, write a class
with these three methods; nothing else is needed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from e2esync.errors import Unreachable


class Transport(Protocol):
    """One connection. One task sends and one task receives; they may be two tasks."""

    async def send(self, frame: bytes) -> None:
        """Sends one frame; returns when there is room for the next. Raises Unreachable once the connection is gone."""

    async def receive(self) -> bytes:
        """The next frame. Raises Unreachable at the end, RemoteProtocolError for what is no frame."""
        ...

    async def aclose(self) -> None:
        """Closes the connection; idempotent, and never raises."""


class CountingTransport(Transport, Protocol):
    """A transport that knows how many bytes crossed the wire, framing, upgrade and TLS included."""

    @property
    def sent(self) -> int:
        """Bytes sent since the connection began."""
        ...

    @property
    def received(self) -> int:
        """Bytes received since the connection began."""
        ...


def bound_reading(transport: Transport, check: Callable[[int], None] | None) -> None:
    """Has a transport ask, before it reads on, whether it may hold so many bytes of an unfinished frame.

    `check` raises what `receive` is to raise then. None: whatever a frame may have. A transport that gets its frames
    whole has nothing to ask.
    """
    if hasattr(transport, "check_unfinished"):
        transport.check_unfinished = check


def gone() -> Unreachable:
    """The error of a connection that has ended."""
    return Unreachable("the connection to the other side has ended")


def immediate_sender(transport: Transport) -> Callable[[Sequence[bytes]], bool] | None:
    """How to send frames without waiting, for a transport that can: its own `send_now`.

    That takes all of them, sends as much as there is room for, and says whether that was everything; if not,
    `send_many` sends the rest first. Raises Unreachable as `send` does.
    """
    now: Callable[[Sequence[bytes]], bool] | None = getattr(transport, "send_now", None)
    return now


def batch_sender(transport: Transport) -> Callable[[Sequence[bytes]], Awaitable[None]]:
    """How to send several frames at once: the transport's own `send_many` where it has one, else one by one."""
    many: Callable[[Sequence[bytes]], Awaitable[None]] | None = getattr(transport, "send_many", None)
    if many is not None:
        return many

    async def one_by_one(frames: Sequence[bytes]) -> None:
        for frame in frames:
            await transport.send(frame)
    return one_by_one
