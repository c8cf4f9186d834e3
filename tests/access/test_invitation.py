"""Invitations (SPEC 12.3): the machines of a pairing, under another purpose, with a decision in between."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from e2esync import wire
from e2esync.access.code import PairingCode, Purpose, parse_code
from e2esync.access.kit import RecoveryKit
from e2esync.access.messages import Guest, Inviter, claims_of, commitment_of, open_message, possession_for, seal_message
from e2esync.access.pairing import AskWords, Invited, Joiner, Offer, Outgoing, ShowWords, Sponsor, State
from e2esync.crypto import Secret, SigningKey
from e2esync.crypto.sealing import SealingKey
from e2esync.errors import LocalProtocolError, PairingAborted
from tests.helpers.entropy import FastEntropy

OFFER = Offer(b"s" * 32, b"p" * 16, 2, b"r" * 32, b"h" * 32, 7, Inviter(b"i" * 32, "Ada", "Family"))
LANDING = (b"R" * 32, 8, 3, b"L" * 32, 5)
SEALING = SealingKey.generate(FastEntropy("guest"))
GUEST = Guest("Bob", RecoveryKit(Secret(b"k" * 32)).half(2))


class Meeting:
    """Somebody who invites and somebody who is invited, with one code."""

    def __init__(self) -> None:
        entropy = FastEntropy("meeting")
        self.code = PairingCode.generate("wss://relay.example", entropy, Purpose.INVITATION)
        self.guest = Joiner(parse_code(self.code.text()), SigningKey(b"\1" * 32), SEALING, "Phone", entropy, GUEST)
        self.host = Sponsor(self.code, OFFER, entropy)
        self.host.start()

    def offered(self) -> Outgoing:
        """Up to the offer, which is shown; returns message 1."""
        [zero] = self.guest.start()
        assert isinstance(zero, Outgoing)
        [one] = self.host.receive(zero.n, zero.data)
        assert isinstance(one, Outgoing)
        assert self.guest.receive(one.n, one.data) == [Invited(OFFER)]
        return one

    def body(self, message: Outgoing) -> Any:
        return wire.decode(open_message(self.code, message.n, message.data))

    def forged(self, n: int, body: Any) -> bytes:
        return seal_message(self.code, n, bytes(24), wire.encode(body))


def test_who_accepts_brings_a_name_and_a_kit() -> None:
    meeting = Meeting()
    meeting.offered()
    two, shown = meeting.guest.accept()
    assert isinstance(two, Outgoing)
    assert len(two.data) == 4096
    assert meeting.host.receive(two.n, two.data) == [AskWords("Phone", "Bob")]
    assert shown == ShowWords(meeting.host.words)
    added = meeting.host.confirm(" ".join(meeting.guest.words))
    assert (added.guest, added.device_name, added.role) == (GUEST, "Phone", 2)
    [three] = meeting.host.finish(*LANDING)
    assert isinstance(three, Outgoing)
    meeting.guest.receive(three.n, three.data)
    assert (meeting.guest.state, meeting.host.state) == (State.DONE, State.DONE)


def test_nothing_of_the_guest_is_said_before_it_accepts() -> None:
    meeting = Meeting()
    meeting.offered()
    with pytest.raises(LocalProtocolError):
        _ = meeting.guest.words
    with pytest.raises(PairingAborted, match="out of turn"):
        meeting.guest.receive(3, meeting.forged(3, list(LANDING)))


def test_who_declines_ends_it_on_both_sides() -> None:
    meeting = Meeting()
    meeting.offered()
    [two] = meeting.guest.decline()
    assert isinstance(two, Outgoing)
    with pytest.raises(PairingAborted, match="declined"):
        meeting.host.receive(two.n, two.data)
    assert (meeting.guest.state, meeting.host.state) == (State.FAILED, State.FAILED)
    with pytest.raises(PairingAborted):
        meeting.guest.accept()


def test_a_decision_is_made_once_and_in_turn() -> None:
    meeting = Meeting()
    for decide in (meeting.guest.accept, meeting.guest.decline):
        with pytest.raises(LocalProtocolError):
            decide()
    meeting.offered()
    meeting.guest.accept()
    with pytest.raises(LocalProtocolError):
        meeting.guest.decline()


def test_a_pairing_and_an_invitation_do_not_meet() -> None:
    """The purpose is in the code's check digits and in every message's context."""
    meeting = Meeting()
    entropy = FastEntropy("other")
    as_pairing = PairingCode(meeting.code.relay_url, meeting.code.mailbox_id, meeting.code.secret)
    assert parse_code(meeting.code.text()).purpose is Purpose.INVITATION
    assert parse_code(as_pairing.text()).purpose is Purpose.PAIRING
    device = Joiner(as_pairing, SigningKey(b"\2" * 32), SEALING, "Phone", entropy)
    [zero] = device.start()
    assert isinstance(zero, Outgoing)
    with pytest.raises(PairingAborted):
        meeting.host.receive(0, zero.data)
    for code, offer in ((meeting.code, replace(OFFER, inviter=None)), (as_pairing, OFFER)):
        with pytest.raises(LocalProtocolError):
            Sponsor(code, offer, entropy)
    for code, guest in ((meeting.code, None), (as_pairing, GUEST)):
        with pytest.raises(LocalProtocolError):
            Joiner(code, SigningKey(b"\2" * 32), SEALING, "Phone", entropy, guest)


@pytest.mark.parametrize("name", ["", "x" * 65, "Zoe\u0308"])
def test_a_bad_name_is_refused_before_anything_is_sent(name: str) -> None:
    with pytest.raises(PairingAborted, match="name"):
        Joiner(Meeting().code, SigningKey(b"\1" * 32), SEALING, "Phone", FastEntropy("x"), replace(GUEST, name=name))


@pytest.mark.parametrize(("place", "value"), [(7, b"I" * 32), (8, "Eve"), (9, "Work"), (3, 3)])
def test_an_offer_that_was_changed_on_the_way_is_told_by_the_words(place: int, value: Any) -> None:
    """A relay that knows the code tells the guest of another inviter, book or role: the words differ."""
    meeting = Meeting()
    [zero] = meeting.guest.start()
    assert isinstance(zero, Outgoing)
    [one] = meeting.host.receive(0, zero.data)
    assert isinstance(one, Outgoing)
    body = meeting.body(one)
    body[place] = value
    meeting.guest.receive(1, meeting.forged(1, body))
    two = meeting.guest.accept()[0]
    assert isinstance(two, Outgoing)
    try:
        meeting.host.receive(2, two.data)
    except PairingAborted:
        # Another role: the possession is for another place than the one that was offered.
        assert place == 3
        return
    assert meeting.host.words != meeting.guest.words
    with pytest.raises(PairingAborted, match="words"):
        meeting.host.confirm(" ".join(meeting.guest.words))


def test_a_relay_that_puts_a_key_of_its_own_in_is_told_by_the_words() -> None:
    """It knows the code, and holds both conversations: under the guest's name, with its own device and kit."""
    meeting = Meeting()
    key, sealing, nonce = SigningKey(b"\7" * 32), SealingKey.generate(FastEntropy("relay")), bytes(32)
    kit = RecoveryKit(Secret(b"e" * 32)).half(1)
    claims = claims_of(key.verify_key, sealing.public, "Phone", Guest("Bob", kit))
    meeting.guest.start()
    [one] = meeting.host.receive(0, meeting.forged(0, [1, commitment_of(nonce, claims)]))
    assert isinstance(one, Outgoing)
    meeting.guest.receive(1, one.data)
    meeting.guest.accept()
    possession = possession_for(OFFER, key, sealing.public)
    assert meeting.host.receive(2, meeting.forged(2, [nonce, claims, possession])) == [AskWords("Phone", "Bob")]
    with pytest.raises(PairingAborted, match="words"):
        meeting.host.confirm(" ".join(meeting.guest.words))


def test_the_kit_alone_cannot_be_replaced() -> None:
    """Claims are committed to before the sponsor's nonce is known: name and kit as well as the keys."""
    meeting = Meeting()
    meeting.offered()
    two = meeting.guest.accept()[0]
    assert isinstance(two, Outgoing)
    nonce, claims, possession = meeting.body(two)
    half = RecoveryKit(Secret(b"e" * 32)).half(1)
    claims[4:] = [half.verify_key, half.seal_key, half.proof]
    with pytest.raises(PairingAborted, match="committed"):
        meeting.host.receive(2, meeting.forged(2, [nonce, claims, possession]))
