"""`deleting` (SPEC 13.14): the relay's rules on deletions as functions; the store's tests run them in transactions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from e2esync.crypto import SigningKey
from e2esync.epoch.deletion import Act
from e2esync.epoch.record import ChangeRole, Remove
from e2esync.epoch.roles import Role
from e2esync.limits import DELETION_CLOCK, DELETION_DELAY
from e2esync.session import deleting, rules
from e2esync.session.kinds import Refusal
from e2esync.session.rules import SetView
from tests.session.test_rules import declined
from tests.session.world import NOW, Book

RELAY = SigningKey(b"r" * 32).verify_key
BOOK = Book(RELAY)
VIEW = SetView(BOOK.set_id, BOOK.chain, 0, BOOK.chain.head.hash, 0, BOOK.chain.head.hash, 1000)
DUE = NOW + DELETION_DELAY
PENDING = replace(VIEW, deletion=BOOK.word(1).raw, due=DUE)


def refused(code: Refusal, view: SetView, member: int, word: Any, relay: bytes = RELAY, now: int = NOW) -> None:
    declined(code, deleting.check_word, view, member, word, relay, now)


def test_a_word_as_it_should_be() -> None:
    deleting.check_word(VIEW, 1, BOOK.word(1), RELAY, NOW)
    deleting.check_word(VIEW, 0, BOOK.word(0), RELAY, NOW)
    deleting.check_word(PENDING, 2, BOOK.word(2, Act.KEEP, 2), RELAY, NOW)
    deleting.check_word(PENDING, 0, BOOK.word(0, Act.DELETE, 2), RELAY, NOW)


def test_whoever_brings_it_says_it() -> None:
    refused(Refusal.BAD_DELETION, VIEW, 2, BOOK.word(1))
    writer = BOOK.chain.extend(BOOK.open(1, (ChangeRole(2, Role.WRITER),), manifest=bytes(32))[1])
    view = replace(VIEW, chain=writer, epoch=1, record_hash=writer.head.hash)
    word = BOOK.word(2, epoch=1, record_hash=writer.head.hash)
    refused(Refusal.NOT_ALLOWED, view, 2, word)


@pytest.mark.parametrize(("code", "word"), [
    (Refusal.EPOCH_CLOSED, BOOK.word(1, epoch=1)),
    (Refusal.BAD_DELETION, BOOK.word(1, record_hash=bytes(32))),
    (Refusal.BAD_DELETION, BOOK.word(1, relay=bytes(32))),
    (Refusal.BAD_DELETION, BOOK.word(1, signer=BOOK.signing[2])),
    (Refusal.BAD_DELETION, BOOK.word(1, time=NOW - DELETION_CLOCK - 1)),
    (Refusal.BAD_DELETION, BOOK.word(1, time=NOW + DELETION_CLOCK + 1)),
])
def test_place_signature_and_clock(code: Refusal, word: Any) -> None:
    refused(code, VIEW, 1, word)


def test_a_clock_may_be_a_day_off() -> None:
    for time in (NOW - DELETION_CLOCK, NOW + DELETION_CLOCK):
        deleting.check_word(VIEW, 1, BOOK.word(1, time=time), RELAY, NOW)


def test_words_count_up() -> None:
    refused(Refusal.BAD_DELETION, PENDING, 0, BOOK.word(0))
    # A relay that was restored has forgotten some: a gap is nothing to refuse.
    deleting.check_word(PENDING, 0, BOOK.word(0, Act.DELETE, 9), RELAY, NOW)


def test_what_waits_is_cancelled_and_not_asked_for_twice() -> None:
    refused(Refusal.NOT_ALLOWED, VIEW, 1, BOOK.word(1, Act.KEEP))
    refused(Refusal.NOT_ALLOWED, PENDING, 2, BOOK.word(2, Act.DELETE, 2))
    kept = replace(PENDING, due=0)
    deleting.check_word(kept, 2, BOOK.word(2, Act.DELETE, 2), RELAY, NOW)


def test_when_the_set_goes() -> None:
    assert deleting.due_of(VIEW, BOOK.word(1), NOW) == DUE
    assert deleting.due_of(VIEW, BOOK.word(0), NOW) == NOW
    assert deleting.due_of(PENDING, BOOK.word(2, Act.KEEP, 2), NOW) == 0


@pytest.mark.parametrize(("changes", "due"), [
    ((), DUE), ((Remove(2),), DUE), ((Remove(1),), 0), ((ChangeRole(1, Role.WRITER),), 0),
])
def test_the_word_of_who_governs_no_more_is_void(changes: Any, due: int) -> None:
    chain = BOOK.chain.extend(BOOK.open(2 if changes != (Remove(2),) else 1, changes, manifest=bytes(32))[1])
    assert deleting.due_after(PENDING, chain) == due
    assert deleting.due_after(VIEW, chain) == 0


def test_the_day_of_a_tombstone_is_no_member_s() -> None:
    chain = BOOK.chain.extend(BOOK.open(2, (Remove(1),), manifest=bytes(32))[1])
    assert deleting.due_after(replace(PENDING, gone=True), chain) == DUE


def test_a_word_goes_with_its_record() -> None:
    assert deleting.due_without(PENDING, 0) == 0
    assert deleting.due_without(PENDING, 1) == DUE
    assert deleting.due_without(VIEW, 1) == 0


def test_what_is_gone_takes_nothing_more() -> None:
    gone = replace(VIEW, gone=True)
    rules.check_not_gone(VIEW)
    declined(Refusal.NOT_ALLOWED, rules.check_not_gone, gone)
    declined(Refusal.NOT_ALLOWED, rules.check_member, gone, 1)


@pytest.mark.parametrize("raw", [b"", b"\x92", BOOK.word(1).raw + b"\0", bytes(257)])
def test_what_is_no_word(raw: bytes) -> None:
    rule: Callable[..., Any] = deleting.read_word
    declined(Refusal.BAD_DELETION, rule, raw)
