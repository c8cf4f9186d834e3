"""Laws of the chain: whatever anybody tries, what VERIFY accepts keeps them."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync.crypto import SigningKey
from e2esync.epoch.chain import Chain, replay_chain, verify_chain
from e2esync.epoch.record import Add, Change, ChangeRole, Flag, Remove, make_add, make_rekey
from e2esync.epoch.roles import RIGHTS, Role
from e2esync.errors import ChainInvalid
from tests.epoch.builders import ALICE, BOB, Book, Party

INDICES = st.integers(0, 8)
WISHES = st.one_of(
    st.tuples(st.just("add"), st.sampled_from([ALICE, BOB]), st.sampled_from(Role)),
    st.tuples(st.just("remove"), INDICES, st.none()),
    st.tuples(st.just("rekey"), INDICES, st.none()),
    st.tuples(st.just("role"), INDICES, st.sampled_from(Role)),
)
STEPS = st.lists(
    st.tuples(INDICES, st.lists(WISHES, max_size=3), st.sampled_from(list(Flag) + [Flag.NONE] * 4)),
    min_size=1, max_size=12,
)


class Crowd:
    """A book whose members try what they like; keeps track of who holds which key."""

    def __init__(self) -> None:
        self.book = Book()
        self.made = 0
        for role in (Role.WRITER, Role.RECOVERY, Role.READER):
            self.book.join(role, BOB)

    def change(self, wish: tuple[str, object, object], fresh: dict[int, Party], added: int) -> Change:
        """The change that a wish asks for, with honest keys and proofs; new keys go into `fresh`."""
        kind, what, role = wish
        book = self.book
        self.made += 1
        signing = SigningKey(self.made.to_bytes(32, "big"))
        match kind, what, role:
            case "remove", int(index), _:
                return Remove(index)
            case "role", int(index), Role():
                return ChangeRole(index, role)
            case "add", bytes(person), Role():
                fresh[book.chain.next_index + added] = party = Party(person, signing, book.parties[0].sealing)
                return make_add(signing, book.set_id, person, role, party.sealing.public)
            case "rekey", int(index), _:
                fresh[index] = replace(book.parties.get(index, book.parties[0]), signing=signing)
                member = book.chain.members.get(index, book.chain.root)
                return make_rekey(signing, book.set_id, index, member.person, member.role)
        raise AssertionError(wish)

    def attempt(self, opener: int, wishes: list[tuple[str, object, object]], flags: Flag) -> bool:
        """Whether the chain took the record that `opener` made of its wishes."""
        book = self.book
        fresh: dict[int, Party] = {}
        changes: tuple[Change, ...] = ()
        for wish in wishes:
            added = sum(isinstance(change, Add) for change in changes)
            changes = (*changes, self.change(wish, fresh, added))
        signer = book.parties.get(opener, book.parties[0]).signing
        try:
            book.open(opener, changes, flags=flags, signer=signer)
        except ChainInvalid:
            return False
        book.parties.update(fresh)
        return True


def check_laws(before: Chain, after: Chain) -> None:
    """What no record may break."""
    opener = before.members[after.head.opener]
    governs = RIGHTS[opener.role].governs
    assert [member.role for member in after.members.values()].count(Role.ROOT) == 1
    assert after.root.index == before.root.index or opener.role is Role.ROOT
    assert set(before.all_members) <= set(after.all_members)
    assert sorted(after.all_members) == list(range(after.next_index))
    keys = [member.verify_key for member in after.all_members.values()]
    assert len(keys) == len(set(keys))
    assert before.used_keys <= after.used_keys
    assert {index for index, member in after.members.items() if member.is_device} == set(after.numbers)
    for index, member in after.all_members.items():
        known = before.all_members.get(index)
        assert member.person in (ALICE, BOB)
        if known is not None:
            assert (known.person, known.seal_key, known.added) == (member.person, member.seal_key, member.added)
            assert known.role == member.role or governs
            assert known.verify_key == member.verify_key or index == opener.index
            assert known.removed_at is None or known == member
        elif not governs:
            assert member.person == opener.person
            assert member.role is Role.RECOVERY or member.role <= before.ranks.get(member.person, 0)
    for index in set(before.members) - set(after.members):
        assert governs or before.members[index].person == opener.person
    assert governs or (after.ranks == before.ranks and after.head.flags in (Flag.NONE, Flag.SEED))


@settings(max_examples=60, derandomize=True, deadline=None)
@given(STEPS)
def test_no_sequence_of_openings_breaks_the_laws(
    steps: list[tuple[int, list[tuple[str, object, object]], Flag]],
) -> None:
    crowd = Crowd()
    book = crowd.book
    for opener, wishes, flags in steps:
        before = book.chain
        if crowd.attempt(opener, wishes, flags):
            check_laws(before, book.chain)
        else:
            assert book.chain is before
    raws = [record.raw for record in book.records]
    assert verify_chain(book.set_id, raws) == replay_chain(book.set_id, raws) == book.chain


def test_the_crowd_gets_somewhere() -> None:
    crowd = Crowd()
    assert crowd.attempt(1, [("add", ALICE, Role.WRITER)], Flag.NONE)
    assert crowd.attempt(1, [("rekey", 1, None)], Flag.FORGET)
    assert crowd.attempt(1, [("remove", 2, None), ("role", 5, Role.OWNER)], Flag.NONE)
    assert crowd.attempt(4, [("add", BOB, Role.OWNER)], Flag.NONE)
    assert not crowd.attempt(3, [("add", BOB, Role.OWNER)], Flag.NONE)
    assert isinstance(crowd.book.chain.head.changes[0], Add)
    assert crowd.attempt(7, [], Flag.NONE)
