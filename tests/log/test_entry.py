"""Entries (SPEC 10.3): signed, numbered, and of no effect unless their author may write in the epoch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync.crypto import Label, SigningKey
from e2esync.crypto.hashing import blake2b
from e2esync.epoch.record import Remove, make_rekey
from e2esync.epoch.roles import Role
from e2esync.errors import AuthFailed, E2esyncError, EntryInvalid, LimitExceeded, NonCanonical
from e2esync.limits import ENTRY_BODY_MAX
from e2esync.log import entry as module
from e2esync.log.entry import Entry, check_entry, parse_entry, sign_entry
from e2esync.wire import decode, encode
from tests.epoch.builders import ALICE, BOB, Book

OPS = encode([[1, bytes(16), 1, 5, {"name": "x"}]])


@pytest.fixture(scope="module")
def book() -> Book:
    """0 root, 1 and 2 owners, 3 writer, 4 reader, 5 Bob's recovery."""
    book = Book()
    book.join(Role.WRITER)
    book.join(Role.READER)
    book.join(Role.RECOVERY, BOB)
    return book


def write(book: Book, author: int = 1, **override: Any) -> Entry:
    """A valid entry of `author`, with fields replaced."""
    fields: dict[str, Any] = {
        "author": author, "counter": 2, "prev": b"\1" * 32, "vector": {3: 4, 1: 1}, "seen_head": (3, 9, b"\2" * 32),
        "ops": OPS, "entropy": book.entropy,
    } | override
    signer = fields.pop("signer", None) or book.parties[author].signing
    return sign_entry(signer, fields.pop("set_id", book.set_id), **fields)


def test_the_layout_is_that_of_the_spec(book: Book) -> None:
    entry = write(book)
    header, salt, ops, signature = decode(entry.raw)
    assert decode(header) == [1, 2, b"\1" * 32, [[1, 1], [3, 4]], [3, 9, b"\2" * 16]]
    assert (len(salt), ops) == (16, OPS)
    ops_hash = blake2b(Label.OPERATIONS, salt + ops)
    assert signature == book.parties[1].signing.sign(Label.SIGN_ENTRY, book.set_id, header + ops_hash)
    assert entry.id == blake2b(Label.ENTRY, ops_hash + signature + header)
    assert book.entropy.draws[-1] == ("entry salt", salt)


def test_an_entry_reads_back(book: Book) -> None:
    entry = write(book)
    assert parse_entry(entry.raw) == entry
    assert (entry.author, entry.counter, entry.vector, entry.seen_head) == (1, 2, {1: 1, 3: 4}, (3, 9, b"\2" * 16))


@pytest.mark.parametrize("author", [1, 2, 3])
def test_owners_and_writers_write(book: Book, author: int) -> None:
    check_entry(write(book, author), book.chain, book.set_id)


@pytest.mark.parametrize(("author", "match"), [(0, "is a root"), (4, "is a reader"), (5, "is a recovery")])
def test_others_do_not(book: Book, author: int, match: str) -> None:
    with pytest.raises(EntryInvalid, match=match):
        check_entry(write(book, author), book.chain, book.set_id)


def test_a_stranger_or_removed_member_does_not(book: Book) -> None:
    with pytest.raises(EntryInvalid, match="author 9 is no member"):
        check_entry(write(book, 9, signer=book.parties[1].signing), book.chain, book.set_id)
    without = book.chain.extend(book.record(1, (Remove(3),)))
    with pytest.raises(EntryInvalid, match="author 3 is no member"):
        check_entry(write(book, 3), without, book.set_id)


@pytest.mark.parametrize("override", [{"signer": SigningKey(b"x" * 32)}, {"set_id": b"\1" * 32}])
def test_a_wrong_signature_is_refused(book: Book, override: dict[str, Any]) -> None:
    entry = write(book, **override)
    with pytest.raises(AuthFailed):
        check_entry(entry, book.chain, book.set_id)


def test_another_member_does_not_write_in_a_name(book: Book) -> None:
    with pytest.raises(AuthFailed):
        check_entry(write(book, 1, signer=book.parties[2].signing), book.chain, book.set_id)


