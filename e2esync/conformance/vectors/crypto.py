"""Examples of the suite (SPEC 5): hashes, signatures, encryption, sealed boxes, padding, passphrase."""

from __future__ import annotations

from typing import Final

from e2esync.conformance.vectors.case import Inputs, Layer, Outcome, flipped, text
from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.crypto import (
    Label,
    Secret,
    SigningKey,
    blake2b,
    check_verify_key,
    open_sealed,
    pad,
    padded_size,
    seal,
    unpad,
    verify,
)
from e2esync.crypto.passphrase import key_from_passphrase
from e2esync.errors import AuthFailed, BadKey, CommitMismatch
from e2esync.limits import NONCE

_FLAGS: Final = {
    "altered": "one bit of an authentic object was changed",
    "moved": "an authentic object in another place or for another purpose",
    "odd-key": "a public key on which implementations disagree; accepting it lets two members see two histories",
    "commitment": "the cipher would open; only the commitment says that it must not",
    "length": "bytes missing or left over",
    "padding": "padding that the content does not call for",
}

# Points that libraries treat differently. y = 2 is on no point of the curve; the mixed one is key 01…01 plus a point
# of order 8; the last two spell y = 4 and y = 1 a second time, by adding 2^255−19.
_ODD_VERIFY_KEYS: Final = {
    "identity": "01" + "00" * 31,
    "identity-with-sign": "01" + "00" * 30 + "80",
    "order-2": "ec" + "ff" * 30 + "7f",
    "order-4": "00" * 32,
    "order-4-negative": "00" * 31 + "80",
    "order-8": "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "order-8-negative": "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "order-8-other": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "order-8-other-negative": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "mixed-order": "3bcfb78c4ad06f9b8d7e8c50e37e33dd40042a7805f5df945fbf33620745bc68",
    "not-on-the-curve": "02" + "00" * 31,
    "second-spelling": "f1" + "ff" * 30 + "7f",
    "second-spelling-of-identity": "ee" + "ff" * 30 + "7f",
    "all-ones": "ff" * 32,
}
_ED25519_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
_SET: Final = bytes(range(32))


def layer() -> Layer:
    """All cases of `crypto.json`."""
    from e2esync.conformance.vectors import sealing

    cases = Layer("crypto", "5", _OPERATIONS | sealing.OPERATIONS, _FLAGS)
    _hashes(cases)
    _signatures(cases)
    _verify_keys(cases)
    _encryption(cases)
    sealing.add_cases(cases)
    _padding(cases)
    _passphrase(cases)
    return cases


