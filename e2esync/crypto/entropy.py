"""The randomness port (SPEC 5.8): every draw has a name, so that vectors can list the draws.

The real one is above the I/O line (`client.entropy.SystemEntropy`); tests pass deterministic ones.
"""

from __future__ import annotations

from typing import Protocol


class Entropy(Protocol):
    """Where random bytes and KEM encapsulations come from."""

    def draw(self, name: str, length: int) -> bytes:
        """`length` uniformly random bytes, never given out before. `name` says what for (SPEC 5.8)."""
        ...

    def encapsulate(self, public_key: bytes) -> tuple[bytes, bytes]:
        """(32-byte shared secret, 1088-byte ciphertext) for a 1184-byte ML-KEM-768 public key.

        A port of its own because the provider of ML-KEM takes no randomness from outside.
        """
        ...
