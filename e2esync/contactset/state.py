"""The state of one contact, packed and unpacked (SPEC 8.3).

    contact ─ lives, ascending by number
      life  ─ groups, ascending by dot; once something in it was deleted: `died` and the covered dots
        group ─ the registers that one entry wrote and nobody replaced since

Invariants: a contact has lives, a life has groups, a group has registers; covered dots are dots of groups of that
life; `epoch` of a group is known exactly while it holds a null; the state fits in STATE_MAX even once all of it is
deleted, so that whoever may write a contact can also delete it. `unpack` refuses everything else, so equal states have
equal bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from e2esync.contactset.ops import PATH_MAX
from e2esync.errors import BadState, WireError
from e2esync.limits import INT_MAX, LIFE_MAX, STATE_MAX
from e2esync.wire import Value, decode_checked, decode_values, encode_ordered

MEMBER_MAX: Final = 2**32 - 1

Dot = tuple[int, int]
"""(member index, counter): the name of an entry."""


@dataclass(slots=True)
class Group:
    """What is left of the registers that one entry wrote in one life. `epoch` is None unless a value is null."""

    member: int
    counter: int
    time: int
    values: dict[str, Value]
    epoch: int | None = None

    @property
    def dot(self) -> Dot:
        """The entry that wrote the group."""
        return self.member, self.counter


@dataclass(slots=True)
class Life:
    """A contact's existence from a creation to a deletion. `died` has a meaning only while dots are covered."""

    number: int
    groups: list[Group] = field(default_factory=list)
    died: int = 0
    covered: set[Dot] = field(default_factory=set)

    @property
    def alive(self) -> bool:
        """Whether a write in it is covered by no delete; then it is alive whole."""
        return len(self.covered) < len(self.groups)


@dataclass(slots=True)
class Contact:
    """All lives of a contact, ascending by number."""

    lives: list[Life] = field(default_factory=list)

    @property
    def unsettled(self) -> bool:
        """Whether a boundary may change it: it holds deletions or nulls (SPEC 8.5)."""
        return any(life.covered or any(group.epoch is not None for group in life.groups) for life in self.lives)

    def life(self, number: int) -> Life | None:
        """The life of that number."""
        for life in self.lives:
            if life.number == number:
                return life
        return None


def pack(contact: Contact) -> bytes:
    """The packed state. Values must be as the decoders give them: nested maps in key order."""
    return encode_ordered([_life_form(life) for life in contact.lives])


def unpack(packed: bytes) -> Contact:
    """The state that `packed` spells. Raises BadState for any bytes that `pack` would not have written."""
    forms = _decode(packed)
    _check_contact(forms, len(packed))
    return Contact([_life(form) for form in forms])


def check_packed(packed: bytes) -> bool:
    """Refuse, as `unpack`, anything but a packed state, without building it; whether a boundary may change it."""
    return _check_contact(_decode(packed), len(packed))


def check_written(packed: bytes, dot: Dot) -> bool:
    """Refuse, as `unpack`, anything but a packed state; whether it is all one entry's, without nulls or deletions."""
    forms = _decode(packed)
    if _check_contact(forms, len(packed)):
        return False
    # Groups are ascending by dot, so that one dot for all also means one group in each life.
    return all((group[0], group[1]) == dot for life in forms for group in life[1])


def fits(packed: bytes) -> bool:
    """Whether a state that is otherwise well-formed is small enough (SPEC 8.3)."""
    return len(packed) <= STATE_MAX and not _too_large(_decode(packed), len(packed))


def forms_of(packed: bytes) -> list[Value]:
    """The arrays of SPEC 8.3 of a packed state that was checked when it was stored."""
    try:
        forms: list[Value] = decode_checked(packed)
    except WireError as error:
        raise BadState(f"a packed contact does not decode: {error.message}") from error
    return forms


def _decode(packed: bytes) -> Value:
    try:
        return decode_values(packed, limit=STATE_MAX)
    except WireError as error:
        raise BadState(f"a packed contact does not decode: {error.message}") from error


