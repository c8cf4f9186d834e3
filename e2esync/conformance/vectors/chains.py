"""Examples of VERIFY and of two records with one number (SPEC 9.4, 9.6), part of `epochs.json`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from e2esync.conformance.vectors.case import Inputs, Layer, Outcome, hexed
from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.conformance.vectors.records import every_change
from e2esync.conformance.vectors.world import ALICE, BOB, Party, numbers_after, party, world
from e2esync.epoch.chain import Chain, preferred, verify_chain
from e2esync.epoch.record import (
    ChangeRole,
    Flag,
    KitHalf,
    Record,
    Rekey,
    Remove,
    make_add,
    make_rekey,
    sign_kit_proof,
    sign_possession,
)
from e2esync.epoch.roles import Role
from e2esync.errors import BadKey, ChainInvalid, E2esyncError, ForkDetected, RightMissing
from e2esync.limits import CHANGES_MAX, MEMBERS_MAX

_SMALL_ORDER: Final = bytes(32)
_BASE: Final = [{"given": "record-0"}, {"given": "record-1"}]


def _verify(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    chain = verify_chain(bytes.fromhex(inputs["set_id"]), [bytes.fromhex(record) for record in inputs["records"]])
    members = [
        [index, member.person.hex(), int(member.role), member.verify_key.hex()]
        for index, member in sorted(chain.members.items())
    ]
    return Outcome({
        "epoch": chain.epoch, "record_hash": chain.head.hash.hex(), "relay_key": chain.relay_key.hex(),
        "members": members, "numbers": hexed(sorted(chain.numbers.items())), "next_index": chain.next_index,
    }, {"ranks": hexed(sorted([person, int(role)] for person, role in chain.ranks.items()))})


def _preferred(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    set_id = bytes.fromhex(inputs["set_id"])
    shared = [bytes.fromhex(record) for record in inputs["records"]]
    left, right = ([bytes.fromhex(record) for record in inputs[side]] for side in ("left", "right"))
    begins = [verify_chain(set_id, [*shared, branch[0]]).head for branch in (left, right)]
    ends = [verify_chain(set_id, shared + branch) for branch in (left, right)]
    return Outcome({"record_hash": preferred(begins[0], begins[1], ends[0], ends[1]).hash.hex()})


OPERATIONS: Final = {"verify": _verify, "preferred": _preferred}


def add_cases(cases: Layer) -> None:
    """Add the cases of 9.4 and 9.6 to the layer `epochs`."""
    _valid(cases)
    _downgrades_and_ghosts(cases)
    _rights(cases)
    _rights_over_others(cases)
    _key_reuse(cases)
    _lock_out(cases)
    _numbers(cases)
    _zero(cases)
    _forks(cases)


def _inputs(*records: Record, base: list[Any] = _BASE, set_id: bytes = b"") -> Inputs:
    return {"set_id": (set_id or world().set_id).hex(), "records": [*base, *(record.raw.hex() for record in records)]}


def _refuse(
    cases: Layer, step: int, flag: str, name: str, comment: str, record: Record, error: type[E2esyncError],
) -> None:
    cases.invalid("verify", name, f"9.4 step {step}", comment, _inputs(record), error, flags=(flag,))


def _valid(cases: Layer) -> None:
    at = world()
    for name, comment, record in (
        ("rotation-by-owner", "only a new secret", at.record()),
        ("rotation-by-root", "only a new secret", at.record(0)),
        ("rotation-by-writer", "only a new secret", at.record(3)),
        ("rotation-by-kit", "only a new secret", at.record(6)),
        ("every-change", "one change of each kind, a new relay, both flags", every_change()),
        ("seed-by-writer", "flagged as a seed: it changes nothing but the secret", at.record(3, flags=Flag.SEED)),
        ("seed-by-kit", "flagged as a seed", at.record(6, flags=Flag.SEED)),
        ("writer-adds-writer", "a second device of the writer's own person",
         at.record(5, (at.add(Role.WRITER, "bob's phone", BOB),))),
        ("writer-removes-own", "a writer removes another device of its person", at.record(3, (Remove(4),))),
        ("kit-adds-up-to-rank", "the role that an owner once gave to a device of that person",
         at.record(6, (at.add(Role.WRITER, "bob's phone", BOB),))),
        ("kit-replaces-itself", "a new kit for the old one",
         at.record(6, (at.add(Role.RECOVERY, "bob's new kit", BOB), Remove(6)))),
        ("root-succession", "the next root first, then the root itself",
         at.record(0, (at.add(Role.ROOT, "second root"), Remove(0)))),
        ("numbers-by-two", "each device announced a key, the opener two",
         at.record(numbers=dict(at.chain.numbers) | {1: 3, 2: 2})),
        ("writer-rekeys-itself", "a new verify key for the opener",
         at.record(5, (rekey(5, party("bob, new key"), BOB, Role.WRITER),))),
    ):
        cases.valid("verify", name, "9.4", comment, _inputs(record))


def rekey(member: int, new: Party, person: bytes = ALICE, role: Role = Role.OWNER) -> Rekey:
    """A member's change of its own verify key."""
    return make_rekey(new.signing, world().set_id, member, person, role)


