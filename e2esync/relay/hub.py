"""Who is connected to which set, and who hears of what (SPEC 13.3, pushes).

The hub learns of every durable batch, in order. It knows for each session up to which position it has been told, so
every session hears of each envelope once: by the answer to its own append, or by a push. One signed head serves a
whole batch of a set. What one session missed because it did not read, it reads from the log itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from e2esync.limits import READ_BATCH
from e2esync.log.head import ShortHead
from e2esync.relay.connection import Connection
from e2esync.session.codec import encode_message
from e2esync.session.messages import DeletionPush, LogPush, Opened, RecordPush, SlotPush
from e2esync.stores.relay_batch import (
    Admitted,
    BatchResult,
    DeletionSaid,
    Effect,
    EpochOpened,
    Logged,
    Mailed,
    Moved,
    News,
    SideTaken,
    SlotChanged,
)

_FRAME_ENVELOPES: Final = 1000


@dataclass(slots=True)
class Gathering:
    """The sessions of one set, the log of the batch at hand, and the newest head (epoch, seq, short head)."""

    sessions: dict[int, Connection] = field(default_factory=dict)
    fresh: list[Logged] = field(default_factory=list)
    newest: tuple[int, int, ShortHead] | None = None


class Hub:
    """All connected sessions."""

    def __init__(self) -> None:
        self._sets: dict[bytes, Gathering] = {}
        self._mailboxes: dict[bytes, dict[int, Connection]] = {}

    def apply(
        self, answer: Callable[[int], None], authors: Sequence[Connection], result: BatchResult
    ) -> None:
        """Tells everybody of a durable batch. `answer(i)` sends the answer to the i-th command's author."""
        touched: dict[bytes, None] = {}
        for news in result.news:
            self._heard(news, touched, result)
        for number, (author, outcome) in enumerate(zip(authors, result.outcomes, strict=True)):
            effect = outcome.effect
            if isinstance(effect, Logged):
                touched[effect.set_id] = None
                self._logged(effect, author, result)
                answer(number)
            elif isinstance(effect, EpochOpened) and isinstance(outcome.result, Opened):
                # The old epoch's log comes before the record that closes it.
                self._flush(effect.set_id, result)
                answer(number)
                self._opened(effect, outcome.result.head)
            else:
                answer(number)
                self._other(effect, author)
        for set_id in touched:
            self._flush(set_id, result)

    def keys(self) -> list[bytes]:
        """The sets and mailboxes that somebody is connected for."""
        return [*self._sets, *self._mailboxes]

    def has(self, key: bytes) -> bool:
        """Whether somebody is connected for this set or mailbox."""
        return key in self._sets or key in self._mailboxes

    def leave(self, connection: Connection) -> None:
        """A connection has ended."""
        gathering = self._sets.get(connection.session.set_id)
        if gathering is not None:
            gathering.sessions.pop(connection.number, None)
            if not gathering.sessions:
                del self._sets[connection.session.set_id]
        self._leave_mailbox(connection)

    def has_member(self, set_id: bytes, member: int) -> bool:
        """Whether a session of this member is connected."""
        gathering = self._sets.get(set_id)
        return gathering is not None and any(
            connection.session.member == member for connection in gathering.sessions.values()
        )

    def catch_up(self, connection: Connection) -> None:
        """A session reads again after it missed pushes: an empty push beyond its position shows it the gap."""
        connection.lagging = False
        gathering = self._sets.get(connection.session.set_id)
        if gathering is None or gathering.newest is None:
            return
        epoch, seq, head = gathering.newest
        connection.position = (epoch, seq)
        connection.queue(encode_message(LogPush(epoch, seq + 1, (), head)))

    def _heard(self, news: News, touched: dict[bytes, None], result: BatchResult) -> None:
        """What another process did: as if it had happened here, but that nobody here is answered."""
        effect, head = news.effect, news.head
        if isinstance(effect, Logged):
            touched[effect.set_id] = None
            gathering = self._sets.get(effect.set_id)
            if gathering is not None:
                gathering.fresh.append(effect)
        elif isinstance(effect, EpochOpened) and head is not None:
            self._flush(effect.set_id, result)
            self._opened(effect, head)
        elif isinstance(effect, Moved) and head is not None:
            self._flush(effect.set_id, result)
            self._moved(effect, head)
        elif isinstance(effect, SlotChanged):
            self._slot_changed(effect)
        elif isinstance(effect, Mailed):
            self._mailed(effect)
        elif isinstance(effect, DeletionSaid):
            self._deletion_said(effect)

    def _moved(self, effect: Moved, head: ShortHead) -> None:
        gathering = self._sets.get(effect.set_id)
        if gathering is None:
            return
        gathering.newest = (effect.epoch, effect.seq, head)
        for connection in list(gathering.sessions.values()):
            epoch, seq = connection.position
            if epoch != effect.epoch:
                # Who is a member now, it learns by proving itself again.
                connection.end()
                self.leave(connection)
            elif seq < effect.seq:
                self.catch_up(connection)

    def _logged(self, effect: Logged, author: Connection, result: BatchResult) -> None:
        gathering = self._sets.get(effect.set_id)
        if gathering is None:
            return
        if gathering.sessions.get(author.number) is author:
            # Others' envelopes before the author's own come first, so that its log is whole when its answer comes.
            self._push_log(gathering, author, result)
            author.position = (effect.epoch, effect.seq)
        gathering.fresh.append(effect)

    def _flush(self, set_id: bytes, result: BatchResult) -> None:
        gathering = self._sets.get(set_id)
        if gathering is None or not gathering.fresh:
            return
        frames: dict[int, list[bytes]] = {}
        for connection in list(gathering.sessions.values()):
            self._push_log(gathering, connection, result, frames)
        last = gathering.fresh[-1]
        gathering.newest = (last.epoch, last.seq, result.heads[set_id, last.epoch])
        gathering.fresh = []

    def _push_log(
        self, gathering: Gathering, connection: Connection, result: BatchResult,
        frames: dict[int, list[bytes]] | None = None,
    ) -> None:
        """Everything of the batch so far that this session has not heard of."""
        fresh = gathering.fresh
        if not fresh or connection.lagging:
            return
        epoch, seq = connection.position
        start = fresh[0].seq if epoch != fresh[0].epoch else max(seq + 1, fresh[0].seq)
        last = fresh[-1]
        if start > last.seq:
            return
        if connection.full:
            connection.lagging = True
            return
        cached = None if frames is None else frames.get(start)
        if cached is None:
            cached = _log_frames(fresh[start - fresh[0].seq:], result.heads[last.set_id, last.epoch])
            if frames is not None:
                frames[start] = cached
        for frame in cached:
            connection.queue(frame)
        connection.position = (last.epoch, last.seq)

    def _opened(self, effect: EpochOpened, head: ShortHead) -> None:
        gathering = self._sets.get(effect.set_id)
        if gathering is None:
            return
        gathering.newest = (effect.epoch, 0, head)
        frame = encode_message(RecordPush(effect.record, head))
        for connection in list(gathering.sessions.values()):
            connection.position = (effect.epoch, 0)
            # Heartbeats that waited are of an epoch that is over.
            connection.beats.clear()
            if connection.number == effect.session:
                continue
            connection.queue(frame)
            if connection.session.member in effect.ended:
                # Removed, or another's session under a key that has been replaced: this was the last it hears.
                connection.end()
                self.leave(connection)

    def _other(self, effect: Effect | None, author: Connection) -> None:
        if isinstance(effect, Admitted | SideTaken) and author.gone:
            return
        if isinstance(effect, Admitted):
            author.position = (effect.epoch, effect.seq)
            self._sets.setdefault(effect.set_id, Gathering()).sessions[author.number] = author
            if effect.deletion:
                author.queue(encode_message(DeletionPush(effect.deletion)))
        elif isinstance(effect, SlotChanged):
            self._slot_changed(effect)
        elif isinstance(effect, SideTaken):
            self._side_taken(effect, author)
        elif isinstance(effect, Mailed):
            self._mailed(effect)
        elif isinstance(effect, DeletionSaid):
            self._deletion_said(effect)

    def _deletion_said(self, effect: DeletionSaid) -> None:
        gathering = self._sets.get(effect.set_id)
        if gathering is None:
            return
        frame = encode_message(DeletionPush(effect.deletion))
        for connection in list(gathering.sessions.values()):
            if connection.number != effect.session:
                connection.queue(frame)
            if effect.gone:
                # What they come back to is the tombstone.
                connection.end()
                self.leave(connection)

    def _mailed(self, effect: Mailed) -> None:
        other = self._mailboxes.get(effect.mailbox, {}).get(1 - effect.side)
        if other is not None:
            other.tell_mail(effect.n, effect.message)

    def _slot_changed(self, effect: SlotChanged) -> None:
        gathering = self._sets.get(effect.set_id)
        if gathering is None:
            return
        frame = encode_message(SlotPush(effect.member, effect.announcement, effect.heartbeat, effect.time))
        for connection in gathering.sessions.values():
            if connection.number == effect.session:
                continue
            if effect.urgent and not connection.full:
                connection.beats.pop(effect.member, None)
                connection.queue(frame)
            else:
                # A heartbeat alone wakes nobody: it goes with the next thing that this session is sent.
                connection.beats[effect.member] = frame

    def _leave_mailbox(self, connection: Connection) -> None:
        if connection.mailbox is None:
            return
        mailbox, side = connection.mailbox
        connection.mailbox = None
        sides = self._mailboxes.get(mailbox, {})
        if sides.get(side) is connection:
            del sides[side]
        if not sides:
            self._mailboxes.pop(mailbox, None)

    def _side_taken(self, effect: SideTaken, author: Connection) -> None:
        self._leave_mailbox(author)
        author.mailbox = (effect.mailbox, effect.side)
        self._mailboxes.setdefault(effect.mailbox, {})[effect.side] = author
        author.mail_seen = -1
        for n, message in effect.waiting:
            author.tell_mail(n, message)


def _log_frames(fresh: Sequence[Logged], head: ShortHead) -> list[bytes]:
    """As few LOG pushes as hold these envelopes."""
    frames: list[bytes] = []
    begin, size = 0, 0
    for index, logged in enumerate(fresh):
        if index > begin and (size + len(logged.envelope) > READ_BATCH or index - begin >= _FRAME_ENVELOPES):
            frames.append(_log_frame(fresh[begin:index], head))
            begin, size = index, 0
        size += len(logged.envelope)
    frames.append(_log_frame(fresh[begin:], head))
    return frames


def _log_frame(fresh: Sequence[Logged], head: ShortHead) -> bytes:
    return encode_message(LogPush(fresh[0].epoch, fresh[0].seq, tuple(each.envelope for each in fresh), head))
