"""Frames over a byte stream: TCP or TLS (SPEC 13.1). Each frame is led by u32(length)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from e2esync.errors import RemoteProtocolError
from e2esync.limits import FRAME_MAX
from e2esync.transports.base import gone
from e2esync.transports.streams import READ_SIZE, SMALL_READ, WireStream

_LENGTH: Final = 4


class TcpTransport:
    """Length-prefixed frames on a connected stream."""

    def __init__(self, stream: WireStream) -> None:
        self._stream = stream
        self._buffer = bytearray()
        self._unsent = b""
        self.check_unfinished: Callable[[int], None] | None = None

    @property
    def sent(self) -> int:
        """Bytes sent, as they are on the wire."""
        return self._stream.sent

    @property
    def received(self) -> int:
        """Bytes received, as they are on the wire."""
        return self._stream.received

    async def send(self, frame: bytes) -> None:
        """Sends one frame."""
        await self.send_many((frame,))

    async def send_many(self, frames: Sequence[bytes]) -> None:
        """Sends frames with one write."""
        data, self._unsent = self._unsent + _joined(frames), b""
        await self._stream.send_all(data)

    def send_now(self, frames: Sequence[bytes]) -> bool:
        """Sends frames with one write that does not wait. Returns whether that was all of them."""
        data = self._unsent + _joined(frames)
        self._unsent = data[self._stream.send_now(data) :]
        return not self._unsent

    async def receive(self) -> bytes:
        """The next frame. RemoteProtocolError for a length above 1 MiB, before anything of it is read."""
        await self._fill(_LENGTH)
        length = int.from_bytes(self._buffer[:_LENGTH], "big")
        if length > FRAME_MAX:
            raise RemoteProtocolError(f"the other side announced a frame of {length} bytes; {FRAME_MAX} are allowed")
        await self._fill(_LENGTH + length)
        frame = bytes(self._buffer[_LENGTH:_LENGTH + length])
        del self._buffer[:_LENGTH + length]
        return frame

    async def aclose(self) -> None:
        """Closes the connection."""
        await self._stream.aclose()

    async def _fill(self, size: int) -> None:
        while len(self._buffer) < size:
            if self.check_unfinished is not None:
                self.check_unfinished(len(self._buffer))
            data = await self._stream.receive_some(READ_SIZE if self.check_unfinished is None else SMALL_READ)
            if not data:
                raise gone()
            self._buffer += data


def _joined(frames: Sequence[bytes]) -> bytes:
    return b"".join(len(frame).to_bytes(_LENGTH, "big") + frame for frame in frames)