def _downgrades_and_ghosts(cases: Layer) -> None:
    at, relay = world(), party("other relay").signing.verify_key
    stranger = party("stranger").signing
    for name, comment, record, error in (
        ("epoch-skipped", "epoch 3 after epoch 1", at.record(epoch=3), ChainInvalid),
        ("epoch-repeated", "epoch 1 after epoch 1", at.record(epoch=1), ChainInvalid),
        ("other-prev", "the hash of another record", at.record(prev=at.openings[0].record.hash), ChainInvalid),
        ("relay-by-writer", "a writer names a relay", at.record(3, relay=relay), RightMissing),
        ("relay-by-kit", "a recovery kit names a relay", at.record(6, relay=relay), RightMissing),
        ("same-relay", "the relay where the set is", at.record(relay=at.relay.verify_key), ChainInvalid),
        ("seed-with-a-change", "a seed that removes a member", at.record(1, (Remove(5),), flags=Flag.SEED),
         ChainInvalid),
        ("seed-with-a-relay", "a seed that moves the set", at.record(relay=relay, flags=Flag.SEED), ChainInvalid),
        ("seed-that-forgets", "a seed with another flag", at.record(flags=Flag.SEED | Flag.FORGET), ChainInvalid),
        ("seed-of-a-newer-version", "a seed with another flag", at.record(flags=Flag.SEED | Flag.NEWER_VERSION),
         ChainInvalid),
        ("relay-of-small-order", "a relay key of small order", at.record(relay=_SMALL_ORDER), BadKey),
    ):
        _refuse(cases, 1, "downgrade", name, comment, record, error)
    for name, comment, record in (
        ("unknown-opener", "an index that was never given", at.record(7, signer=stranger)),
        ("signed-by-stranger", "a key that is nobody's", at.record(signer=stranger)),
        ("signed-by-another-member", "member 2's key for member 1", at.record(signer=at.parties[2].signing)),
        ("signed-for-another-set", "a signature of the same key in another set", at.record(set_id=bytes(32))),
    ):
        _refuse(cases, 2, "ghost", name, comment, record, ChainInvalid)
    gone = at.record(1, (Remove(5),))
    after = at.record(5, chain=at.chain.extend(gone))
    cases.invalid("verify", "removed-opener", "9.4 step 2", "a member that the record before removed",
                  _inputs(gone, after), ChainInvalid, flags=("ghost",))
    rekeyed = at.record(1, (rekey(1, party("laptop, new key")),))
    cases.invalid("verify", "replaced-key", "9.4 step 2", "the opener's key before its rekey",
                  _inputs(rekeyed, at.record(1, chain=at.chain.extend(rekeyed))), ChainInvalid, flags=("ghost",))


