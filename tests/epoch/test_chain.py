"""VERIFY (SPEC 9.4), check by check: each case has one defect, and with that one check off it would be accepted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from e2esync.crypto import SigningKey
from e2esync.epoch import chain as chain_module
from e2esync.epoch import roster as roster_module
from e2esync.epoch.chain import Chain, preferred, record_set_id, replay_chain, verify_chain
from e2esync.epoch.record import (
    ChangeRole,
    Flag,
    Record,
    Rekey,
    Remove,
    make_rekey,
    parse_record,
    sign_possession,
    sign_record,
)
from e2esync.epoch.roles import Role
from e2esync.errors import BadKey, ChainInvalid, E2esyncError, ForkDetected, RightMissing
from e2esync.limits import MEMBERS_MAX
from tests.epoch.builders import ALICE, BOB, NOW, Book, Party

STRANGER = SigningKey(b"stranger".ljust(32, b"."))
SMALL_ORDER = bytes(32)
IDENTITY = b"\1" + bytes(31)


@pytest.fixture
def book() -> Book:
    """Epoch 5: 0 root, 1 owner, 2 owner, 3 writer, 4 reader, 5 Bob's writer, 6 Bob's recovery; all but Bob Alice's."""
    book = Book()
    book.join(Role.WRITER)
    book.join(Role.READER)
    book.join(Role.WRITER, BOB)
    book.join(Role.RECOVERY, BOB)
    return book


@dataclass(frozen=True)
class Case:
    """A record with one defect; `check` names the function, or functions, of SPEC's step that alone refuse it."""

    name: str
    make: Callable[[Book], Record]
    error: type[E2esyncError]
    check: str
    module: object = chain_module


def _rekeyed(book: Book, member: int, key: SigningKey, role: Role = Role.OWNER) -> Rekey:
    return make_rekey(key, book.set_id, member, ALICE, role)


def _low_order_seal(book: Book) -> Record:
    party = book.party()
    bad = bytes(32) + party.sealing.public[32:]
    sealing = replace(party.sealing, public=bad)
    return book.record(1, (book.add(Role.READER, ALICE, Party(ALICE, party.signing, sealing)),))


def _kem_out_of_range(book: Book) -> Record:
    party = book.party()
    sealing = replace(party.sealing, public=party.sealing.public[:32] + b"\xff" * 384 + party.sealing.public[416:])
    return book.record(1, (book.add(Role.READER, ALICE, Party(ALICE, party.signing, sealing)),))


def _wrong_possession(book: Book) -> Record:
    add = book.add(Role.READER)
    other = sign_possession(STRANGER, book.set_id, ALICE, Role.READER, add.seal_key)
    return book.record(1, (replace(add, possession=other),))


def _possession_of_another_role(book: Book) -> Record:
    return book.record(1, (replace(book.add(Role.READER), role=Role.OWNER),))


def _possession_of_another_set(book: Book) -> Record:
    add = book.add(Role.READER)
    party = book.party()
    proof = sign_possession(party.signing, b"\1" * 32, ALICE, Role.READER, add.seal_key)
    return book.record(1, (replace(add, verify_key=party.signing.verify_key, possession=proof),))


def _second_root(book: Book) -> Record:
    return book.record(0, (book.add(Role.ROOT),))


def _no_root(book: Book) -> Record:
    return book.record(0, (Remove(0),))


def _used_key(book: Book) -> Record:
    return book.record(1, (book.add(Role.READER, ALICE, book.parties[2]),))


def _used_rekey(book: Book) -> Record:
    return book.record(1, (_rekeyed(book, 1, book.parties[2].signing),))


def _numbers(book: Book, **change: int) -> dict[int, int]:
    return book.numbers(()) | {int(name[1:]): number for name, number in change.items()}


def _fill(book: Book) -> Record:
    while len(book.chain.members) < MEMBERS_MAX:
        room = min(16, MEMBERS_MAX - len(book.chain.members))
        book.open(1, tuple(book.add(Role.READER) for _ in range(room)))
    return book.record(1, (book.add(Role.READER),))


