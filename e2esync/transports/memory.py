"""Two ends of a connection in one process: for tests, simulations, and a relay inside an application."""

from __future__ import annotations

import trio

from e2esync.transports.base import gone


class MemoryTransport:
    """One end. `sent` and `received` count the bytes of frames; there is no framing."""

    def __init__(
        self, outgoing: trio.MemorySendChannel[bytes], incoming: trio.MemoryReceiveChannel[bytes]
    ) -> None:
        self._outgoing = outgoing
        self._incoming = incoming
        self.sent = 0
        self.received = 0

    async def send(self, frame: bytes) -> None:
        """Sends one frame; waits while the other end has not taken the earlier ones."""
        try:
            await self._outgoing.send(frame)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise gone() from error
        self.sent += len(frame)

    async def receive(self) -> bytes:
        """The next frame."""
        try:
            frame = await self._incoming.receive()
        except (trio.EndOfChannel, trio.ClosedResourceError) as error:
            raise gone() from error
        self.received += len(frame)
        return frame

    async def aclose(self) -> None:
        """Closes both directions."""
        self._outgoing.close()
        self._incoming.close()


def memory_pair(capacity: int = 16) -> tuple[MemoryTransport, MemoryTransport]:
    """Two connected ends; each direction holds `capacity` frames before `send` waits."""
    there_send, there_receive = trio.open_memory_channel[bytes](capacity)
    back_send, back_receive = trio.open_memory_channel[bytes](capacity)
    return MemoryTransport(there_send, back_receive), MemoryTransport(back_send, there_receive)
