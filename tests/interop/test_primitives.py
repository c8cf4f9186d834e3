"""Each primitive's vectors against another implementation than the reference's (SPEC 5).

The reference hashes with the standard library and takes signatures, ciphers, X25519 and Argon2id from libsodium and
ML-KEM-768 from OpenSSL. Here they come from the other side: BLAKE2b from libsodium, Ed25519, X25519, ChaCha20-Poly1305,
Poly1305 and Argon2id from OpenSSL, ML-KEM-768 from kyber-py; what OpenSSL lacks (HChaCha20, Salsa20) is written out.
Nothing is imported from the package: a mistake that it shares with its vectors would show here.
"""

from __future__ import annotations

import hashlib
import json
import struct
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.poly1305 import Poly1305
from kyber_py.ml_kem import ML_KEM_768
from nacl.bindings import crypto_generichash_blake2b_salt_personal as blake2b

ROOT = Path(__file__).parents[2]
CRYPTO = json.loads((ROOT / "vectors" / "v1" / "crypto.json").read_bytes())
RAW = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)
SIGMA = struct.unpack("<4I", b"expand 32-byte k")


def cases(operation: str, *results: str) -> list[Any]:
    wanted = [case for case in CRYPTO["cases"] if case["id"].startswith(f"crypto::{operation}::")]
    return [pytest.param(case, id=case["id"].rpartition("::")[2]) for case in wanted
            if case["result"] in (results or ("valid",))]


def value(case: dict[str, Any], name: str, part: str = "input") -> bytes:
    """A byte string of a case, with its long runs in their places."""
    found = case[part][name]
    if isinstance(found, dict):
        pieces = [each if isinstance(each, str) else each["repeat"] * each["times"] for each in found["joined"]]
        return bytes.fromhex("".join(pieces))
    return bytes.fromhex(found)


def drawn(case: dict[str, Any], name: str) -> bytes:
    return next(bytes.fromhex(each["value"]) for each in case["entropy"] if each["name"] == name)


def labels() -> dict[str, bytes]:
    """Label → personalization, as the table of SPEC 5.2 has them."""
    rows = (ROOT / "SPEC.md").read_text().partition("| label | personalization |")[2].partition("\n\n")[0]
    cells = [[cell.strip(" `") for cell in row.split("|")[1:3]] for row in rows.splitlines()[2:]]
    return {label: text.encode().ljust(16, b"\0") for label, text in cells}


LABELS = labels()


def hashed(label: str, message: bytes, size: int = 32, key: bytes = b"") -> bytes:
    return blake2b(message, digest_size=size, key=key, person=LABELS[label])


# ------------------------------------------------------------------------------------------------- hash and signatures


@pytest.mark.parametrize("case", cases("hash"))
def test_blake2b(case: dict[str, Any]) -> None:
    key = value(case, "key") if "key" in case["input"] else b""
    wanted = value(case, "digest", "output")
    size, message = case["input"]["size"], value(case, "message")
    assert hashed(case["input"]["label"], message, size, key) == wanted
    person = LABELS[case["input"]["label"]]
    assert hashlib.blake2b(message, digest_size=size, key=key, person=person).digest() == wanted


def signed(case: dict[str, Any]) -> bytes:
    label = case["input"]["label"]
    return LABELS[label] + value(case, "set_id") + hashed(label, value(case, "message"))


@pytest.mark.parametrize("case", cases("sign"))
def test_ed25519_signs(case: dict[str, Any]) -> None:
    key = Ed25519PrivateKey.from_private_bytes(value(case, "seed"))
    assert key.public_key().public_bytes(*RAW) == value(case, "verify_key", "output")
    assert key.sign(signed(case)) == value(case, "signature", "output")


# Under a key of small order the bare equation of RFC 8032 holds, and OpenSSL asks for no more. SPEC 5.3 refuses it.
LAX = {"zero"}


@pytest.mark.parametrize("case", [each for each in cases("verify", "valid", "invalid") if each.id not in LAX])
def test_ed25519_verifies(case: dict[str, Any]) -> None:
    try:
        key = Ed25519PublicKey.from_public_bytes(value(case, "verify_key"))
        key.verify(value(case, "signature"), signed(case))
        verdict = "valid"
    except (InvalidSignature, ValueError):
        verdict = "invalid"
    assert verdict == case["result"]


# -------------------------------------------------------------------------------------- key-committing encryption, 5.4


def rotated(word: int, bits: int) -> int:
    return (word << bits | word >> (32 - bits)) & 0xFFFFFFFF


def chacha_quarter(x: list[int], a: int, b: int, c: int, d: int) -> None:
    for first, second, third, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        x[first] = (x[first] + x[second]) & 0xFFFFFFFF
        x[third] = rotated(x[third] ^ x[first], bits)


