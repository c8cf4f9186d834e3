"""`hub`: every session hears of each envelope once, in the set's order; what can wait wakes nobody."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from e2esync.log.head import ShortHead
from e2esync.relay.hub import Hub
from e2esync.session import messages as m
from e2esync.session.codec import decode_message
from e2esync.session.messages import Side
from e2esync.stores.relay_batch import (
    Admitted,
    BatchResult,
    DeletionSaid,
    EpochOpened,
    Logged,
    Mailed,
    Moved,
    News,
    Outcome,
    SideTaken,
    SlotChanged,
)

SET = b"s" * 32
BOX = b"mailbox."


def head(seq: int) -> ShortHead:
    return ShortHead(seq, 5, bytes(64))


class Session:
    """One connection as the hub sees it: what is queued for it, answers as numbers, in order."""

    def __init__(self, number: int, member: int) -> None:
        self.number = number
        self.session = SimpleNamespace(set_id=SET, member=member)
        self.position = (0, 0)
        self.lagging = self.full = self.gone = self.ended = False
        self.beats: dict[int, bytes] = {}
        self.mailbox: tuple[bytes, int] | None = None
        self.mail_seen = -1
        self.queued: list[Any] = []

    def queue(self, frame: bytes) -> None:
        self.queued.append(decode_message(frame, Side.RELAY))

    def tell_mail(self, n: int, message: bytes) -> None:
        self.queued.append((n, message))

    def end(self) -> None:
        self.ended = True

    def take(self) -> list[Any]:
        """What has been queued since the last time."""
        taken, self.queued = self.queued, []
        return taken

    @property
    def log(self) -> list[tuple[int, int]]:
        """The positions of the envelopes in what is queued: (from, how many)."""
        return [(each.start, len(each.envelopes)) for each in self.take() if isinstance(each, m.LogPush)]


class World:
    """A hub, and sessions of members 1, 2, 3 that have been admitted at position 0."""

    def __init__(self) -> None:
        self.hub = Hub()
        self.seq = 0
        self.sessions = [Session(number, number) for number in (1, 2, 3)]
        for session in self.sessions:
            self.apply((session, Outcome(m.Pong(), Admitted(SET, 0, 0))))
            session.take()

    def apply(self, *done: tuple[Session, Outcome], news: tuple[News, ...] = ()) -> None:
        """A batch; whoever is answered gets the number of his command among what is queued."""
        authors: list[Any] = [session for session, _outcome in done]
        heads = {(SET, epoch): head(self.seq) for epoch in (0, 1)}
        self.hub.apply(lambda number: authors[number].queued.append(number), authors,
                       BatchResult([outcome for _session, outcome in done], heads, news))

    def logged(self, session: Session) -> tuple[Session, Outcome]:
        """An envelope of a session took the next position."""
        self.seq += 1
        effect = Logged(SET, 0, self.seq, b"e%d" % self.seq, session.session.member, session.number)
        return session, Outcome(m.Appended(self.seq, head(self.seq)), effect)


@pytest.fixture
def world() -> World:
    return World()


def test_each_hears_of_each_envelope_once_and_the_author_by_its_answer(world: World) -> None:
    one, two, three = world.sessions
    world.apply(world.logged(one), world.logged(one), world.logged(two))
    assert three.log == [(1, 3)]
    # An author is pushed what others wrote, and never what it wrote itself: that is its answer.
    assert one.take() == [0, 1, m.LogPush(0, 3, (b"e3",), head(3))]
    assert two.take() == [m.LogPush(0, 1, (b"e1", b"e2"), head(3)), 2]
    world.apply(world.logged(three))
    assert (one.log, two.log, three.log) == ([(4, 1)], [(4, 1)], [])


def test_who_does_not_read_gets_one_push_that_shows_the_gap(world: World) -> None:
    one, two, three = world.sessions
    two.full = True
    for _batch in range(3):
        world.apply(world.logged(one))
    assert two.take() == []
    assert two.lagging
    assert len(three.log) == 3
    two.full = False
    world.hub.catch_up(two)  # type: ignore[arg-type]
    assert two.take() == [m.LogPush(0, 4, (), head(3))]
    world.apply(world.logged(one))
    assert two.log == [(4, 1)]


def test_the_log_of_an_epoch_comes_before_the_record_that_closes_it(world: World) -> None:
    one, two, three = world.sessions
    opened = EpochOpened(SET, 1, b"record", 2, two.number, frozenset({3}))
    world.apply(world.logged(one), (two, Outcome(m.Opened(1, head(0)), opened)))
    assert two.take() == [m.LogPush(0, 1, (b"e1",), head(1)), 1]
    assert [type(each) for each in one.take()] == [int, m.RecordPush]
    # Who was removed hears of that, and of nothing behind it.
    assert [type(each) for each in three.take()] == [m.LogPush, m.RecordPush]
    assert (one.ended, three.ended) == (False, True)
    assert not world.hub.has_member(SET, 3)


def test_a_heartbeat_wakes_nobody_and_an_announcement_everybody(world: World) -> None:
    one, two, _three = world.sessions
    beat = SlotChanged(SET, 1, b"", b"beat", 5, one.number, urgent=False)
    world.apply((one, Outcome(m.SlotStored(), beat)))
    assert two.take() == []
    assert list(two.beats) == [1]
    said = SlotChanged(SET, 1, b"said", b"beat", 6, one.number, urgent=True)
    world.apply((one, Outcome(m.SlotStored(), said)))
    assert two.take() == [m.SlotPush(1, b"said", b"beat", 6)]
    # The announcement's push has the heartbeat of now: the one that waited is older.
    assert two.beats == {}
    assert one.take() == [0, 0]


def test_what_another_process_did_is_told_to_all_before_this_batch(world: World) -> None:
    one, two, _three = world.sessions
    foreign = News(Logged(SET, 0, 1, b"foreign", 9, -1))
    world.seq = 1
    world.apply(world.logged(one), news=(foreign,))
    assert one.take() == [m.LogPush(0, 1, (b"foreign",), head(2)), 0]
    assert two.take() == [m.LogPush(0, 1, (b"foreign", b"e2"), head(2))]


def test_who_is_behind_by_too_much_is_shown_the_gap_or_proves_itself_again(world: World) -> None:
    one, two, three = world.sessions
    one.position = (0, 40)
    three.position = (1, 0)
    world.apply(news=(News(Moved(SET, 0, 40), head(40)),))
    assert (one.take(), one.ended) == ([], False)
    assert two.take() == [m.LogPush(0, 41, (), head(40))]
    assert three.ended


def test_a_word_is_told_to_all_others_and_a_deletion_ends_every_session(world: World) -> None:
    one, two, three = world.sessions
    world.apply((one, Outcome(m.Deleted(9), DeletionSaid(SET, b"word", False, one.number))))
    assert (one.take(), two.take()) == ([0], [m.DeletionPush(b"word")])
    world.apply((one, Outcome(m.Deleted(0), DeletionSaid(SET, b"last", True, one.number))))
    assert three.take() == [m.DeletionPush(b"word"), m.DeletionPush(b"last")]
    assert all(session.ended for session in world.sessions)
    assert not world.hub.has(SET)


def test_a_mailbox_delivers_to_the_other_side_and_to_whoever_came_last(world: World) -> None:
    joiner, sponsor, late = Session(7, 0), Session(8, 0), Session(9, 0)
    world.apply((joiner, Outcome(m.MailboxUsed(), SideTaken(BOX, 0, 7, ()))))
    world.apply((joiner, Outcome(m.MailStored(), Mailed(BOX, 0, 0, b"hello"))))
    world.apply((sponsor, Outcome(m.MailboxUsed(), SideTaken(BOX, 1, 8, ((0, b"hello"),)))))
    assert sponsor.take() == [0, (0, b"hello")]
    world.apply((late, Outcome(m.MailboxUsed(), SideTaken(BOX, 0, 9, ()))))
    world.apply((sponsor, Outcome(m.MailStored(), Mailed(BOX, 1, 1, b"answer"))))
    assert late.take() == [0, (1, b"answer")]
    assert joiner.take() == [0, 0]
    for session in (joiner, sponsor, late):
        world.hub.leave(session)  # type: ignore[arg-type]
    assert world.hub.keys() == [SET]


def test_who_has_left_is_not_admitted_by_an_answer_that_comes_late(world: World) -> None:
    gone = Session(7, 5)
    gone.gone = True
    world.apply((gone, Outcome(m.Pong(), Admitted(SET, 0, 0))))
    assert not world.hub.has_member(SET, 5)
    assert world.hub.has_member(SET, 1)
