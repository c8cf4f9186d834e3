"""The chain of epoch records (SPEC 9.4): VERIFY, by relay and members alike.

A `Chain` is a value that stands for all records up to its head; extending it gives another one. What did not change
is shared between the two, so a chain of thousands of compactions costs one signature each. Each check is a function
of its own, titled in SPEC by the attack that it stops.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from e2esync.crypto import check_verify_key
from e2esync.epoch.record import Add, Change, Flag, Record, check_record_signature, parse_record, set_id_of
from e2esync.epoch.roles import RIGHTS, Role
from e2esync.epoch.roster import Member, Roster, apply_changes, check_enrolment, take_effect
from e2esync.epoch.shape import ZERO_HASH
from e2esync.errors import ChainInvalid, ForkDetected, RightMissing
from e2esync.limits import MEMBERS_MAX


@dataclass(frozen=True, slots=True)
class Chain:
    """A verified chain, as it stands after `head`."""

    head: Record
    relay_key: bytes
    roster: Roster

    @classmethod
    def begin(cls, record: Record, set_id: bytes) -> Chain:
        """The chain of record 0 alone (SPEC 9.4, *Record 0*). Raises ChainInvalid, RightMissing or BadKey."""
        root = check_genesis(record, set_id)
        check_seed(record)
        check_record_signature(record, set_id, root.verify_key)
        check_verify_key(record.relay)
        roster = Roster.empty(set_id)
        for change in record.changes:
            check_enrolment(roster, _founder(change, roster))
            roster = take_effect(roster, record.opener, change, record.epoch)
        check_one_root(roster)
        check_member_count(roster)
        check_numbers(record, {}, roster)
        return cls(record, record.relay, roster)

    def extend(self, record: Record) -> Chain:
        """The chain with one record more: VERIFY (SPEC 9.4). Raises ChainInvalid, RightMissing or BadKey."""
        check_follows(self, record)
        check_seed(record)
        opener = check_opener(self, record)
        check_opener_rights(record, opener)
        check_relay_change(self, record, opener)
        roster = apply_changes(self.roster, record.opener, record.changes, record.epoch)
        if roster is not self.roster:
            check_one_root(roster)
            check_member_count(roster)
        check_numbers(record, self.head.numbers, roster)
        return Chain(record, record.relay or self.relay_key, roster)

    def after(self, opener: int, changes: Iterable[Change]) -> Roster:
        """Who would be in if `opener` made these changes now: new indices, and whether VERIFY would allow them."""
        roster = apply_changes(self.roster, opener, changes, self.epoch + 1)
        check_one_root(roster)
        check_member_count(roster)
        return roster

    @property
    def set_id(self) -> bytes:
        """The set's id, 32 bytes."""
        return self.roster.set_id

    @property
    def epoch(self) -> int:
        """The number of the head's epoch."""
        return self.head.epoch

    @property
    def members(self) -> Mapping[int, Member]:
        """The members of the head's epoch, by index."""
        return self.roster.members

    @property
    def all_members(self) -> Mapping[int, Member]:
        """Everybody who ever was a member, by index."""
        return self.roster.all_members

    @property
    def numbers(self) -> Mapping[int, int]:
        """The key number of each device in the head's epoch."""
        return self.head.numbers

    @property
    def ranks(self) -> Mapping[bytes, Role]:
        """The highest role that an owner or the root ever gave to a device of each person."""
        return self.roster.ranks

    @property
    def used_keys(self) -> frozenset[bytes]:
        """Every verify key that the chain ever named."""
        return self.roster.used_keys

    @property
    def next_index(self) -> int:
        """The index that the next member gets."""
        return self.roster.next_index

    @property
    def root(self) -> Member:
        """The root, of which there is exactly one."""
        return self.roster.roots[0]


def verify_chain(set_id: bytes, raws: Iterable[bytes]) -> Chain:
    """The chain of these records, from record 0. Raises ChainInvalid for none, and whatever refuses one of them."""
    chain: Chain | None = None
    for raw in raws:
        record = parse_record(raw)
        chain = Chain.begin(record, set_id) if chain is None else chain.extend(record)
    if chain is None:
        raise ChainInvalid("a chain has no record")
    return chain


def replay_chain(set_id: bytes, raws: Iterable[bytes]) -> Chain:
    """The chain of records that this device verified before and keeps in its own store: nothing is verified again.

    Never for what somebody else serves. It spares a local command every signature and the import of ML-KEM.
    """
    record: Record | None = None
    relay_key, roster = b"", Roster.empty(set_id)
    for raw in raws:
        record = parse_record(raw)
        relay_key = record.relay or relay_key
        for change in record.changes:
            roster = take_effect(roster, record.opener, change, record.epoch)
    if record is None:
        raise ChainInvalid("a chain has no record")
    return Chain(record, relay_key, roster)


def record_set_id(record: Record) -> bytes:
    """The id of the set that this record 0 makes (SPEC 9.1). Raises ChainInvalid unless it begins with its root."""
    return set_id_of(_first_root(record).verify_key)


def preferred(left: Record, right: Record, left_end: Chain, right_end: Chain) -> Record:
    """Which of two valid records with one number wins (SPEC 9.6), given the ends of the branches they begin.

    Raises ForkDetected unless exactly one of them is signed by the key that is root at the end of both branches.
    """
    root = left_end.root.verify_key
    signed = [record for record in (left, right) if _signed_by(record, left_end.set_id, root)]
    if root != right_end.root.verify_key or len(signed) != 1:
        raise ForkDetected(f"two records of epoch {left.epoch} exist and no root decides between them")
    return signed[0]


