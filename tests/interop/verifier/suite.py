"""Suite 1 (SPEC 5): hash, signatures, committing encryption, the hybrid box, padding, passphrase.

Only libsodium's primitives and kyber-py's ML-KEM are taken from elsewhere; their composition is SPEC's.
"""

import hashlib
import hmac
import unicodedata

from kyber_py.ml_kem import ML_KEM_768
from nacl import bindings as sodium
from nacl.exceptions import CryptoError

from .errors import Refusal, require

PERSONALIZATION = {
    "SET_ID": "e2e set id", "RECORD": "e2e record", "BOX": "e2e box", "BOX_LIST": "e2e box list",
    "BLOB": "e2e blob", "ENVELOPE": "e2e envelope", "LOG": "e2e log", "OPERATIONS": "e2e operations",
    "ENTRY": "e2e entry", "CONTACT_HASH": "e2e contact", "DIGEST": "e2e digest", "TRANSCRIPT": "e2e transcript",
    "FINGERPRINT": "e2e fingerprint", "STATE_PHRASE": "e2e phrase", "EVIDENCE": "e2e evidence",
    "CONTACT_ID": "e2e contact id", "AEAD": "e2e aead", "SEALED_BOX": "e2e sealed box",
    "EPOCH_KEY": "e2e epoch key", "EPOCH_COMMIT": "e2e epoch commit", "KIT_SIGNING": "e2e kit sign",
    "KIT_SEALING": "e2e kit seal", "PAIRING_KEY": "e2e pairing key", "PAIRING_COMMIT": "e2e pair commit",
    "SAS": "e2e words", "CODE_CHECK": "e2e code check", "PROFILE_KEY": "e2e profile key",
    "SIGN_RECORD": "e2e:record", "SIGN_POSSESSION": "e2e:possession", "SIGN_ANNOUNCEMENT": "e2e:announce",
    "SIGN_HEARTBEAT": "e2e:heartbeat", "SIGN_ENTRY": "e2e:entry", "SIGN_HEAD": "e2e:head",
    "SIGN_SESSION": "e2e:session", "SIGN_FIND": "e2e:find",
}  # fmt: skip

SEAL_PUBLIC = 1216
BOX_SIZE = 1216
_CIPHERTEXT = 1088
_CURVE_PRIME = 2**255 - 19
_KYBER_PRIME = 3329


def personalization(label: str) -> bytes:
    return PERSONALIZATION[label].encode().ljust(16, b"\0")


def H(label: str, message: bytes, *, key: bytes = b"", size: int = 32) -> bytes:
    """SPEC 5.2."""
    return hashlib.blake2b(message, digest_size=size, key=key, person=personalization(label)).digest()


def signed_bytes(label: str, set_id: bytes, message: bytes) -> bytes:
    return personalization(label) + set_id + H(label, message)


def sign(label: str, set_id: bytes, message: bytes, seed: bytes) -> bytes:
    """SPEC 5.3."""
    require(len(seed) == 32, "BadKey", "a seed of another length")
    _, secret = sodium.crypto_sign_seed_keypair(seed)
    return sodium.crypto_sign(signed_bytes(label, set_id, message), secret)[:64]


def verify_key(seed: bytes) -> bytes:
    return sodium.crypto_sign_seed_keypair(seed)[0]


def verify(label: str, set_id: bytes, message: bytes, signature: bytes, key: bytes, code: str = "AuthFailed") -> None:
    """SPEC 5.3; refused with `code`."""
    try:
        require(len(signature) == 64 and len(key) == 32, code, "a signature or key of another length")
        sodium.crypto_sign_open(signature + signed_bytes(label, set_id, message), key)
    except (CryptoError, ValueError, TypeError) as error:
        raise Refusal(code, "the signature does not verify") from error


def check_verify_key(key: bytes) -> None:
    require(len(key) == 32 and sodium.crypto_core_ed25519_is_valid_point(key), "BadKey", "no point of the subgroup")


def seal(key: bytes, nonce: bytes, context: bytes, plaintext: bytes) -> bytes:
    """`AE` of SPEC 5.4."""
    require(len(key) == 32, "BadKey", "a key of another length")
    derived = H("AEAD", nonce + context, key=key, size=64)
    cipher = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, context, nonce, derived[:32])
    return nonce + derived[32:] + cipher


def unseal(key: bytes, context: bytes, sealed: bytes) -> bytes:
    """SPEC 5.4 steps 1 to 3."""
    require(len(key) == 32, "BadKey", "a key of another length")
    require(len(sealed) >= 72, "AuthFailed", "too short")
    nonce, commitment, cipher = sealed[:24], sealed[24:56], sealed[56:]
    derived = H("AEAD", nonce + context, key=key, size=64)
    require(hmac.compare_digest(derived[32:], commitment), "CommitMismatch", "another key or context")
    return _decrypt(cipher, context, nonce, derived[:32])


