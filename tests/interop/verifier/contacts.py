"""The contact set (SPEC 8): operations, packed states, fold, boundary, view, digest."""

from typing import Any

from . import suite
from .encoding import INDEX, TIME, ascending, decode, encode, fields, integer, items, raw
from .errors import require

SET, DELETE, BATCH = 1, 2, 3
LIFE_MAX, STATE_MAX, OPERATIONS_MAX, VALUE_DEPTH = (1 << 31) - 1, 524288, 245760, 33
LIFE, FROM_ONE = range(1, LIFE_MAX + 1), range(1, TIME.stop)
INVALID = "EntryInvalid"


def contact_id(set_id: bytes, uid: str, ordinal: int) -> bytes:
    """SPEC 8.1."""
    return suite.H("CONTACT_ID", encode([uid, ordinal]), key=set_id, size=16)


def parse_operations(data: bytes) -> list[list[Any]]:
    """SPEC 8.2; whatever is wrong makes the whole entry invalid."""
    operations = items(decode(data, limit=OPERATIONS_MAX, values=True, code=INVALID), INVALID)
    for operation in operations:
        _check_operation(operation)
    return operations


def encode_operations(operations: list[list[Any]]) -> bytes:
    """What a writer writes: of 8.4 it also heeds that no life is set which an earlier operation deletes."""
    ops, deleted = encode(operations), set()
    require(len(ops) <= OPERATIONS_MAX, "LimitExceeded", "operations too long for one entry")
    for operation in parse_operations(ops):
        place = (operation[1], operation[2])
        if operation[0] == DELETE:
            deleted.add(place)
        require(operation[0] != SET or place not in deleted, INVALID, "a life is set that was just deleted")
    return ops


def _check_operation(operation: Any) -> None:
    parts = items(operation, INVALID)
    require(bool(parts), INVALID, "an operation without a kind")
    kind = integer(parts[0], FROM_ONE, INVALID)
    if kind > BATCH:
        return  # of a later version: kept, and without effect
    fields(parts, {SET: 5, DELETE: 4, BATCH: 4}[kind], INVALID)
    if kind == BATCH:
        raw(parts[1], 32, code=INVALID), raw(parts[2], 32, code=INVALID), integer(parts[3], FROM_ONE, INVALID)
        return
    raw(parts[1], 16, code=INVALID), integer(parts[2], LIFE, INVALID), integer(parts[3], TIME, INVALID)
    if kind == SET:
        _check_values(parts[4], INVALID)


def _check_values(values: Any, code: str) -> None:
    """path → value, not empty."""
    require(isinstance(values, dict) and bool(values), code, "no map of paths")
    for path, value in values.items():
        require(1 <= len(path) <= 1024 and not path.startswith("/"), code, "no path")
        require(_depth(value) <= VALUE_DEPTH, code, "a value too deep")


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


class Life:
    """One life of a contact: groups by dot, and which dots are covered."""

    def __init__(self) -> None:
        self.groups: dict[tuple[int, int], Group] = {}
        self.covered: set[tuple[int, int]] = set()
        self.died = 0

    @property
    def alive(self) -> bool:
        return any(dot not in self.covered for dot in self.groups)

    def pack(self, number: int, *, dead: bool = False) -> list[Any]:
        """As SPEC 8.3 writes it; `dead`: as if every dot in it were covered."""
        self.covered &= set(self.groups)
        covered, died = (set(self.groups), TIME.stop - 1) if dead else (self.covered, self.died)
        packed: list[Any] = [number, [self.groups[dot].pack(dot) for dot in sorted(self.groups)]]
        return [*packed, died, [list(dot) for dot in sorted(covered)]] if covered else packed


class Group:
    """What one entry wrote into one life, as far as nobody has written over it."""

    def __init__(self, time: int, values: dict[str, Any], epoch: int):
        self.time, self.values, self.epoch = time, values, epoch

    def pack(self, dot: tuple[int, int]) -> list[Any]:
        holds_null = any(value is None for value in self.values.values())
        return [*dot, self.time, self.values, *([self.epoch] if holds_null else [])]


Contact = dict[int, Life]


