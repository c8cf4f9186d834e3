"""One transaction of the relay's store: what its commands share while it lasts.

A `Batch` knows the moment, the sets it has touched, and the positions that need a head once it is durable. A command
updates the batch as the last thing it does, when nothing can decline it any more: rows are rolled back by the
savepoint, and the batch has nothing to undo.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from e2esync.crypto import Label, SigningKey
from e2esync.epoch.announcement import parse_announcement, removals_asked
from e2esync.epoch.chain import Chain, verify_chain
from e2esync.epoch.roles import Role
from e2esync.errors import E2esyncError
from e2esync.log.head import ShortHead, head_body
from e2esync.session.holds import unpack
from e2esync.session.kinds import Refusal
from e2esync.session.messages import Message
from e2esync.session.policy import DEFAULT_POLICY, Policy
from e2esync.session.rules import Declined, SetView, check_member
from e2esync.stores.relay_rows import Key, Rows, SetRow

_VIEWS_MAX: Final = 1024


@dataclass(frozen=True, slots=True)
class Admitted:
    """Effect: a member's session begins, and has been told of the log up to this position."""

    set_id: bytes
    epoch: int
    seq: int
    role: Role = Role.OWNER
    deletion: bytes = b""


class Logged(NamedTuple):
    """Effect: an envelope took a position."""

    set_id: bytes
    epoch: int
    seq: int
    envelope: bytes
    member: int
    session: int


@dataclass(frozen=True, slots=True)
class EpochOpened:
    """Effect: a record was added. `ended` are the members whose sessions are over: removed, or under another key."""

    set_id: bytes
    epoch: int
    record: bytes
    member: int
    session: int
    ended: frozenset[int]


@dataclass(frozen=True, slots=True)
class SlotChanged:
    """Effect: a slot was overwritten. `urgent` if the announcement changed; a heartbeat can wait."""

    set_id: bytes
    member: int
    announcement: bytes
    heartbeat: bytes
    time: int
    session: int
    urgent: bool


@dataclass(frozen=True, slots=True)
class SideTaken:
    """Effect: a session has a side of a mailbox. `waiting` are the other side's messages that it has not seen."""

    mailbox: bytes
    side: int
    session: int
    waiting: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class Mailed:
    """Effect: a mailbox has a new message, for the other side."""

    mailbox: bytes
    side: int
    n: int
    message: bytes


@dataclass(frozen=True, slots=True)
class Moved:
    """Effect: others changed the set, by more than is worth telling; whoever is behind has to read."""

    set_id: bytes
    epoch: int
    seq: int


@dataclass(frozen=True, slots=True)
class Delayed:
    """Effect: nothing has happened yet. The command may be sent again when the set's hold is over, at this time."""

    set_id: bytes
    until: int


@dataclass(frozen=True, slots=True)
class DeletionSaid:
    """Effect: there is a newer word on whether the set is to be deleted; or it is `gone`, by this word."""

    set_id: bytes
    deletion: bytes
    gone: bool
    session: int = -1


Effect = (
    Admitted | Delayed | Logged | EpochOpened | SlotChanged | SideTaken | Mailed | Moved | DeletionSaid
)


@dataclass(frozen=True, slots=True)
class News:
    """What another relay process on the same store did. `head` is the one that a record or a move is told with."""

    effect: Effect
    head: ShortHead | None = None


class Outcome(NamedTuple):
    """What became of one command: the answer to its session, and what others are to hear."""

    result: Message
    effect: Effect | None = None


@dataclass(frozen=True, slots=True)
class BatchResult:
    """One durable batch: an outcome for each command, in order, and one head for each epoch that was appended to.

    `news` came to be before anything of the batch did; `heads` has theirs too.
    """

    outcomes: Sequence[Outcome]
    heads: dict[tuple[bytes, int], ShortHead]
    news: Sequence[News] = ()

    def then(self, later: BatchResult) -> BatchResult:
        """This result, which has no outcomes of its own, and a later one behind it."""
        return BatchResult(later.outcomes, self.heads | later.heads, [*self.news, *later.news])


