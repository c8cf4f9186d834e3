"""Messages as frames (SPEC 13.1 to 13.3): one table, one encoder, one strict decoder.

`_TABLE` says for each message its type number, who sends it, and of what kind each field is. A frame that the table
does not allow for its sender raises NonCanonical or LimitExceeded, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Final

from e2esync.errors import LocalProtocolError, NonCanonical, WireError
from e2esync.limits import (
    BLOB_MAX,
    BLOB_PART,
    CHANGES_MAX,
    DELETION_MAX,
    ENVELOPE_MAX,
    FOUND_MAX,
    FRAME_MAX,
    HASH,
    INT_MAX,
    MAILBOX_ID,
    MAILBOX_MESSAGE_MAX,
    MAILBOX_MESSAGES_MAX,
    MEMBERS_MAX,
    RECORD_MAX,
    RELAY_INVITATION,
    SEALED_BOX,
    SIGNATURE,
    SLOT_MAX,
    SPEC_VERSION,
    VERIFY_KEY,
)
from e2esync.session import messages as m
from e2esync.session.kinds import (
    COUNT,
    COUNTS,
    ID,
    REFUSAL,
    SHORT_HEAD,
    SHORT_HEAD_OR_EMPTY,
    Kind,
    exactly,
    exactly_or_empty,
    list_of,
    ranged,
    text,
    up_to,
)
from e2esync.session.messages import Message, Side
from e2esync.wire import decode, encode_ordered

HANDSHAKE_NONCE: Final = 32
MAILBOX_TOKEN: Final = 16
_FRAME_ITEMS: Final = FRAME_MAX // HASH
_BOX_LIST_MAX: Final = MEMBERS_MAX * 64
_HEAD_MAX: Final = 256
_TEXT_MAX: Final = 1000

_MEMBER: Final = ranged(0, 0xFFFF_FFFF)
_RECORD: Final = up_to(RECORD_MAX, least=1)
_ANNOUNCEMENT: Final = up_to(SLOT_MAX)
_HEARTBEAT: Final = up_to(SLOT_MAX)
_ENVELOPE: Final = up_to(ENVELOPE_MAX)
_ENVELOPES: Final = list_of(_ENVELOPE, FRAME_MAX // 512)
_IDS: Final = list_of(ID, _FRAME_ITEMS)
_BOX: Final = up_to(SEALED_BOX)
_BOXES: Final = list_of(_BOX, MEMBERS_MAX)
_BOX_LIST: Final = up_to(_BOX_LIST_MAX)
_BLOB_SIZE: Final = ranged(1, BLOB_MAX)
_BLOB_OFFSET: Final = ranged(0, BLOB_MAX)
# Beyond the last: that is told as MailboxFull, not as a malformed frame.
_MAIL_NUMBER: Final = ranged(0, MAILBOX_MESSAGES_MAX)
_INVITATION: Final = exactly_or_empty(RELAY_INVITATION)
_POSITION: Final = ranged(1, INT_MAX)
_DELETION: Final = up_to(DELETION_MAX, least=1)


def _read_slot(value: Any) -> m.Slot:
    if type(value) is not list or len(value) != 4:
        raise NonCanonical("a slot is not [member, announcement, heartbeat, time]")
    return m.Slot(_MEMBER.read(value[0]), _ANNOUNCEMENT.read(value[1]), _HEARTBEAT.read(value[2]), COUNT.read(value[3]))


def _write_slot(slot: m.Slot) -> list[Any]:
    return [slot.member, slot.announcement, slot.heartbeat, slot.time]


_SLOT: Final = Kind(_read_slot, _write_slot)


def _read_place(value: Any) -> m.Place:
    if type(value) is not list or len(value) != 2:
        raise NonCanonical("a place is not [set id, member]")
    return m.Place(ID.read(value[0]), _MEMBER.read(value[1]))


def _write_place(place: m.Place) -> list[Any]:
    return [place.set_id, place.member]


_PLACES: Final = list_of(Kind(_read_place, _write_place), FOUND_MAX)

_C: Final = Side.CLIENT
_R: Final = Side.RELAY
_TABLE: Final[tuple[tuple[int, Side, type[Any], tuple[Kind, ...]], ...]] = (
    # Handshake.
    (1, _C, m.Hello, (COUNT, exactly_or_empty(HASH), _MEMBER, exactly(HANDSHAKE_NONCE))),
    (2, _R, m.Challenge, (exactly(HANDSHAKE_NONCE), exactly(VERIFY_KEY))),
    (3, _C, m.Proof, (exactly_or_empty(SIGNATURE),)),
    (4, _R, m.Welcome, (up_to(_HEAD_MAX), exactly(SIGNATURE))),
    # Requests.
    (10, _C, m.Append, (COUNT, _ENVELOPE)),
    (11, _C, m.Read, (COUNT, _POSITION)),
    (12, _C, m.ReadChain, (COUNT,)),
    (13, _C, m.ReadBox, (COUNT,)),
    (14, _C, m.Open, (_RECORD, _BOX_LIST, _BOXES, _ANNOUNCEMENT, _IDS, _IDS)),
    (15, _C, m.PutBlob, (ID, _BLOB_SIZE, _BLOB_OFFSET, up_to(BLOB_MAX))),
    (16, _C, m.GetBlob, (ID, _BLOB_OFFSET)),
    (17, _C, m.PutSlot, (_ANNOUNCEMENT, _HEARTBEAT)),
    (18, _C, m.ReadSlots, (COUNT,)),
    (19, _C, m.Inspect, ()),
    (20, _C, m.Create, (_RECORD, _BOX_LIST, _BOXES, list_of(_ANNOUNCEMENT, CHANGES_MAX), _INVITATION)),
    (21, _C, m.UseMailbox, (exactly(MAILBOX_ID), ranged(0, 1), exactly(MAILBOX_TOKEN))),
    (22, _C, m.Mail, (_MAIL_NUMBER, up_to(MAILBOX_MESSAGE_MAX))),
    (23, _C, m.Have, (_IDS,)),
    (24, _C, m.Ping, ()),
    (25, _C, m.Find, (exactly(VERIFY_KEY), exactly(SIGNATURE))),
    (26, _C, m.Show, (exactly(HASH), up_to(_HEAD_MAX), exactly(SIGNATURE))),
    (27, _C, m.Seed, (exactly(HASH), COUNT, list_of(_RECORD, _FRAME_ITEMS), _INVITATION)),
    (28, _C, m.Delete, (_DELETION,)),
    # Answers.
    (30, _R, m.Appended, (COUNT, SHORT_HEAD)),
    (31, _R, m.LogPart, (COUNT, COUNT, _ENVELOPES, SHORT_HEAD_OR_EMPTY)),
    (32, _R, m.ChainPart, (list_of(_RECORD, _FRAME_ITEMS),)),
    (33, _R, m.BoxAnswer, (_BOX_LIST, _BOX)),
    (34, _R, m.Opened, (COUNT, SHORT_HEAD)),
    (35, _R, m.BlobStored, (_BLOB_OFFSET,)),
    (36, _R, m.BlobPart, (_BLOB_SIZE, up_to(BLOB_PART))),
    (37, _R, m.SlotStored, ()),
    (38, _R, m.SlotList, (COUNT, list_of(_SLOT, MEMBERS_MAX),)),
    (39, _R, m.Inspected, (COUNTS,)),
    (40, _R, m.RefusalAnswer, (REFUSAL, text(_TEXT_MAX), COUNT)),
    (41, _R, m.Created, (ID,)),
    (42, _R, m.MailboxUsed, ()),
    (43, _R, m.MailStored, ()),
    (44, _R, m.HaveAnswer, (list_of(_BLOB_OFFSET, _FRAME_ITEMS),)),
    (45, _R, m.Pong, ()),
    (46, _R, m.Found, (_PLACES,)),
    (47, _R, m.Shown, (COUNT, ranged(0, 1))),
    (48, _R, m.Seeded, (COUNT,)),
    (49, _R, m.Deleted, (COUNT,)),
    # Pushes.
    (50, _R, m.LogPush, (COUNT, COUNT, _ENVELOPES, SHORT_HEAD)),
    (51, _R, m.RecordPush, (_RECORD, SHORT_HEAD)),
    (52, _R, m.SlotPush, (_MEMBER, _ANNOUNCEMENT, _HEARTBEAT, COUNT)),
    (53, _R, m.MailPush, (_MAIL_NUMBER, up_to(MAILBOX_MESSAGE_MAX))),
    (54, _R, m.ClosingPush, (COUNT,)),
    (55, _R, m.DeletionPush, (_DELETION,)),
)

ANSWERS: Final[dict[type[Any], type[Any]]] = {
    m.Append: m.Appended, m.Read: m.LogPart, m.ReadChain: m.ChainPart, m.ReadBox: m.BoxAnswer, m.Open: m.Opened,
    m.PutBlob: m.BlobStored, m.GetBlob: m.BlobPart, m.PutSlot: m.SlotStored, m.ReadSlots: m.SlotList,
    m.Inspect: m.Inspected, m.Create: m.Created, m.UseMailbox: m.MailboxUsed, m.Mail: m.MailStored,
    m.Have: m.HaveAnswer, m.Ping: m.Pong, m.Find: m.Found,
    m.Show: m.Shown, m.Seed: m.Seeded, m.Delete: m.Deleted,
}
"""Which answer belongs to which request (SPEC 13.3)."""


@dataclass(frozen=True, slots=True)
class _Row:
    number: int
    side: Side
    kind: type[Any]
    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    reads: tuple[Callable[[Any], Any], ...]


def _rows() -> tuple[_Row, ...]:
    return tuple(
        _Row(number, side, kind, tuple(field.name for field in fields(kind)), kinds, tuple(each.read for each in kinds))
        for number, side, kind, kinds in _TABLE
    )


_BY_NUMBER: Final[dict[int, _Row]] = {row.number: row for row in _rows()}
_BY_CLASS: Final[dict[type[Any], _Row]] = {row.kind: row for row in _rows()}


def encode_message(message: Message) -> bytes:
    """The frame of `message` (SPEC 13.1). LocalProtocolError if it would be larger than a frame may be."""
    row = _BY_CLASS[type(message)]
    body: list[Any] = [row.number]
    for name, kind in zip(row.names, row.kinds, strict=True):
        body.append(kind.write(getattr(message, name)))
    frame = encode_ordered(body)
    if len(frame) > FRAME_MAX:
        raise LocalProtocolError(
            f"a {type(message).__name__} of {len(frame)} bytes does not fit a frame", "send fewer or smaller parts"
        )
    return frame


def decode_message(frame: bytes, side: Side) -> Message:
    """The message that `frame` spells, which `side` sent. Raises NonCanonical or LimitExceeded (SPEC 6, 13)."""
    body = decode(frame, limit=FRAME_MAX)
    if type(body) is not list or not body or type(body[0]) is not int:
        raise NonCanonical("a frame is not an array that begins with a message type")
    row = _BY_NUMBER.get(body[0])
    if row is None or row.side is not side:
        raise NonCanonical(f"the {side.value} sends no message of type {body[0]}")
    if len(body) != 1 + len(row.kinds):
        raise NonCanonical(f"a message of type {body[0]} has {len(row.kinds)} fields, not {len(body) - 1}")
    message: Message = row.kind(*[read(value) for read, value in zip(row.reads, body[1:], strict=True)])
    return message


def other_version(frame: bytes) -> int | None:
    """The version of a HELLO of another protocol version, whatever its other fields are; None for anything else.

    A later version may change every field behind the version, and still has to be told `BadVersion` (SPEC 13.8).
    """
    try:
        body = decode(frame, limit=FRAME_MAX)
    except WireError:
        return None
    if type(body) is not list or len(body) < 2 or type(body[0]) is not int or body[0] != 1 or type(body[1]) is not int:
        return None
    version: int = body[1]
    return None if version == SPEC_VERSION else version
