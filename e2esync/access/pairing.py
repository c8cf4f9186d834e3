"""Pairing and invitation (SPEC 12.2, 12.3): two machines that carry keys one way and trust the other way.

    N (Joiner)  --0 commitment-->  A (Sponsor)        N's keys and nonce are fixed before A's nonce is known
    N           <--1 offer------   A                  the set, and the record A stands at; who invites
    N           --2 keys------->   A                  N shows three words, A's owner types them
    N           <--3 landing----   A                  the record that adds N, and A's head

The code says which of the two it is. An invitation has one step more: N's owner decides on the offer.

Invariants: sans-I/O, so the caller moves `Outgoing` messages through the mailbox and ends an attempt after five
minutes. A code is good for one attempt: after the first failure, of whatever kind, every call raises PairingAborted.
The sponsor hands out `Add` only after the words were confirmed, or the confirmation was skipped by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum

from e2esync import wire
from e2esync.access.code import PairingCode, Purpose
from e2esync.access.messages import (
    Guest,
    Keys,
    Offer,
    check_keys,
    check_name,
    claims_of,
    commitment_of,
    decode_commitment,
    decode_keys,
    decode_landing,
    decode_offer,
    open_message,
    possession_for,
    seal_message,
    transcript_of,
    transcript_words,
)
from e2esync.crypto import Entropy, SigningKey, equal
from e2esync.crypto.sealing import SealingKey
from e2esync.errors import E2esyncError, LocalProtocolError, PairingAborted
from e2esync.limits import NONCE, PAIRING_NONCE, SPEC_VERSION

__all__ = [
    "Add", "AskWords", "Event", "Guest", "Invited", "Joined", "Joiner", "Offer", "Outgoing", "ShowWords", "Sponsor",
    "State",
]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Message number `n` for the mailbox."""

    n: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ShowWords:
    """Joiner: show these words to the owner, who types them on the other device."""

    words: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Invited:
    """Joiner: ask the owner whether to accept this offer, then call `accept` or `decline`."""

    offer: Offer


@dataclass(frozen=True, slots=True)
class AskWords:
    """Sponsor: ask the owner for the words that the device of this name shows; `person` is a guest's name."""

    device_name: str
    person: str = ""


@dataclass(frozen=True, slots=True)
class Add:
    """Sponsor: the newcomer, confirmed; open an epoch that adds it, then call `finish`."""

    person: bytes
    role: int
    verify_key: bytes
    seal_key: bytes = field(repr=False)
    possession: bytes = field(repr=False)
    device_name: str
    guest: Guest | None = None


@dataclass(frozen=True, slots=True)
class Joined:
    """Joiner: what the chain and log that the relay serves must contain, else PairingAborted (SPEC 12.2 step 3)."""

    set_id: bytes
    person: bytes
    role: int
    relay_key: bytes
    record_hash_before: bytes
    epoch_before: int
    record_hash: bytes
    epoch: int
    head_seq: int
    log_hash: bytes
    index: int
    guest: Guest | None = None
    inviter_key: bytes = b""
    """Of an invitation: what this person brought along, and the verify key of the device that invites."""


Event = Outgoing | ShowWords | AskWords | Invited | Joined


class State(Enum):
    """Where an attempt stands; a number says which message is awaited."""

    NEW = "not started"
    AWAIT_0 = 0
    AWAIT_1 = 1
    AWAIT_2 = 2
    AWAIT_3 = 3
    DECIDE = "the invitation is to be accepted or declined"
    CONFIRM = "the words are to be confirmed"
    OPENING = "the record that adds the newcomer is to be opened"
    DONE = "over"
    FAILED = "failed"


