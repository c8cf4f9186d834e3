"""Leaving (SPEC 14.12): the request that another device fulfils, and what a removed member may still read."""

from __future__ import annotations

from e2esync.errors import RemoteProtocolError
from e2esync.procedures.reading import branch_of, read_records
from e2esync.procedures.steps import Link, Procedure, ask
from e2esync.procedures.syncing import sync
from e2esync.replica.core import Replica
from e2esync.replica.entering import extend
from e2esync.replica.leaving import ask_leave
from e2esync.session.messages import PutSlot, SlotStored


def leave(replica: Replica, link: Link) -> Procedure[None]:
    """Send what is unsent, and put the request to leave into the slot. Raises what keeps a sync from ending."""
    yield from sync(replica, link)
    yield from ask(PutSlot(ask_leave(replica, link.entropy), b""), SlotStored)


def read_removal(replica: Replica) -> Procedure[None]:
    """Read the chain as a removed member may, up to its removal. Raises DeviceRemoved with the proof, or ForkDetected.

    A relay that says so without a record is lying, and nothing happens for it: RemoteProtocolError.
    """
    base, raws = yield from branch_of(replica, (yield from read_records(replica.position.epoch + 1)))
    extend(replica, raws, base=base)
    raise RemoteProtocolError("the relay says that this device was removed, and has no record that does it")
