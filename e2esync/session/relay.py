"""The relay's side of one connection (SPEC 13): frames in, commands out, answers in the order of the requests.

    START ──HELLO──► GREETED ──PROOF (visit)──► VISITING
                        └──────PROOF──► ADMITTING ──Welcome──► MEMBER, or FORMER for one that was removed, or
                                                               DELETED where the set was
    any state ──a malformed or untimely frame, or a refused proof──► CLOSED

No I/O, no clock, no knowledge of the store: what needs the store becomes a command, and its result comes back through
`complete`, in whatever order the store finishes; a result waits here until the ones before it are out. Memory is
bounded: `reading` is false while a proof is being checked, while 64 requests are unanswered, and after the end, and
the driver MUST NOT read the connection then.

Hostile frames raise nothing. They end in one refusal, and Disconnect.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from e2esync.crypto import SigningKey
from e2esync.errors import CryptoError, LocalProtocolError, WireError
from e2esync.limits import FRAME_MAX, HANDSHAKE_FRAME_MAX, PIPELINE_MAX, SPEC_VERSION
from e2esync.session import messages as m
from e2esync.session.codec import decode_message, encode_message, other_version
from e2esync.session.commands import (
    FORMER_MEMBERS,
    OF_DELETED_SETS,
    READING,
    VISITORS,
    VISITORS_ONLY,
    WRITING,
    Admit,
    Change,
    Command,
    Consult,
    Disconnect,
    StoreCommand,
    Transmit,
)
from e2esync.session.handshake import DELETED, FAREWELL, binding_of, check_find, sign_visit
from e2esync.session.kinds import Refusal
from e2esync.session.messages import Message, Side


class State(Enum):
    """Where the conversation stands."""

    START = auto()
    GREETED = auto()
    ADMITTING = auto()
    VISITING = auto()
    MEMBER = auto()
    FORMER = auto()
    DELETED = auto()
    CLOSED = auto()


_HANDSHAKE: Final = (m.Hello, m.Proof)

_RECEIVES: Final[dict[State, type[Message] | tuple[type[Message], ...]]] = {
    State.START: m.Hello,
    State.GREETED: m.Proof,
}
"""Which message each handshake state takes; VISITING and MEMBER take requests."""


@dataclass(slots=True)
class _Pending:
    """One request whose answer is not out yet."""

    command: StoreCommand | None
    frame: bytes | None = None


class RelaySession:
    """One connection. `nonce` is 32 fresh random bytes; `number` names this session to the store."""

    def __init__(self, relay_key: SigningKey, nonce: bytes, number: int = 0) -> None:
        self._key = relay_key
        self._nonce = nonce
        self._number = number
        self._hello = m.Hello(SPEC_VERSION, b"", 0, b"")
        self._mailbox: m.UseMailbox | None = None
        self._binding = b""
        self._pending: deque[_Pending] = deque()
        self._removed = 0
        self.state = State.START

    @property
    def set_id(self) -> bytes:
        """The set that the client named; empty for a visitor."""
        return self._hello.set_id

    @property
    def member(self) -> int:
        """The member that the client says it is; proved in state MEMBER only."""
        return self._hello.member

    @property
    def unanswered(self) -> int:
        """How many requests have no answer yet."""
        return len(self._pending)

    @property
    def reading(self) -> bool:
        """Whether the driver may hand over another frame."""
        return self.state not in (State.ADMITTING, State.CLOSED) and len(self._pending) < PIPELINE_MAX

    def receive(self, frame: bytes) -> list[Command]:
        """What to do about a frame from the client. LocalProtocolError only if `reading` is false."""
        if not self.reading:
            raise LocalProtocolError("the relay session takes no frame now")
        if self.is_too_long(len(frame)):
            return self.refuse(Refusal.BAD_FRAME, "a frame of the handshake is too long")
        try:
            message = decode_message(frame, Side.CLIENT)
        except WireError as error:
            if self.state is State.START and other_version(frame) is not None:
                return self._bad_version()
            return self.refuse(Refusal.BAD_FRAME, error.message)
        return self._take(message)

    def is_too_long(self, size: int) -> bool:
        """Whether a frame of `size` bytes is more than this state takes (SPEC 13.2 step 5); the driver asks midway."""
        return size > (HANDSHAKE_FRAME_MAX if self.state in _RECEIVES else FRAME_MAX)

    def refuse(self, code: Refusal, message: str) -> list[Command]:
        """The end: a refusal, which takes its turn behind the answers that may tell of durable work."""
        self.state = State.CLOSED
        return self._answer_now(m.RefusalAnswer(code, message))

    def complete(self, command: StoreCommand, result: Message) -> list[Command]:
        """The store's result of a command. Answers whose turn has come go out."""
        if self.state is State.FORMER and isinstance(result, m.ChainPart) and isinstance(command, Consult):
            result = self._up_to_removal(command, result)
        frame = encode_message(result)
        if isinstance(command, Admit):
            return self._admitted(result, frame)
        for pending in self._pending:
            if pending.command is command:
                pending.frame = frame
                break
        else:
            raise LocalProtocolError("a result came for a command that is not pending")
        return self._ready()

    def _take(self, message: Message) -> list[Command]:
        expected = _RECEIVES.get(self.state)
        if expected is not None:
            if not isinstance(message, expected):
                return self.refuse(Refusal.BAD_FRAME, f"a {type(message).__name__} came during the handshake")
            return self._greeted(message) if isinstance(message, m.Hello) else self._proved(message)
        if isinstance(message, _HANDSHAKE):
            return self.refuse(Refusal.BAD_FRAME, "the handshake is over")
        return self._requested(message)

    def _greeted(self, hello: m.Hello) -> list[Command]:
        if hello.version != SPEC_VERSION:
            return self._bad_version()
        if not hello.set_id and hello.member:
            return self.refuse(Refusal.BAD_FRAME, "a visitor is nobody's member")
        self._hello = hello
        self.state = State.GREETED
        # The same challenge for every set and member, known or not: it tells a stranger nothing.
        return [Transmit((encode_message(m.Challenge(self._nonce, self._key.verify_key)),))]

    def _proved(self, proof: Message) -> list[Command]:
        assert isinstance(proof, m.Proof)
        if bool(proof.signature) != bool(self._hello.set_id):
            return self.refuse(Refusal.BAD_FRAME, "a member proves its key and a visitor proves nothing")
        binding = binding_of(self._hello, self._nonce, self._key.verify_key)
        if not self._hello.set_id:
            self.state, self._binding = State.VISITING, binding
            return [Transmit((encode_message(m.Welcome(b"", sign_visit(self._key, binding))),))]
        self.state = State.ADMITTING
        return [Admit(self.set_id, self.member, binding, proof.signature)]

    def _admitted(self, result: Message, frame: bytes) -> list[Command]:
        if self.state is not State.ADMITTING:
            raise LocalProtocolError("no proof is being checked")
        if isinstance(result, m.Welcome):
            self.state = State.MEMBER
            if len(result.head) == FAREWELL:
                self.state, self._removed = State.FORMER, int.from_bytes(result.head, "big")
            elif result.head[:1] == DELETED:
                self.state = State.DELETED
            return [Transmit((frame,))]
        self.state = State.CLOSED
        return [Transmit((frame,)), Disconnect()]

    def _up_to_removal(self, command: Consult, part: m.ChainPart) -> m.ChainPart:
        """SPEC 13.2 step 4: a removed member reads the chain up to the record that removed it."""
        assert isinstance(command.request, m.ReadChain)
        return m.ChainPart(part.records[: max(self._removed + 1 - command.request.epoch, 0)])

    def _is_beyond(self, request: Message) -> bool:
        """Whether a removed member asks for more than the chain (SPEC 13.2 step 4)."""
        return self.state is State.FORMER and not isinstance(request, FORMER_MEMBERS)

    def _is_gone(self, request: Message) -> bool:
        """Whether a member asks for what went with the set (SPEC 13.14 step 4)."""
        return self.state is State.DELETED and not isinstance(request, OF_DELETED_SETS)

    def _requested(self, request: Message) -> list[Command]:
        answer = self._answer_without_store(request)
        if answer is not None:
            return self._answer_now(answer)
        command: StoreCommand
        if isinstance(request, WRITING):
            if isinstance(request, m.UseMailbox):
                self._mailbox = request
            command = Change(self._hello.set_id, self._hello.member, self._number, request, self._mailbox)
        else:
            assert isinstance(request, READING)
            command = Consult(self._hello.set_id, self._hello.member, request)
        self._pending.append(_Pending(command))
        return [command]

    def _answer_without_store(self, request: Message) -> Message | None:
        """The answer to what this session may not ask, or need not ask the store."""
        if self._is_beyond(request):
            return m.RefusalAnswer(Refusal.NOT_ALLOWED, "a removed member reads the chain, no more")
        if self._is_gone(request):
            return m.RefusalAnswer(Refusal.NOT_ALLOWED, "this set was deleted; its chain can be read")
        visiting = self.state is State.VISITING
        if visiting and not isinstance(request, VISITORS):
            return m.RefusalAnswer(Refusal.NOT_ALLOWED, "this needs a member's session")
        if not visiting and isinstance(request, VISITORS_ONLY):
            return m.RefusalAnswer(Refusal.NOT_ALLOWED, "this needs a visitor's session")
        if isinstance(request, m.Ping):
            return m.Pong()
        if isinstance(request, m.Find) and not self._holds_key(request):
            return m.RefusalAnswer(Refusal.NOT_MEMBER, "the key was not proved in this session")
        return None

    def _holds_key(self, find: m.Find) -> bool:
        """SPEC 13.10 step 1: a signature that was seen elsewhere asks nothing here."""
        try:
            check_find(find.verify_key, self._binding, find.signature)
        except CryptoError:
            return False
        return True

    def _answer_now(self, answer: Message) -> list[Command]:
        self._pending.append(_Pending(None, encode_message(answer)))
        return self._ready()

    def _ready(self) -> list[Command]:
        frames: list[bytes] = []
        while self._pending and (frame := self._pending[0].frame) is not None:
            frames.append(frame)
            self._pending.popleft()
        commands: list[Command] = [Transmit(tuple(frames))] if frames else []
        if self.state is State.CLOSED and not self._pending and frames:
            commands.append(Disconnect())
        return commands

    def _bad_version(self) -> list[Command]:
        return self.refuse(Refusal.BAD_VERSION, f"this relay speaks version {SPEC_VERSION}")
