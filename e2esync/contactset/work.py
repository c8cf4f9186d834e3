"""One contact while the operations of one entry are folded into it (SPEC 8.4 step 4).

The contact is unpacked once and packed once, whatever an entry does to it: the cost is linear in the state and in the
operations, also for a member who means harm. Groups that lose their registers are swept at the end, so that an
operation never walks through them twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from e2esync.contactset.state import Contact, Dot, Group, Life, fits, pack, unpack
from e2esync.wire import Value


@dataclass(frozen=True, slots=True)
class Context:
    """The entry that is folded: its dot, what it has seen, and the epoch in which it is folded."""

    author: int
    counter: int
    seen: Mapping[int, int]
    epoch: int

    @property
    def dot(self) -> Dot:
        """The entry's name, which its groups bear."""
        return self.author, self.counter

    def sees(self, group: Group) -> bool:
        """Whether the author knew the group."""
        return group.counter <= self.seen.get(group.member, 0)


@dataclass(slots=True)
class Outcome:
    """A contact after an entry: `packed` is empty if there is nothing, and equals `before` if nothing happened."""

    packed: bytes
    unsettled: bool


class ContactWork:
    """The operations of one entry on one contact, in order; then `finish`."""

    __slots__ = ("_context", "_deletes", "_lives", "before")

    def __init__(self, before: bytes, context: Context) -> None:
        self.before = before
        self._context = context
        self._deletes: list[int] = []
        lives = unpack(before).lives if before else []
        self._lives = {life.number: _LifeWork(life, context) for life in lives}

    def set(self, number: int, time: int, values: dict[str, Value]) -> None:
        """Replace what the entry has seen at these paths of a life."""
        work = self._lives.get(number)
        if work is None:
            work = self._lives[number] = _LifeWork(Life(number), self._context)
        work.write(time, values)

    def delete(self, number: int) -> None:
        """Cover what the entry has seen of a life, if there is such a life."""
        self._deletes.append(number)
        if number in self._lives:
            self._lives[number].delete()

    def finish(self) -> Outcome:
        """The state after the entry. Sets that would make it too large are undone, deletes never are."""
        contact = Contact([self._lives[number].finish() for number in sorted(self._lives)])
        packed = pack(contact) if contact.lives else b""
        if packed == self.before or fits(packed):
            return Outcome(packed, contact.unsettled)
        deletes = ContactWork(self.before, self._context)
        for number in self._deletes:
            deletes.delete(number)
        # A state that fits goes on fitting whatever is deleted in it.
        return deletes.finish()


class _LifeWork:
    """A life under an entry's operations."""

    __slots__ = ("_context", "_deleted", "_holders", "_life", "_own")

    def __init__(self, life: Life, context: Context) -> None:
        self._life = life
        self._context = context
        self._deleted = False
        self._own: Group | None = None
        self._holders: dict[str, list[Group]] | None = None

    def write(self, time: int, values: dict[str, Value]) -> None:
        """Take what the values replace out of the groups that hold it; put them into the entry's own group."""
        if self._holders is None:
            self._holders = self._index()
        # What the entry has seen at a path is replaced by the first set of the path: later ones find only their own.
        for path in values:
            for group in self._holders.pop(path, ()):
                del group.values[path]
        own = self._own_group()
        own.time = time
        own.values.update(values)
        own.epoch = self._context.epoch

    def delete(self) -> None:
        """Cover the groups that the entry has seen and its own."""
        context, life = self._context, self._life
        if not self._deleted:
            covered = {group.dot for group in life.groups
                       if group.values and (group.dot == context.dot or context.sees(group))}
        else:
            # Since its first delete the entry can have added nothing but its own group.
            covered = set() if self._own is None else {context.dot}
        self._deleted = True
        if covered:
            life.covered |= covered
            life.died = max(life.died, context.epoch)

    def finish(self) -> Life:
        """The life with its invariants restored."""
        life = self._life
        life.groups = [group for group in life.groups if group.values]
        for group in life.groups:
            if group.epoch is not None and None not in group.values.values():
                group.epoch = None
        if life.covered:
            life.covered &= {group.dot for group in life.groups}
        return life

    def _index(self) -> dict[str, list[Group]]:
        """Path -> the groups with it that the entry has seen."""
        holders: dict[str, list[Group]] = {}
        for group in self._life.groups:
            if self._context.sees(group):
                for path in group.values:
                    holders.setdefault(path, []).append(group)
        return holders

    def _own_group(self) -> Group:
        if self._own is None:
            dot, groups = self._context.dot, self._life.groups
            # A snapshot by a malicious opener may hold the dot already; an honest one does not.
            self._own = next((group for group in groups if group.dot == dot), None)
            if self._own is None:
                self._own = Group(*dot, 0, {})
                groups.append(self._own)
                groups.sort(key=_dot_of)
        return self._own


def _dot_of(group: Group) -> Dot:
    return group.member, group.counter
