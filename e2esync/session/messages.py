"""The messages of SPEC 13.2 and 13.3: one frozen value each.

The names are those of SPEC's tables; `codec` says how each is one encoded array. Nothing here knows what a message
*does*. Byte strings that travel as they were signed (record, announcement, head body) stay bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from e2esync.log.envelope import envelope_blobs
from e2esync.log.head import ShortHead
from e2esync.session.kinds import Refusal


class Side(Enum):
    """Who sends a message."""

    CLIENT = "client"
    RELAY = "relay"


# Handshake (SPEC 13.2).

@dataclass(frozen=True, slots=True)
class Hello:
    """HELLO: which set, as which member. To visit: an empty set id and member 0."""

    version: int
    set_id: bytes
    member: int
    nonce: bytes


@dataclass(frozen=True, slots=True)
class Challenge:
    """CHALLENGE: the relay's nonce and verify key."""

    nonce: bytes
    relay_key: bytes


@dataclass(frozen=True, slots=True)
class Proof:
    """PROOF: the member's signature of the binding; empty to visit."""

    signature: bytes


@dataclass(frozen=True, slots=True)
class Welcome:
    """WELCOME: the head, signed with the binding; to visit an empty body and the relay's signature of the binding."""

    head: bytes
    signature: bytes


# Requests (SPEC 13.3).

@dataclass(frozen=True, slots=True)
class Append:
    """APPEND: one envelope to the open epoch's log."""

    epoch: int
    envelope: bytes

    @property
    def live(self) -> tuple[bytes, ...]:
        """The blobs that the envelope names in clear: it makes them live."""
        return envelope_blobs(self.envelope)


@dataclass(frozen=True, slots=True)
class Read:
    """READ: the log of one epoch from `start` (1 is the first) on."""

    epoch: int
    start: int


@dataclass(frozen=True, slots=True)
class ReadChain:
    """CHAIN: the records from one epoch on; as many as one frame takes."""

    epoch: int


@dataclass(frozen=True, slots=True)
class ReadBox:
    """BOX: the box list of an epoch and the member's own box in it."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Open:
    """OPEN: an epoch, by compare-and-set (SPEC 13.5)."""

    record: bytes
    box_list: bytes
    boxes: tuple[bytes, ...]
    announcement: bytes
    live: tuple[bytes, ...]
    dead: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class PutBlob:
    """PUT_BLOB: a part of a blob of `size` bytes, from `offset` on."""

    blob: bytes
    size: int
    offset: int
    part: bytes


@dataclass(frozen=True, slots=True)
class GetBlob:
    """GET_BLOB: a blob's bytes from `offset` on; at most 512 KiB of them."""

    blob: bytes
    offset: int


@dataclass(frozen=True, slots=True)
class PutSlot:
    """PUT_SLOT: the member's own announcement and heartbeat; empty leaves what is there."""

    announcement: bytes
    heartbeat: bytes


@dataclass(frozen=True, slots=True)
class ReadSlots:
    """SLOTS: the slots of the set that have changed since the version of an earlier answer; 0 for all."""

    since: int = 0


@dataclass(frozen=True, slots=True)
class Inspect:
    """INSPECT: what the relay holds on the set."""


@dataclass(frozen=True, slots=True)
class Create:
    """CREATE: a set, by a visitor: record 0, its boxes, the announcements of its devices, and an invitation or none."""

    record: bytes
    box_list: bytes
    boxes: tuple[bytes, ...]
    announcements: tuple[bytes, ...]
    invitation: bytes = b""


@dataclass(frozen=True, slots=True)
class UseMailbox:
    """MAILBOX: a visitor takes one side of a mailbox; side 0 joins, 1 sponsors."""

    mailbox: bytes
    side: int
    token: bytes


@dataclass(frozen=True, slots=True)
class Mail:
    """MAIL: message number `n` of the mailbox's conversation."""

    n: int
    message: bytes


@dataclass(frozen=True, slots=True)
class Have:
    """HAVE: how much of each of these blobs has arrived."""

    blobs: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Ping:
    """PING."""


@dataclass(frozen=True, slots=True)
class Find:
    """FIND: a visitor who holds a recovery key asks for the sets that it is a member of (SPEC 13.10)."""

    verify_key: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Show:
    """SHOW: a head of this set that the relay has signed once, by a visitor: does the relay lack it?"""

    set_id: bytes
    head: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Seed:
    """SEED: records of a set that the relay lacks, by a visitor, from epoch `start` on; with an invitation or none."""

    set_id: bytes
    start: int
    records: tuple[bytes, ...]
    invitation: bytes = b""


