"""Examples of the pairing conversation (SPEC 12.2), part of `access.json`: one that ends well, and how others end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from e2esync import wire
from e2esync.access.code import PairingCode
from e2esync.access.messages import (
    claims_of,
    commitment_of,
    message_context,
    message_key,
    open_message,
    possession_for,
    seal_message,
    transcript_of,
    transcript_words,
)
from e2esync.access.pairing import Joiner, Offer, Outgoing, Sponsor
from e2esync.conformance.vectors.case import Inputs, Layer, Outcome, flipped, text
from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.crypto import AEAD_OVERHEAD, Secret, SigningKey, pad, seal
from e2esync.crypto.sealing import SealingKey
from e2esync.errors import PairingAborted
from e2esync.limits import DEVICE_NAME_MAX, MAILBOX_MESSAGE_MAX

_OFFER: Final = Offer(
    set_id=b"\x5e" * 32, person=b"\x70" * 16, role=2, relay_key=b"\x4e" * 32, record_hash=b"\x6d" * 32, epoch=7,
)
_LANDING: Final[list[wire.Value]] = [b"\x6e" * 32, 8, 0, b"\x10" * 32, 3]
_NAME: Final = "Zoë's laptop"


class _Parties:
    """The fixed keys and nonces of the examples, and the bodies of an honest conversation."""

    def __init__(self) -> None:
        entropy = NamedEntropy("access::pairing")
        self.code = PairingCode.generate(None, entropy)
        self.signing = SigningKey(entropy.draw("signing key", 32))
        self.sealing = SealingKey.generate(entropy)
        self.other = SigningKey(entropy.draw("signing key", 32))
        self.nonces = (entropy.draw("pairing nonce", 32), entropy.draw("pairing nonce", 32))
        offer, seal_key = _OFFER, self.sealing.public
        self.possession = possession_for(offer, self.signing, seal_key)
        self.claims = claims_of(self.signing.verify_key, seal_key, _NAME, None)
        self.bodies: list[list[wire.Value]] = [
            [1, commitment_of(self.nonces[0], self.claims)],
            [self.nonces[1], *offer.value()],
            [self.nonces[0], self.claims, self.possession],
            _LANDING,
        ]

    def fields(self) -> Inputs:
        """The code, as inputs of a case."""
        return {"mailbox_id": self.code.mailbox_id.hex(), "secret": self.code.secret.reveal().hex()}


def _code(inputs: Inputs) -> PairingCode:
    return PairingCode(None, bytes.fromhex(inputs["mailbox_id"]), Secret(bytes.fromhex(inputs["secret"])))


def _seal_message(inputs: Inputs, entropy: NamedEntropy) -> Outcome:
    code, n = _code(inputs), inputs["n"]
    sealed = seal_message(code, n, entropy.draw("pairing seal nonce", 24), bytes.fromhex(inputs["body"]))
    return Outcome({"message": sealed.hex()}, {"key": message_key(code, n).reveal().hex()})


def _transcript(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    bodies = [bytes.fromhex(body) for body in inputs["bodies"]]
    nonce, claims, _possession = wire.decode(bodies[2])
    transcript = transcript_of(bodies[0], bodies[1], nonce)
    return Outcome(
        {"commitment": commitment_of(nonce, claims).hex(),
         "words": text(" ".join(transcript_words(transcript)))},
        {"transcript": transcript.hex()},
    )


def _sponsor(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    """The sponsor is sent `messages` in turn; its nonce is that of `body_1`. Then its owner types `words`."""
    code = _code(inputs)
    body = wire.decode(bytes.fromhex(inputs["body_1"]))
    machine = Sponsor(code, Offer(*body[1:]), FixedNonce(body[0]))
    machine.start()
    for message in inputs["messages"]:
        machine.receive(message["n"], bytes.fromhex(message["message"]))
    added = machine.confirm(inputs["words"]["text"])
    return Outcome({
        "verify_key": added.verify_key.hex(), "sealing_key": added.seal_key.hex(),
        "possession": added.possession.hex(), "device_name": text(added.device_name),
    })


def _joiner(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    """The joining device has the keys and nonce given, and is sent `messages` in turn."""
    code = _code(inputs)
    signing = SigningKey(bytes.fromhex(inputs["signing_seed"]))
    sealing = SealingKey.from_secret(bytes.fromhex(inputs["sealing_secret"]))
    machine = Joiner(code, signing, sealing, inputs["device_name"]["text"], FixedNonce(bytes.fromhex(inputs["nonce"])))
    sent = machine.start()
    for message in inputs["messages"]:
        sent += machine.receive(message["n"], bytes.fromhex(message["message"]))
    bodies = [open_message(code, event.n, event.data).hex() for event in sent if isinstance(event, Outgoing)]
    return Outcome({"bodies_sent": bodies, "words": text(" ".join(machine.words))})


class FixedNonce(NamedEntropy):
    """Gives the pairing nonce that a case states; seals under nonces that no output shows."""

    def __init__(self, nonce: bytes) -> None:
        super().__init__("pairing")
        self._nonce = nonce

    def draw(self, name: str, length: int) -> bytes:
        return self._nonce if name == "pairing nonce" else super().draw(name, length)


OPERATIONS: Final = {
    "seal_message": _seal_message, "transcript": _transcript, "sponsor": _sponsor, "joiner": _joiner,
}


def add_cases(cases: Layer) -> None:
    """Add the conversation's cases to the layer `access`."""
    parties = _Parties()
    encoded = [wire.encode(body) for body in parties.bodies]
    for n, body in enumerate(encoded):
        cases.valid("seal_message", f"message-{n}", "12.2", "sealed under its number's own key",
                    parties.fields() | {"n": n, "body": body.hex()})
    agreed = cases.valid("transcript", "three-words", "12.2", "33 bits of a hash of all that was said",
                         {"bodies": [body.hex() for body in encoded[:3]]})
    _sponsors(cases, parties, agreed["words"]["text"])
    _joiners(cases, parties)


