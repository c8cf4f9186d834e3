"""`relay_news`: who comes to a set that others changed tells all that it missed, in order, or that it is too much."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2esync.epoch.deletion import Act
from e2esync.epoch.record import Remove
from e2esync.log.head import from_short, verify_head
from e2esync.session import messages as m
from e2esync.session.kinds import Refusal
from e2esync.session.rules import Declined
from e2esync.stores.relay_batch import DeletionSaid, EpochOpened, Logged, Moved, News, SlotChanged
from e2esync.stores.relay_news import NOBODY, TOLD_MAX, SharedViews
from tests.session.world import NOW
from tests.stores.relays import Place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path / "relay")
    yield made
    made.store.close()


class Other:
    """Another process's knowledge of the same store."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.views = SharedViews(place.store._identity, 10)
        self.views.now = NOW
        self.look()

    def look(self) -> list[Any]:
        """What it is told when it comes to the set again."""
        self.views.get(self.place.store._rows, self.place.book.set_id)
        return [news.effect for news in self.take()]

    def take(self) -> list[News]:
        news, self.positions = self.views.take()
        return news


def test_whoever_missed_nothing_is_told_nothing(place: Place) -> None:
    assert Other(place).look() == []


def test_envelopes_come_in_order_and_with_nobodys_session(place: Place) -> None:
    other = Other(place)
    envelopes = [place.book.append().envelope for _each in range(3)]
    for member, envelope in zip((1, 2, 1), envelopes, strict=True):
        assert isinstance(place.do(member, m.Append(0, envelope)), m.Appended)
    set_id = place.book.set_id
    assert other.look() == [
        Logged(set_id, 0, seq, envelope, member, NOBODY)
        for seq, member, envelope in zip((1, 2, 3), (1, 2, 1), envelopes, strict=True)
    ]
    # The head that they are pushed with is that of the last of them.
    assert other.positions[set_id, 0].seq == 3
    assert other.look() == []


def test_too_many_are_read_not_told(place: Place) -> None:
    other = Other(place)
    for _each in range(TOLD_MAX + 1):
        place.append()
    assert other.look() == [Moved(place.book.set_id, 0, TOLD_MAX + 1)]
    assert other.positions == {}


def test_an_opening_comes_between_the_logs_of_both_epochs(place: Place) -> None:
    other = Other(place)
    place.append()
    place.open(1, (Remove(2),))
    place.append()
    place.append()
    told = other.look()
    # Behind them the slot of the opener, whose announcement came with the opening.
    assert [type(each) for each in told] == [Logged, EpochOpened, Logged, Logged, SlotChanged]
    assert [each.epoch for each in told[:4]] == [0, 1, 1, 1]
    assert told[1].ended == {2}
    assert (told[1].session, told[1].member) == (NOBODY, NOBODY)


def test_a_record_is_told_with_the_head_at_which_its_epoch_began(place: Place) -> None:
    other = Other(place)
    place.open()
    place.append()
    other.views.get(place.store._rows, place.book.set_id)
    opened, *_behind = other.take()
    record = place.book.chain.head
    assert opened.head is not None
    assert opened.head.seq == 0
    head = from_short(opened.head, epoch=1, log_hash=record.hash, record_hash=record.hash,
                      incarnation=place.store.incarnation)
    verify_head(head, place.book.set_id, place.store.key.verify_key)


def test_more_than_one_opening_is_read_not_told(place: Place) -> None:
    other = Other(place)
    place.open()
    place.open()
    assert other.look() == [Moved(place.book.set_id, 2, 0)]


def test_only_an_announcement_is_urgent(place: Place) -> None:
    place.do(1, m.PutSlot(place.book.announcement(1), b""))
    other = Other(place)
    assert isinstance(place.do(1, m.PutSlot(b"", place.book.heartbeat())), m.SlotStored)
    assert isinstance(place.do(2, m.PutSlot(place.book.announcement(2), b"")), m.SlotStored)
    told = other.look()
    assert [(type(each), each.member, each.urgent) for each in told] == [
        (SlotChanged, 1, False), (SlotChanged, 2, True),
    ]


def test_a_word_and_a_deletion_are_told(place: Place) -> None:
    other, late = Other(place), Other(place)
    first = place.book.word(1)
    place.do(1, m.Delete(first.raw))
    assert other.look() == [DeletionSaid(place.book.set_id, first.raw, False)]
    last = place.book.word(0, Act.DELETE, 2)
    place.do(0, m.Delete(last.raw))
    assert other.look()[-1] == DeletionSaid(place.book.set_id, last.raw, True)
    assert late.look()[-1] == DeletionSaid(place.book.set_id, last.raw, True)


def test_records_that_do_not_follow_are_verified_anew(place: Place) -> None:
    """As after a restore, or a seed: what was known does not lead to what is there."""
    other = Other(place)
    place.open()
    other.look()
    rows = place.store._rows
    rows.run("DELETE FROM records WHERE epoch = 1")
    rows.run("UPDATE sets SET epoch = 0, record_hash = log_hash, seq = 0, version = version + 1")
    assert other.look() == [Moved(place.book.set_id, 0, 0)]


def test_a_damaged_set_is_busy_and_what_was_known_is_not_believed(place: Place) -> None:
    other = Other(place)
    place.open()
    place.store._rows.run("UPDATE records SET record = ? WHERE epoch = 1", (b"\x90",))
    with pytest.raises(Declined) as caught:
        other.look()
    assert caught.value.answer().code is Refusal.BUSY
