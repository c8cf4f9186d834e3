"""The relay's side of a connection (SPEC 13), joined to a real client's by a fake link and a fake store."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync.crypto import SigningKey
from e2esync.errors import LocalProtocolError, Refused
from e2esync.limits import PIPELINE_MAX
from e2esync.log.head import sign_head
from e2esync.session import messages as m
from e2esync.session.client import Answered, ClientSession, Connected, Event, RefusedRequest
from e2esync.session.codec import decode_message, encode_message
from e2esync.session.commands import Admit, Change, Command, Consult, Disconnect, StoreCommand, Transmit
from e2esync.session.handshake import farewell
from e2esync.session.kinds import Refusal
from e2esync.session.messages import Side
from e2esync.session.relay import RelaySession, State
from e2esync.wire import encode

RELAY = SigningKey(b"r" * 32)
DEVICE = SigningKey(b"d" * 32)
SET = b"s" * 32


class Link:
    """Both sides of a connection; store commands wait in `commands` until a test completes them."""

    def __init__(self, visitor: bool = False) -> None:
        self.relay = RelaySession(RELAY, b"R" * 32, number=7)
        key = None if visitor else DEVICE
        self.client = ClientSession(None if visitor else SET, 2, key, RELAY.verify_key, b"c" * 32)
        self.commands: list[StoreCommand] = []
        self.events: list[Event] = []
        self.hung_up = False

    def send(self, frame: bytes) -> None:
        self.act(self.relay.receive(frame))

    def act(self, commands: list[Command]) -> None:
        for command in commands:
            if isinstance(command, Transmit):
                for frame in command.frames:
                    self.events += self.client.receive(frame)
            elif isinstance(command, Disconnect):
                self.hung_up = True
            else:
                self.commands.append(command)

    def complete(self, command: StoreCommand, result: m.Message) -> None:
        self.commands.remove(command)
        self.act(self.relay.complete(command, result))

    def connect(self) -> Link:
        self.send(self.client.hello())
        self.send(self.client.proof())
        for command in list(self.commands):
            assert isinstance(command, Admit)
            head = sign_head(
                RELAY, SET, epoch=0, seq=0, log_hash=b"l" * 32, record_hash=b"l" * 32, time=1, incarnation=1,
                binding=command.binding,
            )
            self.complete(command, m.Welcome(head.body, head.signature))
        return self


def refusal_of(commands: list[Command]) -> m.RefusalAnswer:
    """The one refusal in these commands, which end the connection."""
    transmit, hang_up = commands
    assert isinstance(transmit, Transmit)
    assert isinstance(hang_up, Disconnect)
    answer = decode_message(transmit.frames[-1], Side.RELAY)
    assert isinstance(answer, m.RefusalAnswer)
    return answer


def test_member_and_visitor_connect() -> None:
    link = Link().connect()
    assert isinstance(link.events[-1], Connected)
    assert (link.relay.state, link.relay.set_id, link.relay.member) == (State.MEMBER, SET, 2)
    visit = Link(visitor=True).connect()
    assert isinstance(visit.events[-1], Connected)
    assert visit.relay.state is State.VISITING


def test_nothing_is_read_while_a_proof_is_checked() -> None:
    link = Link()
    link.send(link.client.hello())
    link.send(link.client.proof())
    assert not link.relay.reading
    with pytest.raises(LocalProtocolError):
        link.send(link.client.request(m.Ping()))


def test_a_refused_proof_ends_the_connection() -> None:
    link = Link()
    link.send(link.client.hello())
    link.send(link.client.proof())
    with pytest.raises(Refused):
        link.complete(link.commands[0], m.RefusalAnswer(Refusal.NOT_MEMBER, "no"))
    assert link.relay.state is State.CLOSED


def test_a_removed_member_reads_the_chain_up_to_its_removal_and_nothing_else() -> None:
    link = Link()
    link.send(link.client.hello())
    link.send(link.client.proof())
    (admit,) = link.commands
    assert isinstance(admit, Admit)
    link.complete(admit, farewell(RELAY, SET, admit.binding, 3))
    assert link.relay.state is State.FORMER
    assert isinstance(link.events[-1], Connected)
    assert link.events[-1].removed == 3
    for epoch, served in ((0, 4), (2, 2), (3, 1), (4, 0), (9, 0)):
        link.send(link.client.request(m.ReadChain(epoch)))
        (command,) = link.commands
        link.complete(command, m.ChainPart(tuple(b"r%d" % number for number in range(epoch, 10))))
        answer = link.events[-1]
        assert isinstance(answer, Answered)
        assert answer.answer == m.ChainPart(tuple(b"r%d" % number for number in range(epoch, epoch + served)))
    for request in (m.ReadBox(3), m.Read(3, 1), m.GetBlob(b"b" * 32, 0), m.ReadSlots(), m.Inspect(), m.Have(()),
                    m.PutSlot(b"a", b""), m.Append(3, b"e" * 512)):
        link.send(link.client.request(request))
        refused = link.events[-1]
        assert isinstance(refused, RefusedRequest)
        assert refused.error.reason == "NotAllowed"
        assert link.commands == []
    link.send(link.client.request(m.Ping()))
    assert isinstance(link.events[-1], Answered)


def test_a_stranger_gets_the_same_challenge_as_a_member() -> None:
    frames = []
    for set_id, member in ((SET, 2), (b"?" * 32, 9)):
        (command,) = RelaySession(RELAY, b"R" * 32).receive(encode_message(m.Hello(1, set_id, member, b"c" * 32)))
        frames.append(command)
    assert frames[0] == frames[1]


def test_another_version_is_told_so() -> None:
    for frame in (encode([1, 2, "other fields"]), encode_message(m.Hello(2, SET, 2, b"c" * 32))):
        assert refusal_of(RelaySession(RELAY, b"R" * 32).receive(frame)).code is Refusal.BAD_VERSION


def test_answers_go_out_in_order_whatever_the_store_does() -> None:
    link = Link().connect()
    link.events.clear()
    for request in (m.Append(0, b"e" * 512), m.Read(0, 1), m.Ping(), m.Append(0, b"f" * 512)):
        link.send(link.client.request(request))
    first, second, third = link.commands
    assert isinstance(first, Change)
    assert isinstance(second, Consult)
    assert (first.set_id, first.member, first.session) == (SET, 2, 7)
    link.complete(third, m.RefusalAnswer(Refusal.EPOCH_CLOSED, "closed", 4))
    link.complete(second, m.LogPart(0, 1, (), None))
    assert link.events == []
    link.complete(first, m.RefusalAnswer(Refusal.BUSY, "later"))
    kinds = [type(event) for event in link.events]
    assert kinds == [RefusedRequest, Answered, Answered, RefusedRequest]
    assert link.relay.unanswered == 0


def test_sixty_four_unanswered_requests_stop_the_reading() -> None:
    link = Link().connect()
    for _ in range(PIPELINE_MAX):
        assert link.relay.reading
        link.send(link.client.request(m.Read(0, 1)))
    assert not link.relay.reading
    link.complete(link.commands[0], m.LogPart(0, 1, (), None))
    assert link.relay.reading


@pytest.mark.parametrize("request_", [
    m.Create(b"r", b"", (), ()), m.UseMailbox(b"m" * 8, 0, b"t" * 16), m.Mail(0, b""),
])
def test_members_do_not_do_what_visitors_do(request_: m.Request) -> None:
    link = Link().connect()
    link.send(link.client.request(request_))
    event = link.events[-1]
    assert isinstance(event, RefusedRequest)
    assert event.error.reason == "NotAllowed"


def test_visitors_do_not_do_what_members_do() -> None:
    link = Link(visitor=True).connect()
    link.send(link.client.request(m.Append(0, b"e" * 512)))
    event = link.events[-1]
    assert isinstance(event, RefusedRequest)
    assert event.error.reason == "NotAllowed"
    assert not link.hung_up


def test_mail_names_the_mailbox_that_was_asked_for() -> None:
    link = Link(visitor=True).connect()
    box = m.UseMailbox(b"m" * 8, 1, b"t" * 16)
    link.send(link.client.request(box))
    link.send(link.client.request(m.Mail(1, b"x")))
    mail = link.commands[-1]
    assert isinstance(mail, Change)
    assert mail.mailbox == box


@pytest.mark.parametrize("frame", [
    b"", b"\xc1", encode([]), encode([24, 1]), encode([99]), encode_message(m.Ping()), encode_message(m.Proof(b"")),
    encode_message(m.Hello(1, b"", 3, b"c" * 32)), encode_message(m.Pong()),
])
def test_untimely_or_malformed_first_frames_end_the_connection(frame: bytes) -> None:
    session = RelaySession(RELAY, b"R" * 32)
    assert refusal_of(session.receive(frame)).code is Refusal.BAD_FRAME
    assert not session.reading


def test_long_frames_are_not_even_read_before_the_handshake_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("e2esync.session.relay.decode_message", lambda *_: pytest.fail("it was read"))
    session = RelaySession(RELAY, b"R" * 32)
    assert refusal_of(session.receive(encode([1] * 5000))).code is Refusal.BAD_FRAME


@pytest.mark.parametrize("proof", [m.Proof(b""), m.Hello(1, SET, 2, b"c" * 32), m.Ping()])
def test_untimely_second_frames_end_the_connection(proof: m.Message) -> None:
    session = RelaySession(RELAY, b"R" * 32)
    session.receive(encode_message(m.Hello(1, SET, 2, b"c" * 32)))
    assert refusal_of(session.receive(encode_message(proof))).code is Refusal.BAD_FRAME


def test_a_visitor_proves_nothing() -> None:
    session = RelaySession(RELAY, b"R" * 32)
    session.receive(encode_message(m.Hello(1, b"", 0, b"c" * 32)))
    assert refusal_of(session.receive(encode_message(m.Proof(b"s" * 64)))).code is Refusal.BAD_FRAME


def test_a_broken_frame_does_not_overtake_earlier_answers() -> None:
    link = Link().connect()
    link.events.clear()
    link.send(link.client.request(m.Append(0, b"e" * 512)))
    assert link.relay.receive(b"garbage") == []
    (command,) = link.commands
    with pytest.raises(Refused) as caught:
        link.complete(command, m.RefusalAnswer(Refusal.QUOTA_EXCEEDED, "full"))
    assert caught.value.reason == "BadFrame"


def test_a_second_handshake_is_out_of_turn() -> None:
    for frame in (encode_message(m.Hello(1, SET, 2, b"c" * 32)), encode_message(m.Proof(b"s" * 64))):
        link = Link().connect()
        with pytest.raises(Refused):
            link.send(frame)
        assert link.relay.state is State.CLOSED


def test_a_result_for_nothing_is_a_mistake() -> None:
    link = Link().connect()
    with pytest.raises(LocalProtocolError):
        link.relay.complete(Consult(SET, 2, m.Inspect()), m.Pong())
    with pytest.raises(LocalProtocolError):
        link.relay.complete(Admit(SET, 2, b"", b""), m.Welcome(b"", b"s" * 64))


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.integers(0, 2), st.lists(st.binary(max_size=100), min_size=1, max_size=3))
def test_no_frame_raises(prefix: int, frames: list[bytes]) -> None:
    link = Link(visitor=True)
    if prefix:
        link.send(link.client.hello())
    if prefix > 1:
        link.send(link.client.proof())
    for frame in frames:
        if link.relay.reading:
            link.relay.receive(frame)