def _rights(cases: Layer) -> None:
    at = world()
    for name, comment, record in (
        ("reader-opens", "a reader opens an epoch", at.record(4)),
        ("reader-seeds", "a reader opens a seed", at.record(4, flags=Flag.SEED)),
        ("writer-forgets", "a writer sets the flag forget", at.record(3, flags=Flag.FORGET)),
        ("kit-forgets", "a recovery kit sets the flag forget", at.record(6, flags=Flag.FORGET)),
        ("writer-flags-version", "a writer sets the flag newer version", at.record(3, flags=Flag.NEWER_VERSION)),
        ("owner-adds-root", "an owner adds a second root",
         at.record(1, (at.add(Role.ROOT, "second root"),))),
        ("writer-adds-owner", "a writer adds an owner", at.record(3, (at.add(Role.OWNER, "watch"),))),
        ("writer-adds-kit", "a writer adds a recovery kit", at.record(3, (at.add(Role.RECOVERY, "watch"),))),
        ("writer-adds-for-another", "a writer adds a device of another person",
         at.record(3, (at.add(Role.READER, "watch", BOB),))),
        ("kit-adds-for-another", "a kit adds a device of another person",
         at.record(6, (at.add(Role.READER, "watch"),))),
        ("kit-adds-another-kit", "a kit adds a kit of another person",
         at.record(6, (at.add(Role.RECOVERY, "watch"),))),
        ("kit-adds-above-rank", "a kit adds an owner where its person never had one",
         at.record(6, (at.add(Role.OWNER, "watch", BOB),))),
        ("demoted-in-the-same-record", "an owner makes itself a writer, then removes another's device",
         at.record(1, (ChangeRole(1, Role.WRITER), Remove(5)))),
        ("removed-in-the-same-record", "an owner removes itself, then another",
         at.record(1, (Remove(1), Remove(5)))),
    ):
        _refuse(cases, 3, "right", name, comment, record, RightMissing)


def _rights_over_others(cases: Layer) -> None:
    at, new = world(), party("laptop, new key")
    for name, comment, record in (
        ("owner-removes-root", "an owner removes the root", at.record(1, (Remove(0),))),
        ("writer-removes-another", "a writer removes a device of another person", at.record(5, (Remove(1),))),
        ("writer-removes-kit", "a writer removes its own person's kit", at.record(5, (Remove(6),))),
        ("kit-removes-another", "a kit removes a device of another person", at.record(6, (Remove(4),))),
        ("writer-changes-role", "a writer changes a role", at.record(3, (ChangeRole(4, Role.WRITER),))),
        ("kit-changes-role", "a kit changes a role", at.record(6, (ChangeRole(5, Role.READER),))),
        ("owner-rekeys-another", "a rekey of another than the opener", at.record(1, (rekey(2, new),))),
        ("root-rekeys-itself", "the root's key is the set's id", at.record(0, (rekey(0, new, role=Role.ROOT),))),
        ("kit-rekeys-itself", "a kit's keys come from its seed",
         at.record(6, (rekey(6, new, BOB, Role.RECOVERY),))),
    ):
        _refuse(cases, 3, "right", name, comment, record, RightMissing)
    for name, comment, record in (
        ("device-to-kit", "a device made a recovery member",
         at.record(1, (ChangeRole(3, Role.RECOVERY),), numbers={1: 1, 2: 1, 4: 1, 5: 1})),
        ("kit-to-device", "a recovery member made a device",
         at.record(1, (ChangeRole(6, Role.WRITER),), numbers=dict(at.chain.numbers) | {6: 1})),
        ("remove-of-nobody", "a member that was never there", at.record(1, (Remove(9),))),
        ("remove-twice", "a member removed twice", at.record(1, (Remove(4), Remove(4)))),
    ):
        _refuse(cases, 3, "right", name, comment, record, ChainInvalid)


