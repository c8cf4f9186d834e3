"""Rosters are values: a change gives another one, and the indices go on where they were."""

from __future__ import annotations

import pytest

from e2esync.epoch.record import ChangeRole, Remove
from e2esync.epoch.roles import Role
from e2esync.epoch.roster import Roster, apply_changes, take_effect
from e2esync.errors import ChainInvalid, RightMissing
from tests.epoch.builders import ALICE, BOB, Book


def test_the_empty_roster_gives_index_zero() -> None:
    book = Book()
    roster = take_effect(Roster.empty(book.set_id), 0, book.add(Role.ROOT), 0)
    assert list(roster.members) == [0]
    assert roster.roots == [roster.members[0]]
    assert roster.devices == []
    assert roster.ranks == {}


def test_only_who_governs_gives_a_rank() -> None:
    book = Book()
    roster = take_effect(book.chain.roster, 1, ChangeRole(2, Role.WRITER), 1)
    assert take_effect(roster, 2, book.add(Role.WRITER, BOB), 1).ranks == {ALICE: Role.OWNER}
    assert take_effect(roster, 1, book.add(Role.WRITER, BOB), 1).ranks == {ALICE: Role.OWNER, BOB: Role.WRITER}


def test_an_effect_on_nobody_is_refused() -> None:
    with pytest.raises(ChainInvalid, match="names member 7"):
        take_effect(Book().chain.roster, 1, Remove(7), 1)


def test_a_rank_does_not_fall() -> None:
    book = Book()
    roster = apply_changes(book.chain.roster, 1, (ChangeRole(2, Role.READER), ChangeRole(1, Role.WRITER)), 1)
    assert roster.ranks == {ALICE: Role.OWNER}


def test_indices_are_not_reused() -> None:
    book = Book()
    roster = apply_changes(book.chain.roster, 1, (Remove(2), book.add(Role.READER), book.add(Role.READER, BOB)), 4)
    assert sorted(roster.members) == [0, 1, 3, 4]
    assert roster.next_index == 5
    assert roster.all_members[2].removed_at == 4
    assert [roster.members[index].added for index in (1, 3)] == [0, 4]
    assert book.chain.roster.next_index == 3


def test_a_later_change_sees_the_earlier() -> None:
    book = Book()
    changes = (ChangeRole(1, Role.WRITER), Remove(0))
    with pytest.raises(RightMissing, match="a writer may not remove a root"):
        apply_changes(book.chain.roster, 1, changes, 1)
    with pytest.raises(ChainInvalid, match="who is no member"):
        apply_changes(book.chain.roster, 0, (Remove(2), Remove(2)), 1)


def test_members_do_not_show_their_sealing_key() -> None:
    member = Book().chain.members[1]
    assert "seal_key" not in repr(member)
    assert member.is_device
