"""What monitoring asks a relay, on a listener of its own: /healthz, /readyz, /metrics.

Alive is a process that answers. Ready is one that made a row durable just now, and does not stop. The listener is
plain HTTP: it is for the machine itself and whoever watches it, not for the world.
"""

from __future__ import annotations

import time
from typing import Final

import trio

from e2esync.errors import E2esyncError
from e2esync.relay.counters import exposition
from e2esync.relay.server import Relay
from e2esync.transports.http import NO_PAGE, Page, answer_one
from e2esync.transports.streams import WireStream

_READY_WITHIN: Final = 5.0
_METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"


class Health:
    """The pages of one relay process."""

    def __init__(self, relay: Relay, version: str) -> None:
        self._relay = relay
        self._version = version
        self._started = time.time()

    async def serve(self, sockets: list[trio.SocketListener]) -> None:
        """Answers until it is cancelled."""
        await trio.serve_listeners(self._accepted, sockets)

    async def answer(self, path: str) -> Page:
        """The page at a path."""
        if path == "/healthz":
            return Page("alive\n")
        if path == "/readyz":
            return await self._ready()
        if path == "/metrics":
            text = exposition(
                self._relay.counters, connected=self._relay.connections, version=self._version, started=self._started,
            )
            return Page(text, _METRICS)
        return NO_PAGE

    async def _ready(self) -> Page:
        if self._relay.stopping:
            return Page("stopping\n", status=503)
        try:
            with trio.fail_after(_READY_WITHIN):
                await self._relay.probe()
        except trio.TooSlowError:
            return Page("the store does not answer\n", status=503)
        except E2esyncError:
            return Page("the store cannot be written\n", status=503)
        return Page("ready\n")

    async def _accepted(self, stream: trio.SocketStream) -> None:
        await answer_one(WireStream(stream), self.answer)
