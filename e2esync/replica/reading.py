"""From the log to the state (SPEC 8.4, 10, 14.1): envelopes are opened, judged and folded in log order only.

`open_slice` checks position, log hash and the relay's head and opens the envelopes; `LogSlice.batches` names what
batches among them need; `fold` changes the state. What has no effect takes its position all the same (SPEC 10.4).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Final

from e2esync.contactset import (
    BatchOp,
    ContactSet,
    FoldResult,
    Op,
    OwnItems,
    Pending,
    Status,
    contact_hash,
    decode_ops,
)
from e2esync.errors import (
    CloneDetected,
    CryptoError,
    Detection,
    E2esyncError,
    EntryInvalid,
    ForkDetected,
    ObjectError,
    RelayRestored,
    RemoteProtocolError,
    RollbackDetected,
    WireError,
)
from e2esync.log.entry import Entry, parse_entry
from e2esync.log.envelope import envelope_blobs, next_log_hash, read_envelope
from e2esync.log.head import Head, ShortHead, from_short, verify_head
from e2esync.replica import history, rewinding
from e2esync.replica.core import Position, Replica, write_position
from e2esync.replica.guarding import Change, living, release_restored, watch
from e2esync.replica.port import DIRTY, HELD, ContactRow, OutboxRow, ReplicaStore, RunRow
from e2esync.replica.sightings import (
    CHAIN,
    author_forked,
    check_entry,
    fork_of,
    hash_at,
    kept_head,
    missing,
    rollback_of,
)
from e2esync.replica.snapshots import batch_run, fetcher, named_blobs, run_chunks, run_items
from e2esync.replica.writing import all_landed, last_own, lay_over, shown_state
from e2esync.wire import decode, encode

BLOBS: Final = b"blobs/"
"""How the paths begin that say where media lie (SPEC 11.6)."""


MANY = 256
"""From so many contacts in a batch on it is cheaper to learn first which ones there are."""


@dataclass(frozen=True, slots=True)
class Opened:
    """One envelope of a slice: its entry and operations, or None for one without effect."""

    envelope: bytes
    entry: Entry | None
    ops: tuple[Op, ...]

    @property
    def blobs(self) -> frozenset[bytes]:
        """The blobs that the envelope names in clear: no batch of its entry may lie elsewhere (SPEC 10.4)."""
        return frozenset(envelope_blobs(self.envelope))


@dataclass(frozen=True, slots=True)
class LogSlice:
    """Envelopes that follow a replica's position, verified against the relay's head where it was given."""

    start: int
    opened: tuple[Opened, ...]
    end: Position
    head: Head | None
    """The relay's head at `end`, verified; None where it was not given."""
    hashes: tuple[bytes, ...]
    """The log hash behind each envelope."""

    @property
    def batches(self) -> list[tuple[BatchOp, frozenset[bytes]]]:
        """The batches whose chunks `fold` needs, each with the blobs that its envelope names."""
        return [(op, one.blobs) for one in self.opened for op in one.ops if isinstance(op, BatchOp)]


@dataclass(frozen=True, slots=True)
class Folded:
    """What a slice did."""

    changed: frozenset[bytes]
    """Contacts whose shown state changed."""
    entries: int
    without_effect: int
    unknown: int
    """Operations written by a newer version."""
    detections: tuple[Detection, ...]


def judge_head(replica: Replica, head: Head) -> None:
    """Judge the relay's head against what this device has seen (SPEC 14.1); raises the detection, changes nothing."""
    position = replica.position
    at, here = f"{head.epoch}/{head.seq}", f"{position.epoch}/{position.seq}"
    restored = is_other_life(replica, head)
    if (head.epoch, head.seq) < (position.epoch, position.seq):
        if restored:
            raise RelayRestored(f"the relay came back from a backup: it is at {at}, this device has seen {here}")
        raise RollbackDetected(f"the relay shows an older state, {at}, than this device has seen, {here}",
                               evidence=rollback_of(replica.set_id, kept_head(replica), head))
    if head.epoch == position.epoch:
        if head.record_hash != replica.chain.head.hash:
            raise (RelayRestored if restored else ForkDetected)(
                f"the relay's record of epoch {head.epoch} is not the one that this device is in", about=CHAIN)
        if head.seq == position.seq and head.log_hash != position.log_hash:
            if restored:
                raise RelayRestored(f"the relay came back from a backup: its log at {at} is another one by now")
            raise ForkDetected(
                f"the relay's log at {at} is not the one that this device has seen",
                evidence=_same_place(replica, head))


