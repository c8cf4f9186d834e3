"""Holds (SPEC 13.6) as bookkeeping, without a relay."""

from __future__ import annotations

from e2esync.limits import HOLD, HOLD_INTERVAL, HOLD_KIT_INTERVAL, HOLD_ROOT
from e2esync.relay.holds import Holds

SET, OTHER = b"s" * 32, b"o" * 32


def test_a_hold_blocks_the_other_members_of_its_set_only() -> None:
    holds = Holds()
    assert not holds.blocks(SET, 2)
    hold = holds.head_moved(SET, 1, 100.0)
    assert hold is not None
    assert hold.until == 100 + HOLD
    assert holds.blocks(SET, 2)
    assert not holds.blocks(SET, 1)
    assert not holds.blocks(OTHER, 2)


def test_a_decision_ends_it_and_only_the_members_own() -> None:
    holds = Holds()
    holds.head_moved(SET, 1, 0.0)
    assert not holds.decided(SET, 2, accepted=False)
    assert holds.blocks(SET, 2)
    assert holds.decided(SET, 1, accepted=False)
    assert not holds.decided(SET, 1, accepted=False)
    assert not holds.blocks(SET, 2)


def test_one_hold_a_minute_per_member_and_one_at_a_time_per_set() -> None:
    holds = Holds()
    first = holds.head_moved(SET, 1, 0.0)
    assert holds.head_moved(SET, 2, 1.0) is None
    assert first is not None
    assert holds.expired(SET, first)
    assert holds.head_moved(SET, 1, HOLD_INTERVAL - 1.0) is None
    assert holds.head_moved(SET, 2, HOLD_INTERVAL - 1.0) is not None
    holds.decided(SET, 2, accepted=False)
    assert holds.head_moved(SET, 1, HOLD_INTERVAL + 0.0) is not None


def test_an_old_timer_does_not_end_a_newer_hold() -> None:
    holds = Holds()
    old = holds.head_moved(SET, 1, 0.0)
    holds.decided(SET, 1, accepted=False)
    new = holds.head_moved(SET, 2, 1.0)
    assert old is not None
    assert new is not None
    assert not holds.expired(SET, old)
    assert holds.blocks(SET, 1)


def test_what_is_over_is_forgotten() -> None:
    holds = Holds()
    for member in range(100):
        hold = holds.head_moved(SET, member, float(member) * HOLD_INTERVAL)
        assert hold is not None
        holds.expired(SET, hold)
    assert len(holds._granted) == 1


def test_the_root_is_held_for_at_once_and_as_often_as_it_comes() -> None:
    holds = Holds()
    for _ in range(3):
        hold = holds.kit_came(SET, 0, 100.0, root=True)
        assert hold is not None
        assert hold.until == 100 + HOLD_ROOT
        assert holds.blocks(SET, 1)
        assert not holds.blocks(SET, 0)
        assert holds.left(SET, 0)


def test_only_an_accepted_opening_ends_a_kits_hold() -> None:
    holds = Holds()
    holds.kit_came(SET, 0, 0.0, root=True)
    assert not holds.decided(SET, 0, accepted=False)
    assert not holds.decided(SET, 1, accepted=True)
    assert holds.blocks(SET, 1)
    assert holds.decided(SET, 0, accepted=True)
    assert not holds.blocks(SET, 1)


def test_the_root_takes_the_place_of_any_other_hold() -> None:
    holds = Holds()
    device = holds.head_moved(SET, 1, 0.0)
    holds.kit_came(SET, 0, 1.0, root=True)
    assert device is not None
    assert not holds.expired(SET, device)
    assert holds.blocks(SET, 1)
    assert holds.head_moved(SET, 1, 2.0) is None
    assert holds.kit_came(SET, 5, 3.0, root=False) is None
    assert not holds.blocks(SET, 0)


def test_another_persons_kit_once_an_hour() -> None:
    holds = Holds()
    assert holds.kit_came(SET, 5, 0.0, root=False) is not None
    assert holds.left(SET, 5)
    assert holds.kit_came(SET, 5, HOLD_KIT_INTERVAL - 1.0, root=False) is None
    assert not holds.blocks(SET, 1)
    assert holds.kit_came(SET, 5, HOLD_KIT_INTERVAL + 0.0, root=False) is not None
    assert holds.blocks(SET, 1)


def test_a_kit_does_not_take_over_from_itself_when_refused() -> None:
    holds = Holds()
    holds.kit_came(SET, 0, 0.0, root=True)
    assert holds.kit_came(SET, 5, 1.0, root=False) is None
    # The hour begins when a hold is given.
    holds.left(SET, 0)
    assert holds.kit_came(SET, 5, 2.0, root=False) is not None