def _key_reuse(cases: Layer) -> None:
    at = world()
    watch = at.add(Role.READER, "watch")
    elsewhere = sign_possession(party("watch").signing, bytes(32), ALICE, Role.READER, watch.seal_key)
    theirs = sign_possession(party("stranger").signing, at.set_id, ALICE, Role.READER, watch.seal_key)
    for name, comment, change, error in (
        ("used-key", "the verify key of a member", at.add(Role.READER, "phone"), ChainInvalid),
        ("rekey-to-used-key", "a rekey to another member's verify key", rekey(1, at.parties[2]), ChainInvalid),
        ("rekey-to-own-key", "a rekey to the key that it replaces", rekey(1, at.parties[1]), ChainInvalid),
        ("possession-by-another", "signed by another key", replace(watch, possession=theirs), ChainInvalid),
        ("possession-elsewhere", "signed for another set", replace(watch, possession=elsewhere), ChainInvalid),
        ("possession-of-less", "signed for a lower role", replace(watch, role=Role.OWNER), ChainInvalid),
        ("possession-of-another-person", "signed as another person", replace(watch, person=BOB), ChainInvalid),
        ("possession-for-another-sealing-key", "signed with another sealing key",
         replace(watch, seal_key=party("stranger").sealing.public), ChainInvalid),
        ("rekey-possession-of-an-add", "signed with a sealing key, which a rekey has not",
         replace(rekey(1, party("watch")), possession=watch.possession), ChainInvalid),
    ):
        _refuse(cases, 4, "key-reuse", name, comment, at.record(1, (change,)), error)
    _kit_proofs(cases)
    used = at.record(1, (Remove(5), at.add(Role.READER, "bob", BOB)))
    _refuse(cases, 4, "key-reuse", "key-of-removed", "the verify key of a member just removed", used, ChainInvalid)
    for name, comment, public in (
        ("sealing-key-of-small-order", "an X25519 half of small order", bytes(32) + watch.seal_key[32:]),
        ("sealing-key-second-spelling", "an X25519 half of 2^255−19 or more",
         b"\xff" * 31 + b"\x7f" + watch.seal_key[32:]),
        ("sealing-key-kem", "an ML-KEM half with a coefficient of q or more",
         watch.seal_key[:32] + b"\xff" * 3 + watch.seal_key[35:]),
    ):
        proof = sign_possession(party("watch").signing, at.set_id, ALICE, Role.READER, public)
        bad = at.record(1, (replace(watch, seal_key=public, possession=proof),))
        _refuse(cases, 4, "key-reuse", name, comment, bad, BadKey)
    bad = at.record(1, (replace(watch, verify_key=_SMALL_ORDER),))
    _refuse(cases, 4, "key-reuse", "verify-key-of-small-order", "a verify key of small order", bad, BadKey)
    bad = at.record(1, (replace(rekey(1, party("watch")), verify_key=_SMALL_ORDER),))
    _refuse(cases, 4, "key-reuse", "rekey-to-small-order", "a rekey to a key of small order", bad, BadKey)


def _kit_proofs(cases: Layer) -> None:
    """A kit's proof stands in for the possession of a recovery member, and of nobody else (SPEC 9.3, 12.4)."""
    at, new = world(), party("further kit")
    half = KitHalf(new.signing.verify_key, new.sealing.public, sign_kit_proof(new.signing, new.sealing.public))
    for name, comment, record in (
        ("kit-proof", "a recovery member by the proof of its kit", at.record(1, (half.add(BOB, Role.RECOVERY),))),
        ("kit-proof-of-root", "the root hands over to a kit that is not at hand",
         at.record(0, (half.add(ALICE, Role.ROOT), Remove(0)))),
    ):
        cases.valid("verify", name, "9.4 step 4", comment, _inputs(record))
    other = party("stranger").sealing.public
    for name, comment, change in (
        ("kit-proof-of-a-device", "a device by the proof of a kit", half.add(BOB, Role.WRITER)),
        ("kit-proof-of-another", "signed by another key",
         replace(half, proof=sign_kit_proof(party("stranger").signing, half.seal_key)).add(BOB, Role.RECOVERY)),
        ("kit-proof-for-another-sealing-key", "signed with another sealing key",
         replace(half, seal_key=other).add(BOB, Role.RECOVERY)),
    ):
        _refuse(cases, 4, "key-reuse", name, comment, at.record(1, (change,)), ChainInvalid)


