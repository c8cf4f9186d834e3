"""Examples of heads, short heads and heartbeats (SPEC 10.2, 10.7), part of `envelopes.json`."""

from __future__ import annotations

from typing import Any, Final

from e2esync.conformance.vectors.case import Inputs, Layer, Outcome, flipped, hexed
from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.conformance.vectors.world import NOW, party, replaced, world
from e2esync.crypto import AEAD_OVERHEAD, Label, Secret, SigningKey, pad, seal
from e2esync.epoch.chain import verify_chain
from e2esync.epoch.shape import u32, u64
from e2esync.errors import AuthFailed, CommitMismatch, E2esyncError, NonCanonical, SlotInvalid
from e2esync.limits import NONCE
from e2esync.log.head import Head, from_short, parse_head, parse_short, sign_head, to_short, verify_head
from e2esync.log.heartbeat import Heartbeat, check_heartbeat, open_heartbeat, seal_heartbeat
from e2esync.wire import decode, encode

_NONCE: Final = NamedEntropy("heads").draw("heartbeat nonce", NONCE)
_UNTIL: Final = NOW + 86_400_000


def _head_fields(head: Head) -> Inputs:
    return {
        "epoch": head.epoch, "seq": head.seq, "log_hash": head.log_hash.hex(), "record_hash": head.record_hash.hex(),
        "time": head.time, "incarnation": head.incarnation, "binding": head.binding.hex(),
    }


