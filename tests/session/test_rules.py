"""The relay's rules as functions (SPEC 13.4, 13.5, 13.7, 10.6); the store's tests run them inside transactions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync.crypto import SigningKey
from e2esync.epoch.record import Remove
from e2esync.errors import Refused
from e2esync.limits import (
    FRAME_MAX,
    HOLD_ROOT,
    MAILBOX_MESSAGES_MAX,
    MAILBOX_TTL,
    MEMBERS_MAX,
    OPENINGS_BURST,
    OPENINGS_INTERVAL,
)
from e2esync.session import messages as m
from e2esync.session import rules
from e2esync.session.codec import encode_message
from e2esync.session.holds import Holds
from e2esync.session.kinds import Refusal
from e2esync.session.rules import Declined, SetView
from tests.session.world import Book, blob_of

BOOK = Book(SigningKey(b"r" * 32).verify_key)
HEAD = BOOK.chain.head.hash
VIEW = SetView(BOOK.set_id, BOOK.chain, 0, HEAD, 0, HEAD, 1000)
BOX = m.UseMailbox(b"mailbox.", 0, b"t" * 16)


def declined(expected: Refusal, rule: Callable[..., Any], *arguments: Any) -> Declined:
    with pytest.raises(Declined) as caught:
        rule(*arguments)
    assert caught.value.refusal is expected
    assert caught.value.answer().code is expected
    return caught.value


def test_declined_is_one_of_our_errors_and_its_answer_fits() -> None:
    error = Declined(Refusal.BUSY, "x" * 5000, 7)
    assert isinstance(error, Refused)
    assert error.reason == "Busy"
    assert encode_message(error.answer())


def test_strangers_and_the_removed_are_told_the_same() -> None:
    assert rules.check_member(VIEW, 1) is VIEW
    first = declined(Refusal.NOT_MEMBER, rules.check_member, None, 1)
    assert declined(Refusal.NOT_MEMBER, rules.check_member, VIEW, 9).message == first.message


def test_append_rules_in_the_order_of_the_spec() -> None:
    good = BOOK.envelope()
    rules.check_append(VIEW, 1, 0)
    assert declined(Refusal.EPOCH_CLOSED, rules.check_append, replace(VIEW, epoch=5), 0, 4).data == 5
    declined(Refusal.NOT_ALLOWED, rules.check_append, VIEW, 0, 0)
    declined(Refusal.NOT_ALLOWED, rules.check_append, replace(VIEW, leaving=frozenset({1})), 1, 0)
    rules.check_envelope(0, good)
    declined(Refusal.BAD_ENVELOPE, rules.check_envelope, 0, good + b"x")
    declined(Refusal.BAD_ENVELOPE, rules.check_envelope, 1, good)
    declined(Refusal.BLOB_MISSING, rules.check_blobs_complete, [b"i" * 32])
    rules.check_blobs_complete([])


@pytest.mark.parametrize(("added", "fits"), [(0, True), (24, True), (25, False)])
def test_the_quota_counts_to_the_byte(added: int, fits: bool) -> None:
    if fits:
        rules.check_quota(VIEW, added, 1024)
    else:
        declined(Refusal.QUOTA_EXCEEDED, rules.check_quota, VIEW, added, 1024)


def test_an_opening_is_by_its_sender_and_follows_the_open_epoch() -> None:
    _, record = BOOK.open(1, manifest=b"m" * 32)
    assert rules.check_opening(VIEW, 1, record).epoch == 1
    declined(Refusal.NOT_ALLOWED, rules.check_opening, VIEW, 2, record)
    assert declined(Refusal.EPOCH_CLOSED, rules.check_opening, replace(VIEW, epoch=1), 1, record).data == 1
    _, forged = BOOK.open(1, manifest=b"m" * 32, signer=BOOK.signing[2])
    declined(Refusal.BAD_RECORD, rules.check_opening, VIEW, 1, forged)


def test_a_position_closes_only_as_named_and_cuts_only_the_removed() -> None:
    _, plain = BOOK.open(1, manifest=b"m" * 32)
    _, cut = BOOK.open(1, (Remove(2),), manifest=b"m" * 32)
    after_plain, after_cut = BOOK.chain.extend(plain), BOOK.chain.extend(cut)
    rules.check_close(after_plain, plain, HEAD, [])
    rules.check_close(after_cut, cut, HEAD, [2, 2])
    for after, record, there, later in (
        (after_plain, plain, None, []), (after_plain, plain, b"?" * 32, []), (after_plain, plain, HEAD, [2]),
        (after_cut, cut, HEAD, [2, 1]),
    ):
        declined(Refusal.HEAD_MOVED, rules.check_close, after, record, there, later)


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.lists(st.integers(0, 3 * OPENINGS_INTERVAL), min_size=1, max_size=40))
def test_openings_keep_to_their_rate(pauses: list[int]) -> None:
    """Whatever the pauses: in no stretch of time are there more than the burst and one for each interval of it."""
    due, now, accepted = 0, 0, []
    for pause in pauses:
        now += pause
        try:
            due = rules.check_rate(due, now)
        except Declined as error:
            # The wait that it names is exact.
            rules.check_rate(due, now + error.data)
            if error.data > 1:
                declined(Refusal.TOO_OFTEN, rules.check_rate, due, now + error.data - 1)
        else:
            accepted.append(now)
    for first in range(len(accepted)):
        for last in range(first, len(accepted)):
            stretch = accepted[last] - accepted[first]
            assert last - first + 1 <= OPENINGS_BURST + stretch // OPENINGS_INTERVAL


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_removals_never_wait_and_count_all_the_same(openings: list[bool]) -> None:
    """However they are mixed, what is no removal gets no further than the rate lets all of them."""
    due, now, count = 0, 1_000_000_000, 0
    for removal in openings:
        if removal or count < OPENINGS_BURST:
            due = rules.check_rate(due, now, removal)
            count += 1
        else:
            refused = declined(Refusal.TOO_OFTEN, rules.check_rate, due, now, removal)
            assert refused.data == (count - OPENINGS_BURST + 1) * OPENINGS_INTERVAL
    assert due == now + count * OPENINGS_INTERVAL


def test_the_slots_of_all_members_fit_one_answer() -> None:
    half = rules.SLOT_SHARE // 2
    slot = (b"a" * half, b"h" * (rules.SLOT_SHARE - half))
    rules.check_slot_size(*slot)
    declined(Refusal.BAD_SLOT, rules.check_slot_size, slot[0] + b"x", slot[1])
    slots = tuple(m.Slot(2**32 - 1, *slot, 2**53 - 1) for _ in range(MEMBERS_MAX))
    assert len(encode_message(m.SlotList(2**53 - 1, slots))) <= FRAME_MAX


def test_heartbeats() -> None:
    rules.check_heartbeat(VIEW, BOOK.heartbeat())
    declined(Refusal.EPOCH_CLOSED, rules.check_heartbeat, VIEW, BOOK.heartbeat(epoch=3))
    declined(Refusal.BAD_SLOT, rules.check_heartbeat, VIEW, bytes(8))


def test_an_announcement_is_the_members_own() -> None:
    mine = BOOK.announcement(1)
    rules.check_announced(BOOK.chain, 1, mine, b"")
    rules.check_announced(BOOK.chain, 1, mine, mine)
    declined(Refusal.BAD_SLOT, rules.check_announced, BOOK.chain, 2, mine, b"")
    declined(Refusal.BAD_SLOT, rules.check_announced, BOOK.chain, 1, b"\xc1", b"")


def test_blobs_and_their_parts() -> None:
    name, data = blob_of(b"content")
    rules.check_blob(name, [data[:3], data[3:]])
    declined(Refusal.BAD_BLOB, rules.check_blob, name, [data[3:], data[:3]])
    rules.check_part(10, None, 0, b"x" * 10)
    rules.check_part(10, 10, 9, b"x")
    for size, known, offset, part in (
        (10, 11, 0, b"x"), (10, None, 10, b"x"), (10, None, 0, b""), (2**20 + 1, None, 0, b"x"),
    ):
        declined(Refusal.BAD_BLOB, rules.check_part, size, known, offset, part)


def test_mail_alternates_and_ends() -> None:
    rules.check_side(BOX, None)
    rules.check_side(BOX, BOX.token)
    declined(Refusal.MAILBOX_TAKEN, rules.check_side, BOX, b"x" * 16)
    for n in range(MAILBOX_MESSAGES_MAX):
        rules.check_mail(m.Mail(n, b""), n % 2, n, 0, MAILBOX_TTL)
        declined(Refusal.NOT_ALLOWED, rules.check_mail, m.Mail(n, b""), 1 - n % 2, n, 0, 0)
        declined(Refusal.NOT_ALLOWED, rules.check_mail, m.Mail(n, b""), n % 2, n + 1, 0, 0)
    full = MAILBOX_MESSAGES_MAX
    declined(Refusal.MAILBOX_FULL, rules.check_mail, m.Mail(full, b""), full % 2, full, 0, 0)
    declined(Refusal.NOT_FOUND, rules.check_mail, m.Mail(0, b""), 0, 0, 0, MAILBOX_TTL + 1)


# Holds.

def test_others_wait_and_are_told_how_long() -> None:
    view = replace(VIEW, holds=Holds().came(0, 1000, "", root=True))
    rules.check_not_held(view, 0, 1000)
    rules.check_not_held(VIEW, 1, 1000)
    rules.check_not_held(view, 1, 1000 + HOLD_ROOT)
    with pytest.raises(rules.HeldBack) as waits:
        rules.check_not_held(view, 1, 1010)
    assert waits.value.until == 1000 + HOLD_ROOT
    assert waits.value.answer() == m.RefusalAnswer(Refusal.BUSY, waits.value.message, HOLD_ROOT - 10)
