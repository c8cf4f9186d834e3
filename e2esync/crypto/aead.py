"""Key-committing XChaCha20-Poly1305 (SPEC 5.4): one ciphertext opens under one key only.

    subkey ‖ commitment = BLAKE2b-64(label AEAD, key = K, nonce ‖ context)
    sealed              = nonce ‖ commitment ‖ XChaCha20-Poly1305(subkey, nonce, plaintext, context)

`context` says where the ciphertext belongs; it is not carried, so that bytes moved elsewhere do not open.
"""

from __future__ import annotations

from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt as _decrypt,
)
from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_encrypt as _encrypt,
)
from nacl.exceptions import CryptoError as _NaclError

from e2esync.crypto.hashing import Label, blake2b, equal
from e2esync.crypto.secret import Secret
from e2esync.errors import AuthFailed, BadKey, CommitMismatch
from e2esync.limits import COMMITMENT, KEY, NONCE, TAG

AEAD_OVERHEAD = NONCE + COMMITMENT + TAG
"""Bytes that sealing adds: 24 of nonce, 32 of commitment, 16 of tag."""


def seal(key: Secret, nonce: bytes, context: bytes, plaintext: bytes) -> bytes:
    """`plaintext` sealed under a 32-byte key and a 24-byte nonce never used with it before (SPEC 5.4)."""
    if len(nonce) != NONCE:
        raise ValueError(f"a nonce of {len(nonce)} bytes")
    subkey, commitment = _derive(key, nonce, context)
    return nonce + commitment + _encrypt(plaintext, context, nonce, subkey)


def open_sealed(key: Secret, context: bytes, sealed: bytes) -> bytes:
    """What `seal` sealed. Raises CommitMismatch (another key or place) or AuthFailed (altered)."""
    if len(sealed) < AEAD_OVERHEAD:
        raise AuthFailed("the ciphertext is shorter than an empty one")
    nonce, commitment = sealed[:NONCE], sealed[NONCE : NONCE + COMMITMENT]
    subkey, expected = _derive(key, nonce, context)
    # SPEC 5.4 step 2: the commitment first, in constant time, before the cipher is touched.
    check_commitment(expected, commitment)
    try:
        return _decrypt(sealed[NONCE + COMMITMENT :], context, nonce, subkey)
    except (_NaclError, ValueError, TypeError) as error:
        raise AuthFailed("the ciphertext was altered") from error


def check_commitment(expected: bytes, carried: bytes) -> None:
    """Raises CommitMismatch unless the two commitments are equal; constant time."""
    if not equal(expected, carried):
        raise CommitMismatch("the ciphertext does not belong to this key and place")


def _derive(key: Secret, nonce: bytes, context: bytes) -> tuple[bytes, bytes]:
    # BLAKE2b takes a key of any length, and none at all for an empty one.
    if len(key) != KEY:
        raise BadKey(f"an encryption key has {len(key)} bytes and not {KEY}")
    both = blake2b(Label.AEAD, nonce, context, key=key.reveal(), size=64)
    return both[:32], both[32:]