class _Machine:
    """What both sides share: the sealed messages, whose turn it is, and that the first failure is the last."""

    def __init__(self, code: PairingCode, entropy: Entropy) -> None:
        self.state = State.NEW
        self._code = code
        self._entropy = entropy
        self._bodies: list[bytes] = []
        self._heard: tuple[int, bytes] | None = None
        self._words: tuple[str, ...] | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """The three words (SPEC 12.2). Raises LocalProtocolError before the transcript is complete."""
        if self._words is None:
            raise LocalProtocolError("the words of a pairing are asked for before it has come so far")
        return self._words

    def abort(self) -> None:
        """End the attempt: the owner gave up, five minutes went by, or the mailbox was lost."""
        self.state = State.FAILED

    @contextmanager
    def _attempt(self) -> Iterator[None]:
        """Any failure inside is final, PairingAborted if the other side can cause it. A call out of turn is neither."""
        if self.state is State.FAILED:
            raise PairingAborted("this pairing has failed before; a code is good for one attempt")
        try:
            yield
        except LocalProtocolError:
            raise
        except PairingAborted:
            self.abort()
            raise
        except E2esyncError as error:
            self.abort()
            raise PairingAborted(f"the other device's message is not acceptable: {error.message}") from error
        except Exception:
            self.abort()
            raise

    def _require(self, state: State, call: str) -> None:
        if self.state is not state:
            raise LocalProtocolError(f"{call} is out of turn: {self.state.name} where {state.name} is needed")

    def _send(self, n: int, body: list[wire.Value]) -> Outgoing:
        encoded = wire.encode(body)
        self._bodies.append(encoded)
        return Outgoing(n, seal_message(self._code, n, self._entropy.draw("pairing seal nonce", NONCE), encoded))

    def _is_repeat(self, n: int, data: bytes) -> bool:
        """Whether this is the message that came last, once more: it is taken once (SPEC 13.7).

        Else a repeat would end the attempt here, while the other side goes on and adds whoever has left.
        """
        last, self._heard = self._heard, (n, data)
        return last == self._heard

    def _open(self, n: int, data: bytes) -> bytes:
        """The body of message `n`, which must be the one that is awaited (SPEC 12.2 step 4)."""
        if type(n) is not int or n != self.state.value:
            raise PairingAborted("a message came out of turn")
        body = open_message(self._code, n, data)
        self._bodies.append(body)
        return body

    def _agree(self, nonce: bytes) -> None:
        """The transcript is complete: `nonce` is the newcomer's."""
        self._words = transcript_words(transcript_of(self._bodies[0], self._bodies[1], nonce))


class Joiner(_Machine):
    """The new device, N. `start`, then `receive` messages 1 and 3; the second one gives `Joined`.

    With an invitation's code the first one gives `Invited`, and `accept` or `decline` goes on.
    """

    def __init__(
        self, code: PairingCode, signing_key: SigningKey, sealing_key: SealingKey, device_name: str, entropy: Entropy,
        guest: Guest | None = None,
    ) -> None:
        """Names are NFC text of 1 to 64 bytes; anything else is PairingAborted before a message is sent.

        A code of an invitation needs a `guest`. Raises LocalProtocolError if the two do not fit.
        """
        super().__init__(code, entropy)
        if (guest is not None) != (code.purpose is Purpose.INVITATION):
            raise LocalProtocolError("a guest joins by an invitation, a device of one's own by a pairing")
        check_name(device_name)
        if guest is not None:
            check_name(guest.name, "a person's")
        self._signing_key = signing_key
        self._sealing_key = sealing_key
        self._claims = claims_of(signing_key.verify_key, sealing_key.public, device_name, guest)
        self._guest = guest
        self._nonce = b""
        self._offer: Offer | None = None

    def start(self) -> list[Event]:
        """Message 0: the commitment to this device's nonce and keys."""
        with self._attempt():
            self._require(State.NEW, "start")
            self._nonce = self._entropy.draw("pairing nonce", PAIRING_NONCE)
            commitment = commitment_of(self._nonce, self._claims)
            self.state = State.AWAIT_1
            return [self._send(0, [SPEC_VERSION, commitment])]

    def receive(self, n: int, data: bytes) -> list[Event]:
        """Take message `n` of the mailbox, a repeat without effect. Raises PairingAborted for any other message."""
        with self._attempt():
            if self._is_repeat(n, data):
                return []
            body = self._open(n, data)
            return self._offered(body) if self._offer is None else self._landed(body, self._offer)

    def accept(self) -> list[Event]:
        """The owner accepts the invitation: message 2, and the words to show."""
        with self._attempt():
            self._require(State.DECIDE, "accept")
            assert self._offer is not None
            return self._reveal(self._offer)

    def decline(self) -> list[Event]:
        """The owner does not accept: message 2 says so, and the attempt is over."""
        with self._attempt():
            self._require(State.DECIDE, "decline")
            self.state = State.FAILED
            return [self._send(2, [0])]

    def _offered(self, body: bytes) -> list[Event]:
        offer = decode_offer(body, self._code.purpose)
        self._offer = offer
        if self._code.purpose is Purpose.INVITATION:
            self.state = State.DECIDE
            return [Invited(offer)]
        return self._reveal(offer)

    def _reveal(self, offer: Offer) -> list[Event]:
        possession = possession_for(offer, self._signing_key, self._sealing_key.public)
        reply = self._send(2, [self._nonce, self._claims, possession])
        self._agree(self._nonce)
        self.state = State.AWAIT_3
        return [reply, ShowWords(self.words)]

    def _landed(self, body: bytes, offer: Offer) -> list[Event]:
        landing = decode_landing(body, offer)
        self.state = State.DONE
        return [Joined(
            offer.set_id, offer.person, offer.role, offer.relay_key, offer.record_hash, offer.epoch,
            landing.record_hash, landing.epoch, landing.head_seq, landing.log_hash, landing.index,
            self._guest, offer.inviter.verify_key if offer.inviter else b"",
        )]


