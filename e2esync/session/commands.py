"""What the relay's side of a connection asks its driver to do (SPEC 13): values, no behaviour.

`Transmit` and `Disconnect` are for the connection. `Admit`, `Change` and `Consult` are for the store; the driver
hands their result back through `RelaySession.complete`. Results are messages: an answer, or a RefusalAnswer. What is
made anew for every append is a named tuple, which costs a third of a frozen dataclass.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from e2esync.session import messages as m

Writing = m.Append | m.Open | m.PutBlob | m.PutSlot | m.Create | m.UseMailbox | m.Mail | m.Show | m.Seed | m.Delete
"""Requests that change the store: one writer decides them, in the order in which they come."""

Reading = m.Read | m.ReadChain | m.ReadBox | m.GetBlob | m.ReadSlots | m.Inspect | m.Have | m.Find
"""Requests that only read it."""

VISITORS = (m.Create, m.UseMailbox, m.Mail, m.Ping, m.Find, m.Show, m.Seed)
"""The requests of a visitor; all others need a member's session (SPEC 13.3)."""

FORMER_MEMBERS = (m.ReadChain, m.Ping)
"""The requests of a member that was removed (SPEC 13.2 step 4)."""

OF_DELETED_SETS = (m.ReadChain, m.Inspect, m.Ping)
"""The requests of a member whose set was deleted (SPEC 13.14 step 4)."""

VISITORS_ONLY = (m.Create, m.UseMailbox, m.Mail, m.Find, m.Show, m.Seed)

WRITING = (
    m.Append, m.Open, m.PutBlob, m.PutSlot, m.Create, m.UseMailbox, m.Mail, m.Show, m.Seed, m.Delete,
)

READING = (m.Read, m.ReadChain, m.ReadBox, m.GetBlob, m.ReadSlots, m.Inspect, m.Have, m.Find)


class Transmit(NamedTuple):
    """Send these frames, in order."""

    frames: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Send what is queued, then hang up."""


@dataclass(frozen=True, slots=True)
class Admit:
    """Is this member's proof right (SPEC 13.2)? The result is a Welcome, or RefusalAnswer NotMember."""

    set_id: bytes
    member: int
    binding: bytes
    signature: bytes


class Change(NamedTuple):
    """Decide a request that changes the store.

    `session` tells the sessions of one member apart. `mailbox` is the side that a visitor asked for; whether it got
    it, the store knows.
    """

    set_id: bytes
    member: int
    session: int
    request: Writing
    mailbox: m.UseMailbox | None = None


class Attention(Enum):
    """What may begin or end a hold, besides an opening that is decided (SPEC 13.6)."""

    LOST = "its opening was refused with HeadMoved"
    CAME = "a session of a recovery member has begun"
    LEFT = "its last session here is over"


@dataclass(frozen=True, slots=True)
class Attend:
    """Give a member a hold, if it may have one, or end the one that it has. The driver's own command: no answer."""

    set_id: bytes
    member: int
    why: Attention


@dataclass(frozen=True, slots=True)
class Consult:
    """Answer a request from what the store holds."""

    set_id: bytes
    member: int
    request: Reading


Written = Admit | Change | Attend
"""What the store's writer decides."""

StoreCommand = Admit | Change | Consult
Command = Transmit | Disconnect | StoreCommand
