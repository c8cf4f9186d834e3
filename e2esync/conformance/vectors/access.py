"""Examples of how a device or a person gets in (SPEC 12): code, words, kit, fingerprints; pairing; and moves."""

from __future__ import annotations

from typing import Final

from e2esync.access.code import PairingCode, Purpose, parse_code
from e2esync.access.fingerprint import device_fingerprint, state_phrase
from e2esync.access.kit import RecoveryKit
from e2esync.access.words import entropy_to_words, words_to_entropy
from e2esync.conformance.vectors.case import Inputs, Layer, Outcome, text
from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.crypto import Label, Secret, blake2b
from e2esync.errors import BadCode

_FLAGS: Final = {
    "mistyped": "what a person's eye or hand does to a code or to words",
    "lenient": "a spelling that lenient decoders take and that must be refused before the network is used",
    "out-of-turn": "an authentic message at the wrong time",
    "moved": "an authentic message in another place",
    "altered": "one bit changed",
    "padding": "an authentic message whose body is padded in another way",
    "shape": "an authentic message whose body is not the one that its number calls for",
    "declined": "the person who was invited said no",
    "state": "a packed state that is not the one spelling of a contact",
    "bait": "keys other than the ones committed to, or not proved: what somebody in the middle would try",
}
_BIP39_WORDS: Final = (
    "hamster diagram private dutch cause delay private meat slide toddler razor book "
    "happy fancy gospel tennis maple dilemma loan word shrug inflict delay length"
)
_URL: Final = "wss://relay.example"


def layer() -> Layer:
    """All cases of `access.json`."""
    from e2esync.conformance.vectors import invitations, moves, pairing, rescues

    operations = {
        **_OPERATIONS, **pairing.OPERATIONS, **invitations.OPERATIONS, **rescues.OPERATIONS, **moves.OPERATIONS,
    }
    cases = Layer("access", "12", operations, _FLAGS)
    _codes(cases)
    _mistyped_codes(cases)
    _words(cases)
    _kits(cases)
    _fingerprints(cases)
    pairing.add_cases(cases)
    invitations.add_cases(cases)
    rescues.add_cases(cases)
    moves.add_cases(cases)
    return cases


def _code_text(inputs: Inputs, entropy: NamedEntropy) -> Outcome:
    url = inputs["relay_url"]["text"] if "relay_url" in inputs else None
    code = PairingCode.generate(url, entropy, Purpose[inputs.get("purpose", "PAIRING")])
    mark = bytes([code.purpose]) if code.purpose else b""
    check = blake2b(Label.CODE_CHECK, code.mailbox_id, code.secret.reveal(), mark)[:2]
    return Outcome({"code": text(code.text())}, {"check": check.hex()})


