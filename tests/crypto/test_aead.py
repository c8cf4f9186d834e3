"""aead.py (SPEC 5.4): against an independent XChaCha20-Poly1305, every bit flipped, one key per ciphertext."""

from __future__ import annotations

import hashlib
import struct

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt as sodium_encrypt

from e2esync.crypto import AEAD_OVERHEAD, Secret, open_sealed, seal
from e2esync.crypto.aead import check_commitment
from e2esync.errors import AuthFailed, BadKey, CommitMismatch, CryptoError

KEY, NONCE = bytes(range(32)), bytes(range(100, 124))


def hchacha20(key: bytes, nonce16: bytes) -> bytes:
    """HChaCha20 as draft-irtf-cfrg-xchacha writes it, in plain Python."""
    state = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *struct.unpack("<8I", key), *struct.unpack("<4I", nonce16)]

    def turn(word: int, count: int) -> int:
        return (word << count | word >> 32 - count) & 0xFFFFFFFF

    def quarter(a: int, b: int, c: int, d: int) -> None:
        for first, second, third, count in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            state[first] = (state[first] + state[second]) & 0xFFFFFFFF
            state[third] = turn(state[third] ^ state[first], count)

    for _round in range(10):
        for column in range(4):
            quarter(column, column + 4, column + 8, column + 12)
        for row in range(4):
            quarter(row, (row + 1) % 4 + 4, (row + 2) % 4 + 8, (row + 3) % 4 + 12)
    return struct.pack("<8I", *state[:4], *state[12:])


def independent_seal(key: bytes, nonce: bytes, context: bytes, plaintext: bytes) -> bytes:
    """SPEC 5.4 from hashlib, HChaCha20 above and pyca's ChaCha20-Poly1305."""
    both = hashlib.blake2b(nonce + context, digest_size=64, key=key, person=b"e2e aead".ljust(16, b"\0")).digest()
    cipher = ChaCha20Poly1305(hchacha20(both[:32], nonce[:16]))
    return nonce + both[32:] + cipher.encrypt(bytes(4) + nonce[16:], plaintext, context)


def test_hchacha20_of_the_draft() -> None:
    nonce = bytes.fromhex("000000090000004a0000000031415927")
    expected = "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"
    assert hchacha20(bytes(range(32)), nonce).hex() == expected


@settings(max_examples=40, derandomize=True, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(min_size=24, max_size=24), st.binary(max_size=60),
       st.binary(max_size=300))
def test_is_what_spec_says(key: bytes, nonce: bytes, context: bytes, plaintext: bytes) -> None:
    sealed = seal(Secret(key), nonce, context, plaintext)
    assert sealed == independent_seal(key, nonce, context, plaintext)
    assert len(sealed) == len(plaintext) + AEAD_OVERHEAD
    assert open_sealed(Secret(key), context, sealed) == plaintext


def test_every_flipped_bit_is_refused_with_the_right_error() -> None:
    sealed = seal(Secret(KEY), NONCE, b"here", b"content")
    for bit in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        # Nonce and commitment are 56 bytes: the commitment is checked before the cipher is touched.
        with pytest.raises(CommitMismatch if bit < 56 * 8 else AuthFailed):
            open_sealed(Secret(KEY), b"here", bytes(changed))


def test_every_length_is_refused() -> None:
    sealed = seal(Secret(KEY), NONCE, b"", b"")
    for length in range(len(sealed)):
        with pytest.raises(AuthFailed):
            open_sealed(Secret(KEY), b"", sealed[:length])
    with pytest.raises(AuthFailed):
        open_sealed(Secret(KEY), b"", sealed + b"\0")


@settings(max_examples=60, derandomize=True)
@given(st.binary(max_size=120))
def test_any_bytes_give_our_error(data: bytes) -> None:
    with pytest.raises(CryptoError):
        open_sealed(Secret(KEY), b"", data)


@pytest.mark.parametrize(("key", "context"), [(bytes(32), b"here"), (KEY, b"there"), (KEY, b"her"), (KEY, b"")])
def test_another_key_or_place_is_a_commit_mismatch(key: bytes, context: bytes) -> None:
    sealed = seal(Secret(KEY), NONCE, b"here", b"content")
    with pytest.raises(CommitMismatch):
        open_sealed(Secret(key), context, sealed)


def test_a_cipher_that_would_open_does_not_open_without_its_commitment() -> None:
    # XChaCha20-Poly1305 itself is not committing; only the commitment says whose this is.
    both = hashlib.blake2b(NONCE, digest_size=64, key=KEY, person=b"e2e aead".ljust(16, b"\0")).digest()
    cipher = sodium_encrypt(b"content", b"", NONCE, both[:32])
    assert open_sealed(Secret(KEY), b"", NONCE + both[32:] + cipher) == b"content"
    with pytest.raises(CommitMismatch):
        open_sealed(Secret(KEY), b"", NONCE + bytes(32) + cipher)


def test_nonces_and_contexts_give_unrelated_ciphertexts() -> None:
    sealed = {seal(Secret(KEY), bytes([n]) * 24, bytes([c]), b"content")[24:] for n in range(4) for c in range(4)}
    assert len(sealed) == 16


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_keys_have_32_bytes(length: int) -> None:
    with pytest.raises(BadKey):
        seal(Secret(bytes(length)), NONCE, b"", b"")
    with pytest.raises(BadKey):
        open_sealed(Secret(bytes(length)), b"", bytes(72))


@pytest.mark.parametrize("length", [0, 12, 23, 25])
def test_nonces_have_24_bytes(length: int) -> None:
    with pytest.raises(ValueError):
        seal(Secret(KEY), bytes(length), b"", b"")


def test_check_commitment() -> None:
    check_commitment(b"same", b"same")
    with pytest.raises(CommitMismatch):
        check_commitment(b"same", b"sama")
