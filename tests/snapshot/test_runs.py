"""Runs (SPEC 11.3, 14.3): chunks are full, in order, and within the target; runs grow geometrically."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync.crypto import Secret
from e2esync.errors import E2esyncError, LimitExceeded, LocalProtocolError, NonCanonical, SnapshotInvalid
from e2esync.limits import BLOB_PART, CHUNK_TARGET, MEDIA_MAX, RUN_RATIO, RUNS_MAX, STATE_MAX
from e2esync.snapshot.blob import BlobType, blob_id, check_blob_id, open_blob
from e2esync.snapshot.manifest import RunRef
from e2esync.snapshot.runs import (
    BuiltRun,
    ChunkRef,
    build_run,
    check_chunk,
    check_counts,
    parse_chunk,
    parse_index,
    plan_runs,
    split_media,
)
from e2esync.wire import encode
from tests.epoch.builders import Book

SET = b"\5" * 32
Item = tuple[bytes, bytes]


def contacts(count: int, size: int = 0) -> list[Item]:
    """`count` contacts, ascending; states of `size` bytes, or of 100 to 699."""
    ids = sorted(hashlib.blake2b(i.to_bytes(4, "big"), digest_size=16).digest() for i in range(count))
    return [(contact, b"s" * (size or 100 + int.from_bytes(contact[:2], "big") % 600)) for contact in ids]


def build(items: list[Item]) -> BuiltRun:
    return build_run(iter(items), SET, Book().entropy)


def read(run: BuiltRun) -> Iterator[list[Item]]:
    """The run's chunks, by its reference and blobs alone, with every check that a reader makes."""
    blobs = dict(run.blobs)
    check_blob_id(run.ref.index_id, blobs[run.ref.index_id])
    index = parse_index(open_blob(BlobType.INDEX, run.ref.index_key, SET, blobs[run.ref.index_id]))
    check_counts(run.ref, index)
    last = b""
    for chunk in index:
        check_blob_id(chunk.id, blobs[chunk.id])
        items = parse_chunk(open_blob(BlobType.CHUNK, chunk.key, SET, blobs[chunk.id]))
        last = check_chunk(chunk, items, last)
        yield items


@pytest.mark.parametrize("count", [0, 1, 15, 16, 2_000])
def test_a_run_reads_back(count: int) -> None:
    items = contacts(count)
    run = build(items)
    assert [item for chunk in read(run) for item in chunk] == items
    assert run.ref.count == count
    assert all(blob_id(blob) == name for name, blob in run.blobs)


def test_absent_contacts_are_carried() -> None:
    items = [(b"\1" * 16, b""), (b"\2" * 16, b"state")]
    assert list(read(build(items))) == [items]


def test_chunks_are_full_and_within_the_target() -> None:
    run = build(contacts(2_000))
    sizes = [len(blob) for _, blob in run.blobs[:-1]]
    assert all(size <= CHUNK_TARGET for size in sizes)
    assert all(size > CHUNK_TARGET - 4096 for size in sizes[:-1])


@pytest.mark.parametrize("size", [1, 255, 256, 4_000, 65_000, 65_535, 65_536, 70_000, 130_951, 130_952])
def test_the_target_is_met_exactly_whatever_the_sizes(size: int) -> None:
    run = build(contacts(12, size))
    assert max(len(blob) for _, blob in run.blobs) <= CHUNK_TARGET
    assert [item for chunk in read(run) for item in chunk] == contacts(12, size)


def test_a_chunk_that_fills_the_target_to_the_byte_is_one() -> None:
    room = CHUNK_TARGET - 74 - 1 - 3 - 24
    assert len(build([(bytes([1]) * 16, b"s" * room)]).blobs) == 2
    small = (b"\2" * 16, b"")
    both = [(b"\1" * 16, b"s" * (room - 21)), small]
    assert [len(chunk) for chunk in read(build(both))] == [2]
    assert [len(chunk) for chunk in read(build([(b"\1" * 16, b"s" * (room - 20)), small]))] == [1, 1]


def test_an_oversize_contact_has_its_own_chunk() -> None:
    items = contacts(3, 200)
    items[1] = (items[1][0], bytes(STATE_MAX))
    assert [len(chunk) for chunk in read(build(items))] == [1, 1, 1]


@pytest.mark.parametrize("ids", [(b"\2" * 16, b"\1" * 16), (b"\1" * 16, b"\1" * 16)])
def test_contacts_come_in_order(ids: tuple[bytes, bytes]) -> None:
    with pytest.raises(LocalProtocolError, match="ascending"):
        build([(contact, b"") for contact in ids])


def test_every_blob_has_a_key_of_its_own() -> None:
    book = Book()
    book.entropy.draws.clear()
    run = build_run(contacts(600), SET, book.entropy)
    names = [name for name, _ in book.entropy.draws]
    assert names == ["blob key", "blob nonce"] * len(run.blobs)
    assert run.ref.index_key.reveal() == book.entropy.draws[-2][1]
    assert len({drawn for _, drawn in book.entropy.draws}) == len(names)


