"""The pairing conversation (SPEC 12.2): two machines that carry keys one way and trust the other way.

    N (Joiner)  --0 commitment-->  A (Sponsor)        N's keys and nonce are fixed before A's nonce is known
    N           <--1 offer------   A                  the set, and the record A stands at
    N           --2 keys------->   A                  N shows three words, A's owner types them
    N           <--3 landing----   A                  the record that adds N, and A's head

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
from e2esync.access.code import PairingCode
from e2esync.access.messages import (
    Keys,
    Offer,
    check_device_name,
    check_keys,
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
    "Add", "AskWords", "Event", "Joined", "Joiner", "Offer", "Outgoing", "ShowWords", "Sponsor", "State",
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
class AskWords:
    """Sponsor: ask the owner for the words that the device of this name shows."""

    device_name: str


@dataclass(frozen=True, slots=True)
class Add:
    """Sponsor: the newcomer, confirmed; open an epoch that adds it, then call `finish`."""

    person: bytes
    role: int
    verify_key: bytes
    seal_key: bytes = field(repr=False)
    possession: bytes = field(repr=False)
    device_name: str


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


Event = Outgoing | ShowWords | AskWords | Joined


class State(Enum):
    """Where an attempt stands; a number says which message is awaited."""

    NEW = "not started"
    AWAIT_0 = 0
    AWAIT_1 = 1
    AWAIT_2 = 2
    AWAIT_3 = 3
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

    def _open(self, n: int, data: bytes) -> bytes:
        """The body of message `n`, which must be the one that is awaited (SPEC 12.2 step 4)."""
        if type(n) is not int or n != self.state.value:
            raise PairingAborted("a message came out of turn")
        body = open_message(self._code, n, data)
        self._bodies.append(body)
        return body

    def _agree(self) -> None:
        self._words = transcript_words(transcript_of(self._bodies))


class Joiner(_Machine):
    """The new device, N. `start`, then `receive` messages 1 and 3; the second one gives `Joined`."""

    def __init__(
        self, code: PairingCode, signing_key: SigningKey, sealing_key: SealingKey, device_name: str, entropy: Entropy,
    ) -> None:
        """`device_name` is NFC text of 1 to 64 bytes; anything else is PairingAborted before a message is sent."""
        super().__init__(code, entropy)
        check_device_name(device_name)
        self._signing_key = signing_key
        self._sealing_key = sealing_key
        self._name = device_name
        self._nonce = b""
        self._offer: Offer | None = None

    def start(self) -> list[Event]:
        """Message 0: the commitment to this device's nonce and keys."""
        with self._attempt():
            self._require(State.NEW, "start")
            self._nonce = self._entropy.draw("pairing nonce", PAIRING_NONCE)
            commitment = commitment_of(self._nonce, self._signing_key.verify_key, self._sealing_key.public)
            self.state = State.AWAIT_1
            return [self._send(0, [SPEC_VERSION, commitment])]

    def receive(self, n: int, data: bytes) -> list[Event]:
        """Take message `n` of the mailbox. Raises PairingAborted for anything but the right one."""
        with self._attempt():
            body = self._open(n, data)
            return self._offered(body) if self._offer is None else self._landed(body, self._offer)

    def _offered(self, body: bytes) -> list[Event]:
        offer = decode_offer(body)
        key, sealing = self._signing_key, self._sealing_key.public
        possession = possession_for(offer, key, sealing)
        reply = self._send(2, [self._nonce, key.verify_key, sealing, possession, self._name])
        self._agree()
        self._offer = offer
        self.state = State.AWAIT_3
        return [reply, ShowWords(self.words)]

    def _landed(self, body: bytes, offer: Offer) -> list[Event]:
        landing = decode_landing(body, offer)
        self.state = State.DONE
        return [Joined(
            offer.set_id, offer.person, offer.role, offer.relay_key, offer.record_hash, offer.epoch,
            landing.record_hash, landing.epoch, landing.head_seq, landing.log_hash, landing.index,
        )]


class Sponsor(_Machine):
    """The member device, A. `start`, `receive` 0 and 2, `confirm`, open an epoch with the `Add`, `finish`."""

    def __init__(self, code: PairingCode, offer: Offer, entropy: Entropy) -> None:
        super().__init__(code, entropy)
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
        """Take message `n` of the mailbox. Raises PairingAborted for anything but the right one."""
        with self._attempt():
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
                    "if they were typed as shown, somebody else used this code; start again with a new `e2esync pair`",
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
        offer = self._offer
        self.state = State.AWAIT_2
        return [self._send(1, [
            nonce, offer.set_id, offer.person, offer.role, offer.relay_key, offer.record_hash, offer.epoch,
        ])]

    def _revealed(self, body: bytes, commitment: bytes) -> list[Event]:
        keys = decode_keys(body)
        check_keys(keys, self._offer, commitment)
        self._keys = keys
        self._agree()
        self.state = State.CONFIRM
        return [AskWords(keys.device_name)]

    def _confirmed(self) -> Add:
        keys = self._keys
        assert keys is not None
        self.state = State.OPENING
        offer = self._offer
        return Add(offer.person, offer.role, keys.verify_key, keys.seal_key, keys.possession, keys.device_name)
