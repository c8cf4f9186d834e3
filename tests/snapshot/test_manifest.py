"""Manifests (SPEC 11.2): strict, and their horizon never falls."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync.crypto import Secret
from e2esync.errors import E2esyncError, LimitExceeded, NonCanonical, SnapshotInvalid
from e2esync.snapshot.manifest import (
    LastEntry,
    Manifest,
    RunRef,
    UnknownOp,
    check_manifest,
    encode_manifest,
    parse_manifest,
)
from e2esync.wire import decode, encode

RUN = RunRef(b"\1" * 32, Secret(b"\2" * 32), 900)
MANIFEST = Manifest(
    vector={4: LastEntry(9, b"\4" * 32), 1: LastEntry(2, b"\3" * 32)}, digest=b"\5" * 32, horizon=6,
    runs=(RUN, RunRef(b"\6" * 32, Secret(b"\7" * 32), 0)),
    unknown=(UnknownOp(1, 2, b"op"), UnknownOp(1, 2, b"another"), UnknownOp(4, 1, b"")),
)
FIELDS = decode(encode_manifest(MANIFEST))


def test_the_layout_is_that_of_the_spec() -> None:
    assert FIELDS == [
        [[1, 2, b"\3" * 32], [4, 9, b"\4" * 32]], b"\5" * 32, 6,
        [[b"\1" * 32, b"\2" * 32, 900], [b"\6" * 32, b"\7" * 32, 0]],
        [[1, 2, b"op"], [1, 2, b"another"], [4, 1, b""]],
    ]


def test_a_manifest_reads_back() -> None:
    again = parse_manifest(encode_manifest(MANIFEST))
    assert again == MANIFEST
    assert again.runs[0].index_key.reveal() == b"\2" * 32
    assert again.counters == {1: 2, 4: 9}


@pytest.mark.parametrize(("index", "value"), [
    (0, {}), (0, [5]), (0, [[1, 2]]), (0, [[1, 0, bytes(32)]]), (0, [[1, 2, bytes(31)]]), (0, [[-1, 2, bytes(32)]]),
    (0, [[2, 1, bytes(32)], [1, 1, bytes(32)]]), (0, [[1, 1, bytes(32)], [1, 2, bytes(32)]]),
    (0, [[True, 1, bytes(32)]]),
    (1, b""), (2, -1), (2, True), (3, {}), (3, [[bytes(32), bytes(32)]]), (3, [[bytes(31), bytes(32), 1]]),
    (3, [[bytes(32), b"", 1]]), (3, [[bytes(32), bytes(32), -1]]), (4, 1), (4, [[1, 1]]), (4, [[1, 0, b""]]),
    (4, [[1, 1, "op"]]), (4, [[1, 2, b""], [1, 1, b""]]), (4, [[2, 1, b""], [1, 1, b""]]),
])
def test_a_field_that_does_not_fit_is_refused(index: int, value: Any) -> None:
    fields = list(FIELDS)
    fields[index] = value
    with pytest.raises(NonCanonical):
        parse_manifest(encode(fields))


@pytest.mark.parametrize("value", [[], {}, FIELDS[:4], [*FIELDS, 0]])
def test_another_form_is_refused(value: Any) -> None:
    with pytest.raises(NonCanonical):
        parse_manifest(encode(value))


def test_at_most_eight_runs() -> None:
    line = FIELDS[3][0]
    assert len(parse_manifest(encode([*FIELDS[:3], [line] * 8, []])).runs) == 8
    with pytest.raises(LimitExceeded):
        parse_manifest(encode([*FIELDS[:3], [line] * 9, []]))


@pytest.mark.parametrize(("epoch", "previous", "good"), [(6, 6, True), (9, 0, True), (5, 0, False), (9, 7, False)])
def test_the_horizon_neither_falls_nor_names_what_is_to_come(epoch: int, previous: int, good: bool) -> None:
    if good:
        check_manifest(MANIFEST, epoch, previous)
        return
    with pytest.raises(SnapshotInvalid, match="horizon 6"):
        check_manifest(MANIFEST, epoch, previous)


def test_keys_do_not_show() -> None:
    assert "Secret" not in repr(MANIFEST)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.integers(0, 300), st.binary(max_size=8), st.integers(0, 8))
def test_mutated_bytes_raise_only_our_errors(start: int, insert: bytes, cut: int) -> None:
    good = encode_manifest(MANIFEST)
    raw = good[:start] + insert + good[start + cut :]
    try:
        manifest = parse_manifest(raw)
    except E2esyncError:
        return
    assert encode_manifest(manifest) == raw