def _lock_out(cases: Layer) -> None:
    at = world()
    _refuse(cases, 5, "lock-out", "two-roots", "a second root", at.record(0, (at.add(Role.ROOT, "second root"),)),
            ChainInvalid)
    _refuse(cases, 5, "lock-out", "no-root", "the root removes itself alone", at.record(0, (Remove(0),)), ChainInvalid)
    base, chain, names = list(_BASE), at.chain, 0
    while len(chain.members) < MEMBERS_MAX:
        room = min(CHANGES_MAX, MEMBERS_MAX - len(chain.members))
        crowd = tuple(at.add(Role.READER, f"crowd {names + each}") for each in range(room))
        names += room
        record = at.record(1, crowd, chain=chain)
        base.append(cases.give(f"crowd-{record.epoch}", record.raw.hex()))
        chain = chain.extend(record)
    cases.valid("verify", "64-members", "9.4 step 5", "as many as there may be", _inputs(base=base))
    more = at.record(1, (at.add(Role.READER, "one more"),), chain=chain)
    cases.invalid("verify", "65-members", "9.4 step 5", "one more than there may be", _inputs(more, base=base),
                  ChainInvalid, flags=("lock-out",))


def _numbers(cases: Layer) -> None:
    at = world()
    now = dict(at.chain.numbers)
    watch = (at.add(Role.READER, "watch"),)
    for name, comment, record in (
        ("number-missing", "a device without a number", at.record(numbers={k: v for k, v in now.items() if k != 5})),
        ("number-of-kit", "a number for a kit", at.record(numbers=now | {6: 1})),
        ("number-of-nobody", "a number for an index that was not given", at.record(numbers=now | {7: 1})),
        ("number-of-removed", "a number for the member just removed", at.record(1, (Remove(5),), numbers=now)),
        ("number-three-more", "three more than before", at.record(numbers=now | {1: 4})),
        ("newcomer-with-2", "a new member begins with 1",
         at.record(1, watch, numbers=numbers_after(at.chain, watch) | {7: 2})),
    ):
        _refuse(cases, 6, "rewound-key", name, comment, record, ChainInvalid)
    first = at.record(numbers=now | {2: 3})
    back = at.record(chain=at.chain.extend(first), numbers=now | {2: 2})
    cases.invalid("verify", "number-lower", "9.4 step 6", "a number below the one before", _inputs(first, back),
                  ChainInvalid, flags=("rewound-key",))


