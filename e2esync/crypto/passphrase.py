"""Argon2id (SPEC 5.7). Its parameters are constants of the version, never data that somebody else could choose."""

from __future__ import annotations

import unicodedata

from nacl.bindings import crypto_pwhash_alg as _pwhash
from nacl.bindings import crypto_pwhash_ALG_ARGON2ID13 as _ARGON2ID13

from e2esync.crypto.secret import Secret
from e2esync.errors import WrongPassphrase
from e2esync.limits import ARGON2_MEMORY, ARGON2_PASSES, KEY, SALT


def key_from_passphrase(passphrase: str, salt: bytes) -> Secret:
    """A 32-byte key from a passphrase, which is hashed as the UTF-8 of its NFC form, and a 16-byte salt.

    NFC, because two keyboards spell the same letter in two ways. Raises WrongPassphrase for what is no Unicode text.
    """
    assert len(salt) == SALT
    text = unicodedata.normalize("NFC", passphrase)
    # Looked for first: the error of a failed encoding would hold the passphrase.
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise WrongPassphrase("the passphrase is not valid text", "give it as UTF-8")
    return Secret(_pwhash(KEY, text.encode(), salt, ARGON2_PASSES, ARGON2_MEMORY, _ARGON2ID13))