def _signed_by(record: Record, set_id: bytes, verify_key: bytes) -> bool:
    try:
        check_record_signature(record, set_id, verify_key)
    except ChainInvalid:
        return False
    return True


def check_genesis(record: Record, set_id: bytes) -> Add:
    """The root's add, if record 0 is made as such and the set is its root's (SPEC 9.1, 9.4). Raises ChainInvalid."""
    zeros = (record.prev, record.closes_hash, record.manifest)
    if record.epoch or record.opener or record.closes_seq or any(value != ZERO_HASH for value in zeros):
        raise ChainInvalid("record 0 names something before it, or is not record 0")
    if not record.relay:
        raise ChainInvalid("record 0 names no relay")
    root = _first_root(record)
    if set_id_of(root.verify_key) != set_id:
        raise ChainInvalid("record 0 belongs to another set", "check the set's id; the relay may serve another set")
    return root


def _first_root(record: Record) -> Add:
    first = record.changes[0] if record.changes else None
    if not isinstance(first, Add) or first.role is not Role.ROOT:
        raise ChainInvalid("the first change of record 0 does not add the root")
    return first


def _founder(change: Change, roster: Roster) -> Add:
    """`change` as one that record 0 may make: the root first, then owners."""
    if not isinstance(change, Add) or change.role is not (Role.OWNER if roster.members else Role.ROOT):
        raise ChainInvalid("a change of record 0 adds neither the root, first, nor an owner")
    return change


def check_follows(chain: Chain, record: Record) -> None:
    """SPEC 9.4 step 1: the record's number is the next, and it names the hash of the head. Raises ChainInvalid."""
    if record.epoch != chain.epoch + 1:
        raise ChainInvalid(f"record {record.epoch} comes where record {chain.epoch + 1} must follow")
    check_prev(chain, record)


def check_prev(chain: Chain, record: Record) -> None:
    """SPEC 9.4 step 1, the hash link."""
    if record.prev != chain.head.hash:
        raise ChainInvalid(f"record {record.epoch} follows another record {chain.epoch} than the one held here")


def check_opener(chain: Chain, record: Record) -> Member:
    """SPEC 9.4 step 2, *ghost opener*: a member of the epoch before, whose current key signed. Raises ChainInvalid."""
    opener = chain.members.get(record.opener)
    if opener is None:
        raise ChainInvalid(f"record {record.epoch} is opened by member {record.opener}, who is no member")
    check_record_signature(record, chain.set_id, opener.verify_key)
    return opener


def check_opener_rights(record: Record, opener: Member) -> None:
    """SPEC 9.4 step 3, rows *no change* and the flags. Raises RightMissing."""
    rights = RIGHTS[opener.role]
    if not rights.opens:
        raise RightMissing(f"member {opener.index}, a {opener.role.name.lower()}, may not open an epoch")
    if record.flags not in (Flag.NONE, Flag.SEED) and not rights.governs:
        raise RightMissing(f"a {opener.role.name.lower()} may not flag record {record.epoch}")


def check_seed(record: Record) -> None:
    """SPEC 9.4 step 1: a record that gives way changes nothing but the secret. Raises ChainInvalid."""
    if record.is_seed and (record.flags != Flag.SEED or record.changes or record.relay):
        raise ChainInvalid(f"record {record.epoch} is flagged as a seed, and changes something")


def check_relay_change(chain: Chain, record: Record, opener: Member) -> None:
    """SPEC 9.4 step 1: only an owner or the root names a new relay. Raises RightMissing, ChainInvalid or BadKey."""
    if not record.relay:
        return
    if not RIGHTS[opener.role].governs:
        raise RightMissing(f"a {opener.role.name.lower()} may not move the set to another relay")
    if record.relay == chain.relay_key:
        raise ChainInvalid(f"record {record.epoch} moves the set to the relay where it is")
    check_verify_key(record.relay)


def check_one_root(roster: Roster) -> None:
    """SPEC 9.4 step 5, *lock-out*. That only the root removes the root is in the table of rights."""
    if len(roster.roots) != 1:
        raise ChainInvalid(f"the changes leave {len(roster.roots)} roots where there must be one")


def check_member_count(roster: Roster) -> None:
    """SPEC 9.4 step 5."""
    if len(roster.members) > MEMBERS_MAX:
        raise ChainInvalid(f"the changes leave {len(roster.members)} members, at most {MEMBERS_MAX} are allowed")


def check_numbers(record: Record, before: Mapping[int, int], roster: Roster) -> None:
    """SPEC 9.4 step 6, *rewound key*: a number for each device, 1 for a new one, never lower. Raises ChainInvalid."""
    if record.numbers.keys() != {index for index, member in roster.members.items() if member.is_device}:
        raise ChainInvalid(f"the key numbers of record {record.epoch} are not those of its devices")
    for index, number in record.numbers.items():
        low = before.get(index, 1)
        # An opener may have announced one key since, and gives itself one more within its opening: two at most.
        high = low + 2 if index in before else 1
        if not low <= number <= high:
            raise ChainInvalid(f"record {record.epoch} names key number {number} of member {index}, not {low}..{high}")
