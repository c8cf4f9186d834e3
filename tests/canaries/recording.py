"""A port before the relay that writes down all that passes, and takes WebSocket's mask off it."""

from __future__ import annotations

from dataclasses import dataclass, field

import trio
from websockets.frames import Frame
from websockets.http11 import Request
from websockets.server import ServerProtocol

from e2esync.demo.processes import RelayProcess

_CHUNK = 64 << 10


@dataclass
class Recording:
    """What went either way, by connection."""

    url: str = ""
    up: list[bytearray] = field(default_factory=list)
    down: list[bytearray] = field(default_factory=list)

    async def run(self, relay: RelayProcess, *, task_status: trio.TaskStatus[None]) -> None:
        """Forward until cancelled."""
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.url = f"ws://127.0.0.1:{listeners[0].socket.getsockname()[1]}"

        async def pump(source: trio.SocketStream, sink: trio.SocketStream, written: bytearray) -> None:
            while data := await source.receive_some(_CHUNK):
                written += data
                await sink.send_all(data)

        async def forward(device: trio.SocketStream) -> None:
            up, down = bytearray(), bytearray()
            self.up.append(up)
            self.down.append(down)
            try:
                async with device, await trio.open_tcp_stream(relay.host, relay.port) as there, \
                        trio.open_nursery() as nursery:
                    nursery.start_soon(pump, device, there, up)
                    await pump(there, device, down)
                    nursery.cancel_scope.cancel()
            except* (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
                # One side hung up: the other learns it from the closed connection.
                pass

        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_listeners, forward, listeners)
            task_status.started()

    def everything(self) -> bytes:
        """All bytes as they were, and what devices sent once more as the relay reads it."""
        return b"".join([*self.up, *self.down, *(_unmasked(bytes(sent)) for sent in self.up)])


def _unmasked(sent: bytes) -> bytes:
    """The messages in one connection's bytes to the relay."""
    protocol = ServerProtocol(max_size=None)
    protocol.receive_data(sent[: sent.index(b"\r\n\r\n") + 4])
    (request,) = protocol.events_received()
    assert isinstance(request, Request)
    protocol.send_response(protocol.accept(request))
    protocol.receive_data(sent[sent.index(b"\r\n\r\n") + 4 :])
    return b"".join(bytes(event.data) for event in protocol.events_received() if isinstance(event, Frame))
