"""Examples of deletions (SPEC 10.9, 14.15), part of `epochs.json`."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from e2esync.conformance.vectors.case import Inputs, Layer, Outcome, hexed
from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.conformance.vectors.world import NOW, party, replaced, signed, world
from e2esync.crypto import Label, SigningKey
from e2esync.epoch.chain import Chain, verify_chain
from e2esync.epoch.deletion import (
    Act,
    Deletion,
    chain_then,
    check_deleted,
    check_deletion,
    check_supersedes,
    parse_deletion,
    sign_deletion,
)
from e2esync.epoch.record import ChangeRole, Remove, make_rekey
from e2esync.epoch.roles import Role
from e2esync.errors import AuthFailed, DeletionInvalid, E2esyncError, LimitExceeded, NonCanonical, RollbackDetected
from e2esync.limits import DELETION_CLOCK, DELETION_DELAY, DELETION_MAX
from e2esync.wire import decode, encode

_DAY: Final = NOW + DELETION_DELAY


def _sign(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    deletion = sign_deletion(
        SigningKey(bytes.fromhex(inputs["signing_seed"])), bytes.fromhex(inputs["set_id"]), Act(inputs["act"]),
        record_hash=bytes.fromhex(inputs["record_hash"]), relay=bytes.fromhex(inputs["relay_key"]),
        **{name: inputs[name] for name in ("revision", "member", "epoch", "time")},
    )
    return Outcome({"deletion": deletion.raw.hex()}, {"body": deletion.body.hex()})


def _fields(deletion: Deletion) -> Inputs:
    return {
        "act": int(deletion.act), "revision": deletion.revision, "member": deletion.member, "epoch": deletion.epoch,
        "record_hash": deletion.record_hash.hex(), "relay_key": deletion.relay.hex(), "time": deletion.time,
    }


def _shown(inputs: Inputs) -> tuple[Chain, list[bytes], bytes, Deletion]:
    """The chain, its records, the relay's key, and the word that it shows."""
    records = [bytes.fromhex(record) for record in inputs["records"]]
    chain = verify_chain(bytes.fromhex(inputs["set_id"]), records)
    return chain, records, bytes.fromhex(inputs["relay_key"]), parse_deletion(bytes.fromhex(inputs["deletion"]))


