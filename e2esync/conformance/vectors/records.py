"""Examples of epoch records (SPEC 9.1 to 9.3): what is signed, how it is spelled, what a decoder refuses."""

from __future__ import annotations

from typing import Any, Final

from e2esync.conformance.vectors.case import Inputs, Layer, Outcome, hexed, unhexed
from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.conformance.vectors.world import ALICE, BOB, NOW, party, replaced, signed, world
from e2esync.crypto import Label, SigningKey
from e2esync.epoch.record import (
    Add,
    Change,
    ChangeRole,
    Record,
    Rekey,
    Remove,
    change_value,
    make_rekey,
    parse_record,
    possession_message,
    set_id_of,
    sign_possession,
    sign_record,
)
from e2esync.epoch.roles import Role
from e2esync.errors import ChainInvalid, E2esyncError, LimitExceeded, NonCanonical
from e2esync.limits import RECORD_MAX
from e2esync.wire import decode, encode


def _set_id(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    return Outcome({"set_id": set_id_of(bytes.fromhex(inputs["root_verify_key"])).hex()})


def _possession(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    key = SigningKey(bytes.fromhex(inputs["signing_seed"]))
    set_id, person, seal_key = (bytes.fromhex(inputs[name]) for name in ("set_id", "person", "sealing_key"))
    message = possession_message(person, Role(inputs["role"]), key.verify_key, seal_key)
    proof = sign_possession(key, set_id, person, Role(inputs["role"]), seal_key)
    return Outcome({"possession": proof.hex()}, {"verify_key": key.verify_key.hex(), "message": message.hex()})


def _sign_record(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    key, set_id = SigningKey(bytes.fromhex(inputs["signing_seed"])), bytes.fromhex(inputs["set_id"])
    fields: dict[str, Any] = {name: inputs[name] for name in ("epoch", "closes_seq", "time", "opener", "flags")}
    for name in ("prev", "relay", "closes_hash", "commit", "boxes", "manifest"):
        fields[name] = bytes.fromhex(inputs[name])
    changes = tuple(_change(unhexed(change)) for change in inputs["changes"])
    record = sign_record(key, set_id, changes=changes, numbers=dict(inputs["numbers"]), **fields)
    return Outcome({"record": record.raw.hex(), "hash": record.hash.hex()},
                   {"body": record.body.hex(), "signature": record.signature.hex()})


def _change(value: list[Any]) -> Change:
    match value:
        case [1, person, role, verify_key, seal_key, possession]:
            return Add(person, Role(role), verify_key, seal_key, possession)
        case [2, member]:
            return Remove(member)
        case [3, member, verify_key, possession]:
            return Rekey(member, verify_key, possession)
        case [4, member, role]:
            return ChangeRole(member, Role(role))
    raise AssertionError("a case names no change")


def record_fields(record: Record) -> Inputs:
    """A record's fields as cases write them."""
    return {
        "epoch": record.epoch, "prev": record.prev.hex(), "relay": record.relay.hex(),
        "closes_seq": record.closes_seq, "closes_hash": record.closes_hash.hex(), "time": record.time,
        "opener": record.opener, "changes": [hexed(change_value(change)) for change in record.changes],
        "numbers": hexed(sorted(record.numbers.items())), "flags": int(record.flags), "commit": record.commit.hex(),
        "boxes": record.boxes.hex(), "manifest": record.manifest.hex(),
    }


def _parse_record(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    record = parse_record(bytes.fromhex(inputs["record"]))
    return Outcome(record_fields(record) | {"hash": record.hash.hex()}, {"body": record.body.hex()})


OPERATIONS: Final = {
    "set_id": _set_id, "possession": _possession, "sign_record": _sign_record, "parse_record": _parse_record,
}


def every_change() -> Record:
    """Record 2 by an owner, with one change of each kind, a new relay and both flags."""
    at = world()
    new = party("laptop, new key")
    changes = (
        at.add(Role.READER, "watch"), Remove(4), make_rekey(new.signing, at.set_id, 1, ALICE, Role.OWNER),
        ChangeRole(3, Role.READER),
    )
    relay = party("other relay").signing.verify_key
    return at.record(1, changes, relay=relay, flags=3, closes_seq=5, closes_hash=b"\x1c" * 32)


def add_cases(cases: Layer) -> None:
    """Add the cases of 9.1 to 9.3 to the layer `epochs`."""
    at = world()
    cases.valid("set_id", "root-key", "9.1", "a set is self-certifying",
                {"root_verify_key": at.parties[0].signing.verify_key.hex()})
    bob = party("bob's phone", BOB)
    wanted: Inputs = {"signing_seed": bob.seed, "set_id": at.set_id.hex(), "person": BOB.hex(), "role": 2}
    cases.valid("possession", "add", "9.3", "a newcomer's", wanted | {"sealing_key": bob.sealing.public.hex()})
    cases.valid("possession", "rekey", "9.3", "a rekey's, without a sealing key", wanted | {"sealing_key": ""})
    every = every_change()
    for name, comment, record, signer in (
        ("no-change", "only a new secret", at.record(), at.parties[1]),
        ("every-change", "one change of each kind, a new relay, both flags", every, at.parties[1]),
    ):
        inputs = record_fields(record) | {"signing_seed": signer.seed, "set_id": at.set_id.hex()}
        cases.valid("sign_record", name, "9.2", comment, inputs)
        cases.valid("parse_record", name, "9.2", comment, {"record": record.raw.hex()})
    cases.valid("parse_record", "record-0", "9.2", "the first of a set", {"record": {"given": "record-0"}})
    _bad_fields(cases, decode(every.body))
    _bad_changes(cases, decode(every.body))
    _bad_outsides(cases, every)


def _refuse(
    cases: Layer, name: str, comment: str, fields: Any, flag: str, error: type[E2esyncError] = NonCanonical,
    spec: str = "6.4",
) -> None:
    at = world()
    raw = signed(at.parties[1].signing, Label.SIGN_RECORD, at.set_id, fields)
    cases.invalid("parse_record", name, spec, comment, {"record": raw.hex()}, error, flags=(flag,))


def _bad_fields(cases: Layer, good: list[Any]) -> None:
    for name, comment, index, value in (
        ("suite-in-text", "text for the suite", 0, "1"),
        ("epoch-below-0", "epoch −1", 1, -1),
        ("epoch-true", "a boolean is no integer", 1, True),
        ("short-prev", "a hash of 31 bytes", 2, bytes(31)),
        ("short-relay", "a relay key of 31 bytes", 3, bytes(31)),
        ("relay-in-text", "empty text for no relay", 3, ""),
        ("closes-below-0", "position −1", 4, -1),
        ("long-closes-hash", "a hash of 33 bytes", 5, bytes(33)),
        ("time-in-text", "text for the time", 6, str(NOW)),
        ("opener-beyond-u32", "an index of 2^32", 7, 2**32),
        ("changes-in-a-map", "a map for the changes", 8, {}),
        ("numbers-descending", "numbers out of order", 9, [[2, 1], [1, 1]]),
        ("number-twice", "a member's number twice", 9, [[1, 1], [1, 1]]),
        ("number-0", "numbers begin with 1", 9, [[1, 0], [2, 1]]),
        ("number-in-bytes", "a line of numbers in bytes", 9, [b"\1\1", b"\2\1"]),
        ("number-alone", "a line of numbers with one element", 9, [[1], [2, 1]]),
        ("unknown-flag", "a bit that no flag has", 10, 8),
        ("flags-below-0", "flags −1", 10, -1),
        ("short-commit", "a commitment of 31 bytes", 11, bytes(31)),
        ("boxes-in-text", "text for a hash", 12, "b" * 32),
        ("no-manifest", "an empty manifest id", 13, b""),
    ):
        _refuse(cases, name, comment, replaced(good, index, value), "shape")
    _refuse(cases, "13-fields", "the last field missing", good[:-1], "shape")
    _refuse(cases, "15-fields", "one field more", [*good, 0], "shape")
    _refuse(cases, "body-of-nothing", "an empty array for the body", [], "shape")
    _refuse(cases, "body-is-a-map", "a map for the body", {"suite": 1}, "shape")
    _refuse(cases, "suite-2", "another suite", replaced(good, 0, 2), "downgrade", ChainInvalid, "9.4 step 1")
    _refuse(cases, "suite-2-and-unknown-form", "another suite is told before its other form", [2, "later"],
            "downgrade", ChainInvalid, "9.4 step 1")


def _bad_changes(cases: Layer, good: list[Any]) -> None:
    add, remove, rekey, role = good[8]
    for name, comment, value in (
        ("kind-0", "a change of no known kind", [0, 1]),
        ("kind-5", "a change of no known kind", [5, 1]),
        ("kind-true", "a boolean is no kind", [True, *add[1:]]),
        ("empty-change", "a change without elements", []),
        ("add-without-possession", "an add with five elements", add[:-1]),
        ("short-person", "a person of 15 bytes", replaced(add, 1, add[1][:-1])),
        ("role-0", "role 0", replaced(add, 2, 0)),
        ("role-6", "role 6", replaced(add, 2, 6)),
        ("short-verify-key", "a verify key of 31 bytes", replaced(add, 3, add[3][:-1])),
        ("short-sealing-key", "a sealing key of 1215 bytes", replaced(add, 4, add[4][:-1])),
        ("short-possession", "a possession of 63 bytes", replaced(add, 5, add[5][:-1])),
        ("remove-in-text", "text for a member", [2, "4"]),
        ("remove-of-two", "a remove with three elements", [*remove, 3]),
        ("rekey-without-possession", "a rekey with three elements", rekey[:-1]),
        ("role-change-without-role", "a role change with two elements", role[:-1]),
    ):
        _refuse(cases, name, comment, replaced(good, 8, [value]), "shape")


def _bad_outsides(cases: Layer, every: Record) -> None:
    good = decode(every.body)
    _refuse(cases, "17-changes", "more than 16 changes", replaced(good, 8, [[2, 4]] * 17), "bomb", LimitExceeded,
            "9.4 step 7")
    _refuse(cases, "65-numbers", "more than 64 numbers", replaced(good, 9, [[index, 1] for index in range(65)]),
            "bomb", LimitExceeded, "9.4 step 7")
    for name, comment, spec, raw, error, flag in (
        ("too-long", "one byte more than 64 KiB", "9.4 step 7", bytes(RECORD_MAX + 1), LimitExceeded, "bomb"),
        ("short-signature", "a signature of 63 bytes", "6.4", encode([every.body, every.signature[:-1]]), NonCanonical,
         "shape"),
        ("no-signature", "the body alone", "6.4", encode([every.body]), NonCanonical, "shape"),
        ("body-in-place", "the body as an array, not as bytes", "6.4", encode([good, every.signature]), NonCanonical,
         "shape"),
        ("trailing-byte", "a byte after the record", "6.2 step 2", every.raw + b"\0", NonCanonical, "shape"),
        ("cut-short", "the last byte missing", "6.2 step 2", every.raw[:-1], NonCanonical, "shape"),
    ):
        cases.invalid("parse_record", name, spec, comment, {"record": raw.hex()}, error, flags=(flag,))
