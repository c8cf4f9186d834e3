"""One book of a profile, for people and embedders: contacts in and out, without the network.

Everything here works offline. Edits are shown at once and wait in the outbox for the next sync. Nothing on the way to
`list` imports more than it needs: the CRDT, the card model and the chain come in when they are used.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from e2esync.client.naming import device_name, with_names
from e2esync.client.profile import Profile
from e2esync.errors import Ambiguous, NotFound
from e2esync.stores.index import CardRow

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from e2esync.card import Layout, ReadCard, VCardFile
    from e2esync.client.events import Event
    from e2esync.client.guarding import Guarded
    from e2esync.client.history import Reversal
    from e2esync.client.importing import ImportPlan, ImportResult
    from e2esync.contactset import Candidate
    from e2esync.crypto import Entropy
    from e2esync.replica.core import Replica
    from e2esync.replica.history import Step
    from e2esync.wire import Value

Rows = list[CardRow]
Devices = list["Device"]
Candidates = list["Candidate"]
Words = list[str]
Events = list["Event"]
Guardeds = list["Guarded"]
UNVERIFIED = ("this book was restored with the kit, and the relay alone says that it is the newest: compare the words "
              "with another device, then run `e2esync status --confirm` (FreshnessUnverified)")
STOPPED = ("this device has stopped writing ({}) and keeps everything that is in it: run `e2esync pair` on another "
           "device, and `e2esync rejoin CODE` here")


@dataclass(frozen=True, slots=True)
class Device:
    """A device of the book."""

    member: int
    person: bytes
    role: str
    name: str
    this: bool
    fingerprint: list[str]
    added_epoch: int
    last_heard: int
    """When its heartbeat was last received, ms; 0 for never."""
    key_number: int
    since: int
    """When it was added, ms."""
    signing_since: int
    """Since when it signs with its present key, ms."""
    sealing_since: int
    """Since when epochs are sealed to its present key, ms."""
    entered: bool
    """Whether it was heard in the open epoch: it has acknowledged the newest change of members and keys."""
    in_step: bool
    """Whether its last heartbeat says that it has just what this device has."""
    person_name: str
    """What the person whose device it is wants to be called in this book; empty where nobody said."""


@dataclass(frozen=True, slots=True)
class Status:
    """Where a book stands on this device."""

    set_id: bytes
    device: str
    epoch: int
    position: int
    contacts: int
    unsent: int
    """Changes that the relay has not got."""
    last_sync: int
    """ms; 0 for never."""
    relay_url: str
    devices: list[Device]
    notices: list[str]
    conflicts: int
    forgetting: Words
    """The devices that must still acknowledge the newest forget; empty when it is complete."""
    phrase: Words
    """Six words for the state that this device has: the same on every device that is in step (SPEC 12.5)."""


class Book:
    """A contact set as this device has it. `number` 0 is the home set of the profile."""

    def __init__(self, profile: Profile, number: int = 0, *, entropy: Entropy | None = None,
                 now: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self.profile = profile
        self.number = number
        self.store = profile.store.book(number)
        self.now = now
        self._entropy = entropy
        self._replica: Replica | None = None

    def exists(self) -> bool:
        """Whether this profile is in a contact set."""
        return self.store.get("identity") is not None

    @property
    def replica(self) -> Replica:
        """The replica under this book. Raises NoProfile if there is no contact set yet."""
        if self._replica is None:
            from e2esync.replica.core import Replica

            self._replica = Replica(self.store)
        return self._replica

    @property
    def entropy(self) -> Entropy:
        """Where randomness comes from: the system, unless the caller gave another source."""
        if self._entropy is None:
            from e2esync.client.entropy import SystemEntropy

            self._entropy = SystemEntropy()
        return self._entropy

    @property
    def set_id(self) -> bytes:
        """The contact set's id, 32 bytes."""
        return self.replica.set_id

    @property
    def name(self) -> str:
        """The book's name."""
        from e2esync.replica.own_object import book_name

        return book_name(self.replica)

    @property
    def device_name(self) -> str:
        """This device's name in the book."""
        return device_name(self._names(), self.replica.member)

    # Reading.

    def list(self, query: str | None = None) -> Rows:
        """Contacts whose name, number, address or organization holds `query`, in the order of their sort keys."""
        return self.store.cards(query)

    def find(self, selector: str) -> CardRow:
        """The one contact that a selector names: part of a name, a number in any format, an address, a uid's start.

        Raises NotFound, or Ambiguous with `candidates`.
        """
        rows = self.store.find(selector)
        if not rows:
            raise NotFound(f"no contact fits {selector!r}", "`e2esync list` shows all")
        if len(rows) > 1:
            raise Ambiguous(f"{len(rows)} contacts fit {selector!r}", candidates=rows)
        return rows[0]

    def registers(self, contact: bytes) -> dict[str, Value]:
        """The registers of a contact as people see them. Raises NotFound."""
        from e2esync.contactset import view
        from e2esync.replica.writing import shown_state

        state = shown_state(self.store, contact)
        shown = view(state) if state else None
        if shown is None:
            raise NotFound("this contact is not in the book")
        return shown.registers

    def card(self, contact: bytes) -> dict[str, Value]:
        """A contact as a JSContact card (RFC 9553). Raises NotFound."""
        from e2esync.card import assemble

        registers = self.registers(contact)
        return assemble({path: value for path, value in registers.items() if not _is_inner(path)})

    def conflicts(self, contact: bytes) -> dict[str, Candidates]:
        """Path → the values that lost against the one shown, where devices disagree."""
        from e2esync.contactset import view
        from e2esync.replica.writing import shown_state

        state = shown_state(self.store, contact)
        shown = view(state) if state else None
        return shown.conflicts if shown else {}

    def resolve(self, contact: bytes, path: str, keep: int) -> None:
        """Settle a conflict: `keep` is 0 for the value shown, 1 for the first of `conflicts`, and so on.

        Raises NotFound where there is no such conflict or value.
        """
        with self._named("resolve"):
            others = self.conflicts(contact).get(path)
            if others is None or not 0 <= keep <= len(others):
                raise NotFound(f"there is no value {keep} at {path}", "`e2esync conflicts show` shows what there is")
            self.write(contact, {path: others[keep - 1].value if keep else self.registers(contact)[path]})

    def events(self, after: int = 0) -> Events:
        """What has changed in what the book shows, by whomever, since the event of this number; oldest first."""
        from e2esync.client.events import events

        return events(self, after)

    def media(self, digest: str) -> bytes | None:
        """The bytes of a photo by the digest in its register; None while they are not on this device."""
        return self.store.media(digest)

    # Writing.

    def add(self, card: dict[str, Value]) -> bytes:
        """Add a JSContact card; one without uid gets a random one. Returns its contact id. Raises BadCard."""
        from e2esync.card import check_card, flatten
        from e2esync.replica.contacts import contact_id

        if not card.get("uid"):
            card = {**card, "uid": f"urn:uuid:{_uuid(self.entropy.draw('contact uid', 16))}"}
        check_card(card)
        contact = contact_id(self.set_id, card["uid"], 0)
        with self._named("add"):
            self.write(contact, flatten(card))
        return contact

    def update(self, contact: bytes, card: dict[str, Value]) -> int:
        """Write what differs between the contact and `card`; returns how many registers that is. Raises BadCard."""
        from e2esync.card import check_card, flatten
        from e2esync.contactset import changes

        check_card(card)
        # In one transaction: another process may change the contact between reading and writing.
        with self._named("edit"):
            old = self.registers(contact)
            inner = {path: value for path, value in old.items() if _is_inner(path)}
            edits = changes(old, {**inner, **flatten(card)})
            if edits:
                self.write(contact, edits)
        return len(edits)

    def write(self, contact: bytes, values: dict[str, Value]) -> None:
        """Write registers of a contact as they are; None removes one. `add` and `update` are for cards."""
        from e2esync.contactset import set_ops
        from e2esync.replica.writing import shown_state, write

        with self.profile.store.transaction():
            write(self.replica, list(set_ops(contact, shown_state(self.store, contact), self.now(), values)))

    def remove(self, contacts: Iterable[bytes]) -> int:
        """Delete contacts; returns how many were there. Other devices' newer edits bring one back whole."""
        from e2esync.contactset import DeleteOp, delete_ops
        from e2esync.replica.writing import shown_state, write

        now = self.now()
        ops: list[DeleteOp] = []
        count = 0
        with self._named("delete"):
            for contact in contacts:
                deletes = delete_ops(contact, shown_state(self.store, contact), now)
                ops += deletes
                count += bool(deletes)
            if ops:
                write(self.replica, list(ops))
        return count

    def rename(self, name: str) -> None:
        """Name the book. Raises BadCard for a name above 64 bytes."""
        from e2esync.replica.own_object import name_book

        name_book(self.replica, name, self.now())

    def rename_device(self, member: int, name: str) -> None:
        """Name a device. Raises BadCard for a name above 64 bytes."""
        from e2esync.replica.own_object import name_device

        name_device(self.replica, member, name, self.now())

    def _named(self, name: str) -> AbstractContextManager[None]:
        from e2esync.replica.history import Step

        return self.step(Step(name, self.now()))

    # Importing.

    def plan(self, cards: VCardFile | Iterable[ReadCard]) -> ImportPlan:
        """What importing these cards would do: what is new, what an import would change, what is there already.

        A contact that was imported before is compared with that import: only what changed in the file is an edit.
        """
        from e2esync.client.importing import plan_import

        return plan_import(self, cards)

    def apply(self, plan: ImportPlan, name: str = "import") -> ImportResult:
        """Carry a plan out, as one step of this name. Photos go into encrypted blobs, which the next sync uploads."""
        from e2esync.client.importing import apply_plan

        return apply_plan(self, plan, name)

    # What was before.

    def plan_undo(self, step: int | None = None, contacts: Collection[bytes] = ()) -> Reversal:
        """What undoing a step of the history would do (by default this device's last); only in these contacts, if any.

        Raises NotFound.
        """
        from e2esync.client.history import plan_undo

        return plan_undo(self, step, contacts)

    def plan_restore(self, at: int, contacts: Collection[bytes] = ()) -> Reversal:
        """What putting the book back as it was at a time (ms) would do; only these, if any. Raises NotFound."""
        from e2esync.client.history import plan_restore

        return plan_restore(self, at, contacts)

    def carry_out(self, plan: Reversal) -> None:
        """Put back what was planned: new operations, one step, which can be undone itself."""
        from e2esync.client.history import carry_out_reversal

        carry_out_reversal(self, plan)

    def guarded(self) -> Guardeds:
        """What others deleted or overwrote by the hundred: shown as it was until a person decides (SPEC 14.9)."""
        from e2esync.client.guarding import guarded

        return guarded(self)

    def confirm_guarded(self, contacts: Collection[bytes] | None = None) -> int:
        """A person agrees, to all or in these contacts: show what everybody has. Returns how many."""
        from e2esync.client.guarding import confirm_guarded

        return confirm_guarded(self, contacts)

    def refuse_guarded(self, contacts: Collection[bytes] | None = None) -> int:
        """A person refuses, all or these contacts: write back what is shown. Returns how many. Raises ReadOnly."""
        from e2esync.client.guarding import refuse_guarded

        return refuse_guarded(self, contacts)

    def forget_deleted(self, contacts: Iterable[bytes]) -> None:
        """Drop what the history knows of deleted contacts, and their photos, from this device and for good."""
        from e2esync.client.history import forget

        forget(self, contacts)

    @contextmanager
    def step(self, step: Step) -> Iterator[None]:
        """Make all that is written inside, by whatever method, one step of the history, all or nothing."""
        replica = self.replica
        with self.profile.store.transaction():
            outer, replica.step = replica.step, replica.step or step
            try:
                yield
            finally:
                replica.step = outer

    def keep_layout(self, name: str, layout: Layout) -> None:
        """Remember how an imported file was laid out; `name` is the file's, and a newer one of that name replaces it.

        Layouts stay on this device: they are of use where the file came from.
        """
        from e2esync.client.importing import keep_layout

        keep_layout(self, name, layout)

    def as_imported(self, name: str) -> bytes:
        """The imported file of this name again: untouched cards to the byte (JSON: equal), edited ones as they are now.

        Raises NotFound for a file that was not imported here, BadCard for a CSV or LDIF file.
        """
        from e2esync.client.importing import as_imported

        return b"".join(as_imported(self, name))

    # Looking around.

    def devices(self) -> Devices:
        """The devices of the book, by member index."""
        from e2esync.access.fingerprint import device_fingerprint
        from e2esync.replica.aging import key_ages
        from e2esync.replica.announcing import acknowledged, in_step, stale
        from e2esync.replica.own_object import people_names

        replica = self.replica
        names, people, ages = self._names(), people_names(replica), key_ages(replica)
        heard = {slot.member: slot.heard for slot in self.store.slots()}
        entered = {**acknowledged(self.store), replica.member: replica.position.epoch}
        equal = in_step(replica) - {int(silent.about) for silent in stale(replica, self.now())}
        return [
            Device(
                index, member.person, member.role.name.lower(), device_name(names, index), index == replica.member,
                device_fingerprint(replica.set_id, member.verify_key), member.added, heard.get(index, 0),
                replica.chain.numbers[index], ages[index].added.time, ages[index].signing.time,
                ages[index].sealing.time, entered.get(index, -1) >= replica.position.epoch,
                index in equal and heard.get(index, 0) > 0, people.get(member.person, ""),
            )
            for index, member in sorted(replica.chain.members.items()) if member.is_device
        ]

    def status(self) -> Status:
        """Everything `e2esync status` says."""
        from e2esync.client.guarding import guard_notices
        from e2esync.contactset import view
        from e2esync.replica.writing import shown_state
        from e2esync.wire import decode

        replica, store = self.replica, self.store
        synced, notices = store.get("synced"), store.get("notices")
        rows = self.list()
        states = (shown_state(store, row.contact) for row in rows)
        waiting = sum(len(store.outbox_contacts(row.counter)) for row in store.outbox() if not row.seq)
        return Status(
            set_id=replica.set_id, device=self.device_name, epoch=replica.position.epoch,
            position=replica.position.seq, contacts=len(rows), unsent=len(store.pending()) + waiting,
            last_sync=decode(synced) if synced else 0, relay_url=self.relay_url, devices=self.devices(),
            notices=[*([STOPPED.format(replica.frozen)] if replica.frozen else []),
                     *([UNVERIFIED] if store.get("unverified") is not None else []),
                     *guard_notices(self), *self._moves(), *self._kit_uses(),
                     *(decode(notices) if notices else []), *self._findings()],
            conflicts=sum(1 for state in states if state and (shown := view(state)) and shown.conflicts),
            forgetting=list(self.not_forgotten().values()), phrase=self.phrase(),
        )

    def phrase(self) -> Words:
        """Six words for the state that this device has, to be compared with another device's (SPEC 12.5)."""
        from e2esync.access.fingerprint import state_phrase
        from e2esync.replica.snapshots import digest

        vector = {member: counter for member, (counter, _id) in self.store.vector().items()}
        return state_phrase(self.set_id, self.replica.chain.head.hash, digest(self.store), vector)

    def confirm(self) -> bool:
        """A person has compared the words after a recovery: forget `FreshnessUnverified`. False if nothing waited."""
        waited = self.store.get("unverified") is not None
        self.store.drop("unverified")
        return waited

    def not_forgotten(self) -> dict[int, str]:
        """The devices (member, name) that must still acknowledge the newest forget (SPEC 14.4); usually none."""
        from e2esync.replica.forgetting import forgetting

        state, names = forgetting(self.replica), self._names()
        return {member: device_name(names, member) for member in sorted(state.ready | state.silent)} if state else {}

    def _findings(self) -> Words:
        """What was detected and is not over, in plain sentences, with the names of the devices."""
        from e2esync.replica.findings import findings

        return [f"{with_names(self.replica, each.message)} ({each.code}; {each.hint})"
                for each in findings(self.store) if not each.healed]

    def _moves(self) -> Words:
        """That another device has moved the book, or somebody wants it deleted: a person is to decide."""
        from e2esync.client.endings import ending_notices

        return ending_notices(self.replica, self.now(), home=self.number == 0)

    def _kit_uses(self) -> Words:
        """When the recovery kit has opened an epoch, and what it did then."""
        from e2esync.replica.kit_uses import kit_uses

        return [use.told(time.strftime("%Y-%m-%d", time.gmtime(use.time // 1000))) for use in kit_uses(self.replica)]

    @property
    def relay_url(self) -> str:
        """The address of the book's relay; empty if it has none."""
        return next((info.relay for info in self.profile.store.books() if info.number == self.number), "")

    def _names(self) -> dict[int, str]:
        from e2esync.replica.own_object import device_names

        return device_names(self.replica)


def _is_inner(path: str) -> bool:
    """Whether a register is no part of the card: what its import knew, or where its photos lie."""
    return path.partition("/")[0] in ("origin", "blobs")


def _uuid(raw: bytes) -> str:
    """A version 4 UUID (RFC 9562) of 16 random bytes."""
    bits = (int.from_bytes(raw) & ~(0xF << 76) & ~(0x3 << 62)) | 4 << 76 | 2 << 62
    text = f"{bits:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
