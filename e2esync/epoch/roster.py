"""The members, and what a change makes of them (SPEC 9.3; 9.4 steps 3 and 4).

A roster is a value: applying a change gives another one and leaves the first as it was. Each change is judged in the
roster that the changes before it leave, so an owner that makes itself a reader has no right to what follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from e2esync.crypto import check_verify_key
from e2esync.epoch.record import Add, Change, ChangeRole, Rekey, Remove, check_possession
from e2esync.epoch.roles import DEVICES, RIGHTS, Role
from e2esync.errors import ChainInvalid, RightMissing


@dataclass(frozen=True, slots=True)
class Member:
    """A device or kit that the chain lists or once listed. `seal_key` is that of its add, key number 1 of a device."""

    index: int
    person: bytes
    role: Role
    verify_key: bytes
    seal_key: bytes = field(repr=False)
    added: int
    removed_at: int | None = None

    @property
    def is_device(self) -> bool:
        """Whether it has a key number and a slot; else it is a recovery member."""
        return self.role in DEVICES


@dataclass(frozen=True, slots=True)
class Roster:
    """Who is and who ever was a member. `used_keys` holds every verify key the chain ever named."""

    set_id: bytes
    members: Mapping[int, Member]
    all_members: Mapping[int, Member]
    ranks: Mapping[bytes, Role]
    used_keys: frozenset[bytes]

    @classmethod
    def empty(cls, set_id: bytes) -> Roster:
        """The roster before record 0."""
        return cls(set_id, {}, {}, {}, frozenset())

    @property
    def next_index(self) -> int:
        """The index that the next member gets: indices are given in order and never reused."""
        return len(self.all_members)

    @property
    def devices(self) -> list[Member]:
        """The current devices, by index."""
        return [member for _, member in sorted(self.members.items()) if member.is_device]

    @property
    def roots(self) -> list[Member]:
        """Current members with the role root: one, in every valid chain."""
        return [member for member in self.members.values() if member.role is Role.ROOT]


def apply_changes(roster: Roster, opener: int, changes: Iterable[Change], epoch: int) -> Roster:
    """The roster after `changes` by `opener` in the record of `epoch`. Raises RightMissing, ChainInvalid or BadKey."""
    for change in changes:
        check_change(roster, opener, change)
        roster = take_effect(roster, opener, change, epoch)
    return roster


def take_effect(roster: Roster, opener: int, change: Change, epoch: int) -> Roster:
    """The roster after one change that was checked before. Raises ChainInvalid if it names nobody."""
    match change:
        case Add(person, role, verify_key, seal_key):
            actor = roster.members.get(opener)
            grown = _with_member(roster, Member(roster.next_index, person, role, verify_key, seal_key, epoch))
            # What a kit or a writer gives is no rank, or a kit could raise its person step by step.
            governs = actor is not None and RIGHTS[actor.role].governs
            ranks = _ranks(roster, person, role) if governs else roster.ranks
            return replace(grown, used_keys=roster.used_keys | {verify_key}, ranks=ranks)
        case Remove(index):
            members = {other: member for other, member in roster.members.items() if other != index}
            gone = replace(_current(roster, index), removed_at=epoch)
            return replace(roster, members=members, all_members={**roster.all_members, index: gone})
        case Rekey(index, verify_key):
            rekeyed = _with_member(roster, replace(_current(roster, index), verify_key=verify_key))
            return replace(rekeyed, used_keys=roster.used_keys | {verify_key})
        case ChangeRole(index, role):
            member = _current(roster, index)
            changed = _with_member(roster, replace(member, role=role))
            return replace(changed, ranks=_ranks(roster, member.person, role))


def check_change(roster: Roster, opener: int, change: Change) -> None:
    """SPEC 9.4 steps 3 and 4 for one change, in the state that those before it leave."""
    match change:
        case Add():
            check_may_add(roster, opener, change)
            check_enrolment(roster, change)
        case Remove(index):
            check_may_remove(roster, opener, _current(roster, index))
        case Rekey(index, verify_key, possession):
            member = _current(roster, index)
            check_may_rekey(roster, opener, member)
            check_key_unused(roster, verify_key)
            check_verify_key(verify_key)
            check_possession(roster.set_id, member.person, member.role, verify_key, b"", possession)
        case ChangeRole(index, role):
            check_may_change_role(roster, opener, _current(roster, index), role)


def check_enrolment(roster: Roster, add: Add) -> None:
    """SPEC 9.4 step 4 for a new member; whether the opener may add it is not asked here."""
    check_key_unused(roster, add.verify_key)
    check_member_keys(add)
    check_possession(roster.set_id, add.person, add.role, add.verify_key, add.seal_key, add.possession)


def _acting(roster: Roster, opener: int) -> Member:
    """The opener, as the changes so far leave it: who has removed itself has no right to anything more."""
    member = roster.members.get(opener)
    if member is None:
        raise RightMissing(f"member {opener} is no member any more when it makes a further change")
    return member


def _current(roster: Roster, index: int) -> Member:
    member = roster.members.get(index)
    if member is None:
        raise ChainInvalid(f"a change names member {index}, who is no member")
    return member


def check_may_add(roster: Roster, opener: int, add: Add) -> None:
    """SPEC 9.4 step 3, rows *add a device* and *add a recovery member*. Raises RightMissing."""
    actor = _acting(roster, opener)
    rights = RIGHTS[actor.role]
    if add.role not in rights.adds:
        raise RightMissing(f"a {actor.role.name.lower()} may not add a {add.role.name.lower()}")
    if not rights.everybody and add.person != actor.person:
        raise RightMissing(f"a {actor.role.name.lower()} may not add members of another person")
    if rights.up_to_rank and add.role in DEVICES and add.role > roster.ranks.get(add.person, 0):
        raise RightMissing(f"nobody ever made this person a {add.role.name.lower()}, its recovery kit may not either")


def check_may_remove(roster: Roster, opener: int, member: Member) -> None:
    """SPEC 9.4 step 3, row *remove*. Raises RightMissing."""
    actor = _acting(roster, opener)
    rights = RIGHTS[actor.role]
    if member.role not in rights.removes:
        raise RightMissing(f"a {actor.role.name.lower()} may not remove a {member.role.name.lower()}")
    if not rights.everybody and member.person != actor.person:
        raise RightMissing(f"a {actor.role.name.lower()} may not remove members of another person")


def check_may_rekey(roster: Roster, opener: int, member: Member) -> None:
    """SPEC 9.4 step 3, row *rekey itself*. Raises RightMissing."""
    actor = _acting(roster, opener)
    if actor.index != member.index or not RIGHTS[actor.role].rekeys:
        raise RightMissing(f"member {opener} may not replace the verify key of member {member.index}")


def check_may_change_role(roster: Roster, opener: int, member: Member, role: Role) -> None:
    """SPEC 9.4 step 3, row *role of a device*. Raises RightMissing, or ChainInvalid if a kit is involved."""
    actor = _acting(roster, opener)
    if not RIGHTS[actor.role].changes_roles:
        raise RightMissing(f"a {actor.role.name.lower()} may not change roles")
    # A kit's key never changes, a device's does: no member turns from the one into the other.
    if not member.is_device or role not in DEVICES:
        raise ChainInvalid(f"the role of member {member.index} cannot change between device and recovery member")


def check_key_unused(roster: Roster, verify_key: bytes) -> None:
    """SPEC 9.4 step 4: a verify key stands once in a chain, so that a removed member never comes back by it."""
    if verify_key in roster.used_keys:
        raise ChainInvalid("a new verify key was used in this set before")


def check_member_keys(add: Add) -> None:
    """SPEC 9.4 step 4: both public keys are fit for use, here and not when it is too late. Raises BadKey."""
    # ML-KEM's provider takes long to import, and only a record that adds somebody needs it.
    from e2esync.crypto.sealing import check_seal_public

    check_verify_key(add.verify_key)
    check_seal_public(add.seal_key)


def _with_member(roster: Roster, member: Member) -> Roster:
    entry = {member.index: member}
    return replace(roster, members={**roster.members, **entry}, all_members={**roster.all_members, **entry})


def _ranks(roster: Roster, person: bytes, role: Role) -> Mapping[bytes, Role]:
    if role not in DEVICES or role <= roster.ranks.get(person, 0):
        return roster.ranks
    return {**roster.ranks, person: role}
