"""An operator's choices (SPEC 13.13): each limit is exact, and none keeps anybody from removing somebody."""

from __future__ import annotations

import pytest

from e2esync.session.kinds import Refusal
from e2esync.session.policy import (
    DEFAULT_POLICY,
    Policy,
    Registration,
    check_entries,
    check_members,
    check_registration,
    is_full,
)
from e2esync.session.rules import Declined


@pytest.mark.parametrize(("registration", "invited", "taken"), [
    (Registration.OPEN, False, True), (Registration.OPEN, True, True), (Registration.INVITATION, False, False),
    (Registration.INVITATION, True, True), (Registration.CLOSED, False, False), (Registration.CLOSED, True, False),
])
def test_who_may_make_a_set(registration: Registration, invited: bool, taken: bool) -> None:
    if taken:
        check_registration(Policy(registration), invited)
    else:
        with pytest.raises(Declined) as raised:
            check_registration(Policy(registration), invited)
        assert raised.value.refusal is Refusal.NOT_ALLOWED


def test_full_is_exact() -> None:
    policy = Policy(set_bytes=1000, set_entries=3)
    assert not is_full(policy, 1000, 2)
    assert is_full(policy, 1001, 2)
    assert is_full(policy, 1000, 3)
    assert not is_full(DEFAULT_POLICY, 10**6, 10**9)
    check_entries(policy, 2)
    with pytest.raises(Declined) as raised:
        check_entries(policy, 3)
    assert raised.value.refusal is Refusal.QUOTA_EXCEEDED


@pytest.mark.parametrize(("before", "after", "fits"), [(3, 4, True), (4, 5, False), (6, 6, True), (6, 5, True),
                                                       (6, 7, False)])
def test_nobody_is_kept_from_removing(before: int, after: int, fits: bool) -> None:
    if fits:
        check_members(Policy(set_members=4), before, after)
        return
    with pytest.raises(Declined) as raised:
        check_members(Policy(set_members=4), before, after)
    assert raised.value.refusal is Refusal.QUOTA_EXCEEDED