def _life_form(life: Life) -> list[Value]:
    groups = [_group_form(group) for group in life.groups]
    if not life.covered:
        return [life.number, groups]
    return [life.number, groups, life.died, [list(dot) for dot in sorted(life.covered)]]


def _group_form(group: Group) -> list[Value]:
    values = group.values
    if len(values) > 1:
        values = {path: values[path] for path in sorted(values)}
    form = [group.member, group.counter, group.time, values]
    if group.epoch is not None:
        form.append(group.epoch)
    return form


def _life(form: list[Value]) -> Life:
    groups = [Group(*group) for group in form[1]]
    if len(form) == 2:
        return Life(form[0], groups)
    return Life(form[0], groups, form[2], {(member, counter) for member, counter in form[3]})


def _too_large(forms: list[Value], size: int) -> bool:
    """Whether the state would exceed STATE_MAX if everything in it were deleted, as late as can be."""
    # That makes no state three times as large, so that nearly every one is seen to fit by its size.
    if size * 3 <= STATE_MAX:
        return False
    worst = [[number, groups, INT_MAX, [group[:2] for group in groups]] for number, groups, *_ in forms]
    return len(encode_ordered(worst)) > STATE_MAX


def _check_contact(forms: Value, size: int) -> bool:
    if type(forms) is not list or not forms:
        raise BadState("a packed contact is no array of lives")
    last = 0
    unsettled = False
    for form in forms:
        if type(form) is not list or len(form) not in (2, 4) or type(form[0]) is not int:
            raise BadState("a life is no array of 2 or 4 elements with its number first")
        if not last < form[0] <= LIFE_MAX:
            raise BadState("the lives of a contact are not ascending by number, or a number is out of range")
        last = form[0]
        unsettled |= _check_groups(form[1])
        if len(form) == 4:
            _check_deletion(form)
            unsettled = True
    if _too_large(forms, size):
        raise BadState("a contact is too large")
    return unsettled


def _check_groups(groups: Value) -> bool:
    """Refuse malformed groups; whether one of them holds a null."""
    if type(groups) is not list or not groups:
        raise BadState("a life holds no array of groups")
    last = (-1, 0)
    nulls = False
    for form in groups:
        if type(form) is not list or len(form) not in (4, 5):
            raise BadState("a group is no array of 4 or 5 elements")
        member, counter, time, values = form[:4]
        dot = _check_dot(member, counter)
        if dot <= last:
            raise BadState("the groups of a life are not ascending by dot")
        last = dot
        if type(time) is not int or not 0 <= time <= INT_MAX:
            raise BadState("the time of a group is out of range")
        if _check_values(values) != (len(form) == 5):
            raise BadState("a group names its epoch exactly if it holds a null")
        if len(form) == 5:
            _check_epoch(form[4])
            nulls = True
    return nulls


def _check_values(values: Value) -> bool:
    """Refuse malformed registers; whether one is null."""
    if type(values) is not dict or not values:
        raise BadState("a group holds no map of registers")
    for path in values:
        # The wire gives string keys only; what is left of check_path is written out, for speed.
        if not path or len(path) > PATH_MAX or path[0] == "/":
            raise BadState("a register has no valid path")
    return None in values.values()


def _check_dot(member: Value, counter: Value) -> Dot:
    if type(member) is not int or type(counter) is not int or not 0 <= member <= MEMBER_MAX or counter < 1:
        raise BadState("a dot is no member index and counter")
    return member, counter


def _check_epoch(epoch: Value) -> None:
    if type(epoch) is not int or epoch < 0:
        raise BadState("an epoch is no number")


def _check_deletion(form: list[Value]) -> None:
    """`died` and the covered dots of a life whose groups were checked."""
    _, groups, died, covered = form
    _check_epoch(died)
    if type(covered) is not list or not covered:
        raise BadState("a life with deletions covers no dots")
    dots = {(group[0], group[1]) for group in groups}
    last = (-1, 0)
    for item in covered:
        if type(item) is not list or len(item) != 2:
            raise BadState("a covered dot is no array of 2 elements")
        dot = _check_dot(item[0], item[1])
        if dot <= last or dot not in dots:
            raise BadState("covered dots are not ascending, or one has no group")
        last = dot
