"""e2esync under asyncio, in one page: the procedures of `e2esync.procedures` over TCP framing (SPEC 13.1).

Everything below the I/O line is generators and state machines, so a driver has three things to do: move frames, hand
them to the session, and hand the answers to the procedure. `e2esync.client.connection` does the same with trio.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import TypeVar

from e2esync.errors import Refused
from e2esync.limits import FRAME_MAX
from e2esync.log.head import Head
from e2esync.procedures.steps import Procedure
from e2esync.session.client import Answered, Challenged, ClientSession, Closing, Connected, Pushed, RefusedRequest
from e2esync.session.messages import Answer, Request

Result = TypeVar("Result")


class AsyncioConnection:
    """A session with a relay. Pushes are kept in `pushes`, in order, for who wants to stay connected."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, session: ClientSession) -> None:
        self._reader = reader
        self._writer = writer
        self._session = session
        self.head: Head | None = None
        self.relay_key = b""
        self.pushes: deque[object] = deque()

    @classmethod
    async def open(cls, host: str, port: int, session: ClientSession) -> AsyncioConnection:
        """Connect and shake hands. Add `ssl=` here for tls://."""
        connection = cls(*await asyncio.open_connection(host, port), session)
        try:
            await connection._shake_hands()
        except BaseException:
            await connection.close()
            raise
        return connection

    async def run(self, procedure: Procedure[Result]) -> Result:
        """Run a procedure to its end: it yields requests, and is sent their answers."""
        try:
            requests = next(procedure)
            while True:
                requests = procedure.send(await self._ask(requests))
        except StopIteration as stop:
            result: Result = stop.value
            return result

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        await self._writer.wait_closed()

    async def _shake_hands(self) -> None:
        await self._send(self._session.hello())
        while not isinstance(event := await self._event(), Connected):
            if isinstance(event, Challenged):
                await self._send(self._session.proof())
        self.head, self.relay_key = event.head, event.relay_key

    async def _ask(self, requests: list[Request]) -> Sequence[Answer | Refused]:
        # Procedures never yield more requests than may be unanswered at a time.
        for request in requests:
            await self._send(self._session.request(request))
        answers: list[Answer | Refused] = []
        while len(answers) < len(requests):
            event = await self._event()
            if isinstance(event, Answered):
                answers.append(event.answer)
            elif isinstance(event, RefusedRequest):
                answers.append(event.error)
            elif isinstance(event, Pushed):
                self.pushes.append(event.message)
            elif isinstance(event, Closing):
                raise ConnectionError("the relay is being stopped")
        return answers

    async def _send(self, frame: bytes) -> None:
        self._writer.write(len(frame).to_bytes(4) + frame)
        await self._writer.drain()

    async def _event(self) -> object:
        size = int.from_bytes(await self._reader.readexactly(4))
        if size > FRAME_MAX:
            raise ConnectionError("the relay sends a frame that is too large")
        (event,) = self._session.receive(await self._reader.readexactly(size))
        return event
