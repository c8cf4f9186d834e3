"""What a person sees of a contact (SPEC 8.6).

Invariants: the view is a function of the packed state alone; a null never wins over a value; equal values are one.
Conflicts of a register are listed from the next best to the least, without the winner.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from e2esync.contactset.state import forms_of
from e2esync.limits import LIFE_MAX
from e2esync.wire import Value, encode

BLOBS: Final = "blobs/"
"""Registers that say where bytes lie: any of their values does, so they never conflict (SPEC 11.6)."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A value that lost against the winner of its register; None is a removal that lost."""

    value: Value
    time: int
    author: int
    counter: int


@dataclass(frozen=True, slots=True)
class View:
    """A living contact: path -> winning value, path -> conflicts, the time of its last write, its living lives."""

    registers: dict[str, Value]
    conflicts: dict[str, list[Candidate]]
    updated: int
    alive_lives: tuple[int, ...]


def view(packed: bytes) -> View | None:
    """The view of a checked packed state; None if no life is alive."""
    forms = forms_of(packed)
    # Nearly every contact is one life of one group without nulls, which is its view already.
    if len(forms) == 1 and len(forms[0]) == 2 and len(forms[0][1]) == 1 and len(forms[0][1][0]) == 4:
        number, [[_, _, time, values]] = forms[0]
        return View(values, {}, time, (number,))
    lives = _living(forms)
    if not lives:
        return None
    values_at: dict[str, list[_Ranked]] = {}
    updated = 0
    for number, groups, *_ in lives:
        for member, counter, time, values, *_ in groups:
            updated = max(updated, time)
            for path, value in values.items():
                rank = (value is not None, number, time, member, counter)
                values_at.setdefault(path, []).append((rank, value))
    registers: dict[str, Value] = {}
    conflicts: dict[str, list[Candidate]] = {}
    for path in sorted(values_at):
        winner, others = _elect(values_at[path])
        if winner is not None:
            registers[path] = winner
            if others and not path.startswith(BLOBS):
                conflicts[path] = others
    return View(registers, conflicts, updated, tuple(life[0] for life in lives))


def alive_lives(packed: bytes) -> tuple[int, ...]:
    """The numbers of the living lives, ascending."""
    return tuple(life[0] for life in _living(forms_of(packed)))


def write_life(packed: bytes | None) -> int:
    """The life in which a writer sets: the highest living one, else the one after the highest, else 1."""
    if packed is None:
        return 1
    forms = forms_of(packed)
    living = _living(forms)
    if living:
        return int(living[-1][0])
    # At the very last number a set revives that life instead: nobody can use a contact's numbers up.
    return min(int(forms[-1][0]) + 1, LIFE_MAX)


_Ranked = tuple[tuple[bool, int, int, int, int], Value]


def _living(forms: list[Value]) -> list[Value]:
    return [life for life in forms if len(life) == 2 or len(life[3]) < len(life[1])]


def _elect(candidates: list[_Ranked]) -> tuple[Value, list[Candidate]]:
    """The winner at one path, and the different values that lost."""
    if len(candidates) == 1:
        return candidates[0][1], []
    candidates.sort(key=lambda ranked: ranked[0], reverse=True)
    winner = candidates[0][1]
    seen = {encode(winner)}
    others = []
    for (_, _, time, author, counter), value in candidates[1:]:
        spelled = encode(value)
        if spelled not in seen:
            seen.add(spelled)
            others.append(Candidate(value, time, author, counter))
    return winner, others
