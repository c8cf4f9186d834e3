"""The four pairing messages as bytes (SPEC 12.2): sealed under the code's secret, decoded strictly, bound by a hash.

Invariants: a message opens under its own number and in its own mailbox only; a body of another shape, type or range
is refused before anything is done with it; the words are a hash of every byte that both sides said.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from e2esync import wire
from e2esync.access.code import PairingCode
from e2esync.access.words import words_of
from e2esync.crypto import Label, Secret, SigningKey, blake2b, check_verify_key, equal, open_sealed, seal
from e2esync.crypto.sealing import check_seal_public
from e2esync.epoch.record import check_possession, sign_possession
from e2esync.epoch.roles import DEVICES, Role
from e2esync.errors import NonCanonical, PairingAborted
from e2esync.limits import (
    DEVICE_NAME_MAX,
    HASH,
    INT_MAX,
    MAILBOX_MESSAGE_MAX,
    PAIRING_NONCE,
    PERSON,
    SAS_WORDS,
    SEAL_PUBLIC,
    SIGNATURE,
    SPEC_VERSION,
    VERIFY_KEY,
)


@dataclass(frozen=True, slots=True)
class Offer:
    """What the sponsor tells in message 1: the set, the newcomer's place, and the record that the sponsor stands at."""

    set_id: bytes
    person: bytes
    role: int
    relay_key: bytes
    record_hash: bytes
    epoch: int


@dataclass(frozen=True, slots=True)
class Keys:
    """What the newcomer reveals in message 2."""

    nonce: bytes
    verify_key: bytes
    seal_key: bytes = field(repr=False)
    possession: bytes = field(repr=False)
    device_name: str


@dataclass(frozen=True, slots=True)
class Landing:
    """What the sponsor says in message 3: the record that adds the newcomer, and the sponsor's head in that epoch."""

    record_hash: bytes
    epoch: int
    head_seq: int
    log_hash: bytes
    index: int


def seal_message(code: PairingCode, n: int, nonce: bytes, body: bytes) -> bytes:
    """Message `n` with the encoded `body`, under a fresh 24-byte nonce (SPEC 12.2)."""
    return seal(message_key(code, n), nonce, _context(code, n), body)


def open_message(code: PairingCode, n: int, sealed: bytes) -> bytes:
    """The encoded body of message `n`. Raises PairingAborted if it is too long, else what `open_sealed` raises."""
    if len(sealed) > MAILBOX_MESSAGE_MAX:
        raise PairingAborted(f"a message is longer than {MAILBOX_MESSAGE_MAX} bytes")
    return open_sealed(message_key(code, n), _context(code, n), sealed)


def message_key(code: PairingCode, n: int) -> Secret:
    """`key[n]` of SPEC 12.2: each message has a key of its own, so none can be sent back as another."""
    return Secret(blake2b(Label.PAIRING_KEY, bytes([n]), key=code.secret.reveal()))


def _context(code: PairingCode, n: int) -> bytes:
    return b"e2e pairing" + code.mailbox_id + bytes([n])


def commitment_of(nonce: bytes, verify_key: bytes, seal_key: bytes) -> bytes:
    """The newcomer's commitment to its nonce (32), verify key (32) and sealing key (1216), before they are known."""
    return blake2b(Label.PAIRING_COMMIT, nonce, verify_key, seal_key)


def transcript_of(bodies: Sequence[bytes]) -> bytes:
    """The hash of the encoded bodies 0, 1 and 2."""
    return blake2b(Label.TRANSCRIPT, wire.encode(list(bodies[:3])))


def transcript_words(transcript: bytes) -> tuple[str, ...]:
    """The three words that a person compares (SPEC 12.2)."""
    return tuple(words_of(blake2b(Label.SAS, transcript), SAS_WORDS))


def possession_for(offer: Offer, signing_key: SigningKey, seal_public: bytes) -> bytes:
    """The newcomer's proof that it holds its key and wants the place that it is offered (SPEC 9.3)."""
    return sign_possession(signing_key, offer.set_id, offer.person, Role(offer.role), seal_public)


