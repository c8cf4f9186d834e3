"""ML-KEM-768 (FIPS 203) from pyca/cryptography. Without a backend for it, there is no suite (SPEC 5.5).

The provider is imported on first use: most local work needs no sealed box, and the import is slow.
"""

from __future__ import annotations

from functools import lru_cache
from types import ModuleType
from typing import Protocol

from e2esync.crypto.secret import Secret
from e2esync.errors import AuthFailed, BadKey, SuiteUnavailable
from e2esync.limits import KEM_CIPHERTEXT, KEM_PUBLIC


@lru_cache(maxsize=1)
def _provider() -> ModuleType:
    """The provider of ML-KEM, tried once. Raises SuiteUnavailable; there is no classical fallback."""
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric import mlkem
    except ImportError as error:
        raise SuiteUnavailable("ML-KEM-768 is not available on this machine") from error
    try:
        mlkem.MLKEM768PrivateKey.from_seed_bytes(bytes(64))
    except UnsupportedAlgorithm as error:
        raise SuiteUnavailable("ML-KEM-768 is not available on this machine") from error
    return mlkem


def public_from_seed(seed: Secret) -> bytes:
    """The 1184-byte public key of a 64-byte seed (d ‖ z)."""
    return bytes(_provider().MLKEM768PrivateKey.from_seed_bytes(seed.reveal()).public_key().public_bytes_raw())


def decapsulate(seed: Secret, ciphertext: bytes) -> Secret:
    """The 32-byte shared secret of a 1088-byte ciphertext. A forged one gives an unrelated secret (FIPS 203)."""
    if len(ciphertext) != KEM_CIPHERTEXT:
        raise AuthFailed("an ML-KEM ciphertext has the wrong length")
    return Secret(_provider().MLKEM768PrivateKey.from_seed_bytes(seed.reveal()).decapsulate(ciphertext))


def encapsulate(public_key: bytes) -> tuple[bytes, bytes]:
    """(shared secret, ciphertext) with the provider's own randomness: only for the real `Entropy`, above the line."""
    secret, ciphertext = _load(public_key).encapsulate()
    return bytes(secret), bytes(ciphertext)


def check_kem_key(public_key: bytes) -> None:
    """Raises BadKey unless the key is 1184 bytes with every coefficient below 3329 (FIPS 203, 7.2)."""
    _load(public_key)


def _load(public_key: bytes) -> _PublicKey:
    if len(public_key) != KEM_PUBLIC:
        raise BadKey("an ML-KEM public key has the wrong length")
    try:
        key: _PublicKey = _provider().MLKEM768PublicKey.from_public_bytes(public_key)
    except ValueError as error:
        raise BadKey("an ML-KEM public key has a coefficient out of range") from error
    return key


class _PublicKey(Protocol):
    """The part of the provider's public key that is used here."""

    def encapsulate(self) -> tuple[bytes, bytes]: ...