STEP_3 = roster_module
CASES = [
    # Step 1, downgrade (the suite is in test_record).
    Case("epoch skipped", lambda b: b.record(epoch=b.chain.epoch + 2), ChainInvalid, "check_follows"),
    Case("epoch repeated", lambda b: b.record(epoch=b.chain.epoch), ChainInvalid, "check_follows"),
    Case("other predecessor", lambda b: b.record(prev=b"\1" * 32), ChainInvalid, "check_prev"),
    Case("relay by a writer", lambda b: b.record(3, relay=STRANGER.verify_key), RightMissing, "check_relay_change"),
    Case("relay by a kit", lambda b: b.record(6, relay=STRANGER.verify_key), RightMissing, "check_relay_change"),
    Case("the same relay", lambda b: b.record(relay=b.relay.verify_key), ChainInvalid, "check_relay_change"),
    Case("relay of small order", lambda b: b.record(relay=SMALL_ORDER), BadKey, "check_verify_key"),
    # Step 2, ghost opener.
    Case("a stranger signs", lambda b: b.record(signer=STRANGER), ChainInvalid, "check_record_signature"),
    Case("another member signs", lambda b: b.record(signer=b.parties[2].signing), ChainInvalid,
         "check_record_signature"),
    Case("signed for another set", lambda b: b.record(set_id=b"\1" * 32), ChainInvalid, "check_record_signature"),
    # Step 3, right to change.
    Case("a reader opens", lambda b: b.record(4), RightMissing, "check_opener_rights"),
    Case("a writer forgets", lambda b: b.record(3, flags=Flag.FORGET), RightMissing, "check_opener_rights"),
    Case("a kit forgets", lambda b: b.record(6, flags=Flag.FORGET), RightMissing, "check_opener_rights"),
    Case("a writer flags a version", lambda b: b.record(3, flags=Flag.NEWER_VERSION), RightMissing,
         "check_opener_rights"),
    Case("an owner adds a root", lambda b: b.record(1, (b.add(Role.ROOT), Remove(0))), RightMissing,
         "check_may_add check_may_remove", STEP_3),
    Case("a writer adds an owner", lambda b: b.record(3, (b.add(Role.OWNER),)), RightMissing, "check_may_add", STEP_3),
    Case("a writer adds a kit", lambda b: b.record(3, (b.add(Role.RECOVERY),)), RightMissing, "check_may_add", STEP_3),
    Case("a writer adds for another", lambda b: b.record(3, (b.add(Role.READER, BOB),)), RightMissing,
         "check_may_add", STEP_3),
    Case("a kit adds for another", lambda b: b.record(6, (b.add(Role.READER, ALICE),)), RightMissing,
         "check_may_add", STEP_3),
    Case("a kit adds another's kit", lambda b: b.record(6, (b.add(Role.RECOVERY, ALICE),)), RightMissing,
         "check_may_add", STEP_3),
    Case("a kit adds above the rank", lambda b: b.record(6, (b.add(Role.OWNER, BOB),)), RightMissing,
         "check_may_add", STEP_3),
    Case("an owner removes the root", lambda b: b.record(1, (Remove(0),)), RightMissing,
         "check_may_remove check_one_root", STEP_3),
    Case("a writer removes another's", lambda b: b.record(5, (Remove(1),)), RightMissing, "check_may_remove", STEP_3),
    Case("a writer removes a kit", lambda b: b.record(5, (Remove(6),)), RightMissing, "check_may_remove", STEP_3),
    Case("a kit removes another's", lambda b: b.record(6, (Remove(4),)), RightMissing, "check_may_remove", STEP_3),
    Case("a writer changes a role", lambda b: b.record(3, (ChangeRole(4, Role.WRITER),)), RightMissing,
         "check_may_change_role", STEP_3),
    Case("a kit changes a role", lambda b: b.record(6, (ChangeRole(5, Role.READER),)), RightMissing,
         "check_may_change_role", STEP_3),
    Case("an owner rekeys another", lambda b: b.record(1, (_rekeyed(b, 2, STRANGER),)), RightMissing,
         "check_may_rekey", STEP_3),
    Case("the root rekeys itself", lambda b: b.record(0, (_rekeyed(b, 0, STRANGER, Role.ROOT),)), RightMissing,
         "check_may_rekey", STEP_3),
    # Step 4, key reuse.
    Case("a used verify key", _used_key, ChainInvalid, "check_key_unused", STEP_3),
    Case("rekeyed to a used key", _used_rekey, ChainInvalid, "check_key_unused", STEP_3),
    Case("sealing key of small order", _low_order_seal, BadKey, "check_member_keys", STEP_3),
    Case("sealing key out of range", _kem_out_of_range, BadKey, "check_member_keys", STEP_3),
    Case("possession by another key", _wrong_possession, ChainInvalid, "check_possession", STEP_3),
    Case("possession of another role", _possession_of_another_role, ChainInvalid, "check_possession", STEP_3),
    Case("possession in another set", _possession_of_another_set, ChainInvalid, "check_possession", STEP_3),
    # Step 5, lock-out.
    Case("two roots", _second_root, ChainInvalid, "check_one_root"),
    Case("no root", _no_root, ChainInvalid, "check_one_root"),
    Case("65 members", _fill, ChainInvalid, "check_member_count"),
    # Step 6, rewound key.
    Case("a number too few", lambda b: b.record(numbers={1: 1, 2: 1, 3: 1, 4: 1}), ChainInvalid, "check_numbers"),
    Case("a number for a kit", lambda b: b.record(numbers=_numbers(b, m6=1)), ChainInvalid, "check_numbers"),
    Case("a number too high", lambda b: b.record(numbers=_numbers(b, m1=4)), ChainInvalid, "check_numbers"),
    Case("a new member with number 2", lambda b: b.record(1, (b.add(Role.READER),), numbers=_numbers(b, m1=1, m7=2)),
         ChainInvalid, "check_numbers"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_defect_is_refused(case: Case, book: Book) -> None:
    record = case.make(book)
    before = book.chain
    with pytest.raises(case.error) as caught:
        before.extend(record)
    assert type(caught.value) is case.error
    assert book.chain.head.epoch == record.epoch - 1 or case.name.startswith("epoch")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_without_its_check_the_defect_passes(case: Case, book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    record = case.make(book)
    for check in case.check.split():
        monkeypatch.setattr(case.module if hasattr(case.module, check) else chain_module, check, lambda *_: None)
    extended = book.chain.extend(record)
    assert extended.head is record


def test_a_number_below_the_last_is_refused(book: Book) -> None:
    book.open(numbers=_numbers(book, m2=3))
    with pytest.raises(ChainInvalid, match="key number 2 of member 2"):
        book.open(numbers=_numbers(book, m2=2))
    book.open(numbers=_numbers(book, m2=3))


@pytest.mark.parametrize("opener", [7, 40, 2**32 - 1])
def test_a_stranger_does_not_open(book: Book, opener: int) -> None:
    with pytest.raises(ChainInvalid, match="who is no member"):
        book.open(opener, signer=STRANGER)


@pytest.mark.parametrize("change", [Remove(9), ChangeRole(9, Role.READER)])
def test_a_change_of_a_stranger_is_refused(book: Book, change: Remove | ChangeRole) -> None:
    with pytest.raises(ChainInvalid, match="names member 9"):
        book.open(1, (change,))


@pytest.mark.parametrize("change", [
    ChangeRole(6, Role.WRITER), ChangeRole(0, Role.OWNER), ChangeRole(2, Role.RECOVERY),
])
def test_nobody_turns_from_device_to_kit_or_back(book: Book, change: ChangeRole) -> None:
    with pytest.raises(ChainInvalid, match="between device and recovery"):
        book.open(0, (change,))


def test_a_removed_member_does_not_open_nor_come_back(book: Book) -> None:
    book.open(1, (Remove(2),))
    with pytest.raises(ChainInvalid, match="who is no member"):
        book.open(2)
    with pytest.raises(ChainInvalid, match="used in this set before"):
        book.open(1, (book.add(Role.OWNER, ALICE, book.parties[2]),))
    with pytest.raises(ChainInvalid, match="names member 2"):
        book.open(1, (Remove(2),))
    assert book.chain.all_members[2].removed_at == book.chain.epoch
    assert book.chain.next_index == 7


def test_changes_are_judged_in_the_state_before_each(book: Book) -> None:
    with pytest.raises(RightMissing, match="a reader may not remove"):
        book.open(1, (ChangeRole(1, Role.READER), Remove(4)))
    with pytest.raises(RightMissing, match="no member any more"):
        book.open(1, (Remove(1), Remove(4)))
    book.open(1, (Remove(4), ChangeRole(1, Role.READER)))
    assert book.chain.members[1].role is Role.READER
    assert 4 not in book.chain.members


def test_a_rekeyed_member_signs_with_its_new_key_only(book: Book) -> None:
    old = book.parties[1]
    book.open(1, (_rekeyed(book, 1, STRANGER),))
    with pytest.raises(ChainInvalid, match="not signed by its opener"):
        book.open(1, signer=old.signing)
    book.open(1, signer=STRANGER)
    with pytest.raises(ChainInvalid, match="used in this set before"):
        book.open(1, (_rekeyed(book, 1, old.signing),), signer=STRANGER)
    assert {old.signing.verify_key, STRANGER.verify_key} <= book.chain.used_keys


@pytest.mark.parametrize("key", [SMALL_ORDER, IDENTITY, b"\xff" * 32])
def test_bad_verify_keys_are_refused_at_enrolment(book: Book, key: bytes) -> None:
    with pytest.raises(BadKey):
        book.open(1, (replace(book.add(Role.READER), verify_key=key),))
    with pytest.raises(BadKey):
        book.open(1, (Rekey(1, key, bytes(64)),))


def test_the_root_hands_over_within_one_record(book: Book) -> None:
    heir = book.party()
    with pytest.raises(RightMissing, match="no member any more"):
        book.open(0, (Remove(0), book.add(Role.ROOT, ALICE, heir)))
    book.open(0, (book.add(Role.ROOT, ALICE, heir), Remove(0)))
    assert book.chain.root.index == 7
    assert book.chain.root.verify_key == heir.signing.verify_key


def test_a_rank_is_what_an_owner_once_gave(book: Book) -> None:
    assert book.chain.ranks == {ALICE: Role.OWNER, BOB: Role.WRITER}
    book.open(1, (ChangeRole(5, Role.OWNER),))
    book.open(1, (ChangeRole(5, Role.READER),))
    assert book.chain.ranks[BOB] is Role.OWNER
    book.open(6, (book.add(Role.OWNER, BOB), Remove(5)))
    assert book.chain.members[7].role is Role.OWNER


def test_a_kit_gives_no_rank(book: Book) -> None:
    person = b"carol".ljust(16, b".")
    kit = book.join(Role.RECOVERY, person)
    with pytest.raises(RightMissing, match="nobody ever made"):
        book.open(kit, (book.add(Role.READER, person),))


def test_relay_move_is_kept(book: Book) -> None:
    book.open(1, relay=STRANGER.verify_key)
    assert book.chain.relay_key == STRANGER.verify_key
    book.open(1)
    assert book.chain.relay_key == STRANGER.verify_key


def test_extending_leaves_the_chain_as_it_was(book: Book) -> None:
    before, members = book.chain, dict(book.chain.members)
    book.open(1, (Remove(2), book.add(Role.READER)))
    assert before.epoch + 1 == book.chain.epoch
    assert dict(before.members) == members
    assert before.members is not book.chain.members


def test_what_did_not_change_is_shared(book: Book) -> None:
    before = book.chain
    book.open(1)
    assert book.chain.roster is before.roster


def test_after_shows_indices_before_signing(book: Book) -> None:
    roster = book.chain.after(1, (book.add(Role.READER), Remove(2)))
    assert 7 in roster.members
    assert 2 not in roster.members
    assert [member.index for member in roster.devices] == [1, 3, 4, 5, 7]
    with pytest.raises(RightMissing):
        book.chain.after(3, (book.add(Role.OWNER),))


def test_a_chain_is_verified_from_its_records(book: Book) -> None:
    book.open(1, (Remove(2),))
    raws = [record.raw for record in book.records]
    chain = verify_chain(book.set_id, raws)
    assert chain == book.chain
    assert chain.numbers == {1: 1, 3: 1, 4: 1, 5: 1}
    with pytest.raises(ChainInvalid, match="comes where"):
        verify_chain(book.set_id, raws[:2] + raws[3:])
    with pytest.raises(ChainInvalid, match="no record"):
        verify_chain(book.set_id, [])
    with pytest.raises(ChainInvalid, match="another set"):
        verify_chain(b"\1" * 32, raws)


def test_a_chain_verified_before_is_replayed_without_its_cryptography(
    book: Book, monkeypatch: pytest.MonkeyPatch,
) -> None:
    book.open(1, (_rekeyed(book, 1, STRANGER), Remove(4), ChangeRole(2, Role.WRITER)), relay=STRANGER.verify_key)
    book.open(6, (book.add(Role.READER, BOB),))
    for module, check in [(chain_module, "check_record_signature"), (STEP_3, "check_member_keys"),
                          (STEP_3, "check_possession")]:
        monkeypatch.setattr(module, check, None)
    assert replay_chain(book.set_id, [record.raw for record in book.records]) == book.chain
    with pytest.raises(ChainInvalid, match="no record"):
        replay_chain(book.set_id, [])


def test_replaying_a_chain_imports_no_ml_kem(book: Book) -> None:
    code = (
        "import sys, e2esync.epoch.boxes, e2esync.epoch.announcement; from e2esync.epoch.chain import replay_chain;"
        "import e2esync.log.envelope, e2esync.log.heartbeat, e2esync.snapshot.runs;"
        "chain = replay_chain(bytes.fromhex(sys.argv[1]), map(bytes.fromhex, sys.argv[2:]));"
        "assert chain.epoch == 4; assert 'cryptography' not in sys.modules"
    )
    raws = [record.raw.hex() for record in book.records]
    subprocess.run([sys.executable, "-c", code, book.set_id.hex(), *raws], check=True)


ZERO_CASES = [
    ("a previous record", {"prev": b"\1" * 32}, "names something before"),
    ("a closed position", {"closes_seq": 1}, "names something before"),
    ("a closed hash", {"closes_hash": b"\1" * 32}, "names something before"),
    ("a manifest", {"manifest": b"\1" * 32}, "names something before"),
    ("epoch 1", {"epoch": 1}, "names something before"),
    ("another opener", {"opener": 1}, "names something before"),
    ("no relay", {"relay": b""}, "names no relay"),
    ("no changes", {"changes": (), "numbers": {}}, "does not add the root"),
    ("another signer", {"signer": STRANGER}, "not signed by"),
    ("a number 2", {"numbers": {1: 2, 2: 1}}, "key number 2"),
    ("a number missing", {"numbers": {1: 1}}, "not those of its devices"),
    ("a number of the root", {"numbers": {0: 1, 1: 1, 2: 1}}, "not those of its devices"),
]


@pytest.mark.parametrize(("name", "override", "match"), ZERO_CASES, ids=[case[0] for case in ZERO_CASES])
def test_record_zero_with_one_defect(name: str, override: dict[str, object], match: str) -> None:  # noqa: ARG001
    book = Book()
    with pytest.raises(ChainInvalid, match=match):
        Chain.begin(book.record_zero(**override), book.set_id)


def test_record_zero_refuses_a_relay_of_small_order() -> None:
    book = Book()
    with pytest.raises(BadKey):
        Chain.begin(book.record_zero(relay=SMALL_ORDER), book.set_id)


@pytest.mark.parametrize("extra", [Role.READER, Role.WRITER, Role.RECOVERY, Role.ROOT])
def test_record_zero_adds_the_root_and_owners_only(extra: Role) -> None:
    book = Book()
    changes = (*book.genesis.changes, book.add(extra))
    numbers = {1: 1, 2: 1} | ({3: 1} if extra <= Role.OWNER else {})
    with pytest.raises(ChainInvalid, match="neither the root, first, nor an owner"):
        Chain.begin(book.record_zero(changes=changes, numbers=numbers), book.set_id)


def test_record_zero_names_its_set() -> None:
    book = Book()
    assert record_set_id(book.genesis) == book.set_id
    with pytest.raises(ChainInvalid, match="another set"):
        Chain.begin(book.genesis, Book("other").set_id)


def _branches(book: Book, left_opener: int, right_opener: int) -> tuple[Record, Record, Chain, Chain]:
    left, right = book.record(left_opener, (Remove(4),)), book.record(right_opener, time=NOW + 1)
    return left, right, book.chain.extend(left), book.chain.extend(right)


def test_the_root_of_both_branches_decides(book: Book) -> None:
    left, right, left_end, right_end = _branches(book, 0, 1)
    assert preferred(left, right, left_end, right_end) is left
    assert preferred(right, left, right_end, left_end) is left


@pytest.mark.parametrize(("left_opener", "right_opener"), [(1, 2), (0, 0), (6, 1)])
def test_without_one_root_record_it_is_a_fork(book: Book, left_opener: int, right_opener: int) -> None:
    if left_opener == 6:
        left, right = book.record(6), book.record(1, time=NOW + 1)
        branches = left, right, book.chain.extend(left), book.chain.extend(right)
    else:
        branches = _branches(book, left_opener, right_opener)
    with pytest.raises(ForkDetected):
        preferred(*branches)


def test_a_root_that_one_branch_replaced_does_not_decide(book: Book) -> None:
    left, right = book.record(0, (book.add(Role.ROOT), Remove(0))), book.record(1)
    with pytest.raises(ForkDetected):
        preferred(left, right, book.chain.extend(left), book.chain.extend(right))


def test_every_bit_of_a_record_counts(book: Book) -> None:
    raw = book.record(1).raw
    for bit in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(E2esyncError):
            book.chain.extend(parse_record(bytes(flipped)))


def test_a_signature_over_other_bytes_of_the_same_meaning_is_refused(book: Book) -> None:
    record = book.record(1)
    again = sign_record(
        book.parties[2].signing, book.set_id, epoch=record.epoch, prev=record.prev, closes_hash=record.closes_hash,
        time=record.time, opener=1, numbers=record.numbers, commit=record.commit, boxes=record.boxes,
        manifest=record.manifest,
    )
    assert again.body == record.body
    with pytest.raises(ChainInvalid, match="not signed"):
        book.chain.extend(again)