def check_keys(keys: Keys, offer: Offer, commitment: bytes) -> None:
    """Refuse keys that were not committed to (PairingAborted), are bad (BadKey) or not proved (ChainInvalid)."""
    # SPEC 12.2 step 1: keys and nonce are the ones fixed before the sponsor's nonce was known.
    if not equal(commitment, commitment_of(keys.nonce, keys.verify_key, keys.seal_key)):
        raise PairingAborted("the new device's keys are not the ones that it committed to")
    check_verify_key(keys.verify_key)
    check_seal_public(keys.seal_key)
    role = Role(offer.role)
    check_possession(offer.set_id, offer.person, role, keys.verify_key, keys.seal_key, keys.possession)


def decode_commitment(body: bytes) -> bytes:
    """Body 0: the commitment. Raises NonCanonical, or PairingAborted for another protocol version."""
    version, commitment = _elements(body, 2)
    if _integer(version, 0) != SPEC_VERSION:
        raise PairingAborted(
            f"the new device speaks version {version} of the protocol, this one version {SPEC_VERSION}",
            "update e2esync on both devices, then start again with a new `e2esync pair`",
        )
    return _bytes(commitment, HASH)


def decode_offer(body: bytes) -> Offer:
    """Body 1, without the sponsor's nonce, which matters to the transcript only. Raises NonCanonical."""
    nonce, set_id, person, role, relay_key, record_hash, epoch = _elements(body, 7)
    _bytes(nonce, PAIRING_NONCE)
    if _integer(role, 0) not in DEVICES:
        raise NonCanonical("a device cannot join in that role")
    return Offer(
        _bytes(set_id, HASH), _bytes(person, PERSON), role, _bytes(relay_key, VERIFY_KEY),
        _bytes(record_hash, HASH), _integer(epoch, 0),
    )


def decode_keys(body: bytes) -> Keys:
    """Body 2: the newcomer's keys, not yet checked. Raises NonCanonical, PairingAborted for the name."""
    nonce, verify_key, seal_key, possession, name = _elements(body, 5)
    if type(name) is not str:
        raise NonCanonical("a device's name is not text")
    check_device_name(name)
    return Keys(
        _bytes(nonce, PAIRING_NONCE), _bytes(verify_key, VERIFY_KEY), _bytes(seal_key, SEAL_PUBLIC),
        _bytes(possession, SIGNATURE), name,
    )


def decode_landing(body: bytes, offer: Offer) -> Landing:
    """Body 3. The record that adds the newcomer comes after the one of message 1; index 0 is the root's."""
    record_hash, epoch, head_seq, log_hash, index = _elements(body, 5)
    return Landing(
        _bytes(record_hash, HASH), _integer(epoch, offer.epoch + 1), _integer(head_seq, 0), _bytes(log_hash, HASH),
        _integer(index, 1),
    )


def check_device_name(name: str) -> None:
    """Raises PairingAborted unless `name` is NFC text of 1 to 64 bytes of UTF-8."""
    if not 0 < len(name.encode(errors="replace")) <= DEVICE_NAME_MAX:
        raise PairingAborted(f"a device's name is text of 1 to {DEVICE_NAME_MAX} bytes", "choose another name")
    if not unicodedata.is_normalized("NFC", name):
        raise PairingAborted("a device's name is not in Unicode's composed form (NFC)", "choose another name")


def _elements(body: bytes, count: int) -> list[Any]:
    elements = wire.decode(body, limit=MAILBOX_MESSAGE_MAX)
    if type(elements) is not list or len(elements) != count:
        raise NonCanonical(f"a message is not an array of {count} elements")
    return elements


def _bytes(value: Any, length: int) -> bytes:
    if type(value) is not bytes or len(value) != length:
        raise NonCanonical(f"a message holds something else where {length} bytes are needed")
    return value


def _integer(value: Any, least: int) -> int:
    if type(value) is not int or not least <= value <= INT_MAX:
        raise NonCanonical(f"a message holds something else where a number from {least} is needed")
    return value
