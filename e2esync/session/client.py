"""The client's side of a connection to the relay (SPEC 13): frames in, events out. No I/O, no clock.

    START ──hello()──► GREETED ──CHALLENGE──► CHALLENGED ──proof()──► PROVED ──WELCOME──► CONNECTED
                          └────────────── a refusal, or a broken rule ──────────────► CLOSED

The driver moves bytes: it sends what `hello`, `proof` and `request` return, and hands every frame that arrives to
`receive`. Requests may follow right behind the proof. Answers come in the order of the requests, so a queue of what
was asked says what each of them is; anything else that arrives must be a push.

LocalProtocolError means that the caller broke a rule, RemoteProtocolError that the relay did, HandshakeFailed that
the relay is not the expected one, and Refused that it does not want this member. After any of these but the first
the session is closed and the driver hangs up.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from e2esync.crypto import SigningKey, equal
from e2esync.errors import E2esyncError, HandshakeFailed, LocalProtocolError, Refused, RemoteProtocolError, WireError
from e2esync.limits import PIPELINE_MAX, SPEC_VERSION
from e2esync.log.head import Head
from e2esync.session import messages as m
from e2esync.session.codec import ANSWERS, decode_message, encode_message
from e2esync.session.handshake import (
    DELETED,
    FAREWELL,
    binding_of,
    check_visit,
    read_farewell,
    read_said,
    read_welcome,
    sign_proof,
)
from e2esync.session.kinds import Refusal
from e2esync.session.messages import Answer, Request, Side


class State(Enum):
    """Where the conversation stands."""

    START = auto()
    GREETED = auto()
    CHALLENGED = auto()
    PROVED = auto()
    CONNECTED = auto()
    CLOSED = auto()


_SENDS: Final[dict[tuple[State, str], State]] = {
    (State.START, "hello"): State.GREETED,
    (State.CHALLENGED, "proof"): State.PROVED,
    (State.PROVED, "request"): State.PROVED,
    (State.CONNECTED, "request"): State.CONNECTED,
}
"""What this side may send in which state, and the state after it."""

_RECEIVES: Final[dict[tuple[State, str], State]] = {
    (State.GREETED, "challenge"): State.CHALLENGED,
    (State.GREETED, "refusal"): State.CLOSED,
    (State.PROVED, "welcome"): State.CONNECTED,
    (State.PROVED, "refusal"): State.CLOSED,
    (State.CHALLENGED, "refusal"): State.CLOSED,
    (State.CONNECTED, "answer"): State.CONNECTED,
    (State.CONNECTED, "refusal"): State.CONNECTED,
    (State.CONNECTED, "push"): State.CONNECTED,
}
"""What the relay may send in which state, and the state after it."""

_PUSHES: Final = (m.LogPush, m.RecordPush, m.SlotPush, m.MailPush, m.DeletionPush)
_MINUTE: Final = 60_000


@dataclass(frozen=True, slots=True)
class Challenged:
    """The relay showed this key; `proof()` may follow. Somebody who trusts on first use stores it after Connected."""

    relay_key: bytes


@dataclass(frozen=True, slots=True)
class Connected:
    """Both sides have proved who they are. `head` is the relay's, verified with this connection; None for a visit.

    `removed`: the relay says that the record of this epoch removed the member, who may read the chain up to it and
    nothing else. Only that record proves it. `deleted`: the word, not checked yet, by which the relay says that the set
    was deleted; the chain is still to be read.
    """

    head: Head | None
    relay_key: bytes
    removed: int | None = None
    deleted: bytes = b""


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to one request."""

    request: Request
    answer: Answer


@dataclass(frozen=True, slots=True)
class RefusedRequest:
    """The relay refused one request. `data` is the open epoch (EpochClosed) or milliseconds to wait (TooOften)."""

    request: Request
    error: Refused
    data: int


@dataclass(frozen=True, slots=True)
class Pushed:
    """Something that another device did."""

    message: m.LogPush | m.RecordPush | m.SlotPush | m.MailPush | m.DeletionPush


@dataclass(frozen=True, slots=True)
class Closing:
    """The relay stops; come back after about so many milliseconds."""

    milliseconds: int


Event = Challenged | Connected | Answered | RefusedRequest | Pushed | Closing


