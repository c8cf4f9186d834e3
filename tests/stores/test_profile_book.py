"""stores.book and stores.state: the store that a replica stands on, method by method."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import suppress

import pytest

from e2esync.contactset.digest import contact_hash
from e2esync.crypto.secret import Secret
from e2esync.replica.port import (
    DIRTY,
    ContactRow,
    OutboxRow,
    PendingRow,
    ReplicaStore,
    RunRow,
    SlotRow,
)
from e2esync.stores import state
from e2esync.stores.book import BookStore
from e2esync.stores.profile import ProfileStore


@pytest.fixture
def book() -> Iterator[BookStore]:
    """A book with a neighbour that has the same rows, which nothing here may touch."""
    with ProfileStore.memory() as store:
        fill(store.book(1))
        before = contents(store.book(1))
        yield store.book(0)
        assert contents(store.book(1)) == before


def cid(first: int, rest: int = 0) -> bytes:
    return bytes([first]) + rest.to_bytes(15, "big")


def row(first: int, *, run: int = 1, unsettled: bool = False, rest: int = 0, state: bytes = b"state") -> ContactRow:
    contact = cid(first, rest)
    return ContactRow(contact, state, contact_hash(contact, state) if state else b"", run, unsettled)


def fill(book: BookStore) -> None:
    """A row of every kind."""
    book.put("name", b"value")
    book.keep_secret("epoch", 1, Secret(b"secret"))
    book.add_record(0, b"record")
    book.put_contacts([row(1), row(2, run=DIRTY), row(3, unsettled=True), row(4, state=b"")])
    book.put_bucket(1, b"digest")
    book.put_vector(1, 2, b"id")
    book.put_parked([(1, 2, b"entry")])
    book.add_envelopes(1, [(b"envelope", b"hash")])
    book.add_pending(b"op", cid(1), b"context")
    book.add_outbox(OutboxRow(1, b"entry", b"", 0), [cid(1)])
    book.add_upload(b"blob id", b"blob", 1)
    book.put_overlay([(cid(1), b"laid over")])
    book.put_runs([RunRow(1, b"index", b"key", 2)])
    book.put_slot(SlotRow(1, b"announcement", b"heartbeat", 5))
    book.put_media("digest", b"content")
    book.add_changes(book.begin_step("edit", 1, 5), [(cid(1), b"before")])


def contents(book: BookStore) -> list[object]:
    secret = book.secret("epoch", 1)
    return [
        book.get("name"), secret and secret.reveal(), book.records(), list(book.contacts()), book.buckets().get(1),
        book.vector(), book.parked(), book.envelope(1), book.pending(), book.outbox(), book.outbox_of(cid(1)),
        book.uploads(1), book.upload(b"blob id"), book.overlay(cid(1)), book.runs(),
        book.slots(), book.media("digest"), [*book.history.all_changes()],
    ]


def test_it_is_a_replica_store(book: BookStore) -> None:
    store: ReplicaStore = book
    methods = [name for name, value in vars(ReplicaStore).items() if inspect.isfunction(value) and name[0] != "_"]
    assert len(methods) > 50
    for name in methods:
        if name != "transaction":
            wanted = list(inspect.signature(getattr(ReplicaStore, name)).parameters)[1:]
            assert list(inspect.signature(getattr(store, name)).parameters) == wanted, name


def test_named_values(book: BookStore) -> None:
    assert book.get("a") is None
    book.put("a", b"1")
    book.put("a", b"")
    assert book.get("a") == b""
    book.drop("a")
    book.drop("a")
    assert book.get("a") is None


def test_secrets_by_kind_and_number(book: BookStore) -> None:
    for number in (3, 1, 2):
        book.keep_secret("sealing", number, Secret(bytes([number])))
    book.keep_secret("epoch", 1, Secret(b"e"))
    book.keep_secret("sealing", 3, Secret(b"new"))
    assert book.secret_numbers("sealing") == [1, 2, 3]
    book.erase_secrets("sealing", 3)
    assert book.secret_numbers("sealing") == [3]
    assert book.secret("sealing", 2) is None
    kept, other = book.secret("sealing", 3), book.secret("epoch", 1)
    assert kept is not None
    assert other is not None
    assert (kept.reveal(), other.reveal()) == (b"new", b"e")


def test_records_come_in_the_order_of_their_epochs(book: BookStore) -> None:
    assert book.records() == []
    for epoch in (2, 0, 1):
        book.add_record(epoch, b"record %d" % epoch)
    assert book.records() == [b"record 0", b"record 1", b"record 2"]


def test_contacts_are_put_replaced_and_deleted(book: BookStore) -> None:
    first, second = row(1), row(2, run=DIRTY, unsettled=True)
    book.put_contacts(iter([second, first]))
    assert book.contact(first.contact) == first
    assert list(book.contacts()) == [first, second]
    newer = row(1, run=3, state=b"newer")
    book.put_contacts([newer])
    assert book.contact(first.contact) == newer
    book.delete_contacts(iter([second.contact, cid(200)]))
    assert list(book.contacts()) == [newer]
    book.put_bucket(1, b"digest")
    book.delete_all_contacts()
    assert book.contact(newer.contact) is None
    assert 1 not in book.buckets()


def test_contacts_of_a_run_with_absent_ones(book: BookStore) -> None:
    dirty, absent, other = row(5, run=DIRTY), row(4, run=2, state=b""), row(3, run=2)
    book.put_contacts([dirty, absent, other, row(6, run=1)])
    assert list(book.contacts(run=2)) == [other, absent]
    assert list(book.contacts(run=DIRTY)) == [dirty]
    assert book.count_dirty() == 1
    book.drop_absent(1)
    assert book.contact(absent.contact) == absent
    book.drop_absent(2)
    assert list(book.contacts(run=2)) == [other]


def test_runs_are_renumbered_the_dirty_ones_too(book: BookStore) -> None:
    book.put_contacts(row(run + 10, run=run) for run in range(5))
    book.renumber_runs(iter([DIRTY, 2, 4]), 2)
    assert [each.run for each in book.contacts()] == [2, 1, 2, 3, 2]
    assert book.count_dirty() == 0
    book.renumber_runs([3], DIRTY)
    assert [each.contact for each in book.contacts(run=DIRTY)] == [cid(13)]
    book.renumber_runs([], 9)
    assert [each.run for each in book.contacts()] == [2, 1, 2, 0, 2]


def test_contacts_stream_over_pages_while_others_are_written(
    book: BookStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "_PAGE", 7)
    monkeypatch.setattr(state, "BATCH", 10)
    rows = [row(number % 256, rest=number) for number in range(100)]
    book.put_contacts(rows)
    seen = []
    for each in book.contacts():
        seen.append(each)
        book.put_contacts([row(each.contact[0], rest=int.from_bytes(each.contact[1:], "big"), state=b"newer")])
    assert seen == sorted(rows, key=lambda each: each.contact)
    assert {each.state for each in book.contacts()} == {b"newer"}


def test_unsettled_contacts(book: BookStore) -> None:
    book.put_contacts([row(2, unsettled=True), row(1, unsettled=True), row(3)])
    assert [each.contact for each in book.unsettled()] == [cid(1), cid(2)]
    book.put_contacts([row(1)])
    assert [each.contact for each in book.unsettled()] == [cid(2)]


def test_bucket_hashes_are_those_of_one_first_byte_without_absent_ones(book: BookStore) -> None:
    rows = [row(255, rest=2**120 - 1), row(255, rest=0), row(255, rest=1, state=b""), row(254), row(0)]
    book.put_contacts(rows)
    assert book.bucket_hashes(255) == [(rows[1].contact, rows[1].hash), (rows[0].contact, rows[0].hash)]
    assert book.bucket_hashes(0) == [(rows[4].contact, rows[4].hash)]
    assert book.bucket_hashes(1) == []


def test_a_bucket_loses_its_digest_with_any_change_in_it_and_no_other_does(book: BookStore) -> None:
    def digests() -> list[int]:
        return sorted(number for number in book.buckets() if number < 6)

    book.put_contacts(row(number) for number in range(6))
    for number in range(6):
        book.put_bucket(number, b"digest %d" % number)
    assert book.buckets()[3] == b"digest 3"
    book.put_contacts([row(1, state=b"newer"), row(2, rest=7)])
    assert digests() == [0, 3, 4, 5]
    book.delete_contacts([cid(4)])
    assert digests() == [0, 3, 5]
    book.renumber_runs([1], 2)
    assert digests() == [0, 3, 5], "the run is no part of a digest"


def test_vector(book: BookStore) -> None:
    book.put_vector(2, 1, b"a")
    book.put_vector(1, 5, b"b")
    book.put_vector(2, 2, b"c")
    assert book.vector() == {1: (5, b"b"), 2: (2, b"c")}
    book.replace_vector({7: (1, b"d")})
    assert book.vector() == {7: (1, b"d")}


def test_parked_entries_are_replaced_as_a_whole(book: BookStore) -> None:
    book.put_parked([(2, 9, b"b"), (1, 3, b"a")])
    assert book.parked() == [(1, 3, b"a"), (2, 9, b"b")]
    book.put_parked([(2, 9, b"b")])
    assert book.parked() == [(2, 9, b"b")]
    book.put_parked([])
    assert book.parked() == []


def test_envelopes(book: BookStore) -> None:
    book.add_envelopes(5, iter([(b"five", b"h5"), (b"six", b"h6")]))
    assert (book.log_hash(5), book.log_hash(6), book.log_hash(7)) == (b"h5", b"h6", None)
    assert (book.envelope(4), book.envelope(5), book.envelope(6), book.envelope(7)) == (None, b"five", b"six", None)
    book.clear_envelopes()
    assert book.envelope(5) is None


def test_pending_writes(book: BookStore) -> None:
    first = book.add_pending(b"op 1", cid(1), b"context")
    second = book.add_pending(b"op 2", cid(2), b"context")
    third = book.add_pending(b"op 3", cid(1), b"other")
    assert first < second < third
    assert book.pending_of(cid(1)) == [
        PendingRow(first, b"op 1", cid(1), b"context"), PendingRow(third, b"op 3", cid(1), b"other"),
    ]
    book.delete_pending(second)
    assert [each.number for each in book.pending()] == [third]
    book.delete_pending(third)
    assert book.add_pending(b"op", cid(1), b"") > third, "a number is never used again"


def test_outbox_with_its_contacts_and_blobs(book: BookStore) -> None:
    rows = [OutboxRow(counter, b"entry %d" % counter, b"", 0) for counter in (1, 2, 3)]
    for each in reversed(rows):
        book.add_outbox(each, iter([cid(1), cid(each.counter)]))
        book.add_upload(b"blob %d" % each.counter, b"bytes", each.counter)
    book.add_upload(b"opening", b"bytes", 0)
    assert book.outbox() == rows
    assert book.outbox_of(cid(1)) == rows
    assert book.outbox_of(cid(3)) == [rows[2]]
    assert book.outbox_contacts(3) == [cid(1), cid(3)]
    sent = OutboxRow(3, b"entry 3", b"envelope", 17)
    book.update_outbox(sent)
    book.delete_outbox(2)
    assert book.outbox() == [sent]
    assert book.outbox_of(cid(1)) == [sent]
    assert book.outbox_contacts(2) == []
    assert [book.upload(name) for name in (b"blob 2", b"blob 3", b"opening")] == [None, b"bytes", b"bytes"]


def test_uploads_keep_their_order(book: BookStore) -> None:
    for name in (b"z", b"a", b"m"):
        book.add_upload(name, name * 3, 4)
    assert book.uploads(4) == [b"z", b"a", b"m"]
    assert book.upload(b"a") == b"aaa"
    book.delete_uploads(4)
    assert book.uploads(4) == []
    assert book.upload(b"a") is None


def test_overlay(book: BookStore) -> None:
    book.put_overlay(iter([(cid(2), b"two"), (cid(1), b"one")]))
    book.put_overlay([(cid(2), b"newer")])
    assert book.overlaid() == [cid(1), cid(2)]
    assert book.overlay(cid(2)) == b"newer"
    book.delete_overlay(iter([cid(2), cid(3)]))
    assert book.overlay(cid(2)) is None
    assert book.overlaid() == [cid(1)]


def test_clearing_the_overlay_names_the_contacts_that_look_different_now(book: BookStore) -> None:
    book.put_contacts([row(1), row(2)])
    book.put_overlay([(cid(1), b"state"), (cid(2), b"other"), (cid(3), b"new")])
    assert book.clear_overlay() == {cid(2): b"other", cid(3): b"new"}
    assert book.overlaid() == []


def test_runs_keep_the_order_given(book: BookStore) -> None:
    runs = [RunRow(7, b"i" * 32, b"k" * 32, 100), RunRow(2, b"j" * 32, b"l" * 32, 5)]
    book.put_runs(runs)
    assert book.runs() == runs
    book.put_runs(runs[1:])
    assert book.runs() == runs[1:]


def test_a_replay_is_a_transaction_too(book: BookStore) -> None:
    def broken() -> None:
        with book.replay():
            book.put("name", b"value")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    assert book.get("name") is None
    with book.replay(), book.transaction():
        book.put("name", b"value")
    assert book.get("name") == b"value"


def test_only_a_replay_does_not_wait_for_the_disk(book: BookStore) -> None:
    def waits() -> object:
        return book._db.one("PRAGMA synchronous")

    with book.replay():
        assert waits() == (1,)
        with book.transaction():
            assert waits() == (1,)
    assert waits() == (2,)
    with book.transaction(), book.replay():
        assert waits() == (2,)
    assert waits() == (2,)


def test_slots(book: BookStore) -> None:
    book.put_slot(SlotRow(2, b"a", b"", 0))
    book.put_slot(SlotRow(1, b"b", b"c", 9))
    book.put_slot(SlotRow(2, b"d", b"e", 8))
    assert book.slots() == [SlotRow(1, b"b", b"c", 9), SlotRow(2, b"d", b"e", 8)]


def test_media(book: BookStore) -> None:
    book.put_media("b", b"jpeg")
    book.put_media("a", b"png")
    assert book.media_digests() == ["a", "b"]
    book.delete_media(["a"])
    assert (book.media("a"), book.media("b")) == (None, b"jpeg")


def test_a_transaction_of_a_book_undoes_everything(book: BookStore) -> None:
    empty = contents(book)
    with suppress(KeyError), book.transaction():
        fill(book)
        raise KeyError
    assert contents(book) == empty
    fill(book)
    assert contents(book) != empty
