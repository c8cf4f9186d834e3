"""Examples of evidence (SPEC 10.8), part of `envelopes.json`: each kind as it proves something, and as it does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from e2esync.conformance.vectors.case import Inputs, Layer, Outcome
from e2esync.conformance.vectors.chains import rekey
from e2esync.conformance.vectors.entries import make_entry
from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.conformance.vectors.heads import make_head
from e2esync.conformance.vectors.world import NOW, party, world
from e2esync.crypto import Label, blake2b
from e2esync.epoch.record import Flag
from e2esync.epoch.roles import Role
from e2esync.errors import AuthFailed, ChainInvalid, EvidenceInvalid, NonCanonical
from e2esync.log.entry import Entry
from e2esync.log.evidence import rolled_back, two_entries, two_logs, two_records, verify_evidence, with_chain
from e2esync.log.head import Head
from e2esync.wire import decode, encode

_BELOW: Final = b"\x17" * 32
_HASHES: Final = (b"\xe1" * 32, b"\xe2" * 32)


def _verify(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    records = [bytes.fromhex(record) for record in inputs["records"]]
    proof = verify_evidence(bytes.fromhex(inputs["evidence"]), records)
    return Outcome({
        "kind": int(proof.kind), "set_id": proof.set_id.hex(), "epoch": proof.epoch, "position": proof.position,
        "member": [] if proof.member is None else [proof.member], "key": proof.key.hex(),
    })


OPERATIONS: Final[dict[str, Callable[[Inputs, NamedEntropy], Outcome]]] = {"verify_evidence": _verify}


def add_cases(cases: Layer) -> None:
    """Add the cases of 10.8 to the layer `envelopes`."""
    _logs(cases)
    _rollbacks(cases)
    _records(cases)
    _entries(cases)
    _keys_in_turn(cases)
    _files(cases)


def _given(evidence: bytes, *, chain: bool = True) -> Inputs:
    return {"evidence": evidence.hex(),
            "records": [{"given": "record-0"}, {"given": "record-1"}] if chain else []}


def _high(**override: Any) -> Head:
    """A head two envelopes above position 7, where the log hash is `_BELOW`."""
    log_hash = _BELOW
    for envelope in _HASHES:
        log_hash = blake2b(Label.LOG, log_hash, envelope)
    return make_head(**{"log_hash": log_hash, "seq": 9, **override})


def _low(**override: Any) -> Head:
    return make_head(**{"seq": 7, "log_hash": b"\x99" * 32, **override})


def _logs(cases: Layer) -> None:
    at = world()
    good = two_logs(at.set_id, _low(), _high(), _BELOW, _HASHES)
    cases.valid("verify_evidence", "two-logs", "10.8", "a head that the log of a later one does not lead through",
                _given(good))
    same = make_head(log_hash=b"\x98" * 32)
    cases.valid("verify_evidence", "two-logs-at-one-position", "10.8", "two heads of one position",
                _given(two_logs(at.set_id, same, make_head(), make_head().log_hash, ())))
    cases.valid("verify_evidence", "chain-inside", "10.8", "the file holds the chain, and needs nothing else",
                _given(with_chain(good, [bytes.fromhex(record) for record in at.records]), chain=False))
    for name, comment, evidence, error in (
        ("one-log", "the later head's log leads through the earlier one",
         two_logs(at.set_id, _low(log_hash=_BELOW), _high(), _BELOW, _HASHES), EvidenceInvalid),
        ("other-incarnation", "the relay was restored between",
         two_logs(at.set_id, _low(incarnation=78), _high(), _BELOW, _HASHES), EvidenceInvalid),
        ("heads-swapped", "the later head first", two_logs(at.set_id, _high(), _low(), _BELOW, ()), EvidenceInvalid),
        ("hash-missing", "one envelope's hash too few",
         two_logs(at.set_id, _low(), _high(), _BELOW, _HASHES[:1]), EvidenceInvalid),
        ("hash-altered", "hashes that lead elsewhere",
         two_logs(at.set_id, _low(), _high(), _BELOW, (_HASHES[0], b"\xe3" * 32)), EvidenceInvalid),
        ("head-of-another-relay", "a head that the set's relay has not signed",
         two_logs(at.set_id, _low(signer=party("other relay").signing), _high(), _BELOW, _HASHES), AuthFailed),
        ("head-of-another-set", "a head that was signed for another set",
         two_logs(at.set_id, _low(set_id=b"\x5e" * 32), _high(), _BELOW, _HASHES), AuthFailed),
        ("epoch-beyond-the-chain", "heads of an epoch that the chain does not reach",
         two_logs(at.set_id, _low(epoch=2), _high(epoch=2), _BELOW, _HASHES), EvidenceInvalid),
    ):
        cases.invalid("verify_evidence", name, "10.8", comment, _given(evidence), error)


def _rollbacks(cases: Layer) -> None:
    at = world()
    later = make_head(seq=8, time=NOW + 1)
    cases.valid("verify_evidence", "rolled-back", "10.8", "signed later, and one position lower",
                _given(rolled_back(at.set_id, make_head(), later)))
    for name, comment, second in (
        ("not-later", "both at one time", make_head(seq=8)),
        ("not-lower", "signed later, and higher", make_head(seq=10, time=NOW + 1)),
        ("restored-between", "another incarnation", make_head(seq=8, time=NOW + 1, incarnation=78)),
    ):
        cases.invalid("verify_evidence", name, "10.8", comment,
                      _given(rolled_back(at.set_id, make_head(), second)), EvidenceInvalid)


def _records(cases: Layer) -> None:
    at = world()
    left, right = at.record(opener=1), at.record(opener=2)
    cases.valid("verify_evidence", "two-records", "10.8", "two devices have opened epoch 2",
                _given(two_records(at.set_id, left.raw, right.raw)))
    rekeyed = at.record(opener=1, changes=(rekey(1, party("laptop, new key")),))
    cases.valid("verify_evidence", "the-second-rekeys", "10.8",
                "the second replaces its opener's verify key; the proof names the one that signed it",
                _given(two_records(at.set_id, right.raw, rekeyed.raw)))
    for name, comment, pair in (
        ("first-is-a-seed", "the first record only brought a relay back", (at.record(2, flags=Flag.SEED), right)),
        ("second-is-a-seed", "the second one did", (left, at.record(2, flags=Flag.SEED))),
    ):
        cases.invalid("verify_evidence", name, "10.8", comment,
                      _given(two_records(at.set_id, *(record.raw for record in pair))), EvidenceInvalid)
    cases.invalid("verify_evidence", "one-record", "10.8", "the same record twice",
                  _given(two_records(at.set_id, left.raw, left.raw)), EvidenceInvalid)
    cases.invalid("verify_evidence", "records-of-two-epochs", "10.8", "records 1 and 2",
                  _given(two_records(at.set_id, at.openings[1].record.raw, left.raw)), EvidenceInvalid)
    astray = at.record(opener=2, prev=b"\x66" * 32)
    cases.invalid("verify_evidence", "record-that-does-not-follow", "10.8", "one follows another record 1",
                  _given(two_records(at.set_id, left.raw, astray.raw)), ChainInvalid)


def _entries(cases: Layer) -> None:
    at = world()
    first, second = make_entry(), make_entry(vector={1: 4})
    cases.valid("verify_evidence", "two-entries", "10.8", "a member has written its first entry twice",
                _given(two_entries(at.set_id, first, second)))
    for name, comment, pair in (
        ("one-entry", "the same entry twice", (first, first)),
        ("entries-of-two-counters", "its first and its second",
         (first, make_entry(counter=2, prev=first.id))),
        ("entries-of-two-authors", "two members' first entries", (first, make_entry(author=1))),
        ("entry-forged", "one was signed by somebody else", (first, _forged())),
    ):
        cases.invalid("verify_evidence", name, "10.8", comment, _given(two_entries(at.set_id, *pair)),
                      EvidenceInvalid)


def _keys_in_turn(cases: Layer) -> None:
    """The author has changed its verify key since: the proof names the one that signed both entries."""
    at, new = world(), party("tablet, new key")
    records = [*_given(b"")["records"], at.record(opener=3, changes=(rekey(3, new, role=Role.WRITER),)).raw.hex()]
    old = [make_entry(), make_entry(vector={1: 4})]
    after = [make_entry(signer=new.signing, vector=vector, seen_head=(2, 0, b"\x2e" * 32)) for vector in ({}, {1: 4})]
    for name, comment, pair in (
        ("two-entries-under-the-old-key", "both are older than the author's new key", old),
        ("two-entries-under-the-new-key", "both are newer than it", after),
    ):
        cases.valid("verify_evidence", name, "10.8", comment,
                    {"evidence": two_entries(at.set_id, *pair).hex(), "records": records})
    for name, comment, pair in (
        ("entries-under-two-keys", "one under each of the author's keys", [old[0], after[1]]),
        ("entries-under-two-keys-newer-first", "the same the other way round", [after[0], old[1]]),
    ):
        cases.invalid("verify_evidence", name, "10.8", comment,
                      {"evidence": two_entries(at.set_id, *pair).hex(), "records": records}, EvidenceInvalid)
    cases.invalid("verify_evidence", "key-that-the-chain-does-not-give-yet", "10.8",
                  "a chain that ends before the author's new key", _given(two_entries(at.set_id, *after)),
                  EvidenceInvalid)


def _forged() -> Entry:
    return make_entry(vector={1: 4}, signer=party("stranger").signing)


def _files(cases: Layer) -> None:
    at = world()
    good = rolled_back(at.set_id, make_head(), make_head(seq=8, time=NOW + 1))
    version, kind, set_id, records, items = decode(good)
    cases.invalid("verify_evidence", "no-chain", "10.8", "neither in the file nor beside it", _given(good, chain=False),
                  EvidenceInvalid)
    for name, comment, fields, error in (
        ("other-version", "version 2", [2, kind, set_id, records, items], EvidenceInvalid),
        ("other-kind", "a kind that does not exist", [version, 5, set_id, records, items], EvidenceInvalid),
        ("too-few-items", "one head", [version, kind, set_id, records, items[:1]], NonCanonical),
        ("other-set", "a set id that the chain does not have", [version, kind, b"\x5e" * 32, records, items],
         ChainInvalid),
        ("five-fields", "a field more", [version, kind, set_id, records, items, 0], NonCanonical),
    ):
        cases.invalid("verify_evidence", name, "10.8", comment, _given(encode(fields)), error)
