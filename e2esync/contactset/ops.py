"""The operations of an entry, and their bytes (SPEC 8.2).

Invariants: what `decode_ops` returns satisfies every length and range of SPEC 8.2 and is written back by `encode_ops`
as the same bytes. Operations of unknown kinds pass through verbatim. Values keep the key order of the encoding, which
is what lets the fold write states without sorting them again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from e2esync.errors import EntryInvalid, LimitExceeded, WireError
from e2esync.limits import CONTACT_ID, DEPTH_MAX, ENTRY_BODY_MAX, HASH, INT_MAX, KEY, LIFE_MAX, VALUE_DEPTH_MAX
from e2esync.wire import Value, decode_values, encode

SET: Final = 1
DELETE: Final = 2
BATCH: Final = 3
PATH_MAX: Final = 1024
NESTING_MAX: Final = VALUE_DEPTH_MAX + DEPTH_MAX - 5
"""A value stands five arrays and maps deep in a packed state (SPEC 8.3), and that as a whole nests up to 38."""


@dataclass(frozen=True, slots=True)
class SetOp:
    """Write registers of one life of a contact: path -> value; the value None removes an entry."""

    contact: bytes
    life: int
    time: int
    values: dict[str, Value]


@dataclass(frozen=True, slots=True)
class DeleteOp:
    """Delete what the author has seen of one life of a contact."""

    contact: bytes
    life: int
    time: int


@dataclass(frozen=True, slots=True)
class BatchOp:
    """Writes that lie in the chunks of a run instead of in the entry (SPEC 11.4)."""

    index_id: bytes
    index_key: bytes
    count: int

    def __repr__(self) -> str:
        # The key opens the batch, so it stays out of logs and tracebacks.
        return f"BatchOp(index_id={self.index_id.hex()}, count={self.count})"


@dataclass(frozen=True, slots=True)
class UnknownOp:
    """An operation of a later version: kept verbatim, without effect."""

    kind: int
    raw: bytes


Op = SetOp | DeleteOp | BatchOp | UnknownOp


def encode_ops(ops: Sequence[Op]) -> bytes:
    """The bytes of an entry's operations (SPEC 10.3 `ops`).

    Raises EntryInvalid for an operation outside SPEC 8.2, or for one that sets a life which an earlier one of the same
    entry deletes (SPEC 8.4); NonCanonical for a value that cannot be encoded; LimitExceeded above 240 KiB.
    """
    deleted: set[tuple[bytes, int]] = set()
    forms = []
    for op in ops:
        if isinstance(op, DeleteOp):
            deleted.add((op.contact, op.life))
        elif isinstance(op, SetOp) and (op.contact, op.life) in deleted:
            raise EntryInvalid("a set follows a delete of the same life in one entry; write the next life instead")
        form = _form(op)
        _parse(form)
        forms.append(form)
    data = encode(forms)
    if len(data) > ENTRY_BODY_MAX:
        raise LimitExceeded(f"operations of {len(data)} bytes; an entry holds {ENTRY_BODY_MAX}: split them")
    return data


def decode_ops(data: bytes) -> list[Op]:
    """The operations that `data` spells, at most 240 KiB.

    Raises EntryInvalid for anything that is not canonical, and for a known kind with a malformed body.
    """
    try:
        forms = decode_values(data, limit=ENTRY_BODY_MAX)
    except WireError as error:
        raise EntryInvalid(f"the operations of an entry do not decode: {error.message}") from error
    if type(forms) is not list:
        raise EntryInvalid("the operations of an entry are no array")
    return [_parse(form) for form in forms]


def check_path(path: object) -> bool:
    """Whether `path` names a register (SPEC 7.1): 1 to 1024 characters, the property not empty."""
    return type(path) is str and 0 < len(path) <= PATH_MAX and path[0] != "/"


def _too_deep(value: Value, depth: int) -> bool:
    if type(value) is dict:
        return depth == 0 or any(_too_deep(item, depth - 1) for item in value.values())
    if type(value) is list:
        return depth == 0 or any(_too_deep(item, depth - 1) for item in value)
    return False


def _form(op: Op) -> list[Value]:
    if isinstance(op, SetOp):
        return [SET, op.contact, op.life, op.time, op.values]
    if isinstance(op, DeleteOp):
        return [DELETE, op.contact, op.life, op.time]
    if isinstance(op, BatchOp):
        return [BATCH, op.index_id, op.index_key, op.count]
    form = decode_values(op.raw, limit=ENTRY_BODY_MAX)
    if type(form) is not list:
        raise EntryInvalid("an operation of unknown kind is no array")
    return form


def _parse(form: Value) -> Op:
    if type(form) is not list or not form or type(form[0]) is not int or form[0] < SET:
        raise EntryInvalid("an operation is no array that begins with its kind, 1 or more")
    kind = form[0]
    if kind == SET:
        return _parse_set(form)
    if kind == DELETE:
        if len(form) != 4:
            raise EntryInvalid("a delete operation has 4 elements")
        _check_target(form)
        return DeleteOp(form[1], form[2], form[3])
    if kind == BATCH:
        return _parse_batch(form)
    return UnknownOp(kind, encode(form))


def _parse_set(form: list[Value]) -> SetOp:
    if len(form) != 5 or type(form[4]) is not dict or not form[4]:
        raise EntryInvalid("a set operation has 5 elements, the last a map of at least one path")
    _check_target(form)
    for path, value in form[4].items():
        if not check_path(path):
            raise EntryInvalid(f"a path is 1 to {PATH_MAX} characters and begins with a property")
        if _too_deep(value, NESTING_MAX):
            raise EntryInvalid(f"a value nests deeper than {NESTING_MAX}")
    return SetOp(form[1], form[2], form[3], form[4])


def _check_target(form: list[Value]) -> None:
    """The common part of set and delete: contact, life, time."""
    _, contact, life, time = form[:4]
    if type(contact) is not bytes or len(contact) != CONTACT_ID:
        raise EntryInvalid(f"a contact id is {CONTACT_ID} bytes")
    if type(life) is not int or not 1 <= life <= LIFE_MAX:
        raise EntryInvalid(f"a life is a number from 1 to {LIFE_MAX}")
    if type(time) is not int or not 0 <= time <= INT_MAX:
        raise EntryInvalid(f"a time is a number from 0 to {INT_MAX}")


def _parse_batch(form: list[Value]) -> BatchOp:
    if len(form) != 4:
        raise EntryInvalid("a batch operation has 4 elements")
    _, index_id, index_key, count = form
    if type(index_id) is not bytes or len(index_id) != HASH or type(index_key) is not bytes or len(index_key) != KEY:
        raise EntryInvalid("a batch names its index by an id and a key of 32 bytes each")
    if type(count) is not int or not 1 <= count <= INT_MAX:
        raise EntryInvalid("a batch holds at least one contact")
    return BatchOp(index_id, index_key, count)