def _check(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    chain, records, relay_key, deletion = _shown(inputs)
    check_deletion(chain_then(chain, records, deletion), deletion, relay_key)
    held = bytes.fromhex(inputs["held"])
    check_supersedes(deletion, parse_deletion(held) if held else None)
    return Outcome(_fields(deletion))


def _check_deleted(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    chain, records, relay_key, deletion = _shown(inputs)
    check_deleted(chain, records, deletion, relay_key, inputs["now"])
    return Outcome({"member": deletion.member, "time": deletion.time})


OPERATIONS: Final = {"sign_deletion": _sign, "check_deletion": _check, "check_deleted": _check_deleted}


def _word(member: int = 1, act: Act = Act.DELETE, **override: Any) -> Deletion:
    """A word that is right in epoch 1, with fields replaced; `signer` and `set_id` too."""
    at = world()
    fields: dict[str, Any] = {
        "revision": 1, "member": member, "epoch": 1, "record_hash": at.chain.head.hash, "relay": at.relay.verify_key,
        "time": NOW,
    } | override
    signer = fields.pop("signer", None) or at.parties[member].signing
    return sign_deletion(signer, fields.pop("set_id", at.set_id), act, **fields)


def _inputs(raw: bytes, *records: bytes, **more: Any) -> Inputs:
    at = world()
    return {
        "set_id": at.set_id.hex(), "records": [{"given": "record-0"}, {"given": "record-1"}, *hexed(records)],
        "relay_key": at.relay.verify_key.hex(), "deletion": raw.hex(),
    } | more


def add_cases(cases: Layer) -> None:
    """Add the cases of 10.9 and 14.15 to the layer `epochs`."""
    at = world()
    for name, comment, word in (
        ("owner", "an owner wants the set deleted", _word()), ("root", "the root does", _word(0)),
        ("keep", "another owner wants it kept", _word(2, Act.KEEP, revision=2)),
    ):
        cases.valid("sign_deletion", name, "10.9", comment, _fields(word) | {
            "signing_seed": at.parties[word.member].seed, "set_id": at.set_id.hex()})
    later = at.record(2)
    for name, comment, word, held, records in (
        ("owner", "an owner's", _word(), b"", ()), ("root", "the root's", _word(0), b"", ()),
        ("keep", "after a word to delete", _word(2, Act.KEEP, revision=2), _word().raw, ()),
        ("same-again", "what is known already", _word(), _word().raw, ()),
        ("of-an-earlier-epoch", "the set went on; the word is of who governed then", _word(), b"", (later.raw,)),
        ("of-a-removed-owner", "it was right when it was said; that it is void now is another question", _word(), b"",
         (at.record(2, (Remove(1),)).raw,)),
    ):
        cases.valid("check_deletion", name, "10.9", comment, _inputs(word.raw, *records, held=held.hex()))
    _refusals(cases)
    _shapes(cases)
    _deleted(cases)


def _refusals(cases: Layer) -> None:
    at = world()
    refuse = partial(cases.invalid, "check_deletion", flags=("deletion",))
    other = party("other relay").signing.verify_key
    for name, comment, word, error, step in (
        ("other-relay", "meant for another relay", _word(relay=other), DeletionInvalid, 1),
        ("other-record", "names another record", _word(record_hash=at.openings[0].record.hash), DeletionInvalid, 1),
        ("epoch-to-come", "names an epoch that there is not", _word(epoch=2), DeletionInvalid, 1),
        ("by-writer", "a writer's", _word(3), DeletionInvalid, 2),
        ("by-reader", "a reader's", _word(4), DeletionInvalid, 2),
        ("by-other-kit", "a recovery member's that is not the root", _word(6), DeletionInvalid, 2),
        ("by-nobody", "an index that was not given", _word(9, signer=at.parties[1].signing), DeletionInvalid, 2),
        ("before-it-was-added", "member 3, in an epoch before its own",
         _word(3, epoch=0, record_hash=at.openings[0].record.hash), DeletionInvalid, 2),
        ("forged", "member 3's signature for member 1", _word(signer=at.parties[3].signing), AuthFailed, 3),
        ("for-another-set", "signed for another set", _word(set_id=bytes(32)), AuthFailed, 3),
        ("as-record", "signed as a record is", None, AuthFailed, 3),
    ):
        raw = word.raw if word is not None else signed(at.parties[1].signing, Label.SIGN_RECORD, at.set_id,
                                                       decode(_word().body))
        refuse(name, f"10.9 step {step}", comment, _inputs(raw, held=""), error)
    new = party("laptop, new key")
    rekey = at.record(1, (make_rekey(new.signing, at.set_id, 1, at.parties[1].person, Role.OWNER),))
    refuse("by-the-key-after", "10.9 step 3", "signed by the key that the member has only later",
           _inputs(_word(signer=new.signing).raw, rekey.raw, held=""), AuthFailed)
    keep = _word(2, Act.KEEP, revision=2)
    for name, comment, word in (
        ("taken-back", "the word before the one that is known", _word()),
        ("second-word", "another word of the same revision", _word(1, revision=2)),
    ):
        refuse(name, "10.9 step 4", comment, _inputs(word.raw, held=keep.raw.hex()), RollbackDetected)


def _shapes(cases: Layer) -> None:
    at, good = world(), decode(_word().body)
    fields: list[tuple[str, str, Any]] = [
        ("act-0", "no act", replaced(good, 0, 0)), ("act-3", "an act that there is not", replaced(good, 0, 3)),
        ("act-true", "a boolean is no act", replaced(good, 0, True)),
        ("revision-0", "revisions begin with 1", replaced(good, 1, 0)),
        ("member-2-32", "an index of 2^32", replaced(good, 2, 2**32)),
        ("epoch-below-0", "epoch −1", replaced(good, 3, -1)),
        ("short-hash", "a record hash of 31 bytes", replaced(good, 4, good[4][:-1])),
        ("no-relay", "an empty relay key", replaced(good, 5, b"")),
        ("time-in-text", "text for the time", replaced(good, 6, "now")),
        ("six-fields", "the last field missing", good[:-1]), ("eight-fields", "one field more", [*good, 0]),
    ]
    raws = [(name, comment, signed(at.parties[1].signing, Label.SIGN_DELETION, at.set_id, value), NonCanonical)
            for name, comment, value in fields]
    errors: list[tuple[str, str, bytes, type[E2esyncError]]] = [
        *raws,
        ("short-signature", "a signature of 63 bytes", encode([_word().body, _word().signature[:-1]]), NonCanonical),
        ("body-in-place", "the body as an array, not as bytes", encode([good, _word().signature]), NonCanonical),
        ("too-long", "one byte more than 256", bytes(DELETION_MAX + 1), LimitExceeded),
    ]
    for name, comment, raw, error in errors:
        cases.invalid("check_deletion", name, "10.9", comment, _inputs(raw, held=""), error, flags=("shape",))


def _deleted(cases: Layer) -> None:
    at = world()
    on = at.record(2)
    for name, comment, word, now, records in (
        ("root", "the root's word, on the same day", _word(0), NOW, ()),
        ("owner", "an owner's, when 30 days are over", _word(), _DAY, ()),
        ("owner-clock-behind", "a clock that is a day behind", _word(), _DAY - DELETION_CLOCK, ()),
        ("owner-went-on", "the set went on for its last month", _word(), _DAY, (on.raw,)),
    ):
        cases.valid("check_deleted", name, "14.15 step 2", comment, _inputs(word.raw, *records, now=now))
    removed, demoted = at.record(2, (Remove(1),)), at.record(2, (ChangeRole(1, Role.WRITER),))
    for name, comment, word, now, records in (
        ("keep", "the word to keep it", _word(2, Act.KEEP), _DAY, ()),
        ("too-early", "before 30 days are over", _word(), _DAY - DELETION_CLOCK - 1, ()),
        ("removed-since", "its owner was removed", _word(), _DAY, (removed.raw,)),
        ("demoted-since", "its owner is an owner no more", _word(), _DAY, (demoted.raw,)),
        ("root-went-on", "the set went on after the root's word", _word(0), _DAY, (on.raw,)),
        ("by-writer", "a writer's", _word(3), _DAY, ()),
        ("other-relay", "meant for another relay", _word(0, relay=bytes(32)), NOW, ()),
        ("epoch-to-come", "names an epoch that there is not", _word(0, epoch=2), NOW, ()),
    ):
        cases.invalid("check_deleted", name, "14.15 step 2", comment, _inputs(word.raw, *records, now=now),
                      DeletionInvalid, flags=("deletion",))
    cases.invalid("check_deleted", "forged", "14.15 step 2", "not the root's signature",
                  _inputs(_word(0, signer=at.parties[1].signing).raw, now=NOW), AuthFailed, flags=("deletion",))
