"""SPEC 8.4 to 8.6 word by word, without a thought for speed: what the package is held to.

A contact is {life number: (died, covered dots, {dot: [time, {path: value}, epoch]})}.
"""

from __future__ import annotations

from typing import Any

from e2esync.contactset import Contact, DeleteOp, Dot, Group, Life, Op, SetOp, pack

LiteralLife = dict[str, Any]
LiteralContact = dict[int, LiteralLife]


class LiteralSet:
    """S = (vector, contacts)."""

    def __init__(self) -> None:
        self.vector: dict[int, int] = {}
        self.contacts: dict[bytes, LiteralContact] = {}
        self.parked: dict[Dot, tuple[dict[int, int], list[Op]]] = {}

    def fold(self, author: int, counter: int, claimed: dict[int, int], ops: list[Op], epoch: int) -> None:
        """Steps 1 to 5."""
        last = self.vector.get(author, 0)
        if counter <= last:
            return
        if counter > last + 1:
            self.parked.setdefault((author, counter), (claimed, ops))
            return
        seen = {member: min(count, self.vector.get(member, 0)) for member, count in claimed.items()}
        seen[author] = counter - 1
        for op in ops:
            if isinstance(op, SetOp):
                self._set(op, (author, counter), seen, epoch)
            elif isinstance(op, DeleteOp):
                self._delete(op, (author, counter), seen, epoch)
        self.vector[author] = counter
        following = self.parked.pop((author, counter + 1), None)
        if following is not None:
            self.fold(author, counter + 1, *following, epoch)

    def _set(self, op: SetOp, dot: Dot, seen: dict[int, int], epoch: int) -> None:
        life = self.contacts.setdefault(op.contact, {}).setdefault(
            op.life, {"died": 0, "covered": set(), "groups": {}})
        for (member, counter), group in list(life["groups"].items()):
            if counter <= seen.get(member, 0):
                for path in op.values:
                    group[1].pop(path, None)
                if not group[1]:
                    del life["groups"][member, counter]
                    life["covered"].discard((member, counter))
        group = life["groups"].setdefault(dot, [0, {}, epoch])
        group[0] = op.time
        group[1].update(op.values)

    def _delete(self, op: DeleteOp, dot: Dot, seen: dict[int, int], epoch: int) -> None:
        life = self.contacts.get(op.contact, {}).get(op.life)
        if life is None:
            return
        covered = {(member, counter) for member, counter in life["groups"]
                   if counter <= seen.get(member, 0) or (member, counter) == dot}
        if covered:
            life["covered"] |= covered
            life["died"] = max(life["died"], epoch)

    def packed(self) -> dict[bytes, bytes]:
        """The states in the form of SPEC 8.3."""
        return {contact: pack(Contact([_life(number, lives[number]) for number in sorted(lives)]))
                for contact, lives in self.contacts.items()}


def _life(number: int, life: LiteralLife) -> Life:
    groups = [
        Group(dot[0], dot[1], time, values, epoch if None in values.values() else None)
        for dot, (time, values, epoch) in sorted(life["groups"].items())
    ]
    return Life(number, groups, life["died"], set(life["covered"]))