def check_welcome(replica: Replica, head: Head) -> None:
    """Judge the head of a handshake, and remember it; raises the detection."""
    judge_head(replica, head)
    position, restored = replica.position, is_other_life(replica, head)
    if restored and head.epoch == position.epoch and head.seq > position.seq:
        # Whether its log holds this device's own is known when it has been read (SPEC 14.7).
        return
    with replica.store.transaction():
        replica.store.put("incarnation", encode(head.incarnation))
        # A head beyond the position is kept when the log up to it has been read: it may be of another one.
        if (head.epoch, head.seq) == (position.epoch, position.seq):
            keep_head(replica, head)


def is_other_life(replica: Replica, head: Head) -> bool:
    """Whether the relay's store has been restored from a backup, or made anew, since this device has seen it last."""
    known = replica.store.get("incarnation")
    return known is not None and known != encode(head.incarnation)


def _same_place(replica: Replica, head: Head) -> bytes:
    """Evidence of two heads at one position, if the relay's newest was kept there."""
    mine = kept_head(replica)
    if mine is None or mine.seq != head.seq:
        return b""
    return fork_of(replica.set_id, mine, head, lambda _seq: head.log_hash, lambda _seq: None)


def open_slice(replica: Replica, start: int, envelopes: tuple[bytes, ...], head: ShortHead | None,
               incarnation: int) -> LogSlice:
    """Check and open envelopes that begin right behind the position (SPEC 14.1). Changes nothing.

    Raises RemoteProtocolError for a gap and ForkDetected for a head that does not verify.
    """
    position = replica.position
    if start != position.seq + 1:
        raise RemoteProtocolError(f"the relay sent position {start} where {position.seq + 1} comes next")
    hashes = tuple(accumulate(envelopes, next_log_hash, initial=position.log_hash))
    end = Position(position.epoch, position.seq + len(envelopes), hashes[-1])
    whole = check_head(replica, head, end, incarnation) if head is not None and head.seq == end.seq else None
    return LogSlice(start, tuple(_open(replica, envelope) for envelope in envelopes), end, whole, hashes[1:])


def check_head(replica: Replica, head: ShortHead, at: Position, incarnation: int) -> Head:
    """A short head verifies only if the relay's log hash at that position is this device's (SPEC 10.2)."""
    whole = from_short(head, at.epoch, at.log_hash, replica.chain.head.hash, incarnation)
    try:
        verify_head(whole, replica.set_id, replica.chain.relay_key)
    except E2esyncError as error:
        raise ForkDetected(f"the relay's head at {at.epoch}/{at.seq} is not of the log that it sent") from error
    return whole


def keep_head(replica: Replica, head: Head) -> None:
    """Remember the relay's newest head: heartbeats show it to the other members (SPEC 10.7)."""
    replica.store.put("head", encode([head.body, head.signature]))


def fold(replica: Replica, part: LogSlice, blobs: Mapping[bytes, bytes], now: int) -> Folded:
    """Fold a slice into the shared state, all or nothing. `blobs` holds what its batches lie in (SPEC 8.4)."""
    store = replica.store
    _check_own(replica, part)
    with store.replay():
        folding = _Folding(replica, blobs)
        without = 0
        for seq, opened in enumerate(part.opened, part.start):
            if opened.entry is not None:
                folding.sight(opened.entry, seq, part)
            if opened.entry is None or not folding.entry(opened.entry, opened.blobs):
                without += 1
        _landed(replica, part)
        fresh = _is_new(store, part.end)
        if fresh:
            rewinding.settle_history(store, now)
        else:
            rewinding.remember(store, {one: shown_state(store, one) or b"" for one in folding.changed}, now)
        # What is folded again was counted the first time, and is put back by nobody.
        guarded = watch(replica, folding.each_change(), lambda: living(store), now) if fresh else set()
        seen = {contact: shown_state(store, contact) or b"" for contact in guarded}
        folding.write()
        released = release_restored(replica, folding.changed) if fresh else set()
        envelopes = (one.envelope for one in part.opened)
        store.add_envelopes(part.start, zip(envelopes, part.hashes, strict=True))
        write_position(store, part.end)
        if part.head is not None:
            keep_head(replica, part.head)
        if any(BLOBS in state for state in folding.changed.values()):
            store.put("media", b"")
        shown, laid, before = _show(replica, folding.changed, seen, released)
        if fresh:
            folding.keep_history(now, laid, before)
    entries = len(part.opened) - without
    return Folded(frozenset(shown), entries, without, len(folding.unknown), tuple(folding.detections))