class ClientSession:
    """One connection, as `member` of `set_id` (32 bytes), or as a visitor with `set_id` None.

    `expected_relay_key` None trusts whatever key the relay shows (first use); `nonce` is the draw `session nonce`.
    """

    def __init__(
        self, set_id: bytes | None, member: int, signing_key: SigningKey | None,
        expected_relay_key: bytes | None, nonce: bytes,
    ) -> None:
        if (set_id is None) != (signing_key is None):
            raise LocalProtocolError("a member's session needs a set and a signing key, a visit has neither")
        self._hello = m.Hello(SPEC_VERSION, set_id or b"", member if set_id else 0, nonce)
        self._signing_key = signing_key
        self._expected = expected_relay_key
        self._relay_key = b""
        self._binding = b""
        self._asked: deque[Request] = deque()
        self.state = State.START

    @property
    def room(self) -> int:
        """How many more requests may be sent before an answer has to come."""
        return PIPELINE_MAX - len(self._asked)

    @property
    def binding(self) -> bytes:
        """What ties this connection together (SPEC 13.2), for requests that prove a key in it; empty before."""
        return self._binding

    @property
    def unanswered(self) -> tuple[Request, ...]:
        """What was asked and not answered; after a lost connection these go out again."""
        return tuple(self._asked)

    def hello(self) -> bytes:
        """The first frame to send."""
        self._sending("hello")
        return encode_message(self._hello)

    def proof(self) -> bytes:
        """The frame to send after Challenged. The signature is made here, after the relay's key was checked."""
        self._sending("proof")
        if self._signing_key is None:
            return encode_message(m.Proof(b""))
        return encode_message(m.Proof(sign_proof(self._signing_key, self._hello.set_id, self._binding)))

    def request(self, request: Request) -> bytes:
        """The frame of a request. LocalProtocolError beyond `room`, or before `proof`."""
        if type(request) not in ANSWERS:
            raise LocalProtocolError(f"a {type(request).__name__} is no request")
        if not self.room:
            raise LocalProtocolError(f"{PIPELINE_MAX} requests are unanswered", "wait for answers first")
        frame = encode_message(request)
        self._sending("request")
        self._asked.append(request)
        return frame

    def receive(self, frame: bytes) -> list[Event]:
        """What a frame from the relay means. See the module for what it raises."""
        if self.state is State.CLOSED:
            raise LocalProtocolError("the session is closed")
        try:
            return [self._take(self._decode(frame))]
        except E2esyncError:
            self.state = State.CLOSED
            raise

    def _sending(self, what: str) -> None:
        after = _SENDS.get((self.state, what))
        if after is None:
            raise LocalProtocolError(f"no {what} may be sent in state {self.state.name}")
        self.state = after

    def _receiving(self, what: str) -> None:
        after = _RECEIVES.get((self.state, what))
        if after is None:
            raise RemoteProtocolError(f"the relay sent a {what} in state {self.state.name}")
        self.state = after

    @staticmethod
    def _decode(frame: bytes) -> m.Message:
        try:
            return decode_message(frame, Side.RELAY)
        except WireError as error:
            raise RemoteProtocolError(f"the relay sent a malformed frame: {error.message}") from error

    def _take(self, message: m.Message) -> Event:
        if isinstance(message, m.Challenge):
            return self._challenged(message)
        if isinstance(message, m.Welcome):
            return self._welcomed(message)
        if isinstance(message, m.RefusalAnswer):
            return self._refused(message)
        if isinstance(message, m.ClosingPush):
            self._receiving("push")
            return Closing(message.milliseconds)
        if isinstance(message, _PUSHES):
            self._receiving("push")
            return Pushed(message)
        return self._answered(message)

    def _challenged(self, challenge: m.Challenge) -> Event:
        self._receiving("challenge")
        # SPEC 13.2 step 1 (impostor relay): before anything is signed.
        if self._expected is not None and not equal(challenge.relay_key, self._expected):
            raise HandshakeFailed("another relay answers at this address: it showed a key that is not the known one")
        self._relay_key = challenge.relay_key
        self._binding = binding_of(self._hello, challenge.nonce, challenge.relay_key)
        return Challenged(challenge.relay_key)

    def _welcomed(self, welcome: m.Welcome) -> Event:
        self._receiving("welcome")
        if self._signing_key is None:
            if welcome.head:
                raise RemoteProtocolError("the relay welcomed a visitor with a head")
            check_visit(self._relay_key, self._binding, welcome.signature)
            return Connected(None, self._relay_key)
        if len(welcome.head) == FAREWELL:
            removed = read_farewell(welcome, self._hello.set_id, self._relay_key, self._binding)
            return Connected(None, self._relay_key, removed)
        if welcome.head[:1] == DELETED:
            deleted = read_said(welcome, self._hello.set_id, self._relay_key, self._binding)
            return Connected(None, self._relay_key, deleted=deleted)
        head = read_welcome(welcome, self._hello.set_id, self._relay_key, self._binding)
        return Connected(head, self._relay_key)

    def _answered(self, answer: m.Message) -> Event:
        self._receiving("answer")
        if not self._asked:
            raise RemoteProtocolError("the relay answered what was not asked")
        request = self._asked.popleft()
        if type(answer) is not ANSWERS[type(request)]:
            raise RemoteProtocolError(f"the relay answered a {type(request).__name__} with {type(answer).__name__}")
        return Answered(request, answer)  # type: ignore[arg-type]

    def _refused(self, refusal: m.RefusalAnswer) -> Event:
        # During the handshake a refusal is about the session itself; so is one that nothing was asked for.
        connected = self.state is State.CONNECTED
        self._receiving("refusal")
        request = self._asked.popleft() if connected and self._asked else None
        error = Refused(refusal.code.value, f"the relay refused ({refusal.code.value}): {refusal.message}",
                        _when(refusal, request))
        if request is None:
            raise error
        return RefusedRequest(request, error, refusal.data)


def _when(refusal: m.RefusalAnswer, request: Request | None) -> str:
    """What to do about a refusal that passes, or that a person can do something about."""
    if refusal.code is Refusal.BUSY:
        return "your changes are kept; try again in a while"
    if refusal.code is Refusal.QUOTA_EXCEEDED:
        return "your changes are kept; ask who runs the relay for more room, or take the book to another one"
    if refusal.code is not Refusal.TOO_OFTEN:
        return ""
    minutes = -(-refusal.data // _MINUTE)
    again = f"try again in {minutes:,} minute{'' if minutes == 1 else 's'}"
    return again + ("; shutting a device out need not wait" if isinstance(request, m.Open) else "")