class Sponsor(_Machine):
    """The member device, A. `start`, `receive` 0 and 2, `confirm`, open an epoch with the `Add`, `finish`."""

    def __init__(self, code: PairingCode, offer: Offer, entropy: Entropy) -> None:
        super().__init__(code, entropy)
        if (offer.inviter is not None) != (code.purpose is Purpose.INVITATION):
            raise LocalProtocolError("an invitation says who invites, a pairing does not")
        self._offer = offer
        self._commitment: bytes | None = None
        self._keys: Keys | None = None

    def start(self) -> list[Event]:
        """Begin to wait for message 0; there is nothing to send yet."""
        with self._attempt():
            self._require(State.NEW, "start")
            self.state = State.AWAIT_0
            return []

    def receive(self, n: int, data: bytes) -> list[Event]:
        """Take message `n` of the mailbox, a repeat without effect. Raises PairingAborted for any other message."""
        with self._attempt():
            if self._is_repeat(n, data):
                return []
            body = self._open(n, data)
            return self._committed(body) if self._commitment is None else self._revealed(body, self._commitment)

    def confirm(self, words: str) -> Add:
        """The words that the owner typed, in any case and spacing. A wrong one ends the attempt (SPEC 12.2 step 2)."""
        with self._attempt():
            self._require(State.CONFIRM, "confirm")
            typed = " ".join(words.lower().split())
            if not equal(typed.encode(errors="replace"), " ".join(self.words).encode()):
                raise PairingAborted(
                    "the words are not the ones that the new device shows",
                    "if they were typed as shown, somebody else used this code; start again with a new code",
                )
            return self._confirmed()

    def skip_verification(self) -> Add:
        """Go on without the words: whoever had the code may be the one that joins. For tests, said so loudly."""
        with self._attempt():
            self._require(State.CONFIRM, "skip_verification")
            return self._confirmed()

    def finish(self, record_hash: bytes, epoch: int, head_seq: int, log_hash: bytes, index: int) -> list[Event]:
        """Message 3: the record that adds the newcomer under member index `index`, and this device's head."""
        with self._attempt():
            self._require(State.OPENING, "finish")
            self.state = State.DONE
            return [self._send(3, [record_hash, epoch, head_seq, log_hash, index])]

    def _committed(self, body: bytes) -> list[Event]:
        self._commitment = decode_commitment(body)
        nonce = self._entropy.draw("pairing nonce", PAIRING_NONCE)
        self.state = State.AWAIT_2
        return [self._send(1, [nonce, *self._offer.value()])]

    def _revealed(self, body: bytes, commitment: bytes) -> list[Event]:
        keys = decode_keys(body, self._code.purpose)
        check_keys(keys, self._offer, commitment)
        self._keys = keys
        self._agree(keys.nonce)
        self.state = State.CONFIRM
        return [AskWords(keys.device_name, keys.guest.name if keys.guest else "")]

    def _confirmed(self) -> Add:
        keys = self._keys
        assert keys is not None
        self.state = State.OPENING
        offer = self._offer
        return Add(offer.person, offer.role, keys.verify_key, keys.seal_key, keys.possession, keys.device_name,
                   keys.guest)