def _open(replica: Replica, envelope: bytes) -> Opened:
    """The entry in an envelope, if it is valid (SPEC 10.4)."""
    key = replica.key
    chain = replica.chain
    if key is None or chain.head.opener not in chain.members:
        return Opened(envelope, None, ())
    try:
        entry = read_envelope(key, chain, envelope)
        return Opened(envelope, entry, tuple(decode_ops(entry.ops)))
    except E2esyncError:
        return Opened(envelope, None, ())


def _own(replica: Replica, part: LogSlice) -> dict[int, Entry]:
    """The entries of this device in a slice, by their position."""
    return {seq: one.entry for seq, one in enumerate(part.opened, part.start)
            if one.entry is not None and one.entry.author == replica.member}


def _check_own(replica: Replica, part: LogSlice) -> None:
    """Raises CloneDetected, and freezes, for an entry under this device's key that it has not made (SPEC 10.3).

    Nothing of the slice is folded then: what this device has not sent must not be taken for what the other one wrote.
    """
    own = _own(replica, part)
    if not own:
        return
    last, _last_id = last_own(replica)
    for entry in own.values():
        made = replica.store.outbox_row(entry.counter)
        if entry.counter > last or (made is not None and made.entry != entry.raw):
            replica.freeze(CloneDetected.code)
            raise CloneDetected(f"another device has written entry {entry.counter} under this device's index")


def _landed(replica: Replica, part: LogSlice) -> None:
    """Note where own entries stand in the log."""
    for seq, entry in _own(replica, part).items():
        row = replica.store.outbox_row(entry.counter)
        if row is not None:
            replica.store.update_outbox(OutboxRow(row.counter, row.entry, row.envelope, seq))


def _is_new(store: ReplicaStore, end: Position) -> bool:
    """Whether the log was never folded this far: what is folded again (SPEC 14.3 step 6) has its history already."""
    stored = store.get("folded")
    if stored is not None and decode(stored) >= [end.epoch, end.seq]:
        return False
    store.put("folded", encode([end.epoch, end.seq]))
    return True


class _States(MutableMapping[bytes, bytes]):
    """Packed states by contact: reads fall through to what is below, writes stay in `written` (empty = gone)."""

    def __init__(self, below: ReplicaStore) -> None:
        self.written: dict[bytes, bytes] = {}
        self.before: dict[bytes, bytes] = {}
        """What those that were written were before the first time."""
        self._below = below
        self._read: dict[bytes, bytes] = {}
        self._present: set[bytes] | None = None

    def look_up_all(self) -> None:
        """Learn in one go which contacts there are: for the others the store is not asked."""
        self._present = self._below.contact_ids()

    def __getitem__(self, contact: bytes) -> bytes:
        state = self.get(contact)
        if not state:
            raise KeyError(contact)
        return state

    def get(self, contact: bytes, default: bytes | None = None) -> bytes | None:  # type: ignore[override]
        state = self.written.get(contact)
        if state is None and (self._present is None or contact in self._present):
            state = self._read.get(contact)
            if state is None:
                row = self._below.contact(contact)
                state = self._read[contact] = row.state if row else b""
        return state or default

    def __contains__(self, contact: object) -> bool:
        return isinstance(contact, bytes) and self.get(contact) is not None

    def __setitem__(self, contact: bytes, state: bytes) -> None:
        if contact not in self.written:
            self.before[contact] = self.get(contact) or b""
        self.written[contact] = state

    def __delitem__(self, contact: bytes) -> None:
        self[contact] = b""

    def __iter__(self) -> Iterator[bytes]:
        return (contact for contact, state in self.written.items() if state)

    def __len__(self) -> int:
        return len(self.written)