def _decrypt(cipher: bytes, context: bytes, nonce: bytes, key: bytes) -> bytes:
    try:
        return sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(cipher, context, nonce, key)
    except (CryptoError, ValueError, TypeError) as error:
        raise Refusal("AuthFailed", "the ciphertext is not authentic") from error


def sealing_public(secret: bytes) -> bytes:
    """The public half of a sealing secret of 96 bytes (SPEC 5.5)."""
    require(len(secret) == 96, "BadKey", "a sealing secret of another length")
    kem, _ = ML_KEM_768.key_derive(secret[32:])
    return sodium.crypto_scalarmult_base(secret[:32]) + kem


def check_seal_public(public: bytes) -> None:
    require(len(public) == SEAL_PUBLIC, "BadKey", "a sealing key of another length")
    curve, kem = public[:32], public[32:]
    require(int.from_bytes(curve, "little") < _CURVE_PRIME, "BadKey", "not the canonical encoding")
    try:
        sodium.crypto_scalarmult(b"\x01" * 32, curve)
    except (CryptoError, RuntimeError) as error:
        raise Refusal("BadKey", "a point of small order") from error
    for low, middle, high in zip(kem[0:1152:3], kem[1:1152:3], kem[2:1152:3], strict=True):
        first, second = low | (middle & 15) << 8, middle >> 4 | high << 4
        require(max(first, second) < _KYBER_PRIME, "BadKey", "a coefficient that is not reduced (FIPS 203, 7.2)")


def seal_to(public: bytes, context: bytes, secret: bytes, ephemeral: bytes, kem_message: bytes) -> bytes:
    """SPEC 5.5, from its two draws."""
    check_seal_public(public)
    curve, kem = public[:32], public[32:]
    sender = sodium.crypto_scalarmult_base(ephemeral)
    nonce = hashlib.blake2b(sender + curve, digest_size=24).digest()
    inner = sender + sodium.crypto_box(secret, nonce, curve, ephemeral)
    shared, ciphertext = ML_KEM_768._encaps_internal(kem, kem_message)
    derived = H("SEALED_BOX", ciphertext + context, key=shared, size=64)
    outer = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(inner, context, bytes(24), derived[:32])
    return bytes(ciphertext + derived[32:] + outer)


def open_box(secret: bytes, context: bytes, box: bytes) -> bytes:
    """The 32 bytes in a sealed box (SPEC 5.5)."""
    require(len(box) == BOX_SIZE, "AuthFailed", "a box of another length")
    ciphertext, commitment, outer = box[:_CIPHERTEXT], box[_CIPHERTEXT : _CIPHERTEXT + 32], box[_CIPHERTEXT + 32 :]
    _, decapsulation = ML_KEM_768.key_derive(secret[32:])
    shared = ML_KEM_768.decaps(decapsulation, ciphertext)
    derived = H("SEALED_BOX", ciphertext + context, key=shared, size=64)
    require(hmac.compare_digest(derived[32:], commitment), "CommitMismatch", "not sealed to this key for this place")
    inner = _decrypt(outer, context, bytes(24), derived[:32])
    try:
        return sodium.crypto_box_seal_open(inner, sodium.crypto_scalarmult_base(secret[:32]), secret[:32])
    except (CryptoError, ValueError, TypeError) as error:
        raise Refusal("AuthFailed", "the inner box does not open") from error


def padded_size(size: int) -> int:
    """The smallest allowed size that holds `size` bytes (SPEC 5.6)."""
    ladder = 512
    while ladder < min(size, 65536):
        ladder *= 2
    if size <= 65536:
        return ladder
    exponent = size.bit_length() - 1
    step = 1 << (exponent - exponent.bit_length())
    return -(-size // step) * step


def pad(plaintext: bytes, overhead: int) -> bytes:
    whole = padded_size(len(plaintext) + 1 + overhead) - overhead
    return (plaintext + b"\x80").ljust(whole, b"\0")


def unpad(padded: bytes, overhead: int) -> bytes:
    stripped = padded.rstrip(b"\0")
    require(stripped.endswith(b"\x80"), "AuthFailed", "no padding")
    require(pad(stripped[:-1], overhead) == padded, "AuthFailed", "not the smallest size that is allowed")
    return stripped[:-1]


def passphrase_key(passphrase: str, salt: bytes) -> bytes:
    """SPEC 5.7."""
    text = unicodedata.normalize("NFC", passphrase).encode()
    return sodium.crypto_pwhash_alg(32, text, salt, 3, 64 << 20, sodium.crypto_pwhash_ALG_ARGON2ID13)
