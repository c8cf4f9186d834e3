"""Hybrid sealed boxes (SPEC 5.5): they hold while either X25519 or ML-KEM-768 holds.

    inner = crypto_box_seal(secret, X25519 key)                        80 bytes
    ss, ct = ML-KEM-768.Encaps(ML-KEM key)                             32 and 1088 bytes
    key ‖ commitment = BLAKE2b-64(label SEALED_BOX, key = ss, ct ‖ context)
    box   = ct ‖ commitment ‖ XChaCha20-Poly1305(key, nonce 0, inner, context)

The outer key is used once, so its nonce is zero. A box does not authenticate its sender: the epoch record does.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt as _decrypt,
)
from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_encrypt as _encrypt,
)
from nacl.bindings import (
    crypto_box as _box,
)
from nacl.bindings import (
    crypto_box_seal_open as _box_seal_open,
)
from nacl.bindings import (
    crypto_scalarmult as _scalarmult,
)
from nacl.bindings import (
    crypto_scalarmult_base as _scalarmult_base,
)
from nacl.exceptions import CryptoError as _NaclError

from e2esync.crypto.aead import check_commitment
from e2esync.crypto.entropy import Entropy
from e2esync.crypto.hashing import Label, blake2b
from e2esync.crypto.kem import check_kem_key, decapsulate, public_from_seed
from e2esync.crypto.secret import Secret
from e2esync.errors import AuthFailed, BadKey
from e2esync.limits import COMMITMENT, KEM_CIPHERTEXT, KEM_SECRET_SEED, KEY, NONCE, SEAL_PUBLIC, SEALED_BOX

_P25519 = 2**255 - 19


@dataclass(frozen=True, slots=True)
class SealingKey:
    """A hybrid private key: 32 bytes of X25519, 64 bytes of ML-KEM seed; `public` is 1216 bytes."""

    secret: Secret = field(compare=False)
    public: bytes = field(repr=False)

    @classmethod
    def generate(cls, entropy: Entropy) -> SealingKey:
        """A fresh key from the draws `sealing key x25519` and `sealing key ml-kem`."""
        x25519 = entropy.draw("sealing key x25519", KEY)
        return cls.from_secret(x25519 + entropy.draw("sealing key ml-kem", KEM_SECRET_SEED))

    @classmethod
    def from_secret(cls, secret: bytes) -> SealingKey:
        """The key of 96 secret bytes: X25519 scalar ‖ ML-KEM d ‖ z."""
        if len(secret) != KEY + KEM_SECRET_SEED:
            raise BadKey("a sealing key's secret has the wrong length")
        public = _scalarmult_base(secret[:KEY]) + public_from_seed(Secret(secret[KEY:]))
        return cls(Secret(secret), public)


def check_seal_public(public: bytes) -> None:
    """Raises BadKey unless both halves are well-formed. Run at enrolment and at each announcement (SPEC 5.5)."""
    if len(public) != SEAL_PUBLIC:
        raise BadKey("a sealing key has the wrong length")
    if int.from_bytes(public[:KEY], "little") >= _P25519:
        raise BadKey("an X25519 key is not in its canonical encoding")
    try:
        # libsodium refuses a product of zero, which is what every point of small order gives.
        _scalarmult(b"\x40" + bytes(30) + b"\x40", public[:KEY])
    except (_NaclError, RuntimeError) as error:
        raise BadKey("an X25519 key is of small order") from error
    check_kem_key(public[KEY:])


def seal_to(public: bytes, context: bytes, secret: Secret, entropy: Entropy) -> bytes:
    """A 1216-byte box with a 32-byte secret for the holder of `public` (SPEC 5.5). Raises BadKey for no such key."""
    if len(public) != SEAL_PUBLIC or len(secret) != KEY:
        raise BadKey("a sealing key, or the secret to be sealed, has the wrong length")
    x25519 = public[:KEY]
    ephemeral = entropy.draw("sealed box ephemeral x25519", KEY)
    ephemeral_public = _scalarmult_base(ephemeral)
    # libsodium's crypto_box_seal, written out because it takes no randomness from outside.
    nonce = hashlib.blake2b(ephemeral_public + x25519, digest_size=NONCE).digest()
    try:
        inner = ephemeral_public + _box(secret.reveal(), nonce, x25519, ephemeral)
    except (_NaclError, RuntimeError) as error:
        raise BadKey("an X25519 key is of small order") from error
    shared, ciphertext = entropy.encapsulate(public[KEY:])
    key, commitment = _outer_key(Secret(shared), ciphertext, context)
    return ciphertext + commitment + _encrypt(inner, context, bytes(NONCE), key)


def open_box(key: SealingKey, context: bytes, box: bytes) -> Secret:
    """The 32-byte secret in `box`. Raises CommitMismatch or AuthFailed; opening is no reason to trust (SPEC 9.5)."""
    if len(box) != SEALED_BOX:
        raise AuthFailed("a sealed box has the wrong length")
    own = key.secret.reveal()
    ciphertext = box[:KEM_CIPHERTEXT]
    outer, commitment = _outer_key(decapsulate(Secret(own[KEY:]), ciphertext), ciphertext, context)
    check_commitment(commitment, box[KEM_CIPHERTEXT : KEM_CIPHERTEXT + COMMITMENT])
    try:
        inner = _decrypt(box[KEM_CIPHERTEXT + COMMITMENT :], context, bytes(NONCE), outer)
        return Secret(_box_seal_open(inner, key.public[:KEY], own[:KEY]))
    except (_NaclError, ValueError, TypeError, RuntimeError) as error:
        raise AuthFailed("a sealed box was altered") from error


def _outer_key(shared: Secret, ciphertext: bytes, context: bytes) -> tuple[bytes, bytes]:
    both = blake2b(Label.SEALED_BOX, ciphertext, context, key=shared.reveal(), size=64)
    return both[:32], both[32:]
