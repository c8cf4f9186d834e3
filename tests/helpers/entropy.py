"""Deterministic entropy for tests. KEM encapsulation is the suite's own provider unless a test needs it repeatable."""

from __future__ import annotations

from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.crypto.kem import encapsulate


class FastEntropy(NamedEntropy):
    """Named draws; encapsulation with the provider's own randomness, which is a hundred times faster."""

    def encapsulate(self, public_key: bytes) -> tuple[bytes, bytes]:
        return encapsulate(public_key)
