"""The message table against SPEC 13, and the decoder against everything that is not in it."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync.errors import LimitExceeded, LocalProtocolError, NonCanonical, WireError
from e2esync.limits import FRAME_MAX
from e2esync.log.head import ShortHead
from e2esync.session import codec
from e2esync.session import messages as m
from e2esync.session.codec import ANSWERS, decode_message, encode_message, other_version
from e2esync.session.kinds import Refusal
from e2esync.session.messages import Side
from e2esync.wire import encode

SPEC = (Path(__file__).parents[2] / "SPEC.md").read_text()
HEAD = ShortHead(7, 1_800_000_000_000, b"s" * 64)
ID = b"i" * 32

FROM_CLIENT = [
    m.Hello(1, ID, 3, b"n" * 32), m.Hello(1, b"", 0, b"n" * 32), m.Proof(b"s" * 64), m.Proof(b""),
    m.Append(2, b"e" * 512), m.Read(2, 1), m.ReadChain(0), m.ReadBox(4),
    m.Open(b"r", b"l", (b"b", b"c"), b"a", (ID,), (ID, ID)), m.PutBlob(ID, 9, 4, b"part"), m.GetBlob(ID, 0),
    m.PutSlot(b"", b"h"), m.ReadSlots(), m.Inspect(), m.Create(b"r", b"l", (b"b",), (b"a",)),
    m.UseMailbox(b"m" * 8, 1, b"t" * 16), m.Mail(0, b"x"), m.Have((ID,)), m.Ping(), m.Find(b"k" * 32, b"s" * 64),
    m.Show(ID, b"h", b"s" * 64), m.Seed(ID, 3, (b"r",)), m.Delete(b"d"),
]
FROM_RELAY = [
    m.Challenge(b"n" * 32, b"k" * 32), m.Welcome(b"head", b"s" * 64), m.Welcome(b"", b"s" * 64),
    m.Appended(7, HEAD), m.LogPart(1, 1, (b"e",), None), m.LogPart(1, 1, (), HEAD), m.ChainPart((b"r",)),
    m.BoxAnswer(b"l", b"b"), m.Opened(3, HEAD), m.BlobStored(5), m.BlobPart(9, b"part"), m.SlotStored(),
    m.SlotList(9, (m.Slot(1, b"a", b"h", 5),)), m.Inspected({"epoch": 1, "seq": 2}), m.Created(ID), m.MailboxUsed(),
    m.MailStored(), m.HaveAnswer((1, 2)), m.Pong(), m.Found((m.Place(ID, 4),)), m.Shown(4, 1), m.Seeded(5),
    m.Deleted(9), m.RefusalAnswer(Refusal.HEAD_MOVED, "moved", 3),
    m.LogPush(1, 4, (b"e", b"f"), HEAD), m.RecordPush(b"r", HEAD), m.SlotPush(1, b"a", b"", 5), m.MailPush(0, b"x"),
    m.ClosingPush(2000), m.DeletionPush(b"d"),
]
ALL = [(message, Side.CLIENT) for message in FROM_CLIENT] + [(message, Side.RELAY) for message in FROM_RELAY]


@pytest.mark.parametrize(("message", "side"), ALL)
def test_round_trip(message: m.Message, side: Side) -> None:
    frame = encode_message(message)
    assert decode_message(frame, side) == message
    other = Side.RELAY if side is Side.CLIENT else Side.CLIENT
    with pytest.raises(NonCanonical):
        decode_message(frame, other)


def test_every_message_has_a_sample() -> None:
    assert {type(message) for message, _ in ALL} == {row.kind for row in codec._rows()}


def spec_numbers() -> dict[int, int]:
    """Type number → number of fields, from the forms in SPEC 13.2 and 13.3."""
    section = SPEC[SPEC.index("### 13.2"):SPEC.index("### 13.4")]
    found: dict[int, int] = {}
    for start in re.finditer(r"\[(\d+)[,\]]", section):
        depth = commas = 0
        for letter in section[start.start():]:
            depth += (letter in "[({") - (letter in "])}")
            commas += letter == "," and depth == 1
            if depth == 0:
                break
        found.setdefault(int(start[1]), commas)
    return found


def test_table_is_the_one_in_the_spec() -> None:
    spec = spec_numbers()
    table = {row.number: len(fields(row.kind)) for row in codec._rows()}
    assert {number: spec.get(number) for number in table} == table


def test_refusals_are_those_of_the_spec() -> None:
    section = SPEC[SPEC.index("### 13.8"):SPEC.index("### 13.9")]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert {code for row in rows for code in re.findall(r"`(\w+)`", row)} == {refusal.value for refusal in Refusal}


def test_every_request_has_one_answer() -> None:
    requests = {type(message) for message in FROM_CLIENT} - {m.Hello, m.Proof}
    assert set(ANSWERS) == requests
    assert len(set(ANSWERS.values())) == len(ANSWERS)


@pytest.mark.parametrize("body", [
    [], 5, {}, ["10"], [True], [99], [24, 1], [12], [12, True], [12, -1], [12, "0"], [12, 2**53], [11, 0, 0],
    [10, 0, b"e", []], [10, 0, "text"], [10, 0, b"e" * (256 * 1024 + 1)], [23, [b"short"]], [23, {}],
    [1, 1, b"x" * 31, 0, b"n" * 32], [1, 1, b"", 2**32, b"n" * 32], [1, 1, b"", 0, b"n" * 31], [3, b"s" * 63],
    [15, b"i" * 32, 0, 0, b"p"], [15, b"i" * 32, 2**20 + 1, 0, b"p"], [21, b"m" * 7, 0, b"t" * 16],
    [21, b"m" * 8, 2, b"t" * 16], [22, 9, b"x"], [22, 0, b"x" * 8193], [14, b"", b"", [], b"", [], []],
])
def test_malformed_requests_are_refused(body: object) -> None:
    with pytest.raises(WireError):
        decode_message(encode(body), Side.CLIENT)


@pytest.mark.parametrize("body", [
    [40, "NoSuchCode", "", 0], [40, 5, "", 0], [40, "Busy", "x" * 1001, 0], [30, 1, []], [30, 1, [1, 2]],
    [30, 1, [1, 2, b"s"]], [31, 1, 1, [], [1]], [38, 0, [[1, b"", b""]]], [38, 0, [[1, b"", b"", -1]]], [38, []],
    [39, []],
    [39, {"epoch": -1}], [2, b"n" * 32, b"k" * 31], [54, -1], [50, 0, 0, [], []],
])
def test_malformed_answers_are_refused(body: object) -> None:
    with pytest.raises(WireError):
        decode_message(encode(body), Side.RELAY)


def test_frames_are_bounded_both_ways() -> None:
    with pytest.raises(LimitExceeded):
        decode_message(b"\xc4" * (FRAME_MAX + 1), Side.CLIENT)
    with pytest.raises(LocalProtocolError):
        encode_message(m.ChainPart((b"r" * (64 << 10),) * 17))


def test_a_hello_of_another_version_is_recognized_whatever_follows() -> None:
    assert other_version(encode([1, 2])) == 2
    assert other_version(encode([1, 9, {"new": [b"", 1]}, "fields"])) == 9
    for frame in (encode([1, 1]), encode([2, 2]), encode([True, 2]), encode([1, "2"]), encode([]), b"\xc1", b""):
        assert other_version(frame) is None


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(Side))
def test_any_bytes_raise_only_wire_errors(frame: bytes, side: Side) -> None:
    try:
        decode_message(frame, side)
    except WireError:
        return
    # The rare bytes that do spell a message must be its one spelling.
    assert encode_message(decode_message(frame, side)) == frame


VALUES = st.recursive(
    st.integers(-2, 2**53) | st.binary(max_size=70) | st.text(max_size=5) | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=2), max_leaves=8,
)


@settings(max_examples=400, derandomize=True, deadline=None)
@given(st.sampled_from([row.number for row in codec._rows()]), st.lists(VALUES, max_size=7), st.sampled_from(Side))
def test_any_array_raises_only_wire_errors(number: int, values: list[object], side: Side) -> None:
    try:
        frame = encode([number, *values])
        assert encode_message(decode_message(frame, side)) == frame
    except WireError:
        return


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.sampled_from(ALL), st.data())
def test_any_mutation_raises_only_wire_errors(sample: tuple[m.Message, Side], data: st.DataObject) -> None:
    message, side = sample
    frame = bytearray(encode_message(message))
    frame[data.draw(st.integers(0, len(frame) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        assert encode_message(decode_message(bytes(frame), side)) == frame
    except WireError:
        return
