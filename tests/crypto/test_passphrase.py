"""passphrase.py (SPEC 5.7): against pyca's Argon2id, NFC, constant parameters."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from e2esync.crypto.passphrase import key_from_passphrase
from e2esync.errors import WrongPassphrase

SALT = bytes(range(16))


@pytest.mark.parametrize("passphrase", ["", "correct horse", "Zoë 日本"])
def test_is_pycas_argon2id(passphrase: str) -> None:
    independent = Argon2id(salt=SALT, length=32, iterations=3, lanes=1, memory_cost=64 * 1024)
    assert key_from_passphrase(passphrase, SALT).reveal() == independent.derive(passphrase.encode())


def test_two_spellings_of_a_letter_are_one_passphrase() -> None:
    assert key_from_passphrase("Zoe\u0308", SALT).reveal() == key_from_passphrase("Zo\u00eb", SALT).reveal()
    assert key_from_passphrase("Zoe", SALT).reveal() != key_from_passphrase("Zo\u00eb", SALT).reveal()


def test_the_salt_counts() -> None:
    assert key_from_passphrase("a", SALT).reveal() != key_from_passphrase("a", bytes(16)).reveal()


def test_what_is_no_text_is_a_wrong_passphrase_and_not_shown() -> None:
    with pytest.raises(WrongPassphrase) as caught:
        key_from_passphrase("hidden\udcff", SALT)
    assert "hidden" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