def test_a_replaced_key_signs_no_more(book: Book) -> None:
    new = SigningKey(b"new".ljust(32, b"."))
    chain = book.chain.extend(book.record(1, (make_rekey(new, book.set_id, 1, ALICE, Role.OWNER),)))
    with pytest.raises(AuthFailed):
        check_entry(write(book), chain, book.set_id)
    check_entry(write(book, signer=new), chain, book.set_id)


def test_nothing_is_valid_in_an_epoch_whose_opener_is_out(book: Book) -> None:
    chain = book.chain.extend(book.record(1, (Remove(1),)))
    with pytest.raises(EntryInvalid, match="not one of its members"):
        check_entry(write(book, 2), chain, book.set_id)


def test_without_that_check_it_would_be(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = book.chain.extend(book.record(1, (Remove(1),)))
    monkeypatch.setattr(module, "check_epoch_open_to_writers", lambda *_: None)
    check_entry(write(book, 2), chain, book.set_id)


@pytest.mark.parametrize("override", [{"salt": bytes(16)}, {"ops": b"\x90"}])
def test_operations_and_salt_are_signed(book: Book, override: dict[str, bytes]) -> None:
    entry = write(book)
    parts = {"salt": entry.salt, "ops": entry.ops} | override
    altered = parse_entry(encode([entry.header, parts["salt"], parts["ops"], entry.signature]))
    assert altered.id != entry.id
    with pytest.raises(AuthFailed):
        check_entry(altered, book.chain, book.set_id)


@pytest.mark.parametrize(("counter", "prev"), [(1, b"\1" * 32), (2, bytes(32))])
def test_the_first_entry_and_no_other_follows_nothing(book: Book, counter: int, prev: bytes) -> None:
    with pytest.raises(EntryInvalid, match="first"):
        write(book, counter=counter, prev=prev)
    assert write(book, counter=1, prev=bytes(32)).counter == 1


def _rewritten(entry: Entry, index: int, value: Any) -> bytes:
    fields = decode(entry.header)
    fields[index] = value
    return encode([encode(fields), entry.salt, entry.ops, entry.signature])


@pytest.mark.parametrize(("index", "value"), [
    (0, -1), (0, 2**32), (0, True), (1, 0), (1, True), (1, 2**53 - 1 + 0.5), (2, b""), (3, [[1, 0]]),
    (3, [[2, 1], [1, 1]]), (3, {}),
    (4, []), (4, [1, 2]), (4, [1, 2, bytes(32)]), (4, [-1, 2, bytes(16)]), (4, [1, -2, bytes(16)]),
])
def test_a_header_that_does_not_fit_is_refused(book: Book, index: int, value: Any) -> None:
    with pytest.raises(NonCanonical):
        parse_entry(_rewritten(write(book), index, value))


def test_another_outer_form_is_refused(book: Book) -> None:
    entry = write(book)
    parts = [entry.header, entry.salt, entry.ops, entry.signature]
    for wrong in (parts[:3], [*parts, 0], [1, *parts[1:]], [parts[0], b"", *parts[2:]], [*parts[:2], [], parts[3]],
                  [*parts[:3], b""], [encode([]), *parts[1:]]):
        with pytest.raises(NonCanonical):
            parse_entry(encode(wrong))
    with pytest.raises(NonCanonical):
        parse_entry(entry.raw + b"\0")


def test_operations_have_a_limit(book: Book) -> None:
    assert len(write(book, ops=bytes(ENTRY_BODY_MAX)).ops) == ENTRY_BODY_MAX
    with pytest.raises(LimitExceeded):
        write(book, ops=bytes(ENTRY_BODY_MAX + 1))
    with pytest.raises(LimitExceeded):
        parse_entry(bytes((256 << 10) + 1))


def test_an_entry_does_not_show_its_operations(book: Book) -> None:
    assert "name" not in repr(write(book))


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.integers(0, 300), st.binary(max_size=8), st.integers(0, 8))
def test_mutated_bytes_raise_only_our_errors(book: Book, start: int, insert: bytes, cut: int) -> None:
    good = write(book).raw
    raw = good[:start] + insert + good[start + cut :]
    try:
        entry = parse_entry(raw)
    except E2esyncError:
        return
    assert entry == replace(entry, raw=raw)
    if raw != good:
        with pytest.raises(E2esyncError):
            check_entry(entry, book.chain, book.set_id)
