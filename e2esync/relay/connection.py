"""One client's connection to the relay: a task that reads, another one while the socket is full, and bounds on both.

The reader stops while too much is unanswered, so a client that floods waits in its own socket. What is queued for the
client goes out by the post, in one write. A client that does not read its pushes is not told of further ones; when it
has caught up with its socket it gets one push that shows it the gap, and reads the log.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import trio

from e2esync.errors import Refused, RemoteProtocolError, Unreachable
from e2esync.limits import HANDSHAKE_TIMEOUT, MAILBOX_TTL
from e2esync.session.codec import encode_message
from e2esync.session.commands import Change, Command, Consult, Disconnect, StoreCommand, Transmit
from e2esync.session.kinds import Refusal
from e2esync.session.messages import MailPush, Message
from e2esync.session.relay import RelaySession, State
from e2esync.transports.base import Transport, batch_sender, bound_reading, immediate_sender

if TYPE_CHECKING:
    from e2esync.relay.server import Relay

OUTBOX_MAX: Final = 1 << 20
"""Queued bytes beyond which no request is read and no push is queued."""
_VISITOR_OUTBOX_MAX: Final = 64 << 10
"""The same for whoever is no member: a visitor's answers are small."""
_FRAME_COST: Final = 64
"""What a queued frame weighs beside its bytes: half a million answers of two bytes are no megabyte."""

_HOPELESS: Final = 4 << 20
_PENDING_MAX: Final = 4 << 20
_SEND_TIMEOUT: Final = 60
_LAST_WORD: Final = 1
"""Seconds that whoever is hung up on has to read why: what it made the relay hold goes only then."""
KEEPALIVE: Final = 50.0
"""Seconds of silence after which a connection is kept alive: proxies forget those that are silent for a minute."""

_VISIT_MAX: Final = (MAILBOX_TTL + 60_000) / 1000


