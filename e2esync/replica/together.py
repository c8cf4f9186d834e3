"""The sets of one person, as far as one device can see (SPEC 14.5): who is to follow, who is to be let in or shut out.

Nothing of this is stored beside the home set's own object and the chains themselves: what is not done yet is what
these two still disagree about, so it cannot be forgotten, and every device of the person sees it.
"""

from __future__ import annotations

from dataclasses import replace

from e2esync.crypto import Entropy, SigningKey
from e2esync.crypto.sealing import SealingKey
from e2esync.epoch.announcement import AskAdd, AskLeave, AskRemove, Request
from e2esync.epoch.record import Add, Change, Remove, make_add
from e2esync.epoch.roles import Role
from e2esync.errors import E2esyncError, NoProfile
from e2esync.limits import CHANGES_MAX, KEY
from e2esync.replica.core import SEALING, SIGNING, Replica
from e2esync.replica.founding import seat_of
from e2esync.replica.home import FurtherSet, Home, Seat, ask, list_set, read_home, seat, vacate
from e2esync.replica.moving import read_notice
from e2esync.replica.own_object import book_name, device_names, name_device
from e2esync.replica.port import ReplicaStore


def to_follow(home: Replica, listed: Home) -> list[FurtherSet]:
    """SPEC 14.5 step 1: sets that this device is not in, and has not asked for under the role that its person has."""
    asked = {set_id: add for (set_id, member), add in listed.asks.items() if member == home.member}
    return [
        each for each in listed.sets.values()
        if not each.left and (each.set_id, home.member) not in listed.seats
        and (each.set_id not in asked or (asked[each.set_id].person, asked[each.set_id].role)
             != (each.person, each.role))
    ]


def ask_in(home: Replica, further: FurtherSet, store: ReplicaStore, now: int, entropy: Entropy) -> None:
    """Draw this device's keys for a set, keep them in the set's `store`, and ask the person's other devices."""
    with store.transaction():
        keys = _kept_keys(store)
        if keys is None:
            keys = SigningKey(entropy.draw("signing key", KEY)), SealingKey.generate(entropy)
            store.keep_secret(SIGNING, 0, keys[0].seed)
            store.keep_secret(SEALING, 1, keys[1].secret)
        add = make_add(keys[0], further.set_id, further.person, further.role, keys[1].public)
        ask(home, further.set_id, add, now)


def asked_keys(store: ReplicaStore) -> tuple[SigningKey, SealingKey]:
    """The keys under which this device has asked to be added. Raises NoProfile where it has not asked."""
    keys = _kept_keys(store)
    if keys is None:
        raise NoProfile("this device has not asked to be in that book")
    return keys


def register(home: Replica, replica: Replica, relay: str, now: int, kit: int | None = None) -> None:
    """Have the home set list a set that this device is in, and its seat there; nothing if it does already.

    `kit` is the number of the person's recovery key in it, where the chain as it stands here does not say it yet.
    """
    listed, chain = read_home(home), replica.chain
    me = chain.members.get(replica.member)
    if me is None:
        return
    known = listed.sets.get(replica.set_id)
    again = known is not None and known.person != me.person
    if again:
        # Its person has left and was invited anew: who sat there sits there no more.
        vacate(home, listed, replica.set_id, now)
    if known is None or again:
        if kit is None:
            numbers = {half.verify_key: number for number, half in listed.kit.items()}
            kit = min((numbers[m.verify_key] for m in chain.members.values() if m.verify_key in numbers), default=0)
        list_set(home, FurtherSet(replica.set_id, book_name(replica), relay, me.person, me.role, kit), now)
    elif known.role is not me.role and not known.left:
        list_set(home, replace(known, role=me.role), now)
    if again or (replica.set_id, home.member) not in listed.seats:
        seat(home, replica.set_id, home.member, Seat(replica.member), now)


def waiting_in(home: Replica, listed: Home, replica: Replica) -> dict[int, Add]:
    """SPEC 14.5 step 2: home member → the add of a device of this person that waits to be let in."""
    me = replica.chain.members.get(replica.member)
    return {
        member: add for (set_id, member), add in listed.asks.items()
        if set_id == replica.set_id and member in home.chain.members and (set_id, member) not in listed.seats
        and me is not None and (add.person, add.role) == (me.person, me.role)
    }


def waiting_out(home: Replica, listed: Home, replica: Replica) -> dict[int, int]:
    """SPEC 14.5 step 4: home member that is none any more → its member in this set, which still is one."""
    members, me = replica.chain.members, replica.chain.members.get(replica.member)
    if read_notice(home) is not None:
        # Who has followed a move has left this home set, and is lost to nobody.
        return {}
    return {
        gone: taken.member for (set_id, gone), taken in listed.seats.items()
        if set_id == replica.set_id and gone not in home.chain.members and taken.member in members and me is not None
        and members[taken.member].person == me.person and taken.member != replica.member
    }


def changes_due(home: Replica, replica: Replica) -> tuple[Change, ...]:
    """What this device wants changed in the set for its person's devices, at most 16 changes."""
    listed = read_home(home)
    adds = [add for add in waiting_in(home, listed, replica).values() if add.verify_key not in replica.chain.used_keys]
    removes: list[Change] = [Remove(member) for member in sorted(waiting_out(home, listed, replica).values())]
    return (*removes, *adds)[:CHANGES_MAX]


def may_make(replica: Replica, change: Change) -> bool:
    """Whether this device may open an epoch with that change."""
    try:
        replica.chain.after(replica.member, (change,))
    except E2esyncError:
        return False
    return replica.chain.members[replica.member].role is not Role.READER


def as_request(replica: Replica, change: Change) -> Request | None:
    """A change that this device may not make, as a request."""
    epoch = replica.chain.epoch
    if isinstance(change, Add):
        return AskAdd(epoch, change)
    return AskRemove(epoch, change.member) if isinstance(change, Remove) else None


def leaving(replica: Replica) -> list[Request]:
    """SPEC 14.5 step 5: what a device asks for whose person has left; never the root's removal, which only it makes."""
    me, epoch = replica.chain.members[replica.member], replica.chain.epoch
    others = sorted(
        member.index for member in replica.chain.members.values()
        if member.person == me.person and member.index != me.index and member.role is not Role.ROOT
    )
    return [*(AskRemove(epoch, member) for member in others), AskLeave(epoch)]


def seat_newcomers(home: Replica, replica: Replica, now: int) -> int:
    """SPEC 14.5 step 2, the end: write the seats of devices that the chain names by now; returns how many."""
    listed, names, count = read_home(home), device_names(home), 0
    writer = replica.chain.members[replica.member].role is not Role.READER
    for member, add in waiting_in(home, listed, replica).items():
        if add.verify_key in replica.chain.used_keys:
            taken = seat_of(replica, add.verify_key)
            if writer and member in names:
                name_device(replica, taken.member, names[member], now)
            seat(home, replica.set_id, member, taken, now)
            count += 1
    return count


def _kept_keys(store: ReplicaStore) -> tuple[SigningKey, SealingKey] | None:
    signing, sealing = store.secret(SIGNING, 0), store.secret(SEALING, 1)
    if signing is None or sealing is None:
        return None
    return SigningKey(signing), SealingKey.from_secret(sealing.reveal())