class _Folding:
    """FOLD over a store: what changes is held here and written once, by `write`."""

    def __init__(self, replica: Replica, blobs: Mapping[bytes, bytes]) -> None:
        self._replica = replica
        self._store = replica.store
        self._states = _States(replica.store)
        parked = {(author, counter): _pending(parse_entry(raw)) for author, counter, raw in replica.store.parked()}
        self._set = ContactSet(self._states, replica.store.vector(), parked)
        self._raw = {(author, counter): raw for author, counter, raw in replica.store.parked()}
        self._fetch = fetcher(blobs.get)
        self._epoch = replica.position.epoch
        self._results: list[FoldResult] = []
        self._entries: list[Entry] = []
        self._batches: dict[bytes, list[tuple[bytes, bytes]]] = {}
        self._taken: dict[bytes, tuple[bytes, int]] = {}
        self._named: frozenset[bytes] = frozenset()
        self._kind: type[list[tuple[bytes, bytes]]] = list
        self.detections: list[Detection] = []

    @property
    def changed(self) -> dict[bytes, bytes]:
        """Contact → packed state, of those that the slice changed."""
        return self._states.written

    @property
    def unknown(self) -> list[tuple[int, int, bytes]]:
        """Operations of later versions: (member, counter, operation)."""
        return [(one.author, one.counter, op.raw) for one in self._results for op in one.unknown]

    def sight(self, entry: Entry, seq: int, part: LogSlice) -> None:
        """Compare what an entry says that it has seen with the log before it (SPEC 14.6)."""

        def log_hash(at: int) -> bytes | None:
            return part.hashes[at - part.start] if at >= part.start else hash_at(self._replica, at)

        self.detections += check_entry(self._replica, entry, seq, self._set.counter, log_hash)

    def entry(self, entry: Entry, blobs: frozenset[bytes]) -> bool:
        """Fold one valid entry, whose envelope names these blobs; False if it had no effect (SPEC 8.4, 10.4)."""
        pending = _pending(entry)
        if entry.counter > self._set.counter(entry.author) + 1 and any(isinstance(op, BatchOp) for op in pending.ops):
            # SPEC 8.4 step 2: what its envelope named would be forgotten while it is parked.
            return False
        self._named = blobs
        self._kind = OwnItems if self._is_own(entry, pending) else list
        try:
            applied = self._set.apply(
                pending.author, pending.counter, pending.entry_id, pending.claimed, pending.ops, pending.size,
                self._epoch, self._items, prev=pending.prev,
            )
        except EntryInvalid:
            # A batch whose chunks are not what it says has no effect, for everybody alike.
            return False
        if applied.status is Status.FORKED:
            self.detections.append(author_forked(self._replica, entry, self._entries))
        self._entries.append(entry)
        if applied.status is Status.PARKED:
            self._raw[entry.author, entry.counter] = entry.raw
            waiting = self._set.counter(entry.author) + 1
            self.detections.append(missing(entry.author, waiting, f"its change {entry.counter} is here"))
        if applied.results:
            for op in pending.ops:
                if isinstance(op, BatchOp):
                    self._take_run(op)
        self._results += applied.results
        return bool(applied.results)

    def _items(self, op: BatchOp) -> list[tuple[bytes, bytes]]:
        """The contacts of a batch. Whatever is wrong with its blobs is wrong with its entry."""
        run = batch_run(op)
        try:
            chunks = run_chunks(self._replica.set_id, run, self._fetch(run.index_id))
            if not named_blobs(run, chunks) <= self._named:
                raise EntryInvalid("a batch lies in blobs that its envelope does not name")
            items = self._batches[op.index_id] = self._kind(run_items(self._replica.set_id, run, self._fetch))
        except (ObjectError, CryptoError, WireError) as error:
            raise EntryInvalid(f"a batch is not what its entry says: {error.message}") from error
        if len(items) > MANY:
            self._states.look_up_all()
        return items

    def _is_own(self, entry: Entry, pending: Pending) -> bool:
        """Whether an entry with a batch is the very one that waits in the outbox: its chunks are this device's."""
        if entry.author != self._replica.member or not any(isinstance(op, BatchOp) for op in pending.ops):
            return False
        return any(row.entry == entry.raw for row in self._store.outbox())

    def _take_run(self, op: BatchOp) -> None:
        """A batch that was folded is a run of the next snapshot (SPEC 11.3)."""
        runs = self._store.runs()
        if any(run.index_id == op.index_id for run in runs):
            return
        number = max((run.number for run in runs), default=0) + 1
        self._store.put_runs([*runs, RunRow(number, op.index_id, op.index_key, op.count)])
        self._taken.update({contact: (state, number) for contact, state in self._batches.pop(op.index_id)})

    def write(self) -> None:
        """Put what changed into the store."""
        unsettled = {contact for one in self._results for contact in one.unsettled}
        rows = []
        for contact, state in self.changed.items():
            taken = self._taken.get(contact)
            run = taken[1] if taken is not None and taken[0] == state else DIRTY
            rows.append(ContactRow(contact, state, contact_hash(contact, state), run, contact in unsettled))
        for contact in self._taken.keys() - self.changed.keys():
            # The batch gives it a state that it does not have: its item would have made it too large.
            row = self._store.contact(contact)
            rows += [replace(row, run=DIRTY)] if row is not None else []
        self._store.put_contacts(rows)
        for member in {one.author for one in self._results}:
            self._store.put_vector(member, *self._set.vector[member])
        self._store.put_parked([(*dot, self._raw[dot]) for dot in self._set.parked])
        if self.unknown:
            known = decode(self._store.get("unknown") or encode([]))
            self._store.put("unknown", encode([*known, *self.unknown]))

    def each_change(self) -> Iterator[Change]:
        """(author, contact, state before, state after), entry by entry."""
        present = dict(self._states.before)
        for result in self._results:
            for contact, after in result.changed.items():
                before, present[contact] = present[contact], after
                yield result.author, contact, before, after

    def keep_history(self, now: int, laid: set[bytes], shown: Mapping[bytes, bytes]) -> None:
        """Keep what was shown before, entry by entry; where own writes lay over it, before and after the slice.

        `laid`: the contacts that they lay over; `shown`: those of them that are shown otherwise now, as they were.
        One author's entries that come after one another are one step: most often what was done offline.
        """
        waiting = dict(shown)
        steps: list[tuple[int, list[history.Change]]] = []
        for author, contact, before, after in self.each_change():
            if not steps or steps[-1][0] != author:
                steps.append((author, []))
            if contact not in laid:
                steps[-1][1].append((contact, before, after))
            elif contact in waiting and author != self._replica.member:
                steps[-1][1].append((contact, waiting.pop(contact), shown_state(self._store, contact) or b""))
        rest = [(contact, before, shown_state(self._store, contact) or b"") for contact, before in waiting.items()]
        for author, changes in (*steps, (history.NOBODY, rest)):
            history.keep(self._store, author, now, changes)


def _pending(entry: Entry) -> Pending:
    return Pending(entry.author, entry.counter, entry.id, entry.prev, entry.vector, decode_ops(entry.ops),
                   len(entry.raw))


def _show(replica: Replica, changed: Mapping[bytes, bytes], guarded: Mapping[bytes, bytes], released: set[bytes],
          ) -> tuple[set[bytes], set[bytes], dict[bytes, bytes]]:
    """Bring what people see up to date with what a slice changed.

    `guarded`: contact → what was shown, of those that the guard has just begun to hold; `released`: held no longer.
    Returns the contacts whose shown state changed, those that own writes or the guard lay over, and of these those that
    are shown otherwise now, with what was shown before.
    """
    store = replica.store
    laid = {*store.overlaid(), *guarded, *released}
    if laid and all_landed(replica):
        before = store.clear_overlay() if not store.kept_keys(HELD) else lay_over(replica, laid)
    else:
        before = lay_over(replica, (laid & changed.keys()) | guarded.keys())
    for contact, state in guarded.items():
        before.pop(contact, None)
        if state != (shown_state(store, contact) or b""):
            before[contact] = state
    shown = before.keys() | (changed.keys() - laid)
    store.mark_shown(shown)
    return shown, laid, before
