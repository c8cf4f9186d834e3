"""Holds (SPEC 13.6) as values, without a relay."""

from __future__ import annotations

import pytest

from e2esync.limits import HOLD, HOLD_INTERVAL, HOLD_KIT_INTERVAL, HOLD_ROOT
from e2esync.session.holds import NONE, Holds, unpack

HERE, THERE = "here", "there"


def blocks(holds: Holds, member: int, now: int) -> bool:
    return holds.against(member, now) is not None


def test_a_hold_blocks_the_other_members() -> None:
    assert not blocks(NONE, 2, 0)
    holds = NONE.lost(1, 100, HERE)
    assert holds.hold is not None
    assert holds.hold.until == 100 + HOLD
    assert blocks(holds, 2, 100)
    assert not blocks(holds, 1, 100)


def test_it_ends_by_itself_and_a_clock_that_is_set_back_does_not_prolong_it() -> None:
    holds = NONE.lost(1, 100, HERE)
    assert blocks(holds, 2, 99 + HOLD)
    assert not blocks(holds, 2, 100 + HOLD)
    assert not blocks(holds, 2, 50)
    root = NONE.came(0, 100, HERE, root=True)
    assert blocks(root, 2, 99 + HOLD_ROOT)
    assert not blocks(root, 2, 99)


def test_a_decision_ends_it_and_only_the_members_own() -> None:
    holds = NONE.lost(1, 0, HERE)
    assert blocks(holds.decided(2, accepted=False), 2, 1)
    assert not blocks(holds.decided(1, accepted=False), 2, 1)
    assert not blocks(holds.decided(1, accepted=True), 2, 1)


def test_one_hold_a_minute_per_member_and_one_at_a_time_per_set() -> None:
    first = NONE.lost(1, 0, HERE)
    assert first.lost(2, 1, HERE) is first
    over = first.decided(1, accepted=False)
    assert not blocks(over.lost(1, HOLD_INTERVAL - 1, HERE), 2, HOLD_INTERVAL - 1)
    second = over.lost(2, HOLD_INTERVAL - 1, HERE)
    assert blocks(second, 1, HOLD_INTERVAL - 1)
    third = second.decided(2, accepted=False).lost(1, HOLD_INTERVAL, HERE)
    assert blocks(third, 2, HOLD_INTERVAL)


def test_what_is_over_is_forgotten() -> None:
    holds = NONE
    for member in range(100):
        holds = holds.lost(member, member * HOLD_INTERVAL, HERE).decided(member, accepted=False)
    assert len(holds.given) == 1


def test_the_root_is_held_for_at_once_and_as_often_as_it_comes() -> None:
    holds = NONE
    for now in (100, 200, 300):
        holds = holds.came(0, now, HERE, root=True)
        assert holds.hold is not None
        assert holds.hold.until == now + HOLD_ROOT
        assert blocks(holds, 1, now)
        assert not blocks(holds, 0, now)
        holds = holds.left(0, HERE)
        assert not blocks(holds, 1, now)


def test_only_an_accepted_opening_ends_a_kits_hold() -> None:
    holds = NONE.came(0, 0, HERE, root=True)
    assert blocks(holds.decided(0, accepted=False), 1, 1)
    assert blocks(holds.decided(1, accepted=True), 1, 1)
    assert not blocks(holds.decided(0, accepted=True), 1, 1)


def test_the_root_takes_the_place_of_any_other_hold() -> None:
    holds = NONE.lost(1, 0, HERE).came(0, 1, HERE, root=True)
    assert blocks(holds, 1, 2)
    assert not blocks(holds, 0, 2)
    assert blocks(holds.lost(1, 2, HERE), 1, 2)
    assert not blocks(holds.came(5, 3, HERE, root=False), 0, 3)


def test_another_persons_kit_once_an_hour() -> None:
    first = NONE.came(5, 0, HERE, root=False)
    assert blocks(first, 1, 0)
    early = first.left(5, HERE).came(5, HOLD_KIT_INTERVAL - 1, HERE, root=False)
    assert not blocks(early, 1, HOLD_KIT_INTERVAL - 1)
    late = early.came(5, HOLD_KIT_INTERVAL, HERE, root=False)
    assert blocks(late, 1, HOLD_KIT_INTERVAL)


def test_the_hour_begins_when_a_hold_is_given() -> None:
    holds = NONE.came(0, 0, HERE, root=True).came(5, 1, HERE, root=False).left(0, HERE)
    assert blocks(holds.came(5, 2, HERE, root=False), 1, 2)


def test_who_goes_at_one_process_may_have_come_at_another() -> None:
    holds = NONE.came(0, 0, HERE, root=True).came(0, 1, THERE, root=True)
    assert blocks(holds.left(0, HERE), 1, 2)
    assert not blocks(holds.left(0, THERE), 1, 2)


@pytest.mark.parametrize("holds", [
    NONE, NONE.lost(1, 5, HERE), NONE.lost(1, 5, HERE).decided(1, accepted=True), NONE.came(0, 7, THERE, root=True),
    NONE.came(3, 7, THERE, root=False).lost(2, 100_000, HERE),
])
def test_what_is_stored_comes_back(holds: Holds) -> None:
    assert unpack(holds.pack()) == holds
    assert (holds.pack() == b"") == (holds is NONE)