def hchacha20(key: bytes, nonce: bytes) -> bytes:
    """The subkey of XChaCha20 for the first 16 bytes of a nonce (draft-irtf-cfrg-xchacha-03, 2.2)."""
    x = [*SIGMA, *struct.unpack("<8I", key), *struct.unpack("<4I", nonce)]
    for _ in range(10):
        for column in range(4):
            chacha_quarter(x, column, column + 4, column + 8, column + 12)
        for column in range(4):
            diagonal = [column, 4 + (column + 1) % 4, 8 + (column + 2) % 4, 12 + (column + 3) % 4]
            chacha_quarter(x, *diagonal)
    return struct.pack("<8I", *x[:4], *x[12:])


def xchacha(key: bytes, nonce: bytes) -> tuple[ChaCha20Poly1305, bytes]:
    return ChaCha20Poly1305(hchacha20(key, nonce[:16])), bytes(4) + nonce[16:]


def committed(key: bytes, nonce: bytes, context: bytes) -> tuple[bytes, bytes]:
    both = hashed("AEAD", nonce + context, 64, key)
    return both[:32], both[32:]


@pytest.mark.parametrize("case", cases("seal"))
def test_xchacha20_poly1305_seals(case: dict[str, Any]) -> None:
    nonce, context = drawn(case, "envelope nonce"), value(case, "context")
    subkey, commitment = committed(value(case, "key"), nonce, context)
    cipher, short_nonce = xchacha(subkey, nonce)
    sealed = nonce + commitment + cipher.encrypt(short_nonce, value(case, "plaintext"), context)
    assert sealed == value(case, "sealed", "output")


@pytest.mark.parametrize("case", cases("open", "valid", "invalid"))
def test_xchacha20_poly1305_opens(case: dict[str, Any]) -> None:
    key, context, sealed = (value(case, name) for name in ("key", "context", "sealed"))
    assert opened(key, context, sealed) == (case["error"] if case["result"] == "invalid" else value(
        case, "plaintext", "output"))


def opened(key: bytes, context: bytes, sealed: bytes) -> bytes | str:
    """The plaintext, or the code of the step that refuses it."""
    if len(key) != 32:
        return "BadKey"
    if len(sealed) < 72:
        return "AuthFailed"
    nonce = sealed[:24]
    subkey, commitment = committed(key, nonce, context)
    if commitment != sealed[24:56]:
        return "CommitMismatch"
    cipher, short_nonce = xchacha(subkey, nonce)
    try:
        return cipher.decrypt(short_nonce, sealed[56:], context)
    except InvalidTag:
        return "AuthFailed"


# -------------------------------------------------------------------------------------------- hybrid sealed box, 5.5


def salsa_rounds(x: list[int]) -> list[int]:
    """The 20 rounds of Salsa20, without the addition at their end."""
    x = list(x)
    for _ in range(10):
        for stride, step in ((1, 4), (4, 1)):
            for i in range(4):
                spots = [stride * i + step * ((i + n) % 4) for n in range(4)]
                for n, bits in enumerate((7, 9, 13, 18)):
                    into, left, right = spots[(n + 1) % 4], spots[n], spots[(n - 1) % 4]
                    x[into] ^= rotated((x[left] + x[right]) & 0xFFFFFFFF, bits)
    return x


def salsa_input(key: bytes, block: bytes) -> list[int]:
    k, n = struct.unpack("<8I", key), struct.unpack("<4I", block)
    return [SIGMA[0], *k[:4], SIGMA[1], *n, SIGMA[2], *k[4:], SIGMA[3]]


def hsalsa20(key: bytes, block: bytes) -> bytes:
    x = salsa_rounds(salsa_input(key, block))
    return struct.pack("<8I", *(x[i] for i in (0, 5, 10, 15, 6, 7, 8, 9)))


def xsalsa_stream(key: bytes, nonce: bytes) -> bytes:
    """The first 64 bytes of XSalsa20's stream."""
    words = salsa_input(hsalsa20(key, nonce[:16]), nonce[16:] + bytes(8))
    mixed = zip(words, salsa_rounds(words), strict=True)
    return struct.pack("<16I", *((before + after) & 0xFFFFFFFF for before, after in mixed))


def boxed(shared: bytes, nonce: bytes, secret: bytes) -> bytes:
    """`crypto_box` of 32 bytes: the stream's first half is the one-time key, its second half hides the secret."""
    stream = xsalsa_stream(hsalsa20(shared, bytes(16)), nonce)
    cipher = bytes(a ^ b for a, b in zip(secret, stream[32:], strict=True))
    return Poly1305.generate_tag(stream[:32], cipher) + cipher


