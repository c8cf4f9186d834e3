"""One person's devices in one further set (SPEC 14.5): let them in, shut them out, and leave, over a connection."""

from __future__ import annotations

from e2esync.access.pairing import Joined
from e2esync.epoch.record import Change
from e2esync.errors import NotFound
from e2esync.procedures.founding import arrive
from e2esync.procedures.opening import announce, open_epoch
from e2esync.procedures.sending import send
from e2esync.procedures.steps import Link, Procedure
from e2esync.procedures.syncing import sync
from e2esync.replica.asking import ask_for
from e2esync.replica.core import Replica
from e2esync.replica.home import FurtherSet, read_home
from e2esync.replica.port import ReplicaStore
from e2esync.replica.together import (
    as_request,
    asked_keys,
    changes_due,
    leaving,
    may_make,
    register,
    seat_newcomers,
)


def attend(home: Replica, replica: Replica, link: Link, relay: str) -> Procedure[None]:
    """Steps 2, 4 and 5 for a set that this device is in and has just synced; what it learns it writes to `home`."""
    register(home, replica, relay, link.now())
    further = read_home(home).sets.get(replica.set_id)
    if further is not None and further.left:
        ask_for(replica, *leaving(replica))
        yield from announce(replica, link)
        return
    yield from _open(home, replica, link)
    requests = [as_request(replica, change) for change in changes_due(home, replica)]
    if any(requests):
        ask_for(replica, *(request for request in requests if request is not None))
        yield from announce(replica, link)
    if seat_newcomers(home, replica, link.now()):
        yield from send(replica, link)


def _open(home: Replica, replica: Replica, link: Link) -> Procedure[None]:
    """Open the epoch that does what this device may do by itself."""
    def wish(current: Replica) -> tuple[Change, ...] | None:
        return tuple(change for change in changes_due(home, current) if may_make(current, change)) or None

    if wish(replica) is not None:
        yield from open_epoch(replica, link, wish)
        yield from announce(replica, link)


def follow(home: Replica, store: ReplicaStore, further: FurtherSet, link: Link, relay_key: bytes) -> Procedure[Replica]:
    """Step 3: arrive in a set by the seat that another device of the person has written for this one.

    `relay_key` is that of the relay which answered. Raises NotFound without a seat, PairingAborted for another chain.
    """
    taken = read_home(home).seats.get((further.set_id, home.member))
    if taken is None or taken.landing is None:
        raise NotFound("nobody has let this device into that book yet")
    signing, sealing = asked_keys(store)
    at = taken.landing
    joined = Joined(
        further.set_id, further.person, int(further.role), relay_key, at.record_before, at.epoch_before,
        at.record_hash, at.epoch, at.head_seq, at.log_hash, taken.member,
    )
    replica = yield from arrive(store, link, joined, signing, sealing)
    yield from sync(replica, link)
    return replica
