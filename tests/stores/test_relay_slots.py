"""Slots and mailboxes in the relay's store (SPEC 10.6, 10.7, 13.7)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from e2esync.limits import MAILBOX_MESSAGES_MAX, MAILBOX_TTL
from e2esync.session import messages as m
from e2esync.session.commands import Change
from e2esync.session.kinds import Refusal
from e2esync.session.rules import SLOT_SHARE
from e2esync.stores.relay_batch import SideTaken, SlotChanged
from tests.stores.relays import Place, code

JOINS = m.UseMailbox(b"mailbox.", 0, b"n" * 16)
SPONSORS = m.UseMailbox(b"mailbox.", 1, b"a" * 16)


@pytest.fixture
def place(tmp_path: Path) -> Any:
    made = Place(tmp_path / "relay.sqlite3")
    yield made
    made.store.close()


# Slots.

def test_a_slot_is_overwritten_in_place(place: Place) -> None:
    first, second = place.book.announcement(1), place.book.announcement(1)
    beat = place.book.heartbeat()
    for request in (m.PutSlot(first, b""), m.PutSlot(b"", beat), m.PutSlot(second, b"")):
        assert place.do(1, request) == m.SlotStored()
    listed = place.ask(2, m.ReadSlots())
    assert listed.slots == (m.Slot(1, second, beat, place.now),)
    # From its version on nothing has changed; and then again something has.
    assert place.ask(2, m.ReadSlots(listed.version)) == m.SlotList(listed.version, ())
    assert place.ask(2, m.ReadSlots(listed.version - 1)) == listed
    assert place.do(2, m.PutSlot(b"", place.book.heartbeat())) == m.SlotStored()
    later = place.ask(1, m.ReadSlots(listed.version))
    assert ([slot.member for slot in later.slots], later.version > listed.version) == ([2], True)


def test_only_an_announcement_is_urgent(place: Place) -> None:
    announcement = place.book.announcement(1)
    urgent = []
    for request in (m.PutSlot(announcement, place.book.heartbeat()), m.PutSlot(announcement, place.book.heartbeat())):
        (outcome,) = place.store.execute([place.change(1, request)], place.now).outcomes
        assert isinstance(outcome.effect, SlotChanged)
        urgent.append(outcome.effect.urgent)
    assert urgent == [True, False]


def test_announcements_are_refused_for_each_reason(place: Place) -> None:
    book = place.book
    place.do(1, m.PutSlot(book.announcement(1, revision=5), b""))
    wrong = [
        b"\xc1", book.announcement(2), book.announcement(1, signer=book.signing[2], revision=6),
        book.announcement(1, number=1, revision=6), book.announcement(1, number=3, revision=6),
        book.announcement(1, revision=4), book.announcement(1, revision=6, key=book.sealing[2]),
    ]
    for announcement in wrong:
        assert code(place.do(1, m.PutSlot(announcement, b""))) is Refusal.BAD_SLOT
    assert place.do(1, m.PutSlot(book.announcement(1, revision=6), b"")) == m.SlotStored()


def test_heartbeats_are_of_the_open_epoch_and_of_an_allowed_size(place: Place) -> None:
    beat = place.book.heartbeat()
    assert code(place.do(1, m.PutSlot(b"", beat[:-1]))) is Refusal.BAD_SLOT
    refused = place.do(1, m.PutSlot(b"", place.book.heartbeat(epoch=1)))
    assert (refused.code, refused.data) == (Refusal.EPOCH_CLOSED, 0)
    assert place.do(1, m.PutSlot(b"", beat)) == m.SlotStored()


def test_a_slot_has_its_share_of_a_frame(place: Place) -> None:
    beat = place.book.heartbeat()
    assert code(place.do(1, m.PutSlot(b"", beat + bytes(SLOT_SHARE)))) is Refusal.BAD_SLOT
    assert place.ask(1, m.ReadSlots()).slots == ()


def test_kits_have_no_slot(place: Place) -> None:
    assert code(place.do(0, m.PutSlot(b"", place.book.heartbeat()))) is Refusal.NOT_ALLOWED
    assert code(place.do(9, m.PutSlot(b"", place.book.heartbeat()))) is Refusal.NOT_MEMBER


# Mailboxes.

def test_a_conversation(place: Place) -> None:
    assert place.visit(JOINS) == m.MailboxUsed()
    assert place.visit(m.Mail(0, b"zero"), JOINS) == m.MailStored()
    (outcome,) = place.store.execute([Change(b"", 0, 9, SPONSORS)], place.now).outcomes
    assert outcome.effect == SideTaken(b"mailbox.", 1, 9, ((0, b"zero"),))
    assert place.visit(m.Mail(1, b"one"), SPONSORS) == m.MailStored()
    assert place.visit(m.Mail(1, b"one"), SPONSORS) == m.MailStored()
    assert code(place.visit(m.Mail(1, b"uno"), SPONSORS)) is Refusal.NOT_ALLOWED
    assert code(place.visit(m.Mail(3, b"three"), SPONSORS)) is Refusal.NOT_ALLOWED
    assert code(place.visit(m.Mail(2, b"two"), SPONSORS)) is Refusal.NOT_ALLOWED
    place.reopen()
    (outcome,) = place.store.execute([Change(b"", 0, 9, JOINS)], place.now).outcomes
    assert outcome.effect == SideTaken(b"mailbox.", 0, 9, ((1, b"one"),))


def test_a_side_belongs_to_the_token_that_came_first(place: Place) -> None:
    place.visit(JOINS)
    thief = replace(JOINS, token=b"x" * 16)
    assert code(place.visit(thief)) is Refusal.MAILBOX_TAKEN
    # The thief's mail came right behind its MAILBOX, before it could know.
    assert code(place.visit(m.Mail(0, b"zero"), thief)) is Refusal.MAILBOX_TAKEN
    assert place.visit(m.Mail(0, b"zero"), JOINS) == m.MailStored()


def test_a_mailbox_is_full_after_eight_messages(place: Place) -> None:
    place.visit(JOINS)
    place.visit(SPONSORS)
    for n in range(MAILBOX_MESSAGES_MAX):
        assert place.visit(m.Mail(n, b"m"), SPONSORS if n % 2 else JOINS) == m.MailStored()
    assert code(place.visit(m.Mail(MAILBOX_MESSAGES_MAX, b"m"), JOINS)) is Refusal.MAILBOX_FULL


def test_a_mailbox_lives_five_minutes(place: Place) -> None:
    place.visit(JOINS)
    place.now += MAILBOX_TTL + 1
    assert code(place.visit(m.Mail(0, b"late"), JOINS)) is Refusal.NOT_FOUND
    assert place.visit(replace(JOINS, token=b"x" * 16)) == m.MailboxUsed()
    place.now += MAILBOX_TTL + 1
    assert place.store.sweep(place.now) == 1
    assert code(place.visit(m.Mail(0, b"late"), JOINS)) is Refusal.NOT_FOUND


def test_mail_without_a_mailbox_goes_nowhere(place: Place) -> None:
    assert code(place.visit(m.Mail(0, b"lost"))) is Refusal.NOT_FOUND


def test_there_is_an_end_to_mailboxes(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("e2esync.stores.relay_slots._MAILBOXES_MAX", 1)
    assert place.visit(JOINS) == m.MailboxUsed()
    assert code(place.visit(replace(JOINS, mailbox=b"another."))) is Refusal.BUSY
    assert place.visit(SPONSORS) == m.MailboxUsed()