def pack(contact: Contact, *, dead: bool = False) -> bytes:
    return encode([contact[number].pack(number, dead=dead) for number in sorted(contact)]) if contact else b""


def unpack(data: bytes) -> Contact:
    """SPEC 8.3: a packed state, or `BadState`."""
    code = "BadState"
    lives = items(decode(data, limit=STATE_MAX, values=True, code=code), code)
    require(bool(lives), code, "no lives")
    contact: Contact = {}
    for life in lives:
        number, parsed = _unpack_life(life)
        require(not contact or number > max(contact), code, "lives not ascending")
        contact[number] = parsed
    require(len(pack(contact, dead=True)) <= STATE_MAX, code, "it would not fit if it were deleted")
    return contact


def _unpack_life(value: Any) -> tuple[int, Life]:
    code, life = "BadState", Life()
    parts = items(value, code)
    require(len(parts) in (2, 4), code, "no life")
    number = integer(parts[0], LIFE, code)
    dots = [_unpack_group(life, group) for group in items(parts[1], code)]
    require(bool(dots), code, "a life without groups")
    ascending(dots, code)
    if len(parts) == 4:
        life.died = integer(parts[2], TIME, code)
        pairs = [fields(pair, 2, code) for pair in items(parts[3], code)]
        covered = [(integer(member, INDEX, code), integer(counter, FROM_ONE, code)) for member, counter in pairs]
        ascending(covered, code)
        require(bool(covered) and set(covered) <= set(dots), code, "covered dots without groups")
        life.covered = set(covered)
    return number, life


def _unpack_group(life: Life, value: Any) -> tuple[int, int]:
    code = "BadState"
    parts = items(value, code)
    require(len(parts) in (4, 5), code, "no group")
    dot = integer(parts[0], INDEX, code), integer(parts[1], FROM_ONE, code)
    time = integer(parts[2], TIME, code)
    _check_values(parts[3], code)
    holds_null = any(value is None for value in parts[3].values())
    require(holds_null == (len(parts) == 5), code, "an epoch is there where a null is, and only there")
    epoch = integer(parts[4], TIME, code) if holds_null else 0
    life.groups[dot] = Group(time, parts[3], epoch)
    return dot


def alive_lives(contact: Contact) -> list[int]:
    return sorted(number for number, life in contact.items() if life.alive)


def write_life(contact: Contact) -> int:
    """In which life a writer sets (SPEC 8.6)."""
    alive = alive_lives(contact)
    if alive:
        return alive[-1]
    return min(max(contact) + 1, LIFE_MAX) if contact else 1


def is_settled(contact: Contact) -> bool:
    """No boundary will ever have anything to do with it (SPEC 8.5)."""
    groups = [group for life in contact.values() for group in life.groups.values()]
    holds_null = any(value is None for group in groups for value in group.values.values())
    return not holds_null and not any(life.covered for life in contact.values())


def boundary(contact: Contact, horizon: int) -> Contact:
    """SPEC 8.5 steps 1 to 4, of one contact."""
    kept: Contact = {}
    for number, life in contact.items():
        if not life.alive and life.died < horizon:
            continue
        if life.alive:
            life.died, life.covered = 0, set()
        _drop_old_nulls(life, horizon)
        if life.groups:
            kept[number] = life
    return kept


def _drop_old_nulls(life: Life, horizon: int) -> None:
    holders: dict[str, list[Group]] = {}
    for group in life.groups.values():
        for path in group.values:
            holders.setdefault(path, []).append(group)
    for path, groups in holders.items():
        if all(group.values[path] is None and group.epoch < horizon for group in groups):
            for group in groups:
                del group.values[path]
    life.groups = {dot: group for dot, group in life.groups.items() if group.values}
    life.covered &= set(life.groups)


def digest(contacts: dict[bytes, bytes]) -> bytes:
    """The state digest of packed states by contact id (SPEC 8.7)."""
    buckets: list[list[bytes]] = [[] for _ in range(256)]
    for contact in sorted(contacts):
        buckets[contact[0]].append(suite.H("CONTACT_HASH", contact + contacts[contact]))
    return suite.H("DIGEST", b"".join(suite.H("DIGEST", b"".join(bucket)) for bucket in buckets))


