"""The operations with which a writer changes a contact (SPEC 8.6, 14.2 step 6).

All are functions of the writer's own newest state: what it has seen, its unsent entries included.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from e2esync.contactset.ops import DeleteOp, SetOp
from e2esync.contactset.state import Contact, Life, pack, unpack
from e2esync.contactset.view import alive_lives, view, write_life
from e2esync.wire import Value


def set_ops(contact: bytes, packed: bytes | None, time: int, values: Mapping[str, Value]) -> list[SetOp]:
    """Set `values` in the life where a writer sets and, as far as they hold the paths, in the other living lives.

    *Without the second half a value of another living life would stay a conflict, or outlive its removal, whatever
    the person does.*
    """
    target = write_life(packed)
    ops = [SetOp(contact, target, time, dict(values))]
    if packed is None:
        return ops
    for life in unpack(packed).lives:
        if life.alive and life.number != target:
            held = {path for group in life.groups for path in group.values}
            also = {path: value for path, value in values.items() if path in held}
            if also:
                ops.append(SetOp(contact, life.number, time, also))
    return ops


def delete_ops(contact: bytes, packed: bytes | None, time: int) -> list[DeleteOp]:
    """Delete every living life."""
    return [] if packed is None else [DeleteOp(contact, life, time) for life in alive_lives(packed)]


def whole_life(
    contact: bytes, packed: bytes, number: int, without: Collection[str], snapshot: bytes | None = None,
) -> SetOp | None:
    """What `snapshot` needs besides the writer's own entries so that a life they set comes back whole; None if nothing.

    `packed` is the contact as the writer last knew it, `without` the paths that its unlanded entries set themselves,
    `snapshot` the contact in the new snapshot. A life under that number which holds no write that the writer knew is
    not the life it knew: that one was dropped, and somebody's late edit alone stands in its place. *The operation
    carries the time of what it repeats, so that a value which was only sent along never wins over somebody's edit.*
    """
    life = unpack(packed).life(number)
    if life is None or not life.alive:
        return None
    kept = unpack(snapshot).life(number) if snapshot else None
    groups = kept.groups if kept else []
    if {group.dot for group in groups} & {group.dot for group in life.groups}:
        return None
    held = set(without).union(*(group.values for group in groups))
    shown = view(pack(Contact([Life(life.number, life.groups)])))
    assert shown is not None
    values = {path: value for path, value in shown.registers.items() if path not in held}
    if not values:
        return None
    time = max(group.time for group in life.groups if values.keys() & group.values.keys())
    return SetOp(contact, number, time, values)