def _typed(words: Sequence[str]) -> Inputs:
    """Words as an owner types them."""
    typed: Inputs = text(" ".join(words))
    return typed


def _message(parties: _Parties, n: int, body: list[wire.Value] | bytes, key: int | None = None,
             nonce: int | None = None) -> Inputs:
    """Message `n` with `body`, sealed as number `key` if that is another, under a nonce of bytes `nonce`."""
    sealing, drawn = n if key is None else key, bytes([n if nonce is None else nonce]) * 24
    encoded = body if isinstance(body, bytes) else wire.encode(body)
    return {"n": n, "message": seal_message(parties.code, sealing, drawn, encoded).hex()}


def _padded(parties: _Parties, n: int, plaintext: bytes) -> Inputs:
    """Message `n` with a plaintext that is padded already, well or badly."""
    sealed = seal(message_key(parties.code, n), bytes([n]) * 24, message_context(parties.code, n), plaintext)
    return {"n": n, "message": sealed.hex()}


def _paddings(body: bytes) -> list[tuple[str, str, bytes]]:
    """What a message must not be padded to: case, comment, plaintext."""
    good = pad(body, AEAD_OVERHEAD)
    return [
        ("unpadded", "the body alone", body),
        ("marker-alone", "a marker and no filling", body + b"\x80"),
        ("padded-too-short", "a byte less than an allowed size", good[:-1]),
        ("padded-too-far", "the next allowed size", good + bytes(len(good) + AEAD_OVERHEAD)),
        ("filled-with-ones", "a filling that is not zero", body + b"\x80" + b"\1" * (len(good) - len(body) - 1)),
        ("without-marker", "zeros alone", body + bytes(len(good) - len(body))),
    ]


