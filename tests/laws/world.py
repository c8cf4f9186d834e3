"""A random life of a contact set on the model, and the laws that must hold in it and at its end."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from e2esync.contactset import DeleteOp, SetOp, alive_lives, unpack
from tests.laws.model import Device, Entry, ModelFailureError, Record, Relay, Rules

__all__ = ["Rules", "World", "failures"]

CORE = ("name", "emails/1", "phones/1")
OPTIONAL = ("notes/1", "phones/2")
CONTACTS = [bytes([n * 40]) * 16 for n in range(5)]


@dataclass
class Forget:
    """A forget that its opener sees through (rules.md FORGET): `done` are the members that it is complete for."""

    opener: int
    epoch: int
    done: set[int]


@dataclass(frozen=True)
class Edit:
    """A value that a person wrote: it must not get lost."""

    entry: Entry
    contact: bytes
    life: int
    path: str
    value: str


class World:
    """Four devices to begin with, a relay, and `steps` random events; then quiet, then the checks."""

    def __init__(self, seed: int, rules: Rules, *, honest: bool = False, steps: int = 80) -> None:
        self.rng = Random(seed)
        self.rules = rules
        self.steps = steps
        numbers = dict.fromkeys(range(4), 1)
        self.relay = Relay(self.rng, [Record(0, 0, 0, numbers, frozenset(), 0, False, {}, {})])
        self.relay.hostile = not honest
        self.relay.slots = {member: [1] for member in numbers}
        self.devices = {member: Device(member, rules, self.relay.events) for member in numbers}
        self.asleep: dict[int, int] = {}
        self.entries: dict[tuple[int, int], Entry] = {}
        self.edits: list[Edit] = []
        self.beats: dict[int, int] = {}
        self.forget: Forget | None = None
        self.time = 1000

    # -- events

    def run(self) -> None:
        """Raises ModelFailureError for the first law that is broken."""
        for device in self.devices.values():
            self._sync(device)
        for step in range(self.steps):
            self.relay.withholding = self.relay.hostile and self.rng.random() < 0.6
            if self.rng.random() < 0.2:
                self.relay.deliver()
            device = self.devices[self.rng.choice(self._members())]
            if self.asleep.get(device.index, 0) <= step:
                self._event(device, step)
            elif self.rng.random() < 0.4:
                self._edit(device)
        self._quiet()
        self._check()

    def _members(self) -> list[int]:
        return sorted(self.relay.record.members)

    def _event(self, device: Device, step: int) -> None:
        dice = self.rng.random()
        if dice < 0.40:
            self._edit(device)
        elif dice < 0.72:
            self._sync(device, self.rng.choice([None, None, 0, 1, 2]))
        elif dice < 0.80:
            self.asleep[device.index] = step + self.rng.randrange(5, 40)
        elif device.pending is not None:
            self._submit(device)
        else:
            self._prepare(device)

    def _sync(self, device: Device, upto: int | None = None) -> None:
        device.sync(self.relay, upto)
        if not device.removed:
            self._note_outbox(device)
            self.beats[device.index] = device.epoch
            self._see_forget_through(device)

    def _edit(self, device: Device) -> None:
        if device.epoch < 0:
            return
        self.time += self.rng.choice([1, 1, 1, 10_000_000, -500])
        time = max(0, self.time)
        contact = self.rng.choice(CONTACTS)
        packed = device.local().get(contact)
        stamp = f"{device.index}/{len(self.edits)}"
        if packed is None or not alive_lives(packed):
            device.edit(contact, time, {path: f"{path} {stamp}" for path in CORE})
        elif self.rng.random() < 0.3:
            device.delete(contact, time)
        elif self.rng.random() < 0.15:
            device.edit(contact, time, {self.rng.choice(OPTIONAL): None})
        else:
            paths = self.rng.sample(CORE + OPTIONAL, self.rng.choice([1, 1, 2]))
            device.edit(contact, time, {path: f"{path} {stamp}" for path in paths})
        self._note_outbox(device)

    def _note_outbox(self, device: Device) -> None:
        """Remember what a device wrote. Whole lives are entries too, and repeat others' values."""
        for entry in device.outbox:
            if (entry.author, entry.counter) not in self.entries:
                self.entries[entry.author, entry.counter] = entry
                self.edits += [Edit(entry, op.contact, op.life, path, value)
                               for op in entry.ops if isinstance(op, SetOp)
                               for path, value in op.values.items() if value is not None]

    # -- openings

    def _prepare(self, device: Device) -> None:
        """Most openings are prepared now and sent later, so that some come too late."""
        self._sync(device)
        if device.removed:
            return
        members = self._members()
        others = [member for member in members if member != device.index]
        kind = self.rng.random()
        if kind < 0.12 and len(members) > 2:
            # Preferably whoever wrote last: only then is there something to cut.
            last = self.relay.log[-1].entry.author if self.relay.log else device.index
            gone = last if last != device.index and self.rng.random() < 0.7 else self.rng.choice(others)
            device.prepare(self.relay, remove=gone, cut=self.rng.random() < 0.6)
        elif kind < 0.24 and len(members) < 6:
            self._prepare_newcomer(device)
        elif kind < 0.50 and self.forget is None:
            device.prepare(self.relay, horizon=device.epoch + 1, forget=True)
        else:
            device.prepare(self.relay, horizon=self.rng.choice([None, device.epoch + 1]))
        if self.rng.random() < 0.6:
            self._submit(device)

    def _prepare_newcomer(self, device: Device) -> None:
        index = len(self.devices)
        self.devices[index] = Device(index, self.rules, self.relay.events)
        self.relay.slots[index] = [1]
        device.prepare(self.relay, add=index)
        if not self._submit(device):
            del self.devices[index]

    def _submit(self, device: Device) -> bool:
        record = device.pending
        accepted = device.submit(self.relay)
        if not accepted:
            return False
        assert record is not None
        for member in record.removes:
            self.asleep.pop(member, None)
            self.beats.pop(member, None)
        if self.forget is not None and self.forget.opener in record.removes:
            self.forget = None
        if record.forget and self.forget is None:
            self.forget = Forget(device.index, record.epoch, set())
        # The acknowledgement may be lost: the opener then finds its own record like everybody else.
        if self.rng.random() < 0.7:
            self._sync(device)
        return True

    # -- forget

    def _see_forget_through(self, device: Device) -> None:
        """FORGET: complete when every member's box is under a key that is newer than what was forgotten."""
        forget = self.forget
        if forget is None or forget.opener != device.index:
            return
        for member, epoch in self.beats.items():
            if epoch >= forget.epoch and self._forgot(member, epoch, forget.epoch):
                forget.done.add(member)
        waiting = [member for member in self._members() if member not in forget.done]
        if not waiting:
            self.forget = None
            self.relay.events["forgotten"] += 1
            self._check_archive(forget.epoch)
        elif all(self._announced_since(member, forget.epoch) for member in waiting) and self.rng.random() < 0.7:
            device.prepare(self.relay)
            self._submit(device)

    def _forgot(self, member: int, epoch: int, since: int) -> bool:
        if self.rules.forget_done == "entered":
            return True
        if self.rules.forget_done == "two past":
            return epoch >= since + 2
        return self._first_used(member, self.relay.chain[epoch].numbers[member]) >= since

    def _announced_since(self, member: int, epoch: int) -> bool:
        return self.beats.get(member, 0) >= epoch and self.relay.announced(member) > self.relay.record.numbers[member]

    def _first_used(self, member: int, number: int) -> int:
        return next(record.epoch for record in self.relay.chain if record.numbers.get(member) == number)

    def _check_archive(self, forgotten: int) -> None:
        """Whoever takes a device now opens no box that was made before the forget."""
        for record in self.relay.chain[:forgotten]:
            for member in self._members():
                device = self.devices[member]
                if record.numbers.get(member) in device.keys or record.epoch in device.secrets:
                    raise ModelFailureError(f"device {member} still opens its archived box of epoch {record.epoch}")

    # -- the end

    def _quiet(self) -> None:
        """Everybody wakes, the relay serves everything; then one more boundary."""
        self.relay.withholding = self.relay.hostile = False
        for _ in range(3):
            self.relay.deliver()
            for member in self._members():
                self._sync(self.devices[member])
        opener = self.devices[self._members()[0]]
        opener.sync(self.relay)
        opener.prepare(self.relay)
        if not opener.submit(self.relay):
            raise ModelFailureError("an opening of the only active device is refused")
        for member in self._members() * 2:
            self.devices[member].sync(self.relay)

    def _check(self) -> None:
        members = [self.devices[member] for member in self._members()]
        if len({(device.epoch, device.position, device.digest()) for device in members}) != 1:
            raise ModelFailureError("members do not hold the same state")
        if any(device.shared.vector != members[0].shared.vector for device in members):
            raise ModelFailureError("members do not hold the same vector")
        for device in members:
            if any(entry.counter > device.shared.counter(device.index) for entry in device.outbox):
                raise ModelFailureError(f"device {device.index} cannot land an entry")
        self._check_whole(members[0])
        for edit in self.edits:
            if edit.entry.author in self.relay.record.members and not self._accounted(edit, members[0]):
                raise ModelFailureError(f"the edit {edit.value!r} in life {edit.life} is lost")

    def _check_whole(self, device: Device) -> None:
        """No half contacts: a creation writes every core path, and no later edit removes one.

        Excused is a life that somebody touched late and left half said: its author deleted it in a later entry, and
        others edited it in between; or its author was removed before it could send the rest.
        """
        for contact, packed in device.shared.contacts.items():
            for life in unpack(packed).lives:
                held = {path for group in life.groups for path in group.values}
                if life.alive and not held.issuperset(CORE) and not self._left_half(contact, life.number, device):
                    raise ModelFailureError(f"half a contact: life {life.number} holds only {sorted(held)}")

    def _left_half(self, contact: bytes, life: int, device: Device) -> bool:
        for entry in self.entries.values():
            author, landed = entry.author, device.shared.counter(entry.author)
            if entry.counter > landed or not any(
                isinstance(op, SetOp) and (op.contact, op.life) == (contact, life) and not op.values.keys() >= set(CORE)
                for op in entry.ops
            ):
                continue
            later = [other for other in self.entries.values()
                     if other.author == author and other.counter > entry.counter]
            if author not in self.relay.record.members and any(other.counter > landed for other in later):
                return True
            if any(isinstance(op, DeleteOp) and (op.contact, op.life) == (contact, life)
                   for other in later for op in other.ops):
                return True
        return False

    def _accounted(self, edit: Edit, device: Device) -> bool:
        """Shown or in conflict, or replaced or deleted by an entry that had seen it."""
        packed = device.shared.contacts.get(edit.contact)
        life = unpack(packed).life(edit.life) if packed else None
        if life is not None and life.alive and any(
            group.values.get(edit.path) == edit.value for group in life.groups
        ):
            return True
        return any(self._overrules(entry, edit) for entry in self.entries.values()
                   if entry.counter <= device.shared.counter(entry.author))

    def _overrules(self, entry: Entry, edit: Edit) -> bool:
        if entry is edit.entry:
            return False
        author = edit.entry.author
        saw = entry.counter if entry.author == author else entry.claim.get(author, 0)
        if saw < edit.entry.counter:
            return False
        return any(
            (isinstance(op, SetOp) and edit.path in op.values) or isinstance(op, DeleteOp)
            for op in entry.ops
            if isinstance(op, SetOp | DeleteOp) and (op.contact, op.life) == (edit.contact, edit.life)
        )


def failures(
    rules: Rules, seeds: range, *, honest: bool = False, steps: int = 80, enough: str | None = None,
) -> dict[int, str]:
    """Seed -> broken law, for the runs that fail; no further than a failure that says `enough`."""
    failed: dict[int, str] = {}
    for seed in seeds:
        try:
            World(seed, rules, honest=honest, steps=steps).run()
        except ModelFailureError as failure:
            failed[seed] = str(failure)
            if enough is not None and enough in failed[seed]:
                break
    return failed
