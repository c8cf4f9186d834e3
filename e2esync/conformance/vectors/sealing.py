"""Examples of the hybrid sealed box (SPEC 5.5), part of `crypto.json`."""

from __future__ import annotations

import hashlib
from typing import Final

from e2esync.conformance.vectors.case import Inputs, Layer, Outcome, flipped
from e2esync.conformance.vectors.entropy import KEM_MESSAGE, NamedEntropy, encapsulate_with
from e2esync.crypto import Label, Secret, blake2b
from e2esync.crypto.sealing import SealingKey, check_seal_public, open_box, seal_to
from e2esync.errors import AuthFailed, BadKey, CommitMismatch
from e2esync.limits import KEM_CIPHERTEXT

_P25519: Final = 2**255 - 19
_SMALL_ORDER: Final = {
    "zero": bytes(32),
    "one": (1).to_bytes(32, "little"),
    "order-8": bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    "order-8-other": bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    "minus-one": (_P25519 - 1).to_bytes(32, "little"),
}
_EPHEMERAL: Final = "sealed box ephemeral x25519"
_COMMIT: Final = KEM_CIPHERTEXT * 8
_OUTER: Final = (KEM_CIPHERTEXT + 32) * 8


def _sealing_key(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    return Outcome({"public": SealingKey.from_secret(bytes.fromhex(inputs["secret"])).public.hex()})


def _check_seal_public(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    check_seal_public(bytes.fromhex(inputs["public"]))
    return Outcome({})


def _seal_to(inputs: Inputs, entropy: NamedEntropy) -> Outcome:
    public, context, secret = (bytes.fromhex(inputs[name]) for name in ("public", "context", "secret"))
    box = seal_to(public, context, Secret(secret), entropy)
    drawn = dict(entropy.draws)
    shared, ciphertext = encapsulate_with(public[32:], drawn[KEM_MESSAGE])
    both = blake2b(Label.SEALED_BOX, ciphertext, context, key=shared, size=64)
    ephemeral = SealingKey.from_secret(drawn[_EPHEMERAL] + bytes(64)).public[:32]
    nonce = hashlib.blake2b(ephemeral + public[:32], digest_size=24).digest()
    return Outcome({"box": box.hex()}, {
        "epk": ephemeral.hex(), "inner_nonce": nonce.hex(), "shared_secret": shared.hex(),
        "kem_ciphertext": ciphertext.hex(), "key": both[:32].hex(), "commitment": both[32:].hex(),
    })


def _open_box(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    key = SealingKey.from_secret(bytes.fromhex(inputs["sealing_secret"]))
    secret = open_box(key, bytes.fromhex(inputs["context"]), bytes.fromhex(inputs["box"]))
    return Outcome({"secret": secret.reveal().hex()})


OPERATIONS: Final = {
    "sealing_key": _sealing_key, "check_seal_public": _check_seal_public, "seal_to": _seal_to, "open_box": _open_box,
}


def add_cases(cases: Layer) -> None:
    """Add the sealed box's cases to the layer `crypto`."""
    entropy = NamedEntropy("crypto::sealing")
    secret = entropy.draw("sealing key x25519", 32) + entropy.draw("sealing key ml-kem", 64)
    public = cases.valid("sealing_key", "public-half", "5.5", "X25519, then ML-KEM-768 from d ‖ z",
                         {"secret": secret.hex()})["public"]
    cases.invalid("sealing_key", "short", "5.5", "95 bytes", {"secret": secret[:-1].hex()}, BadKey, flags=("length",))
    _public_keys(cases, bytes.fromhex(public))
    context = bytes(range(52))
    box = cases.valid("seal_to", "epoch-secret", "5.5", "both halves, one in the other",
                      {"public": public, "context": context.hex(), "secret": "5e" * 32})["box"]
    cases.invalid("seal_to", "short-secret", "5.5", "31 bytes",
                  {"public": public, "context": context.hex(), "secret": "5e" * 31}, BadKey, flags=("length",))
    good: Inputs = {"sealing_secret": secret.hex(), "context": context.hex(), "box": box}
    cases.valid("open_box", "epoch-secret", "5.5", "and back", good)
    _broken_boxes(cases, good)
    _half_right_keys(cases, good, secret)


def _public_keys(cases: Layer, public: bytes) -> None:
    cases.valid("check_seal_public", "honest", "5.5", "well-formed", {"public": public.hex()})

    def refuse(name: str, comment: str, wrong: bytes, flag: str) -> None:
        cases.invalid("check_seal_public", name, "5.5", comment, {"public": wrong.hex()}, BadKey, flags=(flag,))

    for name, point in _SMALL_ORDER.items():
        refuse(f"small-order-{name}", "an X25519 key of small order", point + public[32:], "odd-key")
    for name, number in {"p": _P25519, "p-plus-9": _P25519 + 9, "all-ones": 2**255 - 1}.items():
        refuse(f"second-spelling-{name}", "2^255−19 or more", number.to_bytes(32, "little") + public[32:], "odd-key")
    refuse("high-bit", "the bit that X25519 ignores is set", flipped(public, 255), "odd-key")
    # Coefficients are 12 bits each, little-endian, two in three bytes; 3329 is 0xd01.
    refuse("first-coefficient-3329", "an ML-KEM coefficient of q", public[:32] + _coefficient(public[32:35], 0)
           + public[35:], "odd-key")
    refuse("last-coefficient-3329", "an ML-KEM coefficient of q", public[:1181] + _coefficient(public[1181:1184], 1)
           + public[1184:], "odd-key")
    refuse("coefficient-4095", "the largest ML-KEM coefficient", public[:32] + b"\xff\xff\xff" + public[35:], "odd-key")
    refuse("short", "1215 bytes", public[:-1], "length")
    refuse("long", "1217 bytes", public + b"\0", "length")
    refuse("x25519-only", "no ML-KEM half", public[:32], "length")


def _coefficient(three: bytes, which: int) -> bytes:
    number = int.from_bytes(three, "little") & ~(0xFFF << 12 * which) | 3329 << 12 * which
    return number.to_bytes(3, "little")


def _broken_boxes(cases: Layer, good: Inputs) -> None:
    box = bytes.fromhex(good["box"])
    for name, comment, wrong, error, flag in (
        ("kem-first-bit", "the ML-KEM ciphertext altered", flipped(box, 0), CommitMismatch, "altered"),
        ("kem-last-bit", "the ML-KEM ciphertext altered", flipped(box, _COMMIT - 1), CommitMismatch, "altered"),
        ("commitment", "the commitment altered", flipped(box, _COMMIT), CommitMismatch, "commitment"),
        ("outer", "the outer ciphertext altered", flipped(box, _OUTER), AuthFailed, "altered"),
        ("tag", "the tag altered", flipped(box, -1), AuthFailed, "altered"),
        ("short", "the last byte missing", box[:-1], AuthFailed, "length"),
        ("long", "one byte more", box + b"\0", AuthFailed, "length"),
        ("nothing", "nothing at all", b"", AuthFailed, "length"),
    ):
        cases.invalid("open_box", name, "5.5", comment, good | {"box": wrong.hex()}, error, flags=(flag,))
    cases.invalid("open_box", "other-context", "5.5", "sealed for another member or epoch", good | {"context": "00"},
                  CommitMismatch, flags=("moved",))


def _half_right_keys(cases: Layer, good: Inputs, secret: bytes) -> None:
    other = NamedEntropy("crypto::sealing::other").draw("another key", 96)
    cases.invalid("open_box", "only-ml-kem-right", "5.5", "who breaks ML-KEM alone has nothing",
                  good | {"sealing_secret": (other[:32] + secret[32:]).hex()}, AuthFailed, flags=("moved",))
    cases.invalid("open_box", "only-x25519-right", "5.5", "who breaks X25519 alone has nothing",
                  good | {"sealing_secret": (secret[:32] + other[32:]).hex()}, CommitMismatch, flags=("moved",))
