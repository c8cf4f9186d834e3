"""Randomness for tests (SPEC 5.8): every draw follows from a seed, so a test's keys are the same in every run."""

from __future__ import annotations

from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.crypto.kem import encapsulate


class SeededEntropy(NamedEntropy):
    """Draws from a seed, by their name. Never for real keys.

    Encapsulation alone is the provider's own, which takes no seed: what differs from run to run is the bytes of sealed
    boxes, and nothing about their number, order and size.
    """

    def encapsulate(self, public_key: bytes) -> tuple[bytes, bytes]:
        """(shared secret, ciphertext) for an ML-KEM-768 key."""
        return encapsulate(public_key)
