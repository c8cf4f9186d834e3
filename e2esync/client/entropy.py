"""The real randomness port (SPEC 5.8): the operating system's, and the ML-KEM provider's own."""

from __future__ import annotations

import os


class SystemEntropy:
    """`crypto.Entropy` for everything but tests and vectors."""

    def draw(self, name: str, length: int) -> bytes:  # noqa: ARG002 - the name is for vectors
        """`length` bytes of the operating system's."""
        return os.urandom(length)

    def encapsulate(self, public_key: bytes) -> tuple[bytes, bytes]:
        """(32-byte shared secret, 1088-byte ciphertext) for an ML-KEM-768 key. Raises BadKey, SuiteUnavailable."""
        # Only who seals needs the provider: local commands start without it.
        from e2esync.crypto.kem import encapsulate

        return encapsulate(public_key)
