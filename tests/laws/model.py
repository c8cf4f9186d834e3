"""Devices and a relay as the rules of SPEC 8 to 11 and 14 have them, small enough to be read in one go.

Real is the contact set: fold, boundary, edits, whole lives. Everything else is a token: a sealing key is its number, a
box opens if its number is held, an epoch secret is the epoch's number, a signature is never wrong. The relay is honest
about the log, as a blind relay that lies about it is caught elsewhere, and dishonest where it may be: it withholds
announcements, loses acknowledgements, delays an envelope behind a later one, and forgets closed logs.
`Rules` breaks one rule at a time; see test_model.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from random import Random

from e2esync.contactset import (
    ContactSet,
    Op,
    SetOp,
    Status,
    clamp,
    delete_ops,
    digest_of,
    fold_ops,
    needs_boundary,
    set_ops,
    view,
    whole_life,
)

Contacts = dict[bytes, bytes]


class ModelFailureError(Exception):
    """A rule of the protocol did not hold."""


@dataclass(frozen=True)
class Rules:
    """The rules that a saboteur breaks; the defaults are the protocol's."""

    erase_on_announce: bool = False
    forget_done: str = "fresh number"          # or "entered", "two past"
    delta_vectors: bool = False
    whole_lives: str = "by life"               # or "by contact", "none"
    replaced_on_entry: bool = True
    resent: bool = True
    frozen_entries: bool = True


@dataclass(frozen=True, eq=False)
class Entry:
    """What a device writes, once. `sent_claim` is what the entry carries, `claim` what its author had seen."""

    author: int
    counter: int
    prev: bytes
    claim: dict[int, int]
    sent_claim: dict[int, int]
    ops: tuple[Op, ...]

    @property
    def id(self) -> bytes:
        """Unique for honest authors, who use a counter once."""
        return self.author.to_bytes(16, "big") + self.counter.to_bytes(16, "big")


@dataclass(frozen=True, eq=False)
class Envelope:
    """An entry under one epoch's key; compared by identity, as the relay compares bytes."""

    epoch: int
    entry: Entry


@dataclass(frozen=True, eq=False)
class Record:
    """An epoch: what it closes, who is in, under which key numbers, and the state it begins from."""

    epoch: int
    closes: int
    opener: int
    numbers: dict[int, int]
    removes: frozenset[int]
    horizon: int
    forget: bool
    contacts: Contacts
    vector: dict[int, tuple[int, bytes]]

    @property
    def members(self) -> set[int]:
        """Every device has a number."""
        return set(self.numbers)


@dataclass
class Relay:
    """Chain, log and slots. `withholding`: it may serve an older announcement than the newest.

    `events` counts what happened, so that a test can tell that a law was put to the proof.
    """

    rng: Random
    chain: list[Record]
    log: list[Envelope] = field(default_factory=list)
    closed: dict[int, list[Envelope]] = field(default_factory=dict)
    slots: dict[int, list[int]] = field(default_factory=dict)
    delayed: list[Envelope] = field(default_factory=list)
    withholding: bool = False
    hostile: bool = True
    events: Counter[str] = field(default_factory=Counter)

    @property
    def record(self) -> Record:
        """The open epoch's."""
        return self.chain[-1]

    def append(self, envelope: Envelope) -> bool:
        """Take an envelope of the open epoch; whether the sender hears of it."""
        if envelope.epoch != self.record.epoch or envelope.entry.author not in self.record.members:
            return False
        if envelope not in self.log and envelope not in self.delayed:
            if self.hostile and self.rng.random() < 0.05:
                self.delayed.append(envelope)
                self.events["delayed"] += 1
                return False
            self.log.append(envelope)
        return not (self.hostile and self.rng.random() < 0.1)

    def deliver(self) -> None:
        """Let what was delayed take its place, if its epoch is still open."""
        for envelope in self.delayed:
            if envelope.epoch == self.record.epoch and envelope.entry.author in self.record.members:
                self.log.append(envelope)
        self.delayed.clear()

    def announced(self, member: int) -> int:
        """The number of the announcement that the relay serves."""
        history = self.slots[member]
        served = self.rng.choice(history) if self.withholding else history[-1]
        self.events["withheld"] += served != history[-1]
        return served

    def open(self, record: Record) -> bool:
        """Compare-and-set (SPEC 13.5): at the head, or earlier if only removed members wrote since."""
        beyond = self.log[record.closes:]
        if record.epoch != self.record.epoch + 1:
            self.events["epoch closed"] += 1
            return False
        if any(envelope.entry.author not in record.removes for envelope in beyond):
            self.events["head moved"] += 1
            return False
        self.events["cut"] += bool(beyond)
        self.events["removed"] += len(record.removes)
        self.closed[self.record.epoch] = self.log[:record.closes]
        self.chain.append(record)
        self.log = []
        return True


