"""What both sides of the handshake compute (SPEC 13.2): the binding, and the three signatures over it.

    binding = H(TRANSCRIPT, encode([version, set_id, member, nonce_C, nonce_R, relay key]))

Every byte that either side chose is in it, so a signature of it is good for this connection and no other.
"""

from __future__ import annotations

from e2esync.crypto import Label, SigningKey, blake2b, equal, verify
from e2esync.errors import AuthFailed, CryptoError, HandshakeFailed, WireError
from e2esync.limits import HASH
from e2esync.log.head import Head, parse_head, verify_head
from e2esync.session.messages import Hello, Welcome
from e2esync.wire import encode

FAREWELL = 8
"""The size of a WELCOME's body for a removed member: u64 of the epoch whose record removed it."""

DELETED = b"\x92"
"""How a WELCOME's body for a deleted set begins: a deletion is an array of two, a head's body one of seven."""

VISITOR_SET = bytes(HASH)
"""The set id under which a relay signs for a visitor, who names none."""


def binding_of(hello: Hello, relay_nonce: bytes, relay_key: bytes) -> bytes:
    """The 32 bytes that tie both identities and both nonces together (SPEC 13.2)."""
    return blake2b(
        Label.TRANSCRIPT,
        encode([hello.version, hello.set_id, hello.member, hello.nonce, relay_nonce, relay_key]),
    )


def sign_proof(signing_key: SigningKey, set_id: bytes, binding: bytes) -> bytes:
    """PROOF's signature, by the member."""
    return signing_key.sign(Label.SIGN_SESSION, set_id, binding)


def check_proof(verify_key: bytes, set_id: bytes, binding: bytes, signature: bytes) -> None:
    """Raises AuthFailed unless the member signed this binding."""
    verify(Label.SIGN_SESSION, set_id, binding, signature, verify_key)


def read_welcome(welcome: Welcome, set_id: bytes, relay_key: bytes, binding: bytes) -> Head:
    """The head in a WELCOME: signed by the relay, and for this very handshake. Raises HandshakeFailed."""
    try:
        head = parse_head(welcome.head, welcome.signature)
        verify_head(head, set_id, relay_key)
    except (WireError, CryptoError) as error:
        raise HandshakeFailed("the relay did not prove that it holds its key") from error
    if not equal(head.binding, binding):
        raise HandshakeFailed("the relay's head was signed for another connection")
    return head


def sign_find(signing_key: SigningKey, binding: bytes) -> bytes:
    """FIND's signature, by a recovery key, in the visitor's session that the binding stands for (SPEC 13.10)."""
    return signing_key.sign(Label.SIGN_FIND, VISITOR_SET, signing_key.verify_key + binding)


def check_find(verify_key: bytes, binding: bytes, signature: bytes) -> None:
    """Raises AuthFailed unless whoever asks holds this key, and signed in this session."""
    verify(Label.SIGN_FIND, VISITOR_SET, verify_key + binding, signature, verify_key)


def farewell(relay_key: SigningKey, set_id: bytes, binding: bytes, epoch: int) -> Welcome:
    """WELCOME to a member that the record of `epoch` has removed: it may read the chain up to there."""
    body = epoch.to_bytes(FAREWELL, "big")
    return Welcome(body, relay_key.sign(Label.SIGN_SESSION, set_id, binding + body))


def read_farewell(welcome: Welcome, set_id: bytes, relay_key: bytes, binding: bytes) -> int:
    """The epoch of a removal, as the relay says; what proves it is the chain. Raises HandshakeFailed."""
    return int.from_bytes(read_said(welcome, set_id, relay_key, binding), "big")


def tell_deleted(relay_key: SigningKey, set_id: bytes, binding: bytes, deletion: bytes) -> Welcome:
    """WELCOME to a member of a set that was deleted: the word that did it."""
    return Welcome(deletion, relay_key.sign(Label.SIGN_SESSION, set_id, binding + deletion))


def read_said(welcome: Welcome, set_id: bytes, relay_key: bytes, binding: bytes) -> bytes:
    """A WELCOME's body that is no head, if the relay signed it in this connection. Raises HandshakeFailed."""
    try:
        verify(Label.SIGN_SESSION, set_id, binding + welcome.head, welcome.signature, relay_key)
    except AuthFailed as error:
        raise HandshakeFailed("the relay did not prove that it holds its key") from error
    return welcome.head


def sign_visit(relay_key: SigningKey, binding: bytes) -> bytes:
    """WELCOME's signature to a visitor, by the relay."""
    return relay_key.sign(Label.SIGN_SESSION, VISITOR_SET, binding)


def check_visit(relay_key: bytes, binding: bytes, signature: bytes) -> None:
    """Raises HandshakeFailed unless the relay signed this binding."""
    try:
        verify(Label.SIGN_SESSION, VISITOR_SET, binding, signature, relay_key)
    except AuthFailed as error:
        raise HandshakeFailed("the relay did not prove that it holds its key") from error
