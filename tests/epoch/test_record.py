"""Records: what parses, and what a parser must refuse before anybody asks the chain."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync.crypto import Label, SigningKey
from e2esync.crypto.hashing import blake2b
from e2esync.epoch.record import (
    Add,
    ChangeRole,
    Flag,
    Rekey,
    Remove,
    change_value,
    make_add,
    make_rekey,
    parse_record,
    possession_message,
    set_id_of,
    sign_record,
)
from e2esync.epoch.roles import Role
from e2esync.errors import ChainInvalid, E2esyncError, LimitExceeded, NonCanonical
from e2esync.limits import RECORD_MAX
from e2esync.wire import decode, encode
from tests.epoch.builders import ALICE, NOW

KEY = SigningKey(b"record".ljust(32, b"."))
SET = b"\5" * 32
ADD = make_add(KEY, SET, ALICE, Role.WRITER, b"\3" * 1216)
REKEY = make_rekey(KEY, SET, 1, ALICE, Role.WRITER)
RECORD = sign_record(
    KEY, SET, epoch=7, prev=b"\1" * 32, relay=b"\2" * 32, closes_seq=9, closes_hash=b"\3" * 32, time=NOW, opener=1,
    changes=(ADD, Remove(2), REKEY, ChangeRole(4, Role.READER)), numbers={4: 2, 1: 1},
    flags=Flag.FORGET | Flag.NEWER_VERSION, commit=b"\4" * 32, boxes=b"\5" * 32, manifest=b"\6" * 32,
)
FIELDS = decode(RECORD.body)
NAMES = [
    "suite", "epoch", "prev", "relay", "closes_seq", "closes_hash", "time", "opener", "changes", "numbers", "flags",
    "commit", "boxes", "manifest",
]


def _with(field: str, value: Any) -> bytes:
    fields = list(FIELDS)
    fields[NAMES.index(field)] = value
    return encode([encode(fields), RECORD.signature])


def test_a_record_reads_back_as_it_was_signed() -> None:
    again = parse_record(RECORD.raw)
    assert again == RECORD
    assert (again.epoch, again.closes_seq, again.opener, again.numbers) == (7, 9, 1, {1: 1, 4: 2})
    assert again.changes == (ADD, Remove(2), REKEY, ChangeRole(4, Role.READER))
    assert again.forgets
    assert again.removes == {2}
    assert again.hash == blake2b(Label.RECORD, RECORD.raw)


def test_the_layout_is_that_of_the_spec() -> None:
    body, signature = decode(RECORD.raw)
    assert signature == KEY.sign(Label.SIGN_RECORD, SET, body)
    assert FIELDS[:8] == [1, 7, b"\1" * 32, b"\2" * 32, 9, b"\3" * 32, NOW, 1]
    assert FIELDS[8] == [
        [1, ALICE, 2, KEY.verify_key, b"\3" * 1216, ADD.possession], [2, 2], [3, 1, KEY.verify_key, REKEY.possession],
        [4, 4, 1],
    ]
    assert FIELDS[9:] == [[[1, 1], [4, 2]], 3, b"\4" * 32, b"\5" * 32, b"\6" * 32]


def test_set_id_and_possession_are_those_of_the_spec() -> None:
    assert set_id_of(KEY.verify_key) == blake2b(Label.SET_ID, b"\1" + KEY.verify_key)
    message = possession_message(ALICE, Role.WRITER, KEY.verify_key, b"\3" * 1216)
    assert decode(message) == [ALICE, 2, KEY.verify_key, b"\3" * 1216]
    assert ADD.possession == KEY.sign(Label.SIGN_POSSESSION, SET, message)
    assert REKEY.possession == KEY.sign(
        Label.SIGN_POSSESSION, SET, possession_message(ALICE, Role.WRITER, KEY.verify_key, b""),
    )


DEFECTS: list[tuple[str, Any]] = [
    ("suite", True), ("suite", "1"), ("epoch", -1), ("epoch", True), ("epoch", b""), ("prev", b"\1" * 31),
    ("prev", "1" * 32), ("relay", b"\1" * 31), ("relay", 0), ("closes_seq", -1), ("closes_hash", b""), ("time", -1),
    ("time", "now"), ("opener", 2**32), ("opener", False), ("changes", {}), ("changes", [5]), ("changes", [[]]),
    ("changes", [[5, 1]]), ("changes", [[True, 1]]), ("changes", [[2]]), ("changes", [[2, 1, 1]]),
    ("changes", [[2, -1]]),
    ("changes", [[4, 1, 0]]), ("changes", [[4, 1, 6]]), ("changes", [[4, 1, True]]), ("changes", [[3, 1, b"", b""]]),
    ("numbers", [[1, 0]]), ("numbers", [[2, 1], [1, 1]]), ("numbers", [[1, 1], [1, 1]]), ("numbers", 1), ("flags", 8),
    ("flags", -1), ("flags", True), ("commit", b"\1" * 33), ("boxes", b""), ("manifest", b""),
] + [
    ("changes", [[*change_value(ADD)[:index], value, *change_value(ADD)[index + 1:]]])
    for index, value in [(1, b""), (2, 0), (2, 6), (3, b"\1" * 31), (4, b"\1" * 1215), (5, b"\1" * 63)]
]


@pytest.mark.parametrize(("field", "value"), DEFECTS)
def test_a_field_that_does_not_fit_is_refused(field: str, value: Any) -> None:
    with pytest.raises(NonCanonical):
        parse_record(_with(field, value))


@pytest.mark.parametrize("suite", [0, 2, 255])
def test_another_suite_is_refused_even_if_it_spells_its_body_otherwise(suite: int) -> None:
    with pytest.raises(ChainInvalid, match=f"suite {suite}"):
        parse_record(_with("suite", suite))
    with pytest.raises(ChainInvalid, match=f"suite {suite}"):
        parse_record(encode([encode([suite, "another body"]), bytes(64)]))


@pytest.mark.parametrize("raw", [
    encode([]), encode([RECORD.body]), encode([RECORD.body, RECORD.signature, 0]), encode(RECORD.body),
    encode([RECORD.body, RECORD.signature[:-1]]), encode(["", RECORD.signature]), encode([1, RECORD.signature]),
    encode([encode({}), RECORD.signature]), encode([encode([]), RECORD.signature]),
    encode([encode(FIELDS[:-1]), RECORD.signature]), encode([encode([*FIELDS, 0]), RECORD.signature]),
    encode([RECORD.body + b"\0", RECORD.signature]), RECORD.raw + b"\0", RECORD.raw[:-1],
])
def test_another_outer_form_is_refused(raw: bytes) -> None:
    with pytest.raises(NonCanonical):
        parse_record(raw)


def test_limits_of_a_record() -> None:
    with pytest.raises(LimitExceeded):
        parse_record(bytes(RECORD_MAX + 1))
    with pytest.raises(LimitExceeded):
        parse_record(_with("changes", [[2, 1]] * 17))
    with pytest.raises(LimitExceeded):
        parse_record(_with("numbers", [[index, 1] for index in range(65)]))
    assert len(parse_record(_with("changes", [[2, 1]] * 16)).changes) == 16


def test_a_record_of_16_adds_is_within_the_limit() -> None:
    record = sign_record(
        KEY, SET, epoch=1, time=NOW, opener=0, changes=(ADD,) * 16, numbers=dict.fromkeys(range(64), 2 ** 53 - 1),
        commit=bytes(32), boxes=bytes(32),
    )
    assert len(record.raw) < RECORD_MAX


def test_nothing_is_signed_that_would_not_be_read() -> None:
    with pytest.raises(NonCanonical):
        sign_record(KEY, SET, epoch=-1, time=NOW, opener=0, numbers={}, commit=bytes(32), boxes=bytes(32))


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_only_our_errors(raw: bytes) -> None:
    with pytest.raises(E2esyncError):
        parse_record(raw)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.integers(0, len(RECORD.raw) - 1), st.binary(max_size=8), st.integers(0, 8))
def test_mutated_bytes_raise_only_our_errors(start: int, insert: bytes, cut: int) -> None:
    raw = RECORD.raw[:start] + insert + RECORD.raw[start + cut :]
    try:
        record = parse_record(raw)
    except E2esyncError:
        return
    assert record.raw == raw


def test_no_key_bytes_show() -> None:
    shown = repr(RECORD)
    assert ADD.seal_key.hex()[:16] not in shown
    assert isinstance(RECORD.changes[0], Add)
    assert isinstance(RECORD.changes[2], Rekey)
    assert repr(b"\3" * 20)[2:-1] not in repr(ADD)