def _sign_head(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    fields: dict[str, Any] = {name: inputs[name] for name in ("epoch", "seq", "time", "incarnation")}
    fields |= {name: bytes.fromhex(inputs[name]) for name in ("log_hash", "record_hash", "binding")}
    head = sign_head(SigningKey(bytes.fromhex(inputs["relay_seed"])), bytes.fromhex(inputs["set_id"]), **fields)
    short = {} if head.binding else {"short": hexed(to_short(head).to_value())}
    return Outcome({"body": head.body.hex(), "signature": head.signature.hex()} | short)


def _verify_head(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    body, signature, set_id, relay_key = (
        bytes.fromhex(inputs[name]) for name in ("body", "signature", "set_id", "relay_key"))
    head = parse_head(body, signature)
    verify_head(head, set_id, relay_key)
    return Outcome(_head_fields(head))


def _short_head(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    short = parse_short(decode(bytes.fromhex(inputs["short"])))
    log_hash, record_hash, set_id, relay_key = (
        bytes.fromhex(inputs[name]) for name in ("log_hash", "record_hash", "set_id", "relay_key"))
    head = from_short(short, inputs["epoch"], log_hash, record_hash, inputs["incarnation"])
    verify_head(head, set_id, relay_key)
    return Outcome({"body": head.body.hex()})


def _seal_heartbeat(inputs: Inputs, entropy: NamedEntropy) -> Outcome:
    head = parse_head(*(bytes.fromhex(part) for part in inputs["head"]))
    heartbeat = seal_heartbeat(
        Secret(bytes.fromhex(inputs["key"])), SigningKey(bytes.fromhex(inputs["signing_seed"])),
        bytes.fromhex(inputs["set_id"]), vector=dict(inputs["vector"]), head=head, entropy=entropy,
        **{name: inputs[name] for name in ("member", "epoch", "time", "until")},
    )
    return Outcome({"heartbeat": heartbeat.hex()})


def _open_heartbeat(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    chain = verify_chain(bytes.fromhex(inputs["set_id"]), [bytes.fromhex(record) for record in inputs["records"]])
    key, raw = Secret(bytes.fromhex(inputs["key"])), bytes.fromhex(inputs["heartbeat"])
    heartbeat = open_heartbeat(key, chain.set_id, chain.epoch, inputs["member"], raw)
    check_heartbeat(heartbeat, inputs["member"], chain)
    return Outcome(_heartbeat_fields(heartbeat), {"body": heartbeat.body.hex()})


def _heartbeat_fields(heartbeat: Heartbeat) -> Inputs:
    return {
        "member": heartbeat.member, "epoch": heartbeat.epoch, "time": heartbeat.time, "until": heartbeat.until,
        "vector": hexed(sorted(heartbeat.vector.items())),
        "head": hexed([heartbeat.head.body, heartbeat.head.signature]),
    }


OPERATIONS: Final = {
    "sign_head": _sign_head, "verify_head": _verify_head, "short_head": _short_head,
    "seal_heartbeat": _seal_heartbeat, "open_heartbeat": _open_heartbeat,
}


def make_head(**override: Any) -> Head:
    """A head of epoch 1 at position 9, with fields replaced; `signer` and `set_id` too."""
    at = world()
    fields: dict[str, Any] = {
        "epoch": 1, "seq": 9, "log_hash": b"\x19" * 32, "record_hash": at.chain.head.hash, "time": NOW,
        "incarnation": 77, "binding": b"",
    } | override
    return sign_head(fields.pop("signer", at.relay), fields.pop("set_id", at.set_id), **fields)


def add_cases(cases: Layer) -> None:
    """Add the cases of 10.2 and 10.7 to the layer `envelopes`."""
    at = world()
    for name, comment, head in (
        ("plain", "a head that has a short form", make_head()),
        ("bound", "the head of a handshake", make_head(binding=b"\xbd" * 32)),
        ("position-0", "an empty log", make_head(seq=0, log_hash=at.chain.head.hash)),
    ):
        cases.valid("sign_head", name, "10.2", comment, _head_fields(head) | {
            "relay_seed": at.relay.seed.reveal().hex(), "set_id": at.set_id.hex()})
        cases.valid("verify_head", name, "10.2", comment, _verified(head.body, head.signature))
    _broken_heads(cases)
    _short_heads(cases)
    _heartbeats(cases)
    _broken_heartbeats(cases)
    _malformed_heartbeats(cases)


def _verified(body: bytes, signature: bytes) -> Inputs:
    at = world()
    return {"body": body.hex(), "signature": signature.hex(), "set_id": at.set_id.hex(),
            "relay_key": at.relay.verify_key.hex()}


def _broken_heads(cases: Layer) -> None:
    at, good = world(), make_head()
    for name, comment, head in (
        ("by-another-relay", "signed by another key", make_head(signer=party("other relay").signing)),
        ("by-member", "signed by an owner", make_head(signer=at.parties[1].signing)),
        ("for-another-set", "signed for another set", make_head(set_id=bytes(32))),
    ):
        cases.invalid("verify_head", name, "10.2", comment, _verified(head.body, head.signature), AuthFailed,
                      flags=("head",))
    for name, comment, body, signature in (
        ("other-position", "the signature of another position", make_head(seq=10).body, good.signature),
        ("other-log-hash", "the signature of another log", make_head(log_hash=bytes(32)).body, good.signature),
        ("signature-altered", "a bit of the signature", good.body, flipped(good.signature, 0)),
        ("record-signature", "a signature with the label of records", good.body,
         at.relay.sign(Label.SIGN_RECORD, at.set_id, good.body)),
    ):
        cases.invalid("verify_head", name, "10.2", comment, _verified(body, signature), AuthFailed, flags=("head",))
    fields = decode(good.body)
    for name, comment, value in (
        ("epoch-below-0", "epoch −1", replaced(fields, 0, -1)),
        ("position-true", "a boolean is no position", replaced(fields, 1, True)),
        ("short-log-hash", "a log hash of 31 bytes", replaced(fields, 2, bytes(31))),
        ("no-record-hash", "an empty record hash", replaced(fields, 3, b"")),
        ("time-in-text", "text for the time", replaced(fields, 4, "now")),
        ("incarnation-below-0", "incarnation −1", replaced(fields, 5, -1)),
        ("binding-of-16", "a binding of 16 bytes", replaced(fields, 6, bytes(16))),
        ("six-fields", "the last field missing", fields[:-1]),
        ("eight-fields", "one field more", [*fields, 0]),
    ):
        body = encode(value)
        signature = at.relay.sign(Label.SIGN_HEAD, at.set_id, body)
        cases.invalid("verify_head", name, "6.4", comment, _verified(body, signature), NonCanonical, flags=("shape",))
    cases.invalid("verify_head", "short-signature", "6.4", "a signature of 63 bytes",
                  _verified(good.body, good.signature[:-1]), NonCanonical, flags=("shape",))


def _short_heads(cases: Layer) -> None:
    at, head = world(), make_head()
    bound = make_head(binding=b"\xbd" * 32)
    good: Inputs = {
        "short": encode(to_short(head).to_value()).hex(), "epoch": 1, "log_hash": head.log_hash.hex(),
        "record_hash": head.record_hash.hex(), "incarnation": 77, "set_id": at.set_id.hex(),
        "relay_key": at.relay.verify_key.hex(),
    }
    cases.valid("short_head", "same-log", "10.2", "both sides have one log", good)
    for name, comment, inputs in (
        ("other-log", "the receiver's log hash differs", good | {"log_hash": "1a" * 32}),
        ("other-record", "the receiver's record differs", good | {"record_hash": at.openings[0].record.hash.hex()}),
        ("other-epoch", "the receiver is in another epoch", good | {"epoch": 0}),
        ("other-incarnation", "the receiver knows another store", good | {"incarnation": 78}),
        ("other-position", "another position than the signed one",
         good | {"short": encode([10, NOW, head.signature]).hex()}),
        ("other-time", "another time than the signed one",
         good | {"short": encode([9, NOW + 1, head.signature]).hex()}),
        ("bound", "a head with a binding has no short form", good | {"short": encode([9, NOW, bound.signature]).hex()}),
    ):
        cases.invalid("short_head", name, "10.2", comment, inputs, AuthFailed, flags=("head",))
    for name, comment, value in (
        ("two-elements", "no signature", [9, NOW]),
        ("position-below-0", "position −1", [-1, NOW, head.signature]),
        ("short-signature", "a signature of 63 bytes", [9, NOW, head.signature[:-1]]),
    ):
        cases.invalid("short_head", name, "6.4", comment, good | {"short": encode(value).hex()}, NonCanonical,
                      flags=("shape",))


def _heartbeat(member: int = 3, slot: int | None = None, **override: Any) -> bytes:
    """A heartbeat, valid in epoch 1, with fields of its signed body replaced; sealed for `slot` if that differs."""
    at, head = world(), make_head()
    fields = {
        "member": member, "epoch": 1, "time": NOW, "until": _UNTIL, "vector": [[1, 4], [3, 2]],
        "head": [head.body, head.signature],
    }
    signer = override.pop("signer", at.parties[member].signing)
    set_id = override.pop("set_id", at.set_id)
    return _sealed_heartbeat([*(fields | override).values()], signer, member if slot is None else slot, set_id)


def _sealed_heartbeat(fields: Any, signer: SigningKey, slot: int, set_id: bytes, epoch: int = 1) -> bytes:
    at = world()
    body = encode(fields)
    signed = encode([body, signer.sign(Label.SIGN_HEARTBEAT, set_id, body)])
    context = at.set_id + b"\x06" + u64(epoch) + u32(slot)
    return u64(1) + seal(at.key, _NONCE, context, pad(signed, 8 + AEAD_OVERHEAD))


def _opened(heartbeat: bytes, member: int = 3) -> Inputs:
    at = world()
    return {
        "set_id": at.set_id.hex(), "records": [{"given": "record-0"}, {"given": "record-1"}],
        "key": at.key.reveal().hex(), "member": member, "heartbeat": heartbeat.hex(),
    }


def _heartbeats(cases: Layer) -> None:
    at, head = world(), make_head()
    for name, comment, member, vector in (
        ("writer", "a writer's", 3, [[1, 4], [3, 2]]), ("reader", "a reader beats, too", 4, []),
    ):
        sealed = cases.valid("seal_heartbeat", name, "10.7", comment, {
            "key": at.key.reveal().hex(), "signing_seed": at.parties[member].seed, "set_id": at.set_id.hex(),
            "member": member, "epoch": 1, "time": NOW, "until": _UNTIL, "vector": vector,
            "head": hexed([head.body, head.signature]),
        })
        cases.valid("open_heartbeat", name, "10.7", comment,
                    _opened(bytes.fromhex(sealed["heartbeat"]), member))


def _broken_heartbeats(cases: Layer) -> None:
    at, good = world(), _heartbeat()
    lie = make_head(signer=party("other relay").signing)
    elsewhere = make_head(set_id=bytes(32))
    broken: tuple[tuple[str, str, bytes, type[E2esyncError]], ...] = (
        ("one-byte-more", "a size that is not allowed", good + b"\0", SlotInvalid),
        ("too-large", "an allowed size above 16 KiB", u64(1) + bytes(32_760), SlotInvalid),
        ("other-epoch-in-clear", "epoch 2 in clear", u64(2) + good[8:], SlotInvalid),
        ("commitment-altered", "a bit of the commitment", flipped(good, 32 * 8), CommitMismatch),
        ("tag-altered", "a bit of the tag", flipped(good, -1), AuthFailed),
        ("sealed-for-another-slot", "the context of member 5", _heartbeat(slot=5), CommitMismatch),
        ("of-another-member", "member 5's own, sealed into the slot of member 3", _heartbeat(5, slot=3), SlotInvalid),
        ("signed-by-another", "signed by member 5", _heartbeat(signer=at.parties[5].signing), AuthFailed),
        ("signed-for-another-set", "signed for another set", _heartbeat(set_id=bytes(32)), AuthFailed),
        ("of-another-epoch", "the signed body is of epoch 0", _heartbeat(epoch=0), SlotInvalid),
        ("head-by-another-relay", "a head that another key signed", _heartbeat(head=[lie.body, lie.signature]),
         AuthFailed),
        ("head-of-another-set", "a head of another set", _heartbeat(head=[elsewhere.body, elsewhere.signature]),
         AuthFailed),
    )
    for name, comment, heartbeat, error in broken:
        cases.invalid("open_heartbeat", name, "10.7", comment, _opened(heartbeat), error, flags=("slot",))
    for name, comment, member in (("of-kit", "a kit has no slot", 6), ("of-root", "the root has no slot", 0)):
        cases.invalid("open_heartbeat", name, "10.7", comment, _opened(_heartbeat(member), member), SlotInvalid,
                      flags=("slot",))
    nobody = _sealed_heartbeat([9, *decode_body(good)[1:]], at.parties[3].signing, 9, at.set_id)
    cases.invalid("open_heartbeat", "of-nobody", "10.7", "an index that was not given", _opened(nobody, 9),
                  SlotInvalid, flags=("slot",))
    context = _sealed_heartbeat(decode_body(good), at.parties[3].signing, 3, at.set_id, epoch=0)
    cases.invalid("open_heartbeat", "sealed-for-another-epoch", "10.7", "the context of epoch 0", _opened(context),
                  CommitMismatch, flags=("slot",))


def decode_body(heartbeat: bytes) -> list[Any]:
    """The fields of member 3's heartbeat."""
    at = world()
    fields: list[Any] = decode(open_heartbeat(at.key, at.set_id, 1, 3, heartbeat).body)
    return fields


def _malformed_heartbeats(cases: Layer) -> None:
    at = world()
    good = decode_body(_heartbeat())
    for name, comment, value in (
        ("member-true", "a boolean is no index", replaced(good, 0, True)),
        ("time-below-0", "time −1", replaced(good, 2, -1)),
        ("until-in-text", "text for the end", replaced(good, 3, "later")),
        ("vector-descending", "members out of order", replaced(good, 4, [[3, 2], [1, 4]])),
        ("head-without-signature", "the head's body alone", replaced(good, 5, good[5][:1])),
        ("no-head", "no head", replaced(good, 5, [])),
        ("five-fields", "the last field missing", good[:-1]),
    ):
        heartbeat = _sealed_heartbeat(value, at.parties[3].signing, 3, at.set_id)
        cases.invalid("open_heartbeat", name, "6.4", comment, _opened(heartbeat), NonCanonical, flags=("shape",))
