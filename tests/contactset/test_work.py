"""The cost of a fold is linear in the state and in the operations, whoever wrote them (SPEC 8.4)."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest

from e2esync.contactset import Contact, DeleteOp, Group, Life, Op, SetOp, fold_ops, pack, unpack
from e2esync.contactset.work import ContactWork, Context

ID = bytes(range(16))


def lines_run(contacts: dict[bytes, bytes], ops: list[Op], seen: dict[int, int]) -> int:
    """How many lines of work.py a fold executes: a measure of work that no clock disturbs."""
    count = 0

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        if not frame.f_code.co_filename.endswith("work.py"):
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        fold_ops(contacts, 9, 1, seen, ops, 0, lambda _: [])
    finally:
        sys.settrace(before)
    return count


def many_groups(count: int) -> dict[bytes, bytes]:
    return {ID: pack(Contact([Life(1, [Group(0, n, 0, {f"a{n}": 1}) for n in range(1, count + 1)])]))}


@pytest.mark.parametrize("seen", [{}, {0: 10**6}])
@pytest.mark.parametrize("form", [
    lambda n: SetOp(ID, 1, 0, {f"a{n}": 2}), lambda n: SetOp(ID, 1, 0, {"a1": n}), lambda _: DeleteOp(ID, 1, 0),
    lambda n: SetOp(ID, n + 1, 0, {"a": 1}),
])
def test_no_operation_walks_through_the_state_again(seen: dict[int, int], form: Any) -> None:
    small, large = (
        lines_run(many_groups(n), [form(m) for m in range(n)], seen) for n in (50, 400)
    )
    assert large < 16 * small


def test_nothing_happens_to_a_contact_without_operations() -> None:
    [before] = many_groups(3).values()
    outcome = ContactWork(before, Context(9, 1, {0: 3}, 0)).finish()
    assert outcome.packed == before
    assert ContactWork(b"", Context(9, 1, {}, 0)).finish().packed == b""


def test_the_last_of_an_entrys_own_writes_stays() -> None:
    work = ContactWork(b"", Context(9, 1, {9: 0}, 0))
    work.set(1, 5, {"a": 1})
    work.set(1, 5, {"a": 2})
    outcome = work.finish()
    assert unpack(outcome.packed).lives[0].groups == [Group(9, 1, 5, {"a": 2})]


def test_the_values_of_an_operation_are_not_shared_with_the_state() -> None:
    values = {"a": 1}
    work = ContactWork(b"", Context(9, 1, {9: 0}, 0))
    work.set(1, 5, values)
    work.set(1, 5, {"b": 2})
    work.finish()
    assert values == {"a": 1}