@dataclass(frozen=True, slots=True)
class Known:
    """A set's view, the key of its rows, and the version that the view is of."""

    row: Key
    view: SetView
    version: int = 0


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the relay is: its key, and the incarnation of its store (SPEC 10.2)."""

    key: SigningKey
    incarnation: int

    def head(
        self, set_id: bytes, epoch: int, seq: int, log_hash: bytes, record_hash: bytes, now: int,
    ) -> ShortHead:
        """The signed short head of a position."""
        # As `sign_head`, without parsing one's own bytes again: this is done for every set of every batch.
        body = head_body(epoch, seq, log_hash, record_hash, now, self.incarnation)
        return ShortHead(seq, now, self.key.sign(Label.SIGN_HEAD, set_id, body))


class Views:
    """The sets seen last, verified once. Bounded: a relay may hold more sets than fit its memory."""

    def __init__(self, size: int = _VIEWS_MAX) -> None:
        self._size = size
        self._known: OrderedDict[bytes, Known] = OrderedDict()

    def get(self, rows: Rows, set_id: bytes) -> Known | None:
        """The set, from memory or from the store; None if there is none."""
        known = self._known.get(set_id)
        if known is None:
            row = rows.find_set(set_id)
            if row is None:
                return None
            known = load(rows, set_id, row)
            self.put(known)
        self._known.move_to_end(set_id)
        return known

    def put(self, known: Known) -> None:
        """Remembers a set, and forgets the one that was not used for longest."""
        self._known[known.view.set_id] = known
        while len(self._known) > self._size:
            self._known.popitem(last=False)

    def forget(self, set_id: bytes) -> None:
        """Forgets one set, which was changed behind the views' back."""
        self._known.pop(set_id, None)

    def clear(self) -> None:
        """Forgets everything, after a transaction that failed or changed sets behind the views' back."""
        self._known.clear()


@dataclass(slots=True)
class Batch:
    """The running transaction. `place` names the process, among those on one store."""

    rows: Rows
    views: Views
    identity: Identity
    now: int
    policy: Policy = DEFAULT_POLICY
    place: str = ""
    dirty: dict[bytes, Known] = field(default_factory=dict)
    seen: dict[bytes, Known] = field(default_factory=dict)
    positions: dict[tuple[bytes, int], SetView] = field(default_factory=dict)

    def member(self, set_id: bytes, member: int) -> Known:
        """The set, if the member is in it; else Declined with NotMember."""
        known = self.find(set_id)
        check_member(known.view if known else None, member)
        assert known is not None
        return known

    def find(self, set_id: bytes) -> Known | None:
        """The set as this batch has left it so far."""
        known = self.dirty.get(set_id) or self.seen.get(set_id)
        if known is None:
            known = self.views.get(self.rows, set_id)
            if known is not None:
                self.seen[set_id] = known
        return known

    def update(self, known: Known, view: SetView) -> None:
        """The set's new view; it is written once, at the end of the batch."""
        self.dirty[view.set_id] = Known(known.row, view, known.version)

    def appended(self, view: SetView) -> None:
        """Notes that this position needs a signed head. Only the last one of a batch and epoch gets it."""
        self.positions[view.set_id, view.epoch] = view

    def flush(self) -> None:
        """Writes the sets' rows; the last thing in the transaction."""
        self.rows.many(
            "UPDATE sets SET epoch = ?, record_hash = ?, seq = ?, log_hash = ?, held = ?, version = ?, holds = ?, "
            "deletion = ?, due = ?, gone = ? WHERE owner = ?",
            [
                (view.epoch, view.record_hash, view.seq, view.log_hash, view.held, known.version + 1,
                 view.holds.pack(), view.deletion, view.due, int(view.gone), known.row)
                for known in self.dirty.values() for view in (known.view,)
            ],
        )

    def heads(self) -> dict[tuple[bytes, int], ShortHead]:
        """One signature for each set and epoch that this batch appended to."""
        return {
            key: self.identity.head(view.set_id, view.epoch, view.seq, view.log_hash, view.record_hash, self.now)
            for key, view in self.positions.items()
        }

    def commit(self) -> None:
        """Makes this batch's views the known ones, after the transaction is durable."""
        for known in self.dirty.values():
            self.views.put(Known(known.row, known.view, known.version + 1))


def with_leaving(rows: Rows, row: Key, view: SetView) -> SetView:
    """The view with the members whom a request in a slot asks to remove (SPEC 13.4 step 2)."""
    slots = rows.all("SELECT announcement FROM slots WHERE owner = ? AND length(announcement) > 0", (row,))
    return replace(view, leaving=removals_asked(view.chain, [parse_announcement(raw) for (raw,) in slots]))


def load(rows: Rows, set_id: bytes, row: SetRow) -> Known:
    """What is known of a set by its rows, verified. Declined with Busy if they do not hold a valid chain."""
    records = rows.all("SELECT record FROM records WHERE owner = ? ORDER BY epoch", (row.key,))
    chain = _verified(set_id, [raw for (raw,) in records])
    waits = rows.one("SELECT epoch, record_hash FROM seeding WHERE owner = ? AND waits = 1", (row.key,))
    view = SetView(set_id, chain, row.epoch, row.record_hash, row.seq, row.log_hash, row.held,
                   waits_for=None if waits is None else (waits[0], waits[1]), holds=unpack(row.holds),
                   deletion=row.deletion, due=row.due, gone=bool(row.gone))
    return Known(row.key, with_leaving(rows, row.key, view), row.version)


def _verified(set_id: bytes, raws: list[bytes]) -> Chain:
    try:
        return verify_chain(set_id, raws)
    except E2esyncError as error:
        raise Declined(Refusal.BUSY, "the relay's own copy of this set is damaged; its operator must act") from error
