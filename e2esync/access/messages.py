"""The four messages of a pairing or an invitation (SPEC 12.2, 12.3): sealed, decoded strictly, bound by a hash.

Invariants: a message opens under its own number, in its own mailbox and for its own purpose only, and its size says
nothing of the names in it; a body of another shape, type or range is refused before anything is done with it. The
words are a hash of the commitment, of the offer and of the newcomer's nonce: nothing in them can be chosen by somebody
who knows already what the others will be.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from typing import Any, Final

from e2esync import wire
from e2esync.access.code import PairingCode, Purpose
from e2esync.access.words import words_of
from e2esync.crypto import (
    AEAD_OVERHEAD,
    Label,
    Secret,
    SigningKey,
    blake2b,
    check_verify_key,
    equal,
    open_sealed,
    pad,
    seal,
    unpad,
)
from e2esync.crypto.sealing import check_seal_public
from e2esync.epoch.record import KitHalf, check_kit_proof, check_possession, sign_possession
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

DECLINED: Final = wire.encode([0])
"""Body 2 of somebody who does not accept an invitation."""


@dataclass(frozen=True, slots=True)
class Inviter:
    """Who invites another person, and to what: the verify key of the sponsor's device, its person's name, the book."""

    verify_key: bytes
    name: str
    book: str


@dataclass(frozen=True, slots=True)
class Guest:
    """What another person brings along (SPEC 12.3): the name to be shown to the others, and one key of its kit."""

    name: str
    kit: KitHalf


@dataclass(frozen=True, slots=True)
class Offer:
    """What the sponsor tells in message 1: the set, the newcomer's place, and the record that the sponsor stands at."""

    set_id: bytes
    person: bytes
    role: int
    relay_key: bytes
    record_hash: bytes
    epoch: int
    inviter: Inviter | None = None
    """Of an invitation."""

    def value(self) -> list[wire.Value]:
        """The elements of body 1 that follow the sponsor's nonce."""
        place: list[wire.Value] = [
            self.set_id, self.person, self.role, self.relay_key, self.record_hash, self.epoch,
        ]
        by = self.inviter
        return [*place, by.verify_key, by.name, by.book] if by else place


@dataclass(frozen=True, slots=True)
class Keys:
    """What the newcomer reveals in message 2."""

    nonce: bytes
    verify_key: bytes
    seal_key: bytes = field(repr=False)
    possession: bytes = field(repr=False)
    device_name: str
    guest: Guest | None = None
    """Of an invitation."""

    def claims(self) -> list[wire.Value]:
        """What was committed to, beside the nonce."""
        return claims_of(self.verify_key, self.seal_key, self.device_name, self.guest)


def claims_of(verify_key: bytes, seal_key: bytes, device_name: str, guest: Guest | None) -> list[wire.Value]:
    """All that a newcomer says of itself before it knows anything of the sponsor (SPEC 12.2)."""
    own: list[wire.Value] = [verify_key, seal_key, device_name]
    if guest is None:
        return own
    return [*own, guest.name, guest.kit.verify_key, guest.kit.seal_key, guest.kit.proof]


@dataclass(frozen=True, slots=True)
class Landing:
    """What the sponsor says in message 3: the record that adds the newcomer, and the sponsor's head in that epoch."""

    record_hash: bytes
    epoch: int
    head_seq: int
    log_hash: bytes
    index: int


def seal_message(code: PairingCode, n: int, nonce: bytes, body: bytes) -> bytes:
    """Message `n` with the encoded `body`, padded, under a fresh 24-byte nonce (SPEC 12.2)."""
    return seal(message_key(code, n), nonce, message_context(code, n), pad(body, AEAD_OVERHEAD))


def open_message(code: PairingCode, n: int, sealed: bytes) -> bytes:
    """The encoded body of message `n`. Raises PairingAborted if it is too long, or as `open_sealed` and `unpad` do."""
    if len(sealed) > MAILBOX_MESSAGE_MAX:
        raise PairingAborted(f"a message is longer than {MAILBOX_MESSAGE_MAX} bytes")
    return unpad(open_sealed(message_key(code, n), message_context(code, n), sealed), AEAD_OVERHEAD)


def message_key(code: PairingCode, n: int) -> Secret:
    """`key[n]` of SPEC 12.2: each message has a key of its own, so none can be sent back as another."""
    return Secret(blake2b(Label.PAIRING_KEY, bytes([n]), key=code.secret.reveal()))


def message_context(code: PairingCode, n: int) -> bytes:
    """What message `n` is bound to beside its key: the purpose, the mailbox and the number (SPEC 12.2, 12.3)."""
    purpose = b"e2e pairing" if code.purpose is Purpose.PAIRING else b"e2e invitation"
    return purpose + code.mailbox_id + bytes([n])


def commitment_of(nonce: bytes, claims: list[wire.Value]) -> bytes:
    """The newcomer's commitment to its nonce (32 bytes) and to all that it claims, before they are known."""
    return blake2b(Label.PAIRING_COMMIT, nonce, wire.encode(claims))


def transcript_of(body_0: bytes, body_1: bytes, nonce: bytes) -> bytes:
    """The hash of the encoded bodies 0 and 1 and of the newcomer's nonce.

    The rest of body 2 is not in it: the commitment holds it, and a possession is made after the sponsor's nonce is
    known. Whoever could choose a byte of the transcript then could search for the words of another conversation.
    """
    return blake2b(Label.TRANSCRIPT, wire.encode([body_0, body_1, nonce]))