class Connection:
    """One connection, from its first frame to its end."""

    def __init__(
        self, relay: Relay, transport: Transport, session: RelaySession, number: int, address: str = "",
    ) -> None:
        self.number = number
        self.address = address
        self.session = session
        self.position = (0, 0)
        self.lagging = False
        self.beats: dict[int, bytes] = {}
        self.mailbox: tuple[bytes, int] | None = None
        self.mail_seen = -1
        self.gone = False
        self._relay = relay
        self._transport = transport
        self._send_many = batch_sender(transport)
        self._send_now = immediate_sender(transport)
        self._ping = getattr(transport, "ping", None)
        self._outbox: list[bytes] = []
        self._outbox_bytes = 0
        self._pending_bytes = 0
        self._unfinished = 0
        self._proved = False
        self._reads: deque[tuple[Consult, int, int]] = deque()
        self._reading_store = False
        self._writes_begun = 0
        self._writes_done = 0
        self._ending = False
        self._sending = False
        self._nursery: trio.Nursery | None = None
        self.last_sent = trio.current_time()
        self._room = trio.Event()
        self._scope = trio.CancelScope()

    @property
    def is_member(self) -> bool:
        """Whether a member has proved itself."""
        return self.session.state is State.MEMBER

    @property
    def busy(self) -> bool:
        """Whether something is undecided or unsent: what is being sent counts until it is out."""
        return bool(self._outbox_bytes or self.session.unanswered)

    @property
    def full(self) -> bool:
        """Whether the client does not keep up with what it is sent."""
        return self._outbox_bytes > (OUTBOX_MAX if self.is_member else _VISITOR_OUTBOX_MAX)

    async def run(self) -> None:
        """Until either side ends it. Raises nothing that a client can cause."""
        with self._scope:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                bound_reading(self._transport, self._hold)
                try:
                    await self._read()
                except RemoteProtocolError as error:
                    # Not even a frame: say so, if the other side still listens, and hang up.
                    await self._refuse(Refusal.BAD_FRAME, error.message[:1000])
                except Refused as error:
                    await self._refuse(Refusal(error.reason), error.message)
                except Unreachable:
                    self._scope.cancel()
                finally:
                    self._nursery = None
                    self._hold(0)

    def end(self) -> None:
        """Sends what is queued, then hangs up."""
        self._ending = True
        self._relay.post.add(self)

    def drop(self) -> None:
        """Hangs up at once."""
        self._scope.cancel()

    def queue(self, frame: bytes) -> None:
        """Queues a frame for the post. Heartbeats that waited for a reason to send go along."""
        self._outbox.append(frame)
        self._outbox_bytes += len(frame) + _FRAME_COST
        if self.beats and self.is_member:
            beats, self.beats = self.beats, {}
            for beat in beats.values():
                self._outbox.append(beat)
                self._outbox_bytes += len(beat) + _FRAME_COST
        if self._outbox_bytes > _HOPELESS:
            self.drop()
        self._relay.post.add(self)

    def flush(self) -> None:
        """Sends what is queued, as far as the socket has room; the rest has a task to wait for that."""
        if self._sending or self._nursery is None:
            return
        frames, self._outbox = self._outbox, []
        try:
            if self._send_now is not None and self._send_now(frames):
                self._sent()
                return
        except Unreachable:
            self._outbox.clear()
            self._scope.cancel()
            return
        self._sending = True
        self._nursery.start_soon(self._send, frames if self._send_now is None else ())

    def keep_alive(self) -> None:
        """Sends a ping, for proxies and address translators that forget who is silent."""
        self.last_sent = trio.current_time()
        if self._ping is not None and self._nursery is not None and not self._sending:
            self._nursery.start_soon(self._send_ping)

    def tell_mail(self, n: int, message: bytes) -> None:
        """Queues a message of the other side of the mailbox, once."""
        if n > self.mail_seen:
            self.mail_seen = n
            self.queue(encode_message(MailPush(n, message)))

    def complete(self, command: StoreCommand, result: Message, size: int) -> None:
        """The store's result of one of this connection's commands, which came in a frame of `size` bytes."""
        self._pending_bytes -= size
        self._hold(self._unfinished)
        if isinstance(command, Change):
            self._writes_done += 1
        elif isinstance(command, Consult):
            self._reading_store = False
        if self.session.state is not State.CLOSED or self.session.unanswered:
            self._do(self.session.complete(command, result), 0)
        self._next_read()
        self._room.set()

    async def _read(self) -> None:
        with trio.move_on_after(HANDSHAKE_TIMEOUT / 1000) as scope:
            while True:
                # Only when the proof is decided is it known whether there is anything more to wait for here.
                await self._readable()
                if self.session.state in (State.MEMBER, State.VISITING, State.FORMER):
                    break
                frame = await self._transport.receive()
                self._do(self.session.receive(frame), len(frame))
        if scope.cancelled_caught:
            self._scope.cancel()
            return
        with trio.move_on_after(_VISIT_MAX) as visit:
            if self.is_member:
                visit.deadline = float("inf")
                bound_reading(self._transport, None)
            while True:
                if not self._may_read():
                    await self._readable()
                frame = await self._transport.receive()
                self._hold(len(frame))
                self._do(self.session.receive(frame), len(frame))
                self._hold(0)
        self._scope.cancel()

    def _hold(self, unfinished: int) -> None:
        """SPEC 13.2 steps 5 and 6: so much of a frame is here that is not taken yet. Raises for what is too much."""
        self._proved = self._proved or self.is_member
        if self._proved:
            return
        self._unfinished = unfinished
        if self.session.is_too_long(unfinished):
            raise RemoteProtocolError("a frame of the handshake is too long")
        self._relay.visits.hold(self.number, self._pending_bytes, unfinished, self._turn_out)

    def _turn_out(self) -> None:
        self._unfinished = 0
        self.drop()

    async def _refuse(self, code: Refusal, message: str) -> None:
        self._unfinished = 0
        if self.session.state is not State.CLOSED:
            self._do(self.session.refuse(code, message), 0)
        with trio.move_on_after(_LAST_WORD):
            await trio.sleep_forever()
        self._scope.cancel()

    async def _readable(self) -> None:
        while not self._may_read():
            if self._ending or self.session.state is State.CLOSED:
                await self._wait_for_end()
            self._room = trio.Event()
            if not self._may_read():
                await self._room.wait()

    async def _wait_for_end(self) -> None:
        with trio.move_on_after(_SEND_TIMEOUT):
            await trio.sleep_forever()
        self._scope.cancel()

    def _may_read(self) -> bool:
        return (
            self.session.reading and not self._ending and not self._relay.stopping
            and not self.full and self._pending_bytes < _PENDING_MAX
        )

    def _do(self, commands: list[Command], size: int) -> None:
        for command in commands:
            if isinstance(command, Change):
                self._pending_bytes += size
                self._writes_begun += 1
                self._relay.submit(self, command, size)
            elif isinstance(command, Transmit):
                for frame in command.frames:
                    self.queue(frame)
            elif isinstance(command, Disconnect):
                self.end()
            elif isinstance(command, Consult):
                self._pending_bytes += size
                # An answer must not be older than what this session wrote before it asked.
                self._reads.append((command, size, self._writes_begun))
                self._next_read()
            else:
                self._pending_bytes += size
                self._relay.submit(self, command, size)

    def _next_read(self) -> None:
        # One read at a time: sixty-four answers of half a megabyte are not worth anybody's memory.
        if self._reading_store or self.full or not self._reads or self._reads[0][2] > self._writes_done:
            return
        consult, size, _ = self._reads.popleft()
        self._reading_store = True
        self._relay.consult(self, consult, size)

    def _sent(self) -> None:
        """Nothing is on its way any more, but for what was queued meanwhile."""
        self._outbox_bytes = sum(map(len, self._outbox)) + _FRAME_COST * len(self._outbox)
        self.last_sent = trio.current_time()
        self._room.set()
        self._next_read()
        if self.lagging and not self.full:
            self._relay.hub.catch_up(self)
        if self._ending and not self._outbox:
            self._scope.cancel()

    async def _send(self, frames: Sequence[bytes]) -> None:
        """Sends with waiting: what the socket had no room for, and whatever is queued meanwhile."""
        try:
            while True:
                with trio.fail_after(_SEND_TIMEOUT):
                    await self._send_many(frames)
                self._sent()
                if not self._outbox:
                    break
                frames, self._outbox = self._outbox, []
        except (Unreachable, trio.TooSlowError):
            self._outbox.clear()
            self._scope.cancel()
        self._sending = False

    async def _send_ping(self) -> None:
        assert self._ping is not None
        with trio.move_on_after(_SEND_TIMEOUT) as scope, suppress(Unreachable):
            await self._ping()
        if scope.cancelled_caught:
            self._scope.cancel()