@dataclass(frozen=True, slots=True)
class Delete:
    """DELETE: the signed word that the set is to be deleted here, or kept after all (SPEC 10.9)."""

    deletion: bytes


# Answers (SPEC 13.3).

@dataclass(frozen=True, slots=True)
class Appended:
    """The position that the envelope took, durably, and the head of the commit that it was part of."""

    seq: int
    head: ShortHead


@dataclass(frozen=True, slots=True)
class LogPart:
    """Envelopes from `start` on; the head when they reach it."""

    epoch: int
    start: int
    envelopes: tuple[bytes, ...]
    head: ShortHead | None


@dataclass(frozen=True, slots=True)
class ChainPart:
    """Records, in order."""

    records: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class BoxAnswer:
    """An epoch's box list and the member's own box."""

    box_list: bytes
    box: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """The epoch is open; its head is at position 0."""

    epoch: int
    head: ShortHead


@dataclass(frozen=True, slots=True)
class BlobStored:
    """How many bytes of the blob, from its beginning, have arrived."""

    received: int


@dataclass(frozen=True, slots=True)
class BlobPart:
    """The blob's whole size and the bytes from the offset asked for."""

    size: int
    part: bytes


@dataclass(frozen=True, slots=True)
class SlotStored:
    """The slot is stored."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One member's slot: announcement, heartbeat, and when the relay last took either (ms)."""

    member: int
    announcement: bytes
    heartbeat: bytes
    time: int


@dataclass(frozen=True, slots=True)
class SlotList:
    """The slots that were asked for, ascending by member, and the set's version to ask from the next time."""

    version: int
    slots: tuple[Slot, ...]


@dataclass(frozen=True, slots=True)
class Inspected:
    """Counts and sizes by name (SPEC 13.9)."""

    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Created:
    """The set exists."""

    set_id: bytes


@dataclass(frozen=True, slots=True)
class MailboxUsed:
    """The visitor has this side of the mailbox."""


@dataclass(frozen=True, slots=True)
class MailStored:
    """The message waits for the other side, or has been pushed to it."""


@dataclass(frozen=True, slots=True)
class HaveAnswer:
    """Received bytes of each blob asked for, in order."""

    received: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to PING."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a recovery key is a member now."""

    set_id: bytes
    member: int


@dataclass(frozen=True, slots=True)
class Found:
    """The sets of a recovery key, those first that it is the root of."""

    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class RefusalAnswer:
    """A refused request (SPEC 13.8). `data` is the open epoch (EpochClosed) or milliseconds (TooOften), else 0."""

    code: Refusal
    message: str
    data: int = 0


@dataclass(frozen=True, slots=True)
class Shown:
    """The epoch that the relay stands in, and whether the set waits for a seed."""

    epoch: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Seeded:
    """The newest epoch of which the relay has the record now."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Deleted:
    """The word is taken. `due` is when the set goes, by the relay's clock; 0 if it is gone, or is kept."""

    due: int


# Pushes (SPEC 13.3).

@dataclass(frozen=True, slots=True)
class LogPush:
    """Envelopes that others appended."""

    epoch: int
    start: int
    envelopes: tuple[bytes, ...]
    head: ShortHead


@dataclass(frozen=True, slots=True)
class RecordPush:
    """An epoch was opened."""

    record: bytes
    head: ShortHead


@dataclass(frozen=True, slots=True)
class SlotPush:
    """A slot changed."""

    member: int
    announcement: bytes
    heartbeat: bytes
    time: int


@dataclass(frozen=True, slots=True)
class MailPush:
    """The other side's mailbox message number `n`."""

    n: int
    message: bytes


@dataclass(frozen=True, slots=True)
class ClosingPush:
    """The relay stops; come back after about so many milliseconds."""

    milliseconds: int


@dataclass(frozen=True, slots=True)
class DeletionPush:
    """The newest word on whether the set is to be deleted."""

    deletion: bytes


Request = (
    Append | Read | ReadChain | ReadBox | Open | PutBlob | GetBlob | PutSlot | ReadSlots | Inspect | Create
    | UseMailbox | Mail | Have | Ping | Find | Show | Seed | Delete
)
Answer = (
    Appended | LogPart | ChainPart | BoxAnswer | Opened | BlobStored | BlobPart | SlotStored | SlotList | Inspected
    | Created | MailboxUsed | MailStored | HaveAnswer | Pong | Found | Shown | Seeded | Deleted
)
Push = LogPush | RecordPush | SlotPush | MailPush | ClosingPush | DeletionPush
Message = Hello | Challenge | Proof | Welcome | Request | Answer | RefusalAnswer | Push