def _sponsors(cases: Layer, parties: _Parties, words: str) -> None:
    zero, two = _message(parties, 0, parties.bodies[0]), _message(parties, 2, parties.bodies[2])
    good = parties.fields() | {
        "body_1": wire.encode(parties.bodies[1]).hex(), "messages": [zero, two], "words": text(words),
    }
    cases.valid("sponsor", "ends-well", "12.2", "the right messages and words", good)
    cases.valid("sponsor", "words-in-any-case", "12.2", "words as people type them",
                good | {"words": text(f"  {words.upper()} ")})
    commitment = parties.bodies[0][1]

    def refuse(name: str, step: str, comment: str, flag: str, *messages: Inputs) -> None:
        cases.invalid("sponsor", name, f"12.2{step}", comment, good | {"messages": list(messages)}, PairingAborted,
                      flags=(flag,))

    refuse("message-2-first", " step 4", "message 2 where 0 is awaited", "out-of-turn", two)
    cases.valid("sponsor", "each-message-twice", "13.7", "what is delivered twice in a row is taken once",
                good | {"messages": [zero, zero, two, two]})
    refuse("another-message-0", " step 4", "message 0 where 2 is awaited", "out-of-turn", zero,
           _message(parties, 0, parties.bodies[0], nonce=9))
    refuse("message-0-later", " step 4", "message 0 again, and not in a row", "out-of-turn", zero, two, zero)
    refuse("message-0-as-2", " step 4", "the bytes of message 0 again, under another number", "moved", zero,
           zero | {"n": 2})
    refuse("own-message-back", " step 4", "message 1 comes back to its sender", "out-of-turn", zero,
           _message(parties, 1, parties.bodies[1]))
    refuse("one-too-many", " step 4", "another message 2", "out-of-turn", zero, two,
           _message(parties, 2, parties.bodies[2], nonce=9))
    refuse("sealed-as-another", " step 4", "message 0 sealed as number 2", "moved",
           _message(parties, 0, parties.bodies[0], key=2))
    refuse("altered", " step 4", "a bit of the ciphertext", "altered",
           {"n": 0, "message": flipped(bytes.fromhex(zero["message"]), -1).hex()})
    refuse("too-long", "", "a message of more than 8 KiB", "shape",
           _message(parties, 0, bytes(MAILBOX_MESSAGE_MAX)))
    for name, comment, plaintext in _paddings(wire.encode(parties.bodies[0])):
        refuse(name, "", comment, "padding", _padded(parties, 0, plaintext), two)
    refuse("other-version", "", "version 2", "shape", _message(parties, 0, [2, commitment]))
    refuse("not-a-list", "", "a map", "shape", _message(parties, 0, wire.encode({"version": 1})))
    refuse("commitment-of-31", "", "a commitment of 31 bytes", "shape", _message(parties, 0, [1, commitment[:-1]]))
    refuse("true-for-1", "", "a boolean is no version", "shape", _message(parties, 0, [True, commitment]))
    refuse("one-element-more", "", "three elements", "shape", _message(parties, 0, [1, commitment, 0]))
    refuse("trailing-byte", "", "a byte after the body", "shape",
           _message(parties, 0, wire.encode(parties.bodies[0]) + b"\0"))
    cases.invalid("sponsor", "wrong-word", "12.2 step 2", "another word of the list",
                  good | {"words": text(" ".join([*words.split()[:2], "zoo"]))}, PairingAborted, flags=("mistyped",))
    cases.invalid("sponsor", "two-words", "12.2 step 2", "a word left out",
                  good | {"words": text(" ".join(words.split()[:2]))}, PairingAborted, flags=("mistyped",))
    _baits(cases, parties, good)


def _baits(cases: Layer, parties: _Parties, good: Inputs) -> None:
    nonce, (verify_key, seal_key, name), possession = parties.bodies[2]
    offer, other = _OFFER, parties.other
    elsewhere = possession_for(replace(offer, set_id=b"\x5f" * 32), parties.signing, seal_key)
    promoted = possession_for(replace(offer, role=3), parties.signing, seal_key)
    theirs = possession_for(offer, other, seal_key)
    other_seal = SealingKey.generate(NamedEntropy("access::pairing::bait")).public
    for_other_seal = possession_for(offer, parties.signing, other_seal)
    small = bytes(32) + seal_key[32:]
    for_small = possession_for(offer, parties.signing, small)

    def refuse(
        name: str, step: str, comment: str, flag: str, body: list[wire.Value],
        committed: list[wire.Value] | None = None,
    ) -> None:
        # The words are the ones that these very messages give: only the check that is meant may refuse.
        zero = [1, commitment_of(nonce, committed or parties.claims)]
        said = transcript_words(transcript_of(wire.encode(zero), wire.encode(parties.bodies[1]), body[0]))
        inputs = good | {"messages": [_message(parties, 0, zero), _message(parties, 2, body)], "words": _typed(said)}
        cases.invalid("sponsor", name, step, comment, inputs, PairingAborted, flags=(flag,))

    step = "12.2 step 1"
    refuse("other-nonce", step, "not the nonce committed to", "bait",
           [bytes(32), parties.claims, possession])
    refuse("other-verify-key", step, "not the verify key committed to", "bait",
           [nonce, [other.verify_key, seal_key, name], theirs])
    refuse("other-sealing-key", step, "not the sealing key committed to", "bait",
           [nonce, [verify_key, other_seal, name], for_other_seal])
    refuse("other-name", step, "not the device name committed to", "bait",
           [nonce, [verify_key, seal_key, "Laptop"], possession])
    flip = possession[:-1] + bytes([possession[-1] ^ 1])
    refuse("possession-altered", "9.3", "a bit of the possession", "bait", [nonce, parties.claims, flip])
    refuse("possession-of-another", "9.3", "possession signed by another key", "bait",
           [nonce, parties.claims, theirs])
    refuse("possession-elsewhere", "9.3", "possession for another set", "bait", [nonce, parties.claims, elsewhere])
    refuse("possession-of-more", "9.3", "possession for a higher role", "bait", [nonce, parties.claims, promoted])
    refuse("small-order-key", "5.5", "a sealing key of small order", "bait",
           [nonce, [verify_key, small, name], for_small], [verify_key, small, name])
    refuse("one-claim-more", "12.2", "the claims of a guest", "shape", [nonce, [*parties.claims, "Zoë"], possession],
           [*parties.claims, "Zoë"])
    refuse("claims-in-place", "12.2", "claims that are no array", "shape",
           [nonce, wire.encode(parties.claims), possession])
    for case, comment, wrong in (
        ("name-too-long", "a device name of 65 bytes", "x" * (DEVICE_NAME_MAX + 1)),
        ("no-name", "an empty device name", ""), ("name-not-composed", "a device name that is not in NFC", "Zoe\u0308"),
        ("name-in-bytes", "a device name in bytes", b"Laptop"),
    ):
        claims = [verify_key, seal_key, wrong]
        refuse(case, "12.2", comment, "shape", [nonce, claims, possession], claims)