class Device:
    """One device: its copy of the set, its keys, and what it wrote and has not seen land."""

    def __init__(self, index: int, rules: Rules, events: Counter[str]) -> None:
        self.index = index
        self.rules = rules
        self.events = events
        self.epoch = -1
        self.authors: list[int] = []
        self.removed = False
        self.keys = {1}
        self.secrets: set[int] = set()
        self.outbox: list[Entry] = []
        self.envelopes: dict[int, Envelope] = {}
        self.shared = ContactSet({}, {}, {})
        self.unsettled: set[bytes] = set()
        self.pending: Record | None = None
        self._claims: dict[int, dict[int, int]] = {}
        self._last_claim: dict[int, int] = {}

    # -- what the person does

    def local(self) -> Contacts:
        """The book as the person sees it: the shared state and the entries that have not come back yet."""
        contacts = dict(self.shared.contacts)
        for entry in self._unlanded():
            seen = clamp(entry.claim, self.shared.counters(), entry.author, entry.counter)
            fold_ops(contacts, entry.author, entry.counter, seen, entry.ops, self.epoch, _no_batch)
        return contacts

    def edit(self, contact: bytes, time: int, values: dict[str, str | None]) -> Entry:
        """Set registers of a contact."""
        return self._write(set_ops(contact, self.local().get(contact), time, values))

    def delete(self, contact: bytes, time: int) -> Entry | None:
        """Delete a contact."""
        ops = delete_ops(contact, self.local().get(contact), time)
        return self._write(ops) if ops else None

    def _write(self, ops: Iterable[Op]) -> Entry:
        last = self.outbox[-1] if self.outbox else None
        counter = last.counter + 1 if last else self.shared.counter(self.index) + 1
        prev = last.id if last else self.shared.last_id(self.index)
        claim = self.shared.counters()
        sent = claim
        if self.rules.delta_vectors:
            sent = {member: count for member, count in claim.items() if self._last_claim.get(member) != count}
            self._last_claim = claim
        entry = Entry(self.index, counter, prev, claim, sent, tuple(ops))
        self.outbox.append(entry)
        return entry

    def _unlanded(self) -> list[Entry]:
        return [entry for entry in self.outbox if entry.counter > self.shared.counter(self.index)]

    # -- SPEC 14.1: send and receive

    @property
    def position(self) -> int:
        """How many envelopes of the epoch it has folded."""
        return len(self.authors)

    def sync(self, relay: Relay, upto: int | None = None) -> None:
        """Enter the open epoch, read its log, send what is unsent, and at most `upto` entries of it."""
        self.enter(relay)
        if self.removed:
            return
        self.read(relay)
        for entry in self._unlanded()[:upto]:
            envelope = self.envelopes.setdefault(entry.counter, Envelope(self.epoch, entry))
            relay.append(envelope)
        self.read(relay)

    def read(self, relay: Relay) -> None:
        """Fold the rest of the open log."""
        if relay.record.epoch == self.epoch:
            self._fold(relay.log[self.position:])

    def _fold(self, envelopes: list[Envelope]) -> None:
        for envelope in envelopes:
            entry = envelope.entry
            self.authors.append(entry.author)
            applied = self.shared.apply(
                entry.author, entry.counter, entry.id, self._claim_of(entry), entry.ops, 500, self.epoch, _no_batch,
                prev=entry.prev,
            )
            self.events[applied.status.value] += 1
            self.events["unparked"] += len(applied.results) > 1
            if applied.status is Status.FORKED:
                raise ModelFailureError("an honest author seems to have forked its log")
            for result in applied.results:
                self.unsettled -= result.changed.keys()
                self.unsettled |= result.unsettled

    def _claim_of(self, entry: Entry) -> dict[int, int]:
        if not self.rules.delta_vectors:
            return entry.claim
        known = self._claims.setdefault(entry.author, {})
        known.update(entry.sent_claim)
        return dict(known)

    # -- SPEC 14.2: enter

    def enter(self, relay: Relay) -> None:
        """From the epoch it is in to the open one."""
        newest = relay.record
        if newest.epoch == self.epoch or self.removed:
            return
        if self.index not in newest.members:
            self.removed = True
            return
        # Step 3: the box.
        if newest.numbers[self.index] not in self.keys:
            raise ModelFailureError(f"device {self.index} is locked out of epoch {newest.epoch}")
        before = self.local()
        self._take_state(newest, relay)
        self.epoch, self.authors = newest.epoch, []
        self.envelopes.clear()
        self.pending = None
        # Step 6: what has not landed goes out again, and whole lives with it.
        self.outbox = self._unlanded() if self.rules.resent else []
        self.events["sent again"] += len(self.outbox)
        if not self.rules.frozen_entries:
            self.outbox = [replace(entry, claim=self.shared.counters()) for entry in self.outbox]
        self._send_lives_along(before)
        # Step 7: erase; step 8: a new key.
        self.secrets = {newest.epoch}
        number = newest.numbers[self.index]
        self.keys = {key for key in self.keys if key >= number}
        self.keys.add(number + 1)
        relay.slots.setdefault(self.index, []).append(number + 1)
        if self.rules.erase_on_announce:
            self.keys = {number + 1}

    def _take_state(self, newest: Record, relay: Relay) -> None:
        """Steps 2 and 5: the device's own fold if it is the snapshot, else the snapshot."""
        following = self.epoch + 1
        if self.epoch >= 0:
            closed = relay.closed[self.epoch]
            if not relay.chain[following].removes.issuperset(self.authors[len(closed):]):
                raise ModelFailureError("a record closes before entries of members that it keeps")
        complete = following == newest.epoch and self.position <= newest.closes
        if complete and self.epoch >= 0 and (not relay.hostile or relay.rng.random() < 0.7):
            self._fold(relay.closed[self.epoch][self.position:])
            self.shared.boundary(newest.horizon, list(self.unsettled))
            if self.shared.contacts != newest.contacts or self.shared.vector != newest.vector:
                raise ModelFailureError(f"device {self.index} does not agree with the snapshot of {newest.epoch}")
        else:
            self.events["snapshot adopted"] += self.epoch >= 0
            contacts = dict(newest.contacts)
            if not self.rules.replaced_on_entry:
                contacts |= {contact: packed for contact, packed in self.shared.contacts.items()
                             if contact not in contacts}
            self.shared = ContactSet(contacts, dict(newest.vector), {})
        self.unsettled = {contact for contact, packed in self.shared.contacts.items() if needs_boundary(packed)}

    def _send_lives_along(self, before: Contacts) -> None:
        """SPEC 14.2 step 6: a contact that the snapshot lacks comes back whole."""
        if self.rules.whole_lives == "none":
            return
        written: dict[tuple[bytes, int], set[str]] = {}
        for entry in self.outbox:
            for op in entry.ops:
                if isinstance(op, SetOp):
                    written.setdefault((op.contact, op.life), set()).update(op.values)
        along = []
        for (contact, life), paths in written.items():
            packed = self.shared.contacts.get(contact)
            if self.rules.whole_lives == "by contact" and packed is not None:
                continue
            if contact in before:
                along.append(whole_life(contact, before[contact], life, paths, packed))
        ops = [op for op in along if op is not None]
        if ops:
            self.events["whole lives"] += len(ops)
            self._write(ops)

    # -- SPEC 14.3: open

    def prepare(
        self, relay: Relay, *, add: int | None = None, remove: int | None = None, cut: bool = False,
        horizon: int | None = None, forget: bool = False,
    ) -> None:
        """Make a record that closes the log as it is now; `submit` sends it, perhaps too late."""
        old = relay.record
        if old.epoch != self.epoch:
            return
        removes = frozenset(() if remove is None else (remove,))
        closes = len(relay.log)
        while cut and closes and relay.log[closes - 1].entry.author in removes:
            closes -= 1
        contacts, vector = self._closing_state(old, relay.log[:closes], horizon or old.horizon)
        numbers = {member: max(relay.announced(member), number) for member, number in old.numbers.items()
                   if member not in removes}
        numbers[self.index] = old.numbers[self.index] + 2
        self.keys.add(numbers[self.index])
        if add is not None:
            numbers[add] = 1
        self.pending = Record(
            old.epoch + 1, closes, self.index, numbers, removes, horizon or old.horizon, forget, contacts, vector)

    def _closing_state(
        self, old: Record, log: list[Envelope], horizon: int,
    ) -> tuple[Contacts, dict[int, tuple[int, bytes]]]:
        """BOUNDARY of the fold of the closed log, from the epoch's beginning: what everybody must arrive at."""
        closing = Device(self.index, self.rules, Counter())
        closing.epoch = old.epoch
        closing.shared = ContactSet(dict(old.contacts), dict(old.vector), {})
        closing._claims = {author: dict(claim) for author, claim in self._claims.items()}
        closing._fold(log)
        closing.shared.boundary(horizon, list(closing.shared.contacts))
        return dict(closing.shared.contacts), dict(closing.shared.vector)

    def submit(self, relay: Relay) -> bool:
        """Send the prepared record; a refused one is forgotten, its key is kept until a newer one is used."""
        record, self.pending = self.pending, None
        return record is not None and relay.open(record)

    # -- what the checks look at

    def digest(self) -> bytes:
        """The state digest."""
        return digest_of(self.shared.contacts)

    def shown(self) -> dict[bytes, dict[str, object]]:
        """The living contacts."""
        views = {contact: view(packed) for contact, packed in self.shared.contacts.items()}
        return {contact: seen.registers for contact, seen in views.items() if seen is not None}


def _no_batch(_op: object) -> list[tuple[bytes, bytes]]:
    raise AssertionError("the model writes inline")
