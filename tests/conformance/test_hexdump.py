"""An explanation of bytes holds all of them, in order, and nothing that is not there."""

import re

import pytest

from e2esync.conformance.hexdump import Each, Inside, cut, explain, named, parts
from e2esync.wire import encode

SHAPE = parts("outer", "number", "text", Inside("body", Each("list", "item")), Each("map", "value"))
OBJECT = encode([300, "zoë", encode([1, 2]), {"a": b"\x01\x02"}])


def told(block: str) -> bytes:
    """The bytes on the left of a code block."""
    lines = [line.strip() for line in block.splitlines()[1:-1]]
    return bytes.fromhex("".join(re.match(r"[0-9a-f]*", line)[0] for line in lines))  # type: ignore[index]


def test_all_bytes_in_order() -> None:
    assert told(explain(OBJECT, SHAPE)) == OBJECT


def test_names_stand_beside_their_bytes() -> None:
    block = explain(OBJECT, SHAPE)
    assert re.search(r"^  cd012c +number: 300$", block, re.MULTILINE)
    assert re.search(r'^  a47a6fc3ab +text: "zoë"$', block, re.MULTILINE)
    assert re.search(r'^    a161 +"a"$', block, re.MULTILINE)


def test_the_middle_of_long_bytes_is_left_out_and_said() -> None:
    block = explain(encode(bytes(1216)), "key")
    assert "…" in block
    assert "(1,216 bytes)" in block


def test_a_fixed_layout_that_leaves_bytes_out_is_refused() -> None:
    assert told(cut(b"\x01\x02\x03", (1, "one"), (0, "rest"))) == b"\x01\x02\x03"
    with pytest.raises(ValueError, match="leaves bytes out"):
        cut(b"\x01\x02\x03", (1, "one"), (1, "two"))


def test_a_shape_of_other_length_is_refused() -> None:
    with pytest.raises(ValueError, match=r"zip\(\)"):
        explain(encode([1, 2]), parts("pair", "one"))
    with pytest.raises(ValueError, match="no shape"):
        explain(encode([1]), "list")


def test_named_bytes_wrap_under_their_name() -> None:
    assert named(("a", b"\0" * 33), ("bc", b"\1")).splitlines()[1:4] == ["a   " + "00" * 32, "    00", "bc  01"]