def transcript_words(transcript: bytes) -> tuple[str, ...]:
    """The three words that a person compares (SPEC 12.2)."""
    return tuple(words_of(blake2b(Label.SAS, transcript), SAS_WORDS))


def possession_for(offer: Offer, signing_key: SigningKey, seal_public: bytes) -> bytes:
    """The newcomer's proof that it holds its key and wants the place that it is offered (SPEC 9.3)."""
    return sign_possession(signing_key, offer.set_id, offer.person, Role(offer.role), seal_public)


def check_keys(keys: Keys, offer: Offer, commitment: bytes) -> None:
    """Refuse keys that were not committed to (PairingAborted), are bad (BadKey) or not proved (ChainInvalid)."""
    # SPEC 12.2 step 1: keys and nonce are the ones fixed before the sponsor's nonce was known.
    if not equal(commitment, commitment_of(keys.nonce, keys.claims())):
        raise PairingAborted("the new device's keys are not the ones that it committed to")
    check_verify_key(keys.verify_key)
    check_seal_public(keys.seal_key)
    role = Role(offer.role)
    check_possession(offer.set_id, offer.person, role, keys.verify_key, keys.seal_key, keys.possession)
    if keys.guest is not None:
        kit = keys.guest.kit
        check_verify_key(kit.verify_key)
        check_seal_public(kit.seal_key)
        check_kit_proof(kit.verify_key, kit.seal_key, kit.proof)


def decode_commitment(body: bytes) -> bytes:
    """Body 0: the commitment. Raises NonCanonical, or PairingAborted for another protocol version."""
    version, commitment = _elements(body, 2)
    if _integer(version, 0) != SPEC_VERSION:
        raise PairingAborted(
            f"the new device speaks version {version} of the protocol, this one version {SPEC_VERSION}",
            "update e2esync on both devices, then start again with a new code",
        )
    return _bytes(commitment, HASH)


def decode_offer(body: bytes, purpose: Purpose = Purpose.PAIRING) -> Offer:
    """Body 1, without the sponsor's nonce, which matters to the transcript only. Raises NonCanonical."""
    nonce, set_id, person, role, relay_key, record_hash, epoch, *by = _elements(body, 7 if not purpose else 10)
    _bytes(nonce, PAIRING_NONCE)
    if _integer(role, 0) not in DEVICES:
        raise NonCanonical("a device cannot join in that role")
    inviter = Inviter(_bytes(by[0], VERIFY_KEY), _name(by[1], "a person's"), _name(by[2], "a book's")) if by else None
    return Offer(
        _bytes(set_id, HASH), _bytes(person, PERSON), role, _bytes(relay_key, VERIFY_KEY),
        _bytes(record_hash, HASH), _integer(epoch, 0), inviter,
    )


def decode_keys(body: bytes, purpose: Purpose = Purpose.PAIRING) -> Keys:
    """Body 2: the newcomer's keys, not yet checked. Raises NonCanonical, PairingAborted for a name or a refusal."""
    if purpose is Purpose.INVITATION and body == DECLINED:
        raise PairingAborted("the invitation was declined", "nothing was changed")
    nonce, claims, possession = _elements(body, 3)
    if type(claims) is not list or len(claims) != (3 if not purpose else 7):
        raise NonCanonical("a newcomer's claims are of another number")
    verify_key, seal_key, name, *guest = claims
    return Keys(
        _bytes(nonce, PAIRING_NONCE), _bytes(verify_key, VERIFY_KEY), _bytes(seal_key, SEAL_PUBLIC),
        _bytes(possession, SIGNATURE), _name(name, "a device's"), _guest(*guest) if guest else None,
    )


def _guest(name: Any, verify_key: Any, seal_key: Any, proof: Any) -> Guest:
    half = KitHalf(_bytes(verify_key, VERIFY_KEY), _bytes(seal_key, SEAL_PUBLIC), _bytes(proof, SIGNATURE))
    return Guest(_name(name, "a person's"), half)


def decode_landing(body: bytes, offer: Offer) -> Landing:
    """Body 3. The record that adds the newcomer comes after the one of message 1; index 0 is the root's."""
    record_hash, epoch, head_seq, log_hash, index = _elements(body, 5)
    return Landing(
        _bytes(record_hash, HASH), _integer(epoch, offer.epoch + 1), _integer(head_seq, 0), _bytes(log_hash, HASH),
        _integer(index, 1),
    )


def check_name(name: str, whose: str = "a device's") -> None:
    """Raises PairingAborted unless `name` is NFC text of 1 to 64 bytes of UTF-8."""
    if not 0 < len(name.encode(errors="replace")) <= DEVICE_NAME_MAX:
        raise PairingAborted(f"{whose} name is text of 1 to {DEVICE_NAME_MAX} bytes", "choose another name")
    if not unicodedata.is_normalized("NFC", name):
        raise PairingAborted(f"{whose} name is not in Unicode's composed form (NFC)", "choose another name")


def _name(value: Any, whose: str) -> str:
    if type(value) is not str:
        raise NonCanonical(f"{whose} name is not text")
    check_name(value, whose)
    return value


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