def _joiners(cases: Layer, parties: _Parties) -> None:
    one, three = _message(parties, 1, parties.bodies[1]), _message(parties, 3, _LANDING)
    good = parties.fields() | {
        "signing_seed": parties.signing.seed.reveal().hex(), "sealing_secret": parties.sealing.secret.reveal().hex(),
        "nonce": parties.nonces[0].hex(), "device_name": text(_NAME), "messages": [one, three],
    }
    cases.valid("joiner", "ends-well", "12.2", "the right messages", good)
    cases.valid("joiner", "each-message-twice", "13.7", "what is delivered twice in a row is taken once",
                good | {"messages": [one, one, three, three]})

    def refuse(name: str, comment: str, flag: str, *messages: Inputs, step: str = "") -> None:
        cases.invalid("joiner", name, f"12.2{step}", comment, good | {"messages": list(messages)}, PairingAborted,
                      flags=(flag,))

    refuse("message-3-first", "message 3 where 1 is awaited", "out-of-turn", three, step=" step 4")
    refuse("another-message-1", "message 1 where 3 is awaited", "out-of-turn", one,
           _message(parties, 1, parties.bodies[1], nonce=9), step=" step 4")
    refuse("message-after-the-end", "another message 3", "out-of-turn", one, three,
           _message(parties, 3, _LANDING, nonce=9), step=" step 4")
    refuse("message-1-later", "message 1 again, and not in a row", "out-of-turn", one, three, one, step=" step 4")
    refuse("message-1-as-3", "message 1 sent again as number 3", "moved", one, one | {"n": 3}, step=" step 4")
    body = parties.bodies[1]
    for name, comment, plaintext in _paddings(wire.encode(body)):
        refuse(name, comment, "padding", _padded(parties, 1, plaintext), three)
    for name, comment, at, value in (
        ("root-role", "role 5", 3, 5), ("recovery-role", "role 4", 3, 4), ("role-0", "role 0", 3, 0),
        ("short-set-id", "a set id of 31 bytes", 1, bytes(31)), ("long-person", "a person of 17 bytes", 2, bytes(17)),
        ("epoch-below-0", "epoch −1", 6, -1), ("text-for-bytes", "text for the relay key", 4, "k" * 32),
    ):
        refuse(name, comment, "shape", _message(parties, 1, [*body[:at], value, *body[at + 1:]]))
    for name, comment, at, value in (
        ("same-epoch", "the record that adds the device is not after the one of message 1", 1, 7),
        ("index-of-root", "index 0", 4, 0), ("short-log-hash", "a log hash of 31 bytes", 3, bytes(31)),
    ):
        refuse(name, comment, "shape", one, _message(parties, 3, [*_LANDING[:at], value, *_LANDING[at + 1:]]))
