"""Examples of invitations and of kit proofs (SPEC 12.3, 12.4), part of `access.json`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from e2esync import wire
from e2esync.access.code import PairingCode, Purpose
from e2esync.access.kit import RecoveryKit
from e2esync.access.messages import (
    DECLINED,
    Guest,
    Inviter,
    Offer,
    claims_of,
    commitment_of,
    open_message,
    possession_for,
    seal_message,
    transcript_of,
    transcript_words,
)
from e2esync.access.pairing import Joiner, Outgoing, Sponsor
from e2esync.conformance.vectors.case import Inputs, Layer, Outcome, text
from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.conformance.vectors.pairing import FixedNonce
from e2esync.crypto import Secret, SigningKey
from e2esync.crypto.sealing import SealingKey
from e2esync.epoch.record import KitHalf, check_kit_proof, sign_possession
from e2esync.epoch.roles import Role
from e2esync.errors import ChainInvalid, PairingAborted
from e2esync.limits import PERSON

_OFFER: Final = Offer(
    set_id=b"\x5e" * 32, person=b"\x70" * 16, role=2, relay_key=b"\x4e" * 32, record_hash=b"\x6d" * 32, epoch=7,
    inviter=Inviter(b"\x1e" * 32, "Ada", "Family"),
)
_LANDING: Final[list[wire.Value]] = [b"\x6e" * 32, 8, 0, b"\x10" * 32, 3]
_DEVICE, _GUEST = "Zoë's phone", "Zoë"
_SEED: Final = NamedEntropy("access::kit_half").draw("kit seed", 32)


class _Parties:
    """The fixed keys and nonces of the examples, and the bodies of an invitation that is accepted."""

    def __init__(self) -> None:
        entropy = NamedEntropy("access::invitation")
        self.code = PairingCode.generate(None, entropy, Purpose.INVITATION)
        self.signing = SigningKey(entropy.draw("signing key", 32))
        self.sealing = SealingKey.generate(entropy)
        self.nonces = (entropy.draw("pairing nonce", 32), entropy.draw("pairing nonce", 32))
        self.kit = RecoveryKit(Secret(_SEED)).half(1)
        self.guest = Guest(_GUEST, self.kit)
        self.claims = claims_of(self.signing.verify_key, self.sealing.public, _DEVICE, self.guest)
        self.possession = possession_for(_OFFER, self.signing, self.sealing.public)
        self.bodies: list[list[wire.Value]] = [
            [1, commitment_of(self.nonces[0], self.claims)], [self.nonces[1], *_OFFER.value()],
            [self.nonces[0], self.claims, self.possession], _LANDING,
        ]

    def fields(self) -> Inputs:
        """The code, as inputs of a case."""
        return {"mailbox_id": self.code.mailbox_id.hex(), "secret": self.code.secret.reveal().hex()}

    def message(self, n: int, body: list[wire.Value] | bytes, purpose: Purpose = Purpose.INVITATION) -> Inputs:
        """A sealed message, as a case gives it."""
        nonce = NamedEntropy(f"access::invitation::{n}").draw("pairing seal nonce", 24)
        encoded = body if isinstance(body, bytes) else wire.encode(body)
        sealed = seal_message(replace(self.code, purpose=purpose), n, nonce, encoded)
        return {"n": n, "message": sealed.hex()}


def _code(inputs: Inputs) -> PairingCode:
    secret = Secret(bytes.fromhex(inputs["secret"]))
    return PairingCode(None, bytes.fromhex(inputs["mailbox_id"]), secret, Purpose.INVITATION)


def _host(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    """The inviting side is sent `messages` in turn; its nonce is that of `body_1`. Then its owner types `words`."""
    nonce, *place = wire.decode(bytes.fromhex(inputs["body_1"]))
    machine = Sponsor(_code(inputs), _offer(place), FixedNonce(nonce))
    machine.start()
    for message in inputs["messages"]:
        machine.receive(message["n"], bytes.fromhex(message["message"]))
    added = machine.confirm(inputs["words"]["text"])
    assert added.guest is not None
    return Outcome({
        "verify_key": added.verify_key.hex(), "sealing_key": added.seal_key.hex(),
        "possession": added.possession.hex(), "device_name": text(added.device_name),
        "guest": text(added.guest.name), "kit": list(_half(added.guest.kit).values()),
    })


def _guest(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    """The invited side has the keys, names, kit and nonce given, is sent `messages` in turn, and accepts."""
    code = _code(inputs)
    signing = SigningKey(bytes.fromhex(inputs["signing_seed"]))
    sealing = SealingKey.from_secret(bytes.fromhex(inputs["sealing_secret"]))
    half = KitHalf(*(bytes.fromhex(part) for part in inputs["kit"]))
    machine = Joiner(code, signing, sealing, inputs["device_name"]["text"], FixedNonce(bytes.fromhex(inputs["nonce"])),
                     Guest(inputs["guest"]["text"], half))
    sent = machine.start()
    for message in inputs["messages"]:
        sent += machine.receive(message["n"], bytes.fromhex(message["message"]))
        if message["n"] == 1:
            sent += machine.accept()
    bodies = [open_message(code, event.n, event.data).hex() for event in sent if isinstance(event, Outgoing)]
    return Outcome({"bodies_sent": bodies, "words": text(" ".join(machine.words))})


def _offer(place: list[Any]) -> Offer:
    set_id, person, role, relay_key, record_hash, epoch, *by = place
    return Offer(set_id, person, role, relay_key, record_hash, epoch, Inviter(*by))


def _half(half: KitHalf) -> Inputs:
    return {"verify_key": half.verify_key.hex(), "sealing_key": half.seal_key.hex(), "proof": half.proof.hex()}


def _kit_half(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    return Outcome(_half(RecoveryKit(Secret(bytes.fromhex(inputs["seed"]))).half(inputs["number"])))


def _check_kit_proof(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    check_kit_proof(*(bytes.fromhex(inputs[name]) for name in ("verify_key", "sealing_key", "proof")))
    return Outcome({})


OPERATIONS: Final = {"host": _host, "guest": _guest, "kit_half": _kit_half, "check_kit_proof": _check_kit_proof}


def add_cases(cases: Layer) -> None:
    """Add the cases of invitations and kit proofs to the layer `access`."""
    parties = _Parties()
    _proofs(cases)
    _hosts(cases, parties)
    _guests(cases, parties)


def _proofs(cases: Layer) -> None:
    kit = RecoveryKit(Secret(_SEED))
    for name, number in {"root": 0, "first-further-set": 1, "last-of-init": 15}.items():
        cases.valid("kit_half", name, "12.4", "what `init` keeps in the home set",
                    {"seed": _SEED.hex(), "number": number})
    good, key = kit.half(1), kit.signing_key(1)
    cases.valid("check_kit_proof", "of-the-kit", "12.4", "no set and no person is in it", _half(good))
    for name, comment, proof in (
        ("of-another-number", "the proof of number 2", kit.half(2).proof),
        ("for-a-set", "a possession for one set", sign_possession(key, b"\x5e" * 32, bytes(PERSON), Role.RECOVERY,
                                                                 good.seal_key)),
        ("for-a-person", "a possession of one person", sign_possession(key, bytes(32), b"\x70" * PERSON, Role.RECOVERY,
                                                                      good.seal_key)),
        ("as-root", "a possession as root", sign_possession(key, bytes(32), bytes(PERSON), Role.ROOT, good.seal_key)),
        ("other-sealing-key", "the sealing key of number 2",
         sign_possession(key, bytes(32), bytes(PERSON), Role.RECOVERY, kit.half(2).seal_key)),
    ):
        cases.invalid("check_kit_proof", name, "12.4", comment, _half(replace(good, proof=proof)), ChainInvalid,
                      flags=("bait",))


def _hosts(cases: Layer, parties: _Parties) -> None:
    zero, one, two = (wire.encode(body) for body in parties.bodies[:3])
    words = " ".join(transcript_words(transcript_of(zero, one, parties.nonces[0])))
    good = parties.fields() | {"body_1": one.hex(), "words": text(words),
                               "messages": [parties.message(0, zero), parties.message(2, two)]}
    cases.valid("host", "accepted", "12.3", "a guest with its name and one key of its kit", good)

    def refuse(name: str, comment: str, flag: str, body: list[wire.Value] | bytes,
               committed: list[wire.Value] | None = None) -> None:
        first = [1, commitment_of(parties.nonces[0], committed or parties.claims)]
        said = transcript_words(transcript_of(wire.encode(first), one, parties.nonces[0]))
        inputs = good | {"words": text(" ".join(said)),
                         "messages": [parties.message(0, first), parties.message(2, body)]}
        cases.invalid("host", name, "12.3", comment, inputs, PairingAborted, flags=(flag,))

    nonce, claims = parties.nonces[0], parties.claims
    other = RecoveryKit(Secret(bytes(32))).half(1)
    refuse("declined", "the guest does not accept", "declined", DECLINED)
    refuse("other-guest", "another name than the one committed to", "bait",
           [nonce, [*claims[:3], "Eve", *claims[4:]], parties.possession])
    refuse("other-kit", "another kit than the one committed to", "bait",
           [nonce, [*claims[:4], other.verify_key, other.seal_key, other.proof], parties.possession])
    unproved = [*claims[:6], other.proof]
    refuse("kit-not-proved", "the proof of another kit", "bait", [nonce, unproved, parties.possession], unproved)
    small = [*claims[:4], bytes(32), *claims[5:]]
    refuse("kit-of-small-order", "a recovery key of small order", "bait", [nonce, small, parties.possession], small)
    device = claims[:3]
    refuse("without-kit", "the claims of a device", "shape", [nonce, device, parties.possession], device)
    nameless = [*claims[:3], "", *claims[4:]]
    refuse("no-name", "an empty name", "shape", [nonce, nameless, parties.possession], nameless)
    cases.invalid("host", "as-pairing", "12.3", "message 0 of a pairing under the same secret",
                  good | {"messages": [parties.message(0, zero, Purpose.PAIRING)]}, PairingAborted, flags=("moved",))
    cases.invalid("host", "wrong-word", "12.2 step 2", "another word of the list",
                  good | {"words": text(" ".join([*words.split()[:2], "zoo"]))}, PairingAborted, flags=("mistyped",))


def _guests(cases: Layer, parties: _Parties) -> None:
    one, three = parties.message(1, parties.bodies[1]), parties.message(3, _LANDING)
    good = parties.fields() | {
        "signing_seed": parties.signing.seed.reveal().hex(), "sealing_secret": parties.sealing.secret.reveal().hex(),
        "nonce": parties.nonces[0].hex(), "device_name": text(_DEVICE), "guest": text(_GUEST),
        "kit": list(_half(parties.kit).values()), "messages": [one, three],
    }
    cases.valid("guest", "accepts", "12.3", "the right messages", good)

    def refuse(name: str, comment: str, flag: str, *messages: Inputs) -> None:
        cases.invalid("guest", name, "12.3", comment, good | {"messages": list(messages)}, PairingAborted,
                      flags=(flag,))

    body = parties.bodies[1]
    refuse("offer-of-a-pairing", "no inviter and no book", "shape", parties.message(1, body[:7]))
    for name, comment, at, value in (
        ("short-key", "an inviter's key of 31 bytes", 7, bytes(31)), ("no-inviter", "an empty name", 8, ""),
        ("long-book", "a book's name of 65 bytes", 9, "x" * 65), ("kit-role", "role 4", 3, 4),
    ):
        refuse(name, comment, "shape", parties.message(1, [*body[:at], value, *body[at + 1:]]))
    refuse("as-pairing", "an offer under the same secret, for a pairing", "moved",
           parties.message(1, body, Purpose.PAIRING))