def box_keys(shared: bytes, ciphertext: bytes, context: bytes) -> tuple[bytes, bytes]:
    both = hashed("SEALED_BOX", ciphertext + context, 64, shared)
    return both[:32], both[32:]


@pytest.mark.parametrize("case", cases("sealing_key"))
def test_x25519_and_ml_kem_make_a_sealing_key(case: dict[str, Any]) -> None:
    secret = value(case, "secret")
    point = X25519PrivateKey.from_private_bytes(secret[:32]).public_key().public_bytes(*RAW)
    encapsulation, _ = ML_KEM_768.key_derive(secret[32:])
    assert point + encapsulation == value(case, "public", "output")


@pytest.mark.parametrize("case", cases("seal_to"))
def test_a_sealed_box_is_made(case: dict[str, Any]) -> None:
    public, context = value(case, "public"), value(case, "context")
    ephemeral = X25519PrivateKey.from_private_bytes(drawn(case, "sealed box ephemeral x25519"))
    epk = ephemeral.public_key().public_bytes(*RAW)
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(public[:32]))
    inner = epk + boxed(shared, hashlib.blake2b(epk + public[:32], digest_size=24).digest(), value(case, "secret"))
    kem_shared, ciphertext = ML_KEM_768._encaps_internal(public[32:], drawn(case, "ml-kem message"))
    key, commitment = box_keys(kem_shared, ciphertext, context)
    cipher, nonce = xchacha(key, bytes(24))
    assert ciphertext + commitment + cipher.encrypt(nonce, inner, context) == value(case, "box", "output")


@pytest.mark.parametrize("case", cases("open_box", "valid", "invalid"))
def test_a_sealed_box_is_opened(case: dict[str, Any]) -> None:
    secret, context, box = (value(case, name) for name in ("sealing_secret", "context", "box"))
    wanted = case["error"] if case["result"] == "invalid" else value(case, "secret", "output")
    assert unboxed(secret, context, box) == wanted


def unboxed(secret: bytes, context: bytes, box: bytes) -> bytes | str:
    if len(box) != 1216:
        return "AuthFailed"
    ciphertext = box[:1088]
    _, decapsulation = ML_KEM_768.key_derive(secret[32:])
    key, commitment = box_keys(ML_KEM_768.decaps(decapsulation, ciphertext), ciphertext, context)
    if commitment != box[1088:1120]:
        return "CommitMismatch"
    cipher, zero = xchacha(key, bytes(24))
    try:
        inner = cipher.decrypt(zero, box[1120:], context)
    except InvalidTag:
        return "AuthFailed"
    return unsealed(secret[:32], inner[:32], inner[32:])


def unsealed(secret: bytes, epk: bytes, sealed: bytes) -> bytes | str:
    own = X25519PrivateKey.from_private_bytes(secret)
    nonce = hashlib.blake2b(epk + own.public_key().public_bytes(*RAW), digest_size=24).digest()
    shared = own.exchange(X25519PublicKey.from_public_bytes(epk))
    stream = xsalsa_stream(hsalsa20(shared, bytes(16)), nonce)
    if Poly1305.generate_tag(stream[:32], sealed[16:]) != sealed[:16]:
        return "AuthFailed"
    return bytes(a ^ b for a, b in zip(sealed[16:], stream[32:], strict=True))


# ------------------------------------------------------------------------------------------- padding and passphrase


def allowed_sizes() -> Iterator[int]:
    """The ladder of SPEC 5.6 from below: powers of two, then every multiple of a step that keeps the first bits."""
    size = 512
    while True:
        yield size
        if size < 65536:
            size *= 2
        else:
            exponent = size.bit_length() - 1
            size += 1 << (exponent - exponent.bit_length())


def smallest_allowed(size: int) -> int:
    return next(each for each in allowed_sizes() if each >= size)


@pytest.mark.parametrize("case", cases("padded_size"))
def test_padded_sizes(case: dict[str, Any]) -> None:
    assert smallest_allowed(case["input"]["size"]) == case["output"]["padded_size"]


@pytest.mark.parametrize("case", cases("pad"))
def test_padding(case: dict[str, Any]) -> None:
    plaintext, overhead = value(case, "plaintext"), case["input"]["overhead"]
    size = smallest_allowed(len(plaintext) + 1 + overhead) - overhead
    assert (plaintext + b"\x80").ljust(size, b"\0") == value(case, "padded", "output")


@pytest.mark.parametrize("case", cases("key_from_passphrase"))
def test_argon2id(case: dict[str, Any]) -> None:
    passphrase = unicodedata.normalize("NFC", case["input"]["passphrase"]["text"]).encode()
    function = Argon2id(salt=value(case, "salt"), length=32, iterations=3, lanes=1, memory_cost=65536)
    assert function.derive(passphrase) == value(case, "key", "output")
