"""Recovery (SPEC 12.6): the kit reads the book as a member of its own, and opens the epoch that adds a new device.

The kit's keys stay in a store that is thrown away: what remains on the device is a replica of its own, which has
arrived like any other newcomer.
"""

from __future__ import annotations

from dataclasses import dataclass

from e2esync.access.kit import RecoveryKit
from e2esync.access.pairing import Joined
from e2esync.crypto import SigningKey
from e2esync.crypto.sealing import SealingKey
from e2esync.epoch.boxes import open_own_box
from e2esync.epoch.chain import verify_chain
from e2esync.epoch.record import Change, Remove, make_add, set_id_of
from e2esync.epoch.roles import Role
from e2esync.errors import ChainInvalid
from e2esync.procedures.opening import open_epoch
from e2esync.procedures.reading import adopt_whole, read_on, read_records
from e2esync.procedures.steps import Link, Procedure, ask
from e2esync.replica.core import Replica, begin
from e2esync.replica.founding import ROOT
from e2esync.replica.port import ReplicaStore
from e2esync.session.messages import BoxAnswer, ReadBox


@dataclass(frozen=True, slots=True)
class KitKeys:
    """The kit as a member of the home set: number 0 is its root (SPEC 12.4)."""

    set_id: bytes
    member: int
    signing: SigningKey
    sealing: SealingKey


def kit_keys(kit: RecoveryKit) -> KitKeys:
    """The keys of a kit, and the set that they make: the words alone say which one it is (SPEC 9.1)."""
    signing = kit.signing_key(0)
    return KitKeys(set_id_of(signing.verify_key), ROOT, signing, kit.sealing_key(0))


def read_as_kit(store: ReplicaStore, link: Link, keys: KitKeys) -> Procedure[Replica]:
    """The whole book as the kit may read it, up to the relay's head; its replica stands in `store`."""
    raws = yield from read_records(0)
    chain = verify_chain(keys.set_id, raws)
    member = chain.members.get(keys.member)
    if member is None or member.verify_key != keys.signing.verify_key:
        raise ChainInvalid("this recovery kit is no member of its book any more", "use the kit that replaced it")
    box = yield from ask(ReadBox(chain.epoch), BoxAnswer)
    secret = open_own_box(chain.head, keys.set_id, keys.member, box.box_list, box.box, keys.sealing)
    with store.transaction():
        replica = begin(store, keys.set_id, keys.member, member.person, keys.signing, chain, list(raws))
    yield from adopt_whole(replica, link, secret)
    yield from read_on(replica, link)
    return replica


def add_by_kit(replica: Replica, link: Link, signing: SigningKey, sealing: SealingKey, remove: frozenset[int],
               ) -> Procedure[Joined]:
    """Open the epoch that adds this device as an owner, and removes those that are lost; what `arrive` must find."""
    add = make_add(signing, replica.set_id, replica.person, Role.OWNER, sealing.public)

    def wish(current: Replica) -> tuple[Change, ...] | None:
        if add.verify_key in current.chain.used_keys:
            return None
        gone = sorted(member for member in remove if member in current.chain.members)
        return (add, *(Remove(member) for member in gone))

    before = replica.chain
    yield from open_epoch(replica, link, wish)
    after = replica.chain
    (index,) = (member.index for member in after.members.values() if member.verify_key == signing.verify_key)
    return Joined(
        replica.set_id, replica.person, int(Role.OWNER), after.relay_key, before.head.hash, before.epoch,
        after.head.hash, after.epoch, 0, after.head.hash, index,
    )