def _parse_code(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    code = parse_code(inputs["code"]["text"])
    url = {} if code.relay_url is None else {"relay_url": text(code.relay_url)}
    return Outcome({**url, "mailbox_id": code.mailbox_id.hex(), "secret": code.secret.reveal().hex(),
                    "purpose": code.purpose.name})


def _entropy_to_words(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    return Outcome({"words": text(" ".join(entropy_to_words(bytes.fromhex(inputs["entropy"]))))})


def _words_to_entropy(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    return Outcome({"entropy": words_to_entropy(inputs["words"]["text"]).hex()})


def _kit_keys(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    kit, number = RecoveryKit(Secret(bytes.fromhex(inputs["seed"]))), inputs["number"]
    signing, sealing = kit.signing_key(number), kit.sealing_key(number)
    return Outcome(
        {"verify_key": signing.verify_key.hex(), "sealing_key": sealing.public.hex()},
        {"signing_seed": signing.seed.reveal().hex(), "sealing_secret": sealing.secret.reveal().hex()},
    )


def _device_fingerprint(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    words = device_fingerprint(bytes.fromhex(inputs["set_id"]), bytes.fromhex(inputs["verify_key"]))
    return Outcome({"words": text(" ".join(words))})


def _state_phrase(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    set_id, record_hash, digest = (bytes.fromhex(inputs[name]) for name in ("set_id", "record_hash", "state_digest"))
    return Outcome({"words": text(" ".join(state_phrase(set_id, record_hash, digest, dict(inputs["vector"]))))})


_OPERATIONS: Final = {
    "code_text": _code_text, "parse_code": _parse_code, "entropy_to_words": _entropy_to_words,
    "words_to_entropy": _words_to_entropy, "kit_keys": _kit_keys, "device_fingerprint": _device_fingerprint,
    "state_phrase": _state_phrase,
}


def _codes(cases: Layer) -> None:
    plain = cases.valid("code_text", "without-url", "12.1", "42 digits in groups of six", {})["code"]["text"]
    named = cases.valid("code_text", "with-url", "12.1", "scheme and host in upper case", {"relay_url": text(_URL)})
    cases.valid("code_text", "with-path", "12.1", "a path has a case of its own: the URL is left as it is",
                {"relay_url": text("wss://relay.example/Books")})
    cases.valid("code_text", "longest", "12.1", "120 characters", {"relay_url": text("wss://" + "r" * 57 + ".example")})
    cases.invalid("code_text", "too-long", "12.1", "121 characters",
                  {"relay_url": text("wss://" + "r" * 58 + ".example")}, BadCode)
    invited = cases.valid("code_text", "invitation", "12.1", "other check digits", {"purpose": "INVITATION"})["code"]
    cases.valid("parse_code", "invitation", "12.1", "the check digits say what it is for", {"code": invited})
    cases.valid("parse_code", "upper", "12.1", "as it was written", {"code": text(plain)})
    cases.valid("parse_code", "lower", "12.1", "in lower case", {"code": text(plain.lower())})
    confusable = PairingCode(None, bytes(8), Secret(bytes(8) + b"\x08\x42\x10\x84\x21\x08\x42\x10")).text()
    cases.valid("parse_code", "look-alikes", "12.1", "O for 0, I and l for 1",
                {"code": text(confusable.replace("0", "O").replace("1", "I", 4).replace("1", "l", 4))})
    cases.valid("parse_code", "with-url", "12.1", "scheme and host come back in lower case", {"code": named["code"]})
    cases.valid("parse_code", "with-path", "12.1", "the path keeps its case",
                {"code": text(f"WSS://Relay.Example/Books#{plain}")})


def _mistyped_codes(cases: Layer) -> None:
    good = PairingCode.generate(None, NamedEntropy("access::parse_code")).text()
    ones = PairingCode(None, bytes(8), Secret(b"\x08\x42" * 8)).text()
    swapped = good[1] + good[0] + good[2:]
    other = "0" if good[8] != "0" else "1"
    for name, comment, wrong, flag in (
        ("one-digit", "one digit replaced", good[:8] + other + good[9:], "mistyped"),
        ("two-swapped", "the first two digits swapped", swapped, "mistyped"),
        ("groups-swapped", "the first two groups swapped", "-".join([good[7:13], good[:6], good[14:]]), "mistyped"),
        ("one-short", "the last digit missing", good[:-1], "mistyped"),
        ("one-more", "one digit more", good + "0", "mistyped"),
        ("group-missing", "the last group missing", good[:-7], "mistyped"),
        ("group-twice", "the last group twice", good + good[-7:], "mistyped"),
        ("letter-u", "U is not of the alphabet", "U" + good[1:], "mistyped"),
        ("nothing", "nothing at all", "", "mistyped"),
        ("url-only", "the secret part left out", f"{_URL}#", "mistyped"),
        ("no-hash", "the URL run into the digits", _URL + good, "mistyped"),
        ("no-hyphens", "without hyphens", good.replace("-", ""), "lenient"),
        ("other-groups", "hyphens elsewhere", good[:5] + "-" + good[5] + good[7:], "lenient"),
        ("spaces", "spaces for hyphens", good.replace("-", " "), "lenient"),
        ("space-after", "a space at the end", good + " ", "lenient"),
        ("newline-after", "a line feed at the end", good + "\n", "lenient"),
        ("en-dash", "a dash that a word processor made", good.replace("-", "–", 1), "lenient"),
        ("arabic-digit", "a digit of another script", "٣" + good[1:], "lenient"),
        ("full-width", "a full-width letter", "Ａ" + good[1:], "lenient"),
        ("dotless-i", "a letter whose upper case is I", ones.replace("1", "ı", 1), "lenient"),
        ("spare-bits", "the two bits beyond the last byte are not zero", _spare_bits(good), "lenient"),
        ("empty-url", "# without a URL", "#" + good, "lenient"),
        ("no-scheme", "a URL without a scheme", "relay.example#" + good, "lenient"),
        ("no-host", "a URL without a host", "wss://#" + good, "lenient"),
        ("two-hashes", "a second #", f"{_URL}#a#{good}", "lenient"),
        ("user-in-url", "a user in the URL", f"wss://me@relay.example#{good}", "lenient"),
        ("space-in-url", "a space in the URL", f"wss://relay .example#{good}", "lenient"),
        ("letter-in-url", "a URL that is not ASCII", f"wss://relaÿ.example#{good}", "lenient"),
        ("too-long", "121 characters", f"wss://{'r' * 66}#{good}", "lenient"),
    ):
        cases.invalid("parse_code", name, "12.1", comment, {"code": text(wrong)}, BadCode, flags=(flag,))


def _spare_bits(good: str) -> str:
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    return good[:-1] + alphabet[alphabet.index(good[-1]) + 1]


def _words(cases: Layer) -> None:
    for name, entropy in {
        "zeros": "00" * 32, "ones": "ff" * 32, "7f": "7f" * 32,
        "bip-39": "68a79eaca2324873eacc50cb9c6eca8cc68ea5d936f98787c60c7ebc74e6ce7c",
    }.items():
        spelled = cases.valid("entropy_to_words", name, "12.4", "an example of BIP-39 itself", {"entropy": entropy})
        cases.valid("words_to_entropy", name, "12.4", "and back", spelled)
    good = _BIP39_WORDS
    cases.valid("words_to_entropy", "any-case", "12.4", "in any case and spacing",
                {"words": text("  " + good.upper().replace(" ", "\n ") + "\t")})
    words = good.split()
    for name, comment, wrong in (
        ("23-words", "the last word missing", words[:-1]),
        ("25-words", "one word more", [*words, "abandon"]),
        ("nothing", "nothing at all", []),
        ("unknown-word", "a word that is not of the list", [*words[:6], "privat", *words[7:]]),
        ("first-word-unknown", "a word that is not of the list", ["hamstr", *words[1:]]),
        ("last-word-unknown", "a word that is not of the list", [*words[:-1], "lengths"]),
        ("other-last-word", "another word of the list: the checksum is wrong", [*words[:-1], "legal"]),
        ("two-swapped", "two words swapped: the checksum is wrong", [words[1], words[0], *words[2:]]),
        ("all-abandon", "24 times the first word: the checksum is wrong", ["abandon"] * 24),
        ("joined-by-commas", "commas between the words", [", ".join(words)]),
    ):
        cases.invalid("words_to_entropy", name, "12.4", comment, {"words": text(" ".join(wrong))}, BadCode,
                      flags=("mistyped",))


def _kits(cases: Layer) -> None:
    seed = NamedEntropy("access::kit_keys").draw("kit seed", 32)
    for name, number in {"root": 0, "first-further-set": 1, "last-of-init": 15, "largest": 2**32 - 1}.items():
        cases.valid("kit_keys", name, "12.4", "keys by number", {"seed": seed.hex(), "number": number})
    cases.invalid("kit_keys", "short-seed", "12.4", "16 bytes: a kit of 12 words",
                  {"seed": seed[:16].hex(), "number": 0}, BadCode)


def _fingerprints(cases: Layer) -> None:
    ids = {"set_id": "5e" * 32, "verify_key": "8e" * 32}
    cases.valid("device_fingerprint", "four-words", "12.5", "the first 44 bits", ids)
    state: Inputs = {"set_id": "5e" * 32, "record_hash": "4e" * 32, "state_digest": "d1" * 32}
    for name, vector in {"empty-vector": [], "two-members": [[1, 5], [3, 200]]}.items():
        cases.valid("state_phrase", name, "12.5", "the first 66 bits", state | {"vector": vector})