def _zero(cases: Layer) -> None:
    at = world()
    stranger = party("stranger").signing
    first = at.openings[0].record
    watch, owner = at.add(Role.READER, "watch"), at.add(Role.OWNER, "watch")
    for name, comment, override, error in (
        ("zero-with-prev", "a record before it", {"prev": b"\1" * 32}, ChainInvalid),
        ("zero-closes-position", "a position that it closes", {"closes_seq": 1}, ChainInvalid),
        ("zero-closes-hash", "a log hash that it closes", {"closes_hash": b"\1" * 32}, ChainInvalid),
        ("zero-with-manifest", "a snapshot", {"manifest": b"\1" * 32}, ChainInvalid),
        ("zero-is-1", "epoch 1", {"epoch": 1}, ChainInvalid),
        ("zero-by-owner", "opened by member 1", {"opener": 1}, ChainInvalid),
        ("zero-without-relay", "no relay", {"relay": b""}, ChainInvalid),
        ("zero-relay-of-small-order", "a relay key of small order", {"relay": _SMALL_ORDER}, BadKey),
        ("zero-without-changes", "nobody is added", {"changes": (), "numbers": {}}, ChainInvalid),
        ("zero-owner-first", "the root is not the first", {
            "changes": (first.changes[1], first.changes[0], first.changes[2]), "numbers": {0: 1, 2: 1}}, ChainInvalid),
        ("zero-by-stranger", "signed by another key", {"signer": stranger}, ChainInvalid),
        ("zero-signed-elsewhere", "signed for another set", {"set_id": bytes(32)}, ChainInvalid),
        ("zero-with-reader", "a reader is added", {
            "changes": (*first.changes, watch), "numbers": {1: 1, 2: 1, 3: 1}}, ChainInvalid),
        ("zero-with-two-roots", "a second root is added", {
            "changes": (*first.changes, at.add(Role.ROOT, "second root"))}, ChainInvalid),
        ("zero-with-remove", "an owner is added and removed", {
            "changes": (*first.changes, Remove(1)), "numbers": {2: 1}}, ChainInvalid),
        ("zero-key-twice", "a verify key stands twice", {
            "changes": (*first.changes, first.changes[1]), "numbers": {1: 1, 2: 1, 3: 1}}, ChainInvalid),
        ("zero-possession-altered", "possession of another key", {
            "changes": (*first.changes, replace(owner, possession=watch.possession)),
            "numbers": {1: 1, 2: 1, 3: 1}}, ChainInvalid),
        ("zero-number-2", "a device begins with 1", {"numbers": {1: 2, 2: 1}}, ChainInvalid),
        ("zero-number-of-root", "a number for the root", {"numbers": {0: 1, 1: 1, 2: 1}}, ChainInvalid),
    ):
        cases.invalid("verify", name, "9.4", comment, _inputs(at.record_zero(**override), base=[]), error,
                      flags=("record-0",))
    elsewhere = tuple(
        make_add(member.signing, bytes(32), ALICE, Role.OWNER if index else Role.ROOT, member.sealing.public)
        for index, member in enumerate(at.parties[:3]))
    cases.invalid("verify", "zero-of-another-set", "9.1", "all is signed for a set id that is not the root's",
                  _inputs(at.record_zero(changes=elsewhere, set_id=bytes(32)), base=[], set_id=bytes(32)),
                  ChainInvalid, flags=("record-0",))
    cases.invalid("verify", "no-records", "9.4", "nothing at all", _inputs(base=[]), ChainInvalid, flags=("record-0",))
    cases.invalid("verify", "record-0-seed", "9.4 step 1", "record 0 adds members, and is no seed",
                  _inputs(base=[at.record_zero(flags=Flag.SEED).raw.hex()]), ChainInvalid, flags=("record-0",))
    cases.invalid("verify", "record-0-missing", "9.4", "a chain that begins with record 1", _inputs(base=_BASE[1:]),
                  ChainInvalid, flags=("record-0",))


def _forks(cases: Layer) -> None:
    at = world()
    by_root, by_one, by_two = at.record(0), at.record(1), at.record(2)
    again = at.record(0, flags=Flag.FORGET)
    succession = at.record(0, (at.add(Role.ROOT, "second root"), Remove(0)))

    def inputs(left: list[Record], right: list[Record]) -> Inputs:
        sides = {"left": left, "right": right}
        return _inputs() | {name: [record.raw.hex() for record in side] for name, side in sides.items()}

    longer: Chain = at.chain.extend(by_one)
    follow = at.record(2, chain=longer)
    cases.valid("preferred", "root-wins", "9.6", "the root's record wins over an owner's", inputs([by_root], [by_one]))
    cases.valid("preferred", "root-wins-on-the-right", "9.6", "whichever came first", inputs([by_one], [by_root]))
    cases.valid("preferred", "root-wins-over-a-longer-branch", "9.6", "however many records follow the other",
                inputs([by_root], [by_one, follow]))
    for name, comment, left, right in (
        ("two-owners", "neither is the root's", [by_one], [by_two]),
        ("root-twice", "both are the root's", [by_root], [again]),
        ("two-roots-at-the-end", "the branches end in different roots", [by_root], [by_one, at.record(
            0, (at.add(Role.ROOT, "second root"), Remove(0)), chain=longer)]),
        ("signed-by-a-root-of-the-past", "the root that signed is none at the end", [succession], [by_one]),
    ):
        cases.invalid("preferred", name, "9.6", comment, inputs(left, right), ForkDetected, flags=("fork",))