def _hash(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    label = Label[inputs["label"]]
    key = bytes.fromhex(inputs.get("key", ""))
    digest = blake2b(label, bytes.fromhex(inputs["message"]), key=key, size=inputs["size"])
    return Outcome({"digest": digest.hex()}, {"personalization": label.person.hex()})


def _sign(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    key = SigningKey(bytes.fromhex(inputs["seed"]))
    label, set_id, message = Label[inputs["label"]], bytes.fromhex(inputs["set_id"]), bytes.fromhex(inputs["message"])
    signed = label.person + set_id + blake2b(label, message)
    signature = key.sign(label, set_id, message)
    return Outcome({"verify_key": key.verify_key.hex(), "signature": signature.hex()}, {"signed": signed.hex()})


def _verify(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    verify(Label[inputs["label"]], *(bytes.fromhex(inputs[name]) for name in (
        "set_id", "message", "signature", "verify_key")))
    return Outcome({})


def _check_verify_key(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    check_verify_key(bytes.fromhex(inputs["verify_key"]))
    return Outcome({})


def _seal(inputs: Inputs, entropy: NamedEntropy) -> Outcome:
    key, context, plaintext = (bytes.fromhex(inputs[name]) for name in ("key", "context", "plaintext"))
    nonce = entropy.draw("envelope nonce", NONCE)
    both = blake2b(Label.AEAD, nonce, context, key=key, size=64)
    sealed = seal(Secret(key), nonce, context, plaintext)
    return Outcome({"sealed": sealed.hex()}, {"subkey": both[:32].hex(), "commitment": both[32:].hex()})


def _open(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    key, context, sealed = (bytes.fromhex(inputs[name]) for name in ("key", "context", "sealed"))
    return Outcome({"plaintext": open_sealed(Secret(key), context, sealed).hex()})


def _padded_size(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    return Outcome({"padded_size": padded_size(inputs["size"])})


def _pad(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    return Outcome({"padded": pad(bytes.fromhex(inputs["plaintext"]), inputs["overhead"]).hex()})


def _unpad(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    return Outcome({"plaintext": unpad(bytes.fromhex(inputs["padded"]), inputs["overhead"]).hex()})


def _key_from_passphrase(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    key = key_from_passphrase(inputs["passphrase"]["text"], bytes.fromhex(inputs["salt"]))
    return Outcome({"key": key.reveal().hex()})


_OPERATIONS: Final = {
    "hash": _hash, "sign": _sign, "verify": _verify, "check_verify_key": _check_verify_key, "seal": _seal,
    "open": _open, "padded_size": _padded_size, "pad": _pad, "unpad": _unpad,
    "key_from_passphrase": _key_from_passphrase,
}


def _hashes(cases: Layer) -> None:
    for name, label, size, key in (
        ("set-id", Label.SET_ID, 32, ""), ("log", Label.LOG, 32, ""), ("contact-id", Label.CONTACT_ID, 16, "aa" * 32),
        ("aead", Label.AEAD, 64, "bb" * 32), ("longest-label", Label.EPOCH_COMMIT, 32, "cc" * 32),
    ):
        inputs: Inputs = {"label": label.name, "size": size, "message": "00010203", **({"key": key} if key else {})}
        cases.valid("hash", name, "5.2", "the personalization is the label, zero-padded to 16 bytes", inputs)
    cases.valid("hash", "empty", "5.2", "of nothing", {"label": "RECORD", "size": 32, "message": ""})


def _signatures(cases: Layer) -> None:
    seed, message = bytes([1]) * 32, b"message"
    signing: Inputs = {"seed": seed.hex(), "label": "SIGN_ENTRY", "set_id": _SET.hex(), "message": message.hex()}
    signed = cases.valid("sign", "entry", "5.3", "label, set id and hash of the message are signed", signing)
    cases.valid("sign", "empty", "5.3", "an empty message", signing | {"message": "", "label": "SIGN_HEAD"})
    cases.invalid("sign", "short-seed", "5.3", "31 bytes", signing | {"seed": seed[:-1].hex()}, BadKey,
                  flags=("length",))
    good: Inputs = {name: signing[name] for name in ("label", "set_id", "message")} | signed
    cases.valid("verify", "entry", "5.3", "verifies", good)
    signature = bytes.fromhex(signed["signature"])
    scalar = int.from_bytes(signature[32:], "little")
    beyond = signature[:32] + (scalar + _ED25519_ORDER).to_bytes(32, "little")
    for name, comment, change, flag in (
        ("first-bit", "a bit of R", {"signature": flipped(signature, 0).hex()}, "altered"),
        ("last-bit", "the highest bit of S", {"signature": flipped(signature, -1).hex()}, "altered"),
        ("scalar-beyond-order", "S + L: a second signature without the key", {"signature": beyond.hex()}, "altered"),
        ("other-message", "another message", {"message": b"messagf".hex()}, "altered"),
        ("other-set", "a signature made for another set", {"set_id": flipped(_SET, 0).hex()}, "moved"),
        ("other-purpose", "an entry's signature on a head", {"label": "SIGN_HEAD"}, "moved"),
        ("other-key", "another member's key", {"verify_key": SigningKey(bytes([2]) * 32).verify_key.hex()}, "moved"),
        ("short", "63 bytes", {"signature": signature[:-1].hex()}, "length"),
        ("long", "65 bytes", {"signature": signature.hex() + "00"}, "length"),
        ("short-key", "a key of 31 bytes", {"verify_key": signed["verify_key"][:-2]}, "length"),
        ("zero", "all zero, under a key of order 4: holds for the bare equation",
         {"signature": "00" * 64, "verify_key": "00" * 32}, "odd-key"),
    ):
        cases.invalid("verify", name, "5.3", comment, good | change, AuthFailed, flags=(flag,))


def _verify_keys(cases: Layer) -> None:
    honest = SigningKey(bytes([1]) * 32).verify_key.hex()
    cases.valid("check_verify_key", "honest", "5.3", "a point of the prime-order subgroup", {"verify_key": honest})
    for name, key in _ODD_VERIFY_KEYS.items():
        cases.invalid("check_verify_key", name, "5.3", "not the canonical encoding of a point of prime order",
                      {"verify_key": key}, BadKey, flags=("odd-key",))
    for name, key in {"short": honest[:-2], "long": honest + "00", "empty": ""}.items():
        cases.invalid("check_verify_key", name, "5.3", "not 32 bytes", {"verify_key": key}, BadKey, flags=("length",))


def _encryption(cases: Layer) -> None:
    key, context = "0f" * 32, _SET.hex() + "02"
    contents = {"empty": b"", "short": b"hello", "a-block": bytes(64), "long": bytes(range(256)) * 2}
    for name, plaintext in contents.items():
        sealed = cases.valid("seal", name, "5.4", "nonce, commitment, ciphertext and tag",
                             {"key": key, "context": context, "plaintext": plaintext.hex()})
        cases.valid("open", name, "5.4", "opens again", {"key": key, "context": context, **sealed})
    sealed = cases.valid("seal", "no-context", "5.4", "an empty context",
                         {"key": key, "context": "", "plaintext": b"hello".hex()})
    cases.valid("open", "no-context", "5.4", "opens again", {"key": key, "context": "", **sealed})
    whole = bytes.fromhex(sealed["sealed"])
    good: Inputs = {"key": key, "context": "", "sealed": whole.hex()}
    other = seal(Secret(bytes([7]) * 32), whole[:NONCE], b"", b"hello")
    for name, comment, change, step, error, flag in (
        ("nonce", "the nonce altered", flipped(whole, 0), 2, CommitMismatch, "altered"),
        ("commitment-first-bit", "the commitment altered", flipped(whole, 24 * 8), 2, CommitMismatch, "commitment"),
        ("commitment-last-bit", "the commitment altered", flipped(whole, 56 * 8 - 1), 2, CommitMismatch, "commitment"),
        ("commitment-zero", "no commitment", whole[:24] + bytes(32) + whole[56:], 2, CommitMismatch, "commitment"),
        ("commitment-of-another-key", "cipher for this key, commitment for another", whole[:24] + other[24:56]
         + whole[56:], 2, CommitMismatch, "commitment"),
        ("cipher-of-another-key", "commitment for this key, cipher for another", whole[:56] + other[56:], 3, AuthFailed,
         "altered"),
        ("ciphertext", "the ciphertext altered", flipped(whole, 56 * 8), 3, AuthFailed, "altered"),
        ("tag", "the tag altered", flipped(whole, -1), 3, AuthFailed, "altered"),
        ("shorter", "the last byte missing", whole[:-1], 3, AuthFailed, "length"),
        ("longer", "one byte more", whole + b"\0", 3, AuthFailed, "length"),
        ("71-bytes", "shorter than an empty one", whole[:71], 1, AuthFailed, "length"),
        ("nothing", "nothing at all", b"", 1, AuthFailed, "length"),
    ):
        cases.invalid("open", name, f"5.4 step {step}", comment, good | {"sealed": change.hex()}, error, flags=(flag,))
    cases.invalid("open", "other-key", "5.4 step 2", "another key", good | {"key": "0e" * 32}, CommitMismatch,
                  flags=("moved",))
    cases.invalid("open", "other-context", "5.4 step 2", "another place", good | {"context": "00"}, CommitMismatch,
                  flags=("moved",))
    cases.invalid("open", "short-key", "5.4", "a key of 31 bytes", good | {"key": "0f" * 31}, BadKey, flags=("length",))


def _padding(cases: Layer) -> None:
    for size in (0, 1, 511, 512, 513, 1024, 1025, 65_535, 65_536, 65_537, 67_585, 100_000, 131_072, 131_073, 262_144,
                 1_000_000, 1_048_576):
        cases.valid("padded_size", f"of-{size}", "5.6", "the smallest allowed size", {"size": size})
    padded = cases.valid("pad", "short", "5.6", "512 bytes with the overhead", {"plaintext": "616263", "overhead": 82})
    cases.valid("pad", "one-byte-left", "5.6", "the marker takes the last byte",
                {"plaintext": "61" * 429, "overhead": 82})
    cases.valid("pad", "full", "5.6", "the marker needs the next size", {"plaintext": "61" * 430, "overhead": 82})
    cases.valid("unpad", "short", "5.6", "and back", padded | {"overhead": 82})
    cases.valid("unpad", "marker-in-content", "5.6", "only the last marker is one",
                {"padded": ("6180" + "80").ljust(860, "0"), "overhead": 82})
    for name, comment, wrong in (
        ("nothing", "nothing at all", ""),
        ("no-marker", "zeros only", "00" * 430),
        ("other-marker", "0x81 for 0x80", "61626381".ljust(860, "0")),
        ("after-the-marker", "a byte after the marker that is not zero", "61626380".ljust(858, "0") + "01"),
        ("not-allowed", "one byte less than an allowed size", "61626380".ljust(858, "0")),
        ("one-more", "one byte more than an allowed size", "61626380".ljust(862, "0")),
        ("next-size", "an allowed size, but not the smallest", "61626380".ljust(1884, "0")),
    ):
        cases.invalid("unpad", name, "5.6", comment, {"padded": wrong, "overhead": 82}, AuthFailed, flags=("padding",))


def _passphrase(cases: Layer) -> None:
    salt = bytes(range(16)).hex()
    for name, passphrase, comment in (
        ("plain", "correct horse battery staple", "Argon2id, 3 passes, 64 MiB, one lane"),
        ("composed", "Zoë", "ë as one code point"),
        ("decomposed", "Zoe\u0308", "ë as two code points: the same key"),
    ):
        cases.valid("key_from_passphrase", name, "5.7", comment, {"passphrase": text(passphrase), "salt": salt})
