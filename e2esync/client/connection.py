"""A connection to a relay, driven with trio: procedures over a transport (SPEC 13, 14).

One task uses a connection at a time. What others did arrives as pushes between the answers and is kept in order for
`next_push`; nothing runs in the background, so nothing changes while nobody looks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TypeVar

import trio

from e2esync.crypto import Entropy, SigningKey
from e2esync.errors import Refused, Unreachable
from e2esync.limits import PIPELINE_MAX
from e2esync.log.head import Head
from e2esync.procedures.steps import Procedure, ask
from e2esync.session.client import Answered, Challenged, ClientSession, Closing, Connected, Pushed, RefusedRequest
from e2esync.session.messages import Answer, DeletionPush, LogPush, MailPush, RecordPush, Request, SlotPush
from e2esync.transports.address import connect
from e2esync.transports.base import Transport, batch_sender

Result = TypeVar("Result")
Asked = TypeVar("Asked")
Push = LogPush | RecordPush | SlotPush | MailPush | DeletionPush

PATIENCE = 60.0
"""Seconds that a relay may take to answer before it counts as unreachable."""


class Connection:
    """A session over a transport. `head` is the relay's at the handshake, None for a visit.

    `word` is the newest word on deleting the set that the relay has told of; `deleted` the one by which it says that
    the set is gone. Neither has been checked (SPEC 10.9).
    """

    def __init__(self, transport: Transport, session: ClientSession) -> None:
        self.transport = transport
        self.session = session
        self.head: Head | None = None
        self.relay_key = b""
        self.removed: int | None = None
        self.deleted = self.word = b""
        self._send_many = batch_sender(transport)
        self._pushes: deque[Push] = deque()

    @classmethod
    async def as_member(cls, url: str, set_id: bytes, member: int, signing_key: SigningKey, relay_key: bytes | None,
                        entropy: Entropy, *, former: bool = False) -> Connection:
        """Connect as a member; without `relay_key` any relay is trusted.

        Raises Unreachable, HandshakeFailed, or Refused (NotMember). A member that was removed, or whose set was
        deleted, is refused in the same way, unless `former`: then `removed` says in which epoch, or `deleted` by which
        word, and the chain may be read (SPEC 13.2).
        """
        nonce = entropy.draw("session nonce", 32)
        connection = await cls._open(url, ClientSession(set_id, member, signing_key, relay_key, nonce))
        if connection.removed is not None and not former:
            await connection.aclose()
            raise Refused("NotMember", f"this member was removed in epoch {connection.removed}")
        if connection.deleted and not former:
            await connection.aclose()
            raise Refused("NotMember", "the relay says that this book was deleted there")
        return connection

    @classmethod
    async def as_visitor(cls, url: str, relay_key: bytes | None, entropy: Entropy) -> Connection:
        """Connect as nobody: to create a set, or to use a mailbox. Without `relay_key` any relay is trusted."""
        nonce = entropy.draw("session nonce", 32)
        return await cls._open(url, ClientSession(None, 0, None, relay_key, nonce))

    @classmethod
    async def _open(cls, url: str, session: ClientSession) -> Connection:
        connection = cls(await connect(url), session)
        try:
            await connection.shake_hands()
        except BaseException:
            await connection.aclose()
            raise
        return connection

    async def shake_hands(self) -> None:
        """The handshake (SPEC 13.2), on a transport that is connected."""
        await self.transport.send(self.session.hello())
        while True:
            event = await self._event()
            if isinstance(event, Challenged):
                await self.transport.send(self.session.proof())
            elif isinstance(event, Connected):
                self.head, self.relay_key, self.removed = event.head, event.relay_key, event.removed
                self.deleted = event.deleted
                return

    async def run(self, procedure: Procedure[Result]) -> Result:
        """Run a procedure to its end: send what it asks, hand it the answers. Raises what it raises."""
        try:
            requests = next(procedure)
            while True:
                requests = procedure.send(await self._exchange(requests))
        except StopIteration as stop:
            result: Result = stop.value
            return result
        finally:
            procedure.close()

    async def request(self, request: Request, answer_type: type[Asked]) -> Asked:
        """One request and its answer. Raises what the relay refused with."""
        return await self.run(ask(request, answer_type))

    async def next_push(self) -> Push:
        """The next thing that somebody else did; waits for it. Cancelling this loses nothing."""
        while not self._pushes:
            self._keep(await self._event(patience=float("inf")))
        return self._pushes.popleft()

    async def aclose(self) -> None:
        """Hang up."""
        with trio.CancelScope(deadline=trio.current_time() + 1, shield=True):
            await self.transport.aclose()

    async def _exchange(self, requests: list[Request]) -> Sequence[Answer | Refused]:
        answers: list[Answer | Refused] = []
        for start in range(0, len(requests), PIPELINE_MAX):
            group = requests[start : start + PIPELINE_MAX]
            await self._send_many([self.session.request(request) for request in group])
            while len(answers) < start + len(group):
                event = await self._event()
                if isinstance(event, Answered):
                    answers.append(event.answer)
                elif isinstance(event, RefusedRequest):
                    answers.append(event.error)
                else:
                    self._keep(event)
        return answers

    def _keep(self, event: object) -> None:
        if isinstance(event, Closing):
            raise Unreachable("the relay is being stopped")
        if isinstance(event, Pushed):
            if isinstance(event.message, DeletionPush):
                self.word = event.message.deletion
            self._pushes.append(event.message)

    async def _event(self, patience: float = PATIENCE) -> object:
        with trio.move_on_after(patience):
            frame = await self.transport.receive()
            (event,) = self.session.receive(frame)
            return event
        raise Unreachable(f"the relay did not answer for {PATIENCE:.0f} seconds")
