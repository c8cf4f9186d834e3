"""What a field of a message may be (SPEC 13.2, 13.3): type, length and range in one checkable value.

A `Kind` reads a decoded wire value into a field (raising NonCanonical for everything else) and writes it back. It is
the vocabulary of the table in `messages`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from operator import attrgetter
from typing import Any, Final, NoReturn

from e2esync.errors import NonCanonical
from e2esync.limits import HASH, INT_MAX, SIGNATURE
from e2esync.log.head import ShortHead


class Refusal(Enum):
    """Every code with which the relay says no (SPEC 13.8)."""

    BAD_FRAME = "BadFrame"
    BAD_VERSION = "BadVersion"
    NOT_MEMBER = "NotMember"
    NOT_ALLOWED = "NotAllowed"
    EPOCH_CLOSED = "EpochClosed"
    HEAD_MOVED = "HeadMoved"
    BAD_ENVELOPE = "BadEnvelope"
    BAD_RECORD = "BadRecord"
    BAD_SLOT = "BadSlot"
    BAD_BLOB = "BadBlob"
    BAD_DELETION = "BadDeletion"
    BLOB_MISSING = "BlobMissing"
    NOT_FOUND = "NotFound"
    QUOTA_EXCEEDED = "QuotaExceeded"
    TOO_OFTEN = "TooOften"
    MAILBOX_TAKEN = "MailboxTaken"
    MAILBOX_FULL = "MailboxFull"
    BUSY = "Busy"


@dataclass(frozen=True, slots=True)
class Kind:
    """How one field is read from, and written to, a decoded wire value."""

    read: Callable[[Any], Any]
    write: Callable[[Any], Any]


def _fail(expected: str, value: object) -> NoReturn:
    # The value itself is not shown: it may be somebody's bytes.
    raise NonCanonical(f"a message field must be {expected}; a {type(value).__name__} or another length or range came")


def _same(value: Any) -> Any:
    return value


def ranged(low: int, high: int) -> Kind:
    """An integer from `low` to `high`; a boolean is no integer (SPEC 6.4)."""
    def read(value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            _fail(f"an integer from {low} to {high}", value)
        return value
    return Kind(read, _same)


def up_to(limit: int, *, least: int = 0) -> Kind:
    """A byte string of `least` to `limit` bytes."""
    def read(value: Any) -> bytes:
        if type(value) is not bytes or not least <= len(value) <= limit:
            _fail(f"{least} to {limit} bytes", value)
        return value
    return Kind(read, _same)


def exactly(length: int) -> Kind:
    """A byte string of exactly `length` bytes."""
    return up_to(length, least=length)


def exactly_or_empty(length: int) -> Kind:
    """A byte string of `length` bytes, or an empty one."""
    def read(value: Any) -> bytes:
        if type(value) is not bytes or len(value) not in (0, length):
            _fail(f"{length} bytes or none", value)
        return value
    return Kind(read, _same)


def text(limit: int) -> Kind:
    """A string of at most `limit` characters."""
    def read(value: Any) -> str:
        if type(value) is not str or len(value) > limit:
            _fail(f"a string of at most {limit} characters", value)
        return value
    return Kind(read, _same)


def list_of(item: Kind, limit: int) -> Kind:
    """An array of at most `limit` items, as a tuple."""
    def read(value: Any) -> tuple[Any, ...]:
        if type(value) is not list or len(value) > limit:
            _fail(f"an array of at most {limit}", value)
        return tuple(map(item.read, value))

    def write(value: Any) -> list[Any]:
        return list(map(item.write, value))
    return Kind(read, write)


def _read_short_head(value: Any) -> ShortHead:
    if type(value) is not list or len(value) != 3:
        _fail("a short head [seq, time, signature]", value)
    return ShortHead(COUNT.read(value[0]), COUNT.read(value[1]), _SIGNATURE.read(value[2]))


def _write_short_head(head: ShortHead) -> list[Any]:
    return [head.seq, head.time, head.signature]


def _read_optional_head(value: Any) -> ShortHead | None:
    return None if value == [] and type(value) is list else _read_short_head(value)


def _write_optional_head(head: ShortHead | None) -> list[Any]:
    return [] if head is None else _write_short_head(head)


def _read_refusal(value: Any) -> Refusal:
    try:
        return Refusal(value)
    except (ValueError, TypeError):
        _fail("a code of SPEC 13.8", value)


def _read_map(value: Any) -> dict[str, int]:
    if type(value) is not dict or len(value) > 64:
        _fail("a map of counts", value)
    return {key: COUNT.read(count) for key, count in value.items()}


def _write_map(value: dict[str, int]) -> dict[str, int]:
    return {key: value[key] for key in sorted(value)}


COUNT: Final = ranged(0, INT_MAX)
ID: Final = exactly(HASH)
_SIGNATURE: Final = exactly(SIGNATURE)
SHORT_HEAD: Final = Kind(_read_short_head, _write_short_head)
SHORT_HEAD_OR_EMPTY: Final = Kind(_read_optional_head, _write_optional_head)
REFUSAL: Final = Kind(_read_refusal, attrgetter("value"))
COUNTS: Final = Kind(_read_map, _write_map)
