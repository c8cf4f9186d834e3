"""Random parts of a contact set, small enough that they meet."""

from __future__ import annotations

from hypothesis import strategies as st

from e2esync.contactset import Contact, DeleteOp, Group, Life, Op, SetOp, decode_ops, encode_ops
from e2esync.limits import INT_MAX, LIFE_MAX

CONTACTS = [bytes([n]) * 16 for n in (0, 1, 255)]
PATHS = ["name", "emails/1", "notes/a~b/c"]

scalars = (
    st.none() | st.booleans() | st.sampled_from([0, 1, -1, INT_MAX, 0.0, 1.0, -0.0, "", "1", b"1"])
    | st.text(max_size=4)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
registers = st.dictionaries(st.sampled_from(PATHS) | st.text("äz~é/", min_size=1).map(lambda tail: "x" + tail),
                            values, min_size=1, max_size=3)
contacts = st.sampled_from(CONTACTS)
lives = st.sampled_from([1, 2, LIFE_MAX])
times = st.sampled_from([0, 1, 2, INT_MAX])
operations: st.SearchStrategy[Op] = (
    st.builds(SetOp, contacts, lives, times, registers) | st.builds(DeleteOp, contacts, lives, times)
)


def _canonical(ops: list[Op]) -> list[Op]:
    deleted = set()
    kept = []
    for op in ops:
        assert isinstance(op, SetOp | DeleteOp)
        if isinstance(op, DeleteOp):
            deleted.add((op.contact, op.life))
        elif (op.contact, op.life) in deleted:
            continue
        kept.append(op)
    return decode_ops(encode_ops(kept))


entries = st.lists(operations, max_size=5).map(_canonical)
"""The operations of an entry, as they come out of the decoder."""

wild_entries = st.lists(operations, max_size=5).map(lambda ops: [op for one in ops for op in _canonical([one])])
"""The same from an author who does not keep SPEC 8.4's rule about sets after deletes."""


@st.composite
def _group(draw: st.DrawFn, dot: tuple[int, int]) -> Group:
    [op] = _canonical([SetOp(bytes(16), 1, 0, draw(registers))])
    assert isinstance(op, SetOp)
    null = None in op.values.values()
    return Group(*dot, draw(times), op.values, draw(st.integers(0, 3)) if null else None)


@st.composite
def _life(draw: st.DrawFn, number: int) -> Life:
    dots = sorted(draw(st.sets(st.tuples(st.integers(0, 3), st.integers(1, 3)), min_size=1, max_size=3)))
    covered = draw(st.sets(st.sampled_from(dots)))
    return Life(number, [draw(_group(dot)) for dot in dots], draw(st.integers(0, 3)) if covered else 0, covered)


@st.composite
def states(draw: st.DrawFn) -> Contact:
    """Any well-formed state of one contact."""
    numbers = sorted(draw(st.sets(lives, min_size=1, max_size=3)))
    return Contact([draw(_life(number)) for number in numbers])
