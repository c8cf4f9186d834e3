"""The post: what is queued for connections goes out once a turn of trio's loop, for all of them, from one task.

A batch of the store queues answers and pushes for many connections, several for some. To wake a task for each of them
costs more than to send; here one wakes, and each connection gets one write with everything.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import trio

if TYPE_CHECKING:
    from e2esync.relay.connection import Connection

logger: Final = logging.getLogger("e2esync.relay")


class Post:
    """Which connections have something to send."""

    def __init__(self) -> None:
        self._waiting: dict[Connection, None] = {}
        self._wake = trio.Event()

    def add(self, connection: Connection) -> None:
        """Has the connection flushed in the next turn."""
        if not self._waiting:
            self._wake.set()
        self._waiting[connection] = None

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            self.flush()

    def flush(self) -> None:
        """Sends what there is now, for whoever knows that nothing more will be queued in this turn."""
        waiting, self._waiting = self._waiting, {}
        for connection in waiting:
            try:
                connection.flush()
            except Exception:
                # Everybody's answers go through here: one connection's bug may not end it.
                logger.exception("a bug: a connection's answers could not be sent")
                connection.drop()
