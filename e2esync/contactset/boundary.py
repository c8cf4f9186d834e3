"""What a boundary does to a contact (SPEC 8.5): deletions older than the horizon are dropped for good.

Invariants: BOUNDARY is idempotent, never brings anything back, and changes only contacts that `needs_boundary` names,
so that a store which keeps that flag touches nothing else.
"""

from __future__ import annotations

from e2esync.contactset.state import Contact, Group, Life, check_packed, pack, unpack


def needs_boundary(packed: bytes) -> bool:
    """Whether a boundary may change this state: it holds deletions or nulls. Raises BadState."""
    return check_packed(packed)


def boundary_contact(packed: bytes, horizon: int) -> bytes | None:
    """The state after a boundary with that horizon (an epoch); None if nothing of the contact is left.

    Raises BadState for bytes that are no packed state.
    """
    contact = unpack(packed)
    if not contact.unsettled:
        return packed
    lives = [life for life in contact.lives if life.alive or life.died >= horizon]
    for life in lives:
        if life.alive:
            life.covered.clear()
        _drop_nulls(life, horizon)
    lives = [life for life in lives if life.groups]
    return pack(Contact(lives)) if lives else None


def _drop_nulls(life: Life, horizon: int) -> None:
    """SPEC 8.5 step 3: a null goes when it is old and nothing else stands at its path."""
    paths = {path for group in life.groups if _old(group, horizon) for path, value in group.values.items()
             if value is None}
    for group in life.groups:
        paths -= {path for path, value in group.values.items() if value is not None or not _old(group, horizon)}
    if not paths:
        return
    for group in life.groups:
        if group.epoch is not None:
            for path in paths & group.values.keys():
                del group.values[path]
            if None not in group.values.values():
                group.epoch = None
    life.groups = [group for group in life.groups if group.values]
    life.covered &= {group.dot for group in life.groups}


def _old(group: Group, horizon: int) -> bool:
    return group.epoch is not None and group.epoch < horizon
