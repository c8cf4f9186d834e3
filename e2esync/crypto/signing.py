"""Ed25519 through libsodium and nothing else (SPEC 5.3): verifiers disagree on odd keys, and that forks a chain.

    signed message = label (16) ‖ set id (32) ‖ BLAKE2b-32(label, message)

so a signature made for one purpose, or for one set, is useless in any other place.
"""

from __future__ import annotations

from nacl.bindings import (
    crypto_core_ed25519_is_valid_point as _is_valid_point,
)
from nacl.bindings import (
    crypto_sign as _sign,
)
from nacl.bindings import (
    crypto_sign_open as _sign_open,
)
from nacl.bindings import (
    crypto_sign_seed_keypair as _keypair,
)
from nacl.exceptions import CryptoError as _NaclError

from e2esync.crypto.hashing import Label, blake2b
from e2esync.crypto.secret import Secret
from e2esync.errors import AuthFailed, BadKey
from e2esync.limits import KEY, SIGNATURE, VERIFY_KEY


class SigningKey:
    """An Ed25519 signing key, from its 32-byte seed."""

    __slots__ = ("_secret", "seed", "verify_key")

    def __init__(self, seed: bytes | Secret) -> None:
        self.seed = seed if isinstance(seed, Secret) else Secret(seed)
        if len(self.seed) != KEY:
            raise BadKey("a signing key's seed has the wrong length")
        public, secret = _keypair(self.seed.reveal())
        self.verify_key: bytes = public
        self._secret = Secret(secret)

    def sign(self, label: Label, set_id: bytes, message: bytes) -> bytes:
        """The 64-byte signature of `message` for one purpose in one set (SPEC 5.3)."""
        return _sign(_to_be_signed(label, set_id, message), self._secret.reveal())[:SIGNATURE]

    def __repr__(self) -> str:
        return f"SigningKey({self.verify_key.hex()[:8]})"


def verify(label: Label, set_id: bytes, message: bytes, signature: bytes, verify_key: bytes) -> None:
    """Raises AuthFailed unless `signature` is `verify_key`'s for this purpose, set and message (SPEC 5.3)."""
    if len(signature) != SIGNATURE or len(verify_key) != VERIFY_KEY:
        raise AuthFailed("a signature or verify key has the wrong length")
    try:
        _sign_open(signature + _to_be_signed(label, set_id, message), verify_key)
    except (_NaclError, ValueError, TypeError) as error:
        raise AuthFailed(f"the signature ({label.name.lower()}) does not verify") from error


def check_verify_key(verify_key: bytes) -> None:
    """Raises BadKey unless the key is canonical and of large order. Run at enrolment, not at use (SPEC 5.3)."""
    if len(verify_key) != VERIFY_KEY or not _is_valid_point(verify_key):
        raise BadKey("a verify key is not a canonical point of large order")


def _to_be_signed(label: Label, set_id: bytes, message: bytes) -> bytes:
    return label.person + set_id + blake2b(label, message)
