"""The client's side of the handshake and of the conversation (SPEC 13.2, 13.3, 14.1), against a scripted relay."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync.crypto import SigningKey
from e2esync.errors import HandshakeFailed, LocalProtocolError, Refused, RemoteProtocolError
from e2esync.limits import PIPELINE_MAX
from e2esync.log.head import ShortHead, sign_head
from e2esync.session import client as c
from e2esync.session import messages as m
from e2esync.session.client import ClientSession, State
from e2esync.session.codec import decode_message, encode_message
from e2esync.session.handshake import binding_of, check_proof, farewell, sign_visit
from e2esync.session.kinds import Refusal
from e2esync.session.messages import Side

RELAY = SigningKey(b"r" * 32)
OTHER = SigningKey(b"o" * 32)
DEVICE = SigningKey(b"d" * 32)
SET = b"s" * 32
NONCE = b"c" * 32
HEAD = ShortHead(1, 5, b"s" * 64)


class Script:
    """A relay that does as a test says."""

    def __init__(self, session: ClientSession, key: SigningKey = RELAY) -> None:
        self.session = session
        self.key = key
        self.nonce = b"R" * 32

    def challenge(self) -> list[c.Event]:
        hello = decode_message(self.session.hello(), Side.CLIENT)
        assert isinstance(hello, m.Hello)
        self.binding = binding_of(hello, self.nonce, self.key.verify_key)
        return self.say(m.Challenge(self.nonce, self.key.verify_key))

    def welcome(self, **override: bytes) -> list[c.Event]:
        head = sign_head(
            self.key, override.get("set_id", SET), epoch=3, seq=9, log_hash=b"l" * 32, record_hash=b"h" * 32, time=5,
            incarnation=77, binding=override.get("binding", self.binding),
        )
        return self.say(m.Welcome(head.body, override.get("signature", head.signature)))

    def say(self, message: m.Message) -> list[c.Event]:
        return self.session.receive(encode_message(message))


def member(expected: bytes | None = RELAY.verify_key) -> Script:
    return Script(ClientSession(SET, 4, DEVICE, expected, NONCE))


def connected() -> Script:
    script = member()
    script.challenge()
    script.session.proof()
    script.welcome()
    return script


def test_a_member_connects() -> None:
    script = member()
    assert script.challenge() == [c.Challenged(RELAY.verify_key)]
    proof = decode_message(script.session.proof(), Side.CLIENT)
    assert isinstance(proof, m.Proof)
    check_proof(DEVICE.verify_key, SET, script.binding, proof.signature)
    (event,) = script.welcome()
    assert isinstance(event, c.Connected)
    assert event.head is not None
    assert (event.head.epoch, event.head.seq, event.head.incarnation, event.relay_key) == (3, 9, 77, RELAY.verify_key)
    assert script.session.state is State.CONNECTED


def test_a_removed_member_is_told_so() -> None:
    script = member()
    script.challenge()
    script.session.proof()
    told = farewell(RELAY, SET, script.binding, 7)
    assert script.say(told) == [c.Connected(None, RELAY.verify_key, 7)]
    for other in (farewell(OTHER, SET, script.binding, 7), farewell(RELAY, b"?" * 32, script.binding, 7),
                  farewell(RELAY, SET, b"?" * 32, 7), m.Welcome(bytes(8), told.signature)):
        script = member()
        script.challenge()
        script.session.proof()
        with pytest.raises(HandshakeFailed):
            script.say(other)


def test_a_visitor_connects() -> None:
    script = Script(ClientSession(None, 0, None, None, NONCE))
    script.challenge()
    assert decode_message(script.session.proof(), Side.CLIENT) == m.Proof(b"")
    assert script.say(m.Welcome(b"", sign_visit(RELAY, script.binding))) == [c.Connected(None, RELAY.verify_key)]


def test_an_impostor_is_refused_before_anything_is_signed() -> None:
    script = member(OTHER.verify_key)
    with pytest.raises(HandshakeFailed):
        script.challenge()
    with pytest.raises(LocalProtocolError):
        script.session.proof()


@pytest.mark.parametrize("override", [
    {"signature": b"x" * 64}, {"binding": b""}, {"binding": b"b" * 32}, {"set_id": b"t" * 32},
])
def test_a_welcome_that_does_not_verify_is_refused(override: dict[str, bytes]) -> None:
    script = member()
    script.challenge()
    script.session.proof()
    with pytest.raises(HandshakeFailed):
        script.welcome(**override)
    assert script.session.state is State.CLOSED


def test_a_malformed_head_is_refused() -> None:
    script = member()
    script.challenge()
    script.session.proof()
    with pytest.raises(HandshakeFailed):
        script.say(m.Welcome(b"\xc1", b"s" * 64))


@pytest.mark.parametrize("welcome", [m.Welcome(b"", b"s" * 64), m.Welcome(b"head", b"s" * 64)])
def test_a_visitors_welcome_must_verify_too(welcome: m.Welcome) -> None:
    script = Script(ClientSession(None, 0, None, RELAY.verify_key, NONCE))
    script.challenge()
    script.session.proof()
    with pytest.raises((HandshakeFailed, RemoteProtocolError)):
        script.say(welcome)


@pytest.mark.parametrize("code", list(Refusal))
def test_a_refusal_in_the_handshake_ends_the_session(code: Refusal) -> None:
    script = member()
    script.challenge()
    script.session.proof()
    script.session.request(m.Ping())
    with pytest.raises(Refused) as caught:
        script.say(m.RefusalAnswer(code, "no"))
    assert caught.value.reason == code.value
    assert script.session.state is State.CLOSED


@pytest.mark.parametrize("code", list(Refusal))
def test_every_refusal_of_a_request_is_an_event(code: Refusal) -> None:
    script = connected()
    script.session.request(m.Ping())
    (event,) = script.say(m.RefusalAnswer(code, "because", 7))
    assert isinstance(event, c.RefusedRequest)
    assert (event.request, event.error.reason, event.data) == (m.Ping(), code.value, 7)
    assert "because" in event.error.message


def test_who_has_to_wait_is_told_how_long() -> None:
    script = connected()
    script.session.request(m.Ping())
    (event,) = script.say(m.RefusalAnswer(Refusal.TOO_OFTEN, "too many openings", 60_001))
    assert isinstance(event, c.RefusedRequest)
    assert event.error.hint.startswith("try again in 2 minutes")
    script.session.request(m.Ping())
    (event,) = script.say(m.RefusalAnswer(Refusal.BUSY, "the relay cannot store anything now", 0))
    assert isinstance(event, c.RefusedRequest)
    assert "your changes are kept" in event.error.hint


def test_only_who_opens_an_epoch_is_told_that_shutting_out_need_not_wait() -> None:
    script = connected()
    for request, told in ((m.Open(b"r", b"l", (), b"", (), ()), True), (m.Append(3, b"e"), False)):
        script.session.request(request)
        (event,) = script.say(m.RefusalAnswer(Refusal.TOO_OFTEN, "too many", 60_001))
        assert isinstance(event, c.RefusedRequest)
        assert event.error.hint.startswith("try again in 2 minutes")
        assert ("need not wait" in event.error.hint) == told


def test_a_full_set_is_told_with_what_can_be_done() -> None:
    script = connected()
    script.session.request(m.Append(3, b"e"))
    (event,) = script.say(m.RefusalAnswer(Refusal.QUOTA_EXCEEDED, "full"))
    assert isinstance(event, c.RefusedRequest)
    assert "your changes are kept" in event.error.hint


def test_answers_come_in_the_order_of_requests() -> None:
    script = connected()
    requests: list[m.Request] = [m.Ping(), m.Read(0, 1), m.Have((b"i" * 32,))]
    for request in requests:
        script.session.request(request)
    assert script.session.unanswered == tuple(requests)
    answers: list[m.Answer] = [m.Pong(), m.LogPart(0, 1, (), None), m.HaveAnswer((0,))]
    events = [event for answer in answers for event in script.say(answer)]
    assert events == [c.Answered(request, answer) for request, answer in zip(requests, answers, strict=True)]
    assert script.session.room == PIPELINE_MAX


def test_an_answer_of_another_kind_breaks_the_rules() -> None:
    script = connected()
    script.session.request(m.Ping())
    with pytest.raises(RemoteProtocolError):
        script.say(m.SlotStored())


def test_an_answer_to_nothing_breaks_the_rules() -> None:
    with pytest.raises(RemoteProtocolError):
        connected().say(m.Pong())
    with pytest.raises(Refused):
        connected().say(m.RefusalAnswer(Refusal.BAD_FRAME, "what was that"))


def test_pushes_and_closing_come_between() -> None:
    script = connected()
    script.session.request(m.Ping())
    push = m.LogPush(3, 10, (b"e",), HEAD)
    assert script.say(push) == [c.Pushed(push)]
    assert script.say(m.ClosingPush(300)) == [c.Closing(300)]
    assert script.say(m.Pong()) == [c.Answered(m.Ping(), m.Pong())]


def test_no_more_than_sixty_four_requests_are_unanswered() -> None:
    script = connected()
    for _ in range(PIPELINE_MAX):
        script.session.request(m.Ping())
    assert script.session.room == 0
    with pytest.raises(LocalProtocolError):
        script.session.request(m.Ping())
    script.say(m.Pong())
    script.session.request(m.Ping())


def test_a_request_that_cannot_be_sent_is_not_waited_for() -> None:
    script = connected()
    with pytest.raises(LocalProtocolError):
        script.session.request(m.Have((b"i" * 32,) * 40_000))
    with pytest.raises(LocalProtocolError):
        script.session.request(m.Hello(1, SET, 4, NONCE))  # type: ignore[arg-type]
    assert script.session.unanswered == ()


SENDING = {
    "hello": lambda session: session.hello(), "proof": lambda session: session.proof(),
    "request": lambda session: session.request(m.Ping()),
}
RECEIVING: dict[str, m.Message] = {
    "challenge": m.Challenge(b"R" * 32, RELAY.verify_key), "welcome": m.Welcome(b"h", b"s" * 64),
    "answer": m.Pong(), "push": m.RecordPush(b"r", HEAD),
}


@pytest.mark.parametrize(("state", "what"), list(product(State, SENDING)))
def test_the_sending_half_of_the_state_table(state: State, what: str) -> None:
    session = member().session
    session.state = state
    if (state, what) in c._SENDS:
        SENDING[what](session)
        assert session.state is c._SENDS[state, what]
    else:
        with pytest.raises(LocalProtocolError):
            SENDING[what](session)
        assert session.state is state


@pytest.mark.parametrize(("state", "what"), [
    (state, what) for state, what in product(State, RECEIVING)
    if (state, what) not in c._RECEIVES and state is not State.CLOSED
])
def test_the_receiving_half_of_the_state_table(state: State, what: str) -> None:
    session = member().session
    session.state = state
    with pytest.raises(RemoteProtocolError):
        session.receive(encode_message(RECEIVING[what]))
    assert str(session.state) == "State.CLOSED"


def test_a_closed_session_takes_nothing() -> None:
    script = connected()
    with pytest.raises(RemoteProtocolError):
        script.session.receive(b"garbage")
    with pytest.raises(LocalProtocolError):
        script.say(m.Pong())
    with pytest.raises(LocalProtocolError):
        script.session.request(m.Ping())


def test_a_member_without_a_key_is_a_mistake() -> None:
    with pytest.raises(LocalProtocolError):
        ClientSession(SET, 1, None, None, NONCE)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.sampled_from([State.GREETED, State.PROVED, State.CONNECTED]), st.binary(max_size=120))
def test_any_frame_raises_only_our_errors(state: State, frame: bytes) -> None:
    session = member().session
    session.state = state
    with pytest.raises(RemoteProtocolError):
        session.receive(frame)
