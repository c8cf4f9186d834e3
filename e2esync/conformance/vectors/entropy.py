"""Entropy for examples: every draw is a hash of a seed and the draw's name, and is written down (SPEC 5.8).

Never for real keys. ML-KEM encapsulation takes its 32-byte message from a draw as well; the provider of the suite
accepts none, so an independent implementation (kyber-py, of the `test` extra) does it here.
"""

from __future__ import annotations

import hashlib

from e2esync.errors import SuiteUnavailable

KEM_MESSAGE = "ml-kem message"


class NamedEntropy:
    """An `Entropy` whose draws depend on the seed, the name and how often that name was drawn before."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._counts: dict[str, int] = {}
        self.draws: list[tuple[str, bytes]] = []

    def draw(self, name: str, length: int) -> bytes:
        """`length` bytes, the same on every machine; also kept in `draws` under `name`."""
        count = self._counts.get(name, 0)
        self._counts[name] = count + 1
        drawn = hashlib.shake_256(f"{self._seed}\0{name}\0{count}".encode()).digest(length)
        self.draws.append((name, drawn))
        return drawn

    def encapsulate(self, public_key: bytes) -> tuple[bytes, bytes]:
        """(shared secret, ciphertext) for an ML-KEM-768 key, from the draw `ml-kem message`."""
        message = self.draw(KEM_MESSAGE, 32)
        return encapsulate_with(public_key, message)

    def named(self) -> list[dict[str, str]]:
        """The draws as vectors list them: name and lower-case hex, in order."""
        return [{"name": name, "value": drawn.hex()} for name, drawn in self.draws]


def encapsulate_with(public_key: bytes, message: bytes) -> tuple[bytes, bytes]:
    """ML-KEM-768.Encaps(public key; message) of FIPS 203. Raises SuiteUnavailable without kyber-py."""
    try:
        from kyber_py.ml_kem.default_parameters import DEFAULT_PARAMETERS
        from kyber_py.ml_kem.ml_kem import ML_KEM
    except ImportError as error:
        raise SuiteUnavailable(
            "kyber-py is not installed; the vectors need it for ML-KEM with a given message",
            "install the extra: pip install 'e2esync[test]'",
        ) from error
    kem = ML_KEM(DEFAULT_PARAMETERS["ML768"])
    kem.random_bytes = lambda _length: message
    shared, ciphertext = kem.encaps(public_key)
    return bytes(shared), bytes(ciphertext)