@pytest.mark.parametrize("value", [
    {}, 5, [5], [[]], [[bytes(16)]], [[bytes(15), b""]], [[bytes(16), ""]], [[bytes(16), b"", 0]],
    [[b"\2" * 16, b""], [b"\1" * 16, b""]], [[b"\1" * 16, b""], [b"\1" * 16, b""]], [["x" * 16, b""]],
])
def test_a_malformed_chunk_is_refused(value: Any) -> None:
    with pytest.raises(NonCanonical):
        parse_chunk(encode(value))


def test_a_state_above_its_limit_is_refused() -> None:
    with pytest.raises(LimitExceeded):
        parse_chunk(encode([[bytes(16), bytes(STATE_MAX + 1)]]))


@pytest.mark.parametrize("value", [
    {}, [5], [[bytes(32), bytes(32)]], [[bytes(31), bytes(32), 1]], [[bytes(32), bytes(31), 1]],
    [[bytes(32), bytes(32), 0]], [[bytes(32), bytes(32), True]],
])
def test_a_malformed_index_is_refused(value: Any) -> None:
    with pytest.raises(NonCanonical):
        parse_index(encode(value))


def test_an_index_has_at_most_8192_chunks() -> None:
    with pytest.raises(LimitExceeded):
        parse_index(encode([[bytes(32), bytes(32), 1]] * 8193))


def test_counts_and_order_across_chunks_are_checked() -> None:
    key = Secret(bytes(32))
    items = [(b"\2" * 16, b""), (b"\3" * 16, b"")]
    chunk = ChunkRef(bytes(32), key, 2)
    assert check_chunk(chunk, items, b"\1" * 16) == b"\3" * 16
    with pytest.raises(SnapshotInvalid, match="not ascending"):
        check_chunk(chunk, items, b"\2" * 16)
    with pytest.raises(SnapshotInvalid, match="1 contacts where its index says 2"):
        check_chunk(chunk, items[:1], b"")
    check_counts(RunRef(bytes(32), key, 4), [chunk, chunk])
    with pytest.raises(SnapshotInvalid, match="another number"):
        check_counts(RunRef(bytes(32), key, 3), [chunk, chunk])


def _runs(*counts: int) -> list[RunRef]:
    return [RunRef(bytes(32), Secret(bytes(32)), count) for count in counts]


@pytest.mark.parametrize(("old", "dirty", "kept"), [
    ([], 5, 0), ([1000], 5, 1), ([1000, 10], 5, 1), ([1000, 11], 5, 2), ([1000, 30, 10], 5, 1), ([1000, 31, 10], 5, 2),
    ([1000, 500], 0, 2), ([20, 500], 10, 2), ([30], 15, 0), ([31], 15, 1),
    ([2**30 >> 3 * i for i in range(8)], 1, 7), ([2**30 >> 3 * i for i in range(8)], 0, 8),
    ([2**30 >> 3 * i for i in range(9)], 0, 7),
])
def test_runs_are_merged_as_the_spec_says(old: list[int], dirty: int, kept: int) -> None:
    assert plan_runs(_runs(*old), dirty) == kept


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.lists(st.integers(1, 5_000), max_size=40))
def test_openings_keep_the_laws_of_runs(dirty_counts: list[int]) -> None:
    runs: list[RunRef] = []
    written = 0
    for dirty in dirty_counts:
        kept = plan_runs(runs, dirty)
        new = dirty + sum(run.count for run in runs[kept:])
        runs = runs[:kept] + _runs(new)
        written += new
        assert len(runs) <= RUNS_MAX
        assert all(older.count > RUN_RATIO * newer.count for older, newer in itertools.pairwise(runs))
    # Merging writes each contact again at most once per doubling.
    assert written <= sum(dirty_counts) * 20


def test_media_are_cut_into_parts() -> None:
    assert [len(part) for part in split_media(bytes(2 * BLOB_PART + 1))] == [BLOB_PART, BLOB_PART, 1]
    assert split_media(b"") == [b""]
    media = bytes(range(256)) * 4096
    assert b"".join(split_media(media)) == media
    assert len(split_media(bytes(MEDIA_MAX))) == 32
    with pytest.raises(LimitExceeded):
        split_media(bytes(MEDIA_MAX + 1))


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.integers(0, 120), st.binary(max_size=8), st.integers(0, 8))
def test_mutated_bytes_raise_only_our_errors(start: int, insert: bytes, cut: int) -> None:
    good = encode([[bytes([i]) * 16, b"state"] for i in range(5)])
    raw = good[:start] + insert + good[start + cut :]
    for parser in (parse_chunk, parse_index):
        try:
            parser(raw)
        except E2esyncError:
            continue
        assert parser is parse_chunk
