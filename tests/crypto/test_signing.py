"""signing.py (SPEC 5.3): against pyca's Ed25519; labels, sets, odd keys and odd signatures."""

from __future__ import annotations

import hashlib
import itertools

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.bindings import crypto_core_ed25519_add as add

from e2esync.crypto import Label, Secret, SigningKey, check_verify_key, verify
from e2esync.errors import AuthFailed, BadKey

SEED, SET = bytes(range(32)), bytes(range(32, 64))
ORDER = 2**252 + 27742317777372353535851937790883648493
P = 2**255 - 19
SMALL = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
]


@settings(max_examples=40, derandomize=True)
@given(st.binary(min_size=32, max_size=32), st.sampled_from(Label), st.binary(max_size=200))
def test_is_pycas_ed25519_over_the_statement_of_spec(seed: bytes, label: Label, message: bytes) -> None:
    person = label.value.ljust(16, b"\0")
    statement = person + SET + hashlib.blake2b(message, digest_size=32, person=person).digest()
    independent = Ed25519PrivateKey.from_private_bytes(seed)
    key = SigningKey(seed)
    assert key.verify_key == independent.public_key().public_bytes_raw()
    assert key.sign(label, SET, message) == independent.sign(statement)
    verify(label, SET, message, key.sign(label, SET, message), key.verify_key)


def test_every_flipped_bit_is_refused() -> None:
    key = SigningKey(SEED)
    signature = key.sign(Label.SIGN_ENTRY, SET, b"m")
    for bit in range(512):
        changed = bytearray(signature)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(AuthFailed):
            verify(Label.SIGN_ENTRY, SET, b"m", bytes(changed), key.verify_key)


def test_no_signature_serves_another_purpose() -> None:
    key = SigningKey(SEED)
    labels = [label for label in Label if label.name.startswith("SIGN_")]
    for made, used in itertools.permutations(labels, 2):
        with pytest.raises(AuthFailed):
            verify(used, SET, b"m", key.sign(made, SET, b"m"), key.verify_key)


@pytest.mark.parametrize(("set_id", "message", "seed"), [
    (bytes(32), b"m", SEED), (SET, b"n", SEED), (SET, b"", SEED), (SET, b"m", bytes(32)),
])
def test_another_set_message_or_key(set_id: bytes, message: bytes, seed: bytes) -> None:
    signature = SigningKey(SEED).sign(Label.SIGN_HEAD, SET, b"m")
    with pytest.raises(AuthFailed):
        verify(Label.SIGN_HEAD, set_id, message, signature, SigningKey(seed).verify_key)


def test_a_scalar_beyond_the_order_is_refused() -> None:
    key = SigningKey(SEED)
    signature = key.sign(Label.SIGN_HEAD, SET, b"m")
    scalar = int.from_bytes(signature[32:], "little") + ORDER
    with pytest.raises(AuthFailed):
        verify(Label.SIGN_HEAD, SET, b"m", signature[:32] + scalar.to_bytes(32, "little"), key.verify_key)


@pytest.mark.parametrize("small", SMALL)
def test_keys_of_small_order_verify_nothing(small: str) -> None:
    for signature in (bytes(64), bytes.fromhex(small) + bytes(32), b"\1" + bytes(63)):
        with pytest.raises(AuthFailed):
            verify(Label.SIGN_HEAD, SET, b"m", signature, bytes.fromhex(small))


@settings(max_examples=60, derandomize=True)
@given(st.binary(max_size=80), st.binary(max_size=40))
def test_any_bytes_give_our_error(signature: bytes, key: bytes) -> None:
    with pytest.raises(AuthFailed):
        verify(Label.SIGN_HEAD, SET, b"m", signature, key)


class TestCheckVerifyKey:
    @settings(max_examples=20, derandomize=True)
    @given(st.binary(min_size=32, max_size=32))
    def test_takes_honest_keys(self, seed: bytes) -> None:
        check_verify_key(SigningKey(seed).verify_key)

    @pytest.mark.parametrize("small", SMALL)
    def test_refuses_small_order(self, small: str) -> None:
        with pytest.raises(BadKey):
            check_verify_key(bytes.fromhex(small))

    @pytest.mark.parametrize("small", SMALL[4:])
    def test_refuses_mixed_order(self, small: str) -> None:
        with pytest.raises(BadKey):
            check_verify_key(add(SigningKey(SEED).verify_key, bytes.fromhex(small)))

    @pytest.mark.parametrize("y", range(19))
    @pytest.mark.parametrize("sign", [0, 1])
    def test_refuses_second_spellings(self, y: int, sign: int) -> None:
        with pytest.raises(BadKey):
            check_verify_key((y + P | sign << 255).to_bytes(32, "little"))

    def test_refuses_what_is_on_no_point(self) -> None:
        with pytest.raises(BadKey):
            check_verify_key(b"\2" + bytes(31))

    @pytest.mark.parametrize("length", [0, 31, 33, 64])
    def test_refuses_other_lengths(self, length: int) -> None:
        with pytest.raises(BadKey):
            check_verify_key(bytes(length))


class TestSigningKey:
    @pytest.mark.parametrize("length", [0, 31, 33, 64])
    def test_seed_has_32_bytes(self, length: int) -> None:
        with pytest.raises(BadKey):
            SigningKey(bytes(length))

    def test_takes_bytes_or_a_secret(self) -> None:
        assert SigningKey(Secret(SEED)).verify_key == SigningKey(SEED).verify_key
        assert SigningKey(SEED).seed.reveal() == SEED

    def test_shows_the_start_of_its_verify_key(self) -> None:
        key = SigningKey(SEED)
        assert repr(key) == f"SigningKey({key.verify_key.hex()[:8]})"
