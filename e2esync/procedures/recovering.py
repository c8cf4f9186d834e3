"""Recovery (SPEC 12.6): the kit reads the book as a member of its own, and opens the epoch that adds a new device.

The kit's keys stay in a store that is thrown away: what remains on the device is a replica of its own, which has
arrived like any other newcomer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from e2esync.access.kit import RecoveryKit
from e2esync.access.pairing import Joined
from e2esync.crypto import SigningKey
from e2esync.crypto.sealing import SealingKey
from e2esync.epoch.boxes import open_own_box
from e2esync.epoch.chain import Chain, verify_chain
from e2esync.epoch.record import Add, Change, Record, Remove, make_add, set_id_of
from e2esync.epoch.roles import KITS, Role
from e2esync.errors import ChainInvalid
from e2esync.procedures.opening import open_epoch
from e2esync.procedures.reading import adopt_whole, read_on, read_records
from e2esync.procedures.steps import Link, Procedure, ask
from e2esync.replica.core import Replica, begin
from e2esync.replica.founding import ROOT
from e2esync.replica.port import ReplicaStore
from e2esync.session.handshake import sign_find
from e2esync.session.messages import BoxAnswer, Find, Found, ReadBox


@dataclass(frozen=True, slots=True)
class KitKeys:
    """Recovery key `number` of a kit as a member of a set: of the home set it is number 0, the root (SPEC 12.4)."""

    set_id: bytes
    member: int
    signing: SigningKey
    sealing: SealingKey
    number: int = 0


def kit_keys(kit: RecoveryKit) -> KitKeys:
    """The keys of a kit, and the set that they make: the words alone say which one it is (SPEC 9.1)."""
    signing = kit.signing_key(0)
    return KitKeys(set_id_of(signing.verify_key), ROOT, signing, kit.sealing_key(0))


def find_keys(kit: RecoveryKit, number: int, binding: bytes) -> Procedure[list[KitKeys]]:
    """Where recovery key `number` is a member now, as the relay says to a visitor (SPEC 13.10); home sets first.

    `binding` is that of the visitor's connection. Nothing of the answer is believed: `read_as_kit` verifies.
    """
    signing, sealing = kit.signing_key(number), kit.sealing_key(number)
    found = yield from ask(Find(signing.verify_key, sign_find(signing, binding)), Found)
    return [KitKeys(place.set_id, place.member, signing, sealing, number) for place in found.places]


def read_as_kit(store: ReplicaStore, link: Link, keys: KitKeys) -> Procedure[Replica]:
    """The whole book as the kit may read it, up to the relay's head; its replica stands in `store`."""
    raws = yield from read_records(0)
    chain = verify_chain(keys.set_id, raws)
    person = check_is_kit(chain, keys)
    box = yield from ask(ReadBox(chain.epoch), BoxAnswer)
    secret = open_own_box(chain.head, keys.set_id, keys.member, box.box_list, box.box, keys.sealing)
    with store.transaction():
        replica = begin(store, keys.set_id, keys.member, person, keys.signing, chain, list(raws))
    yield from adopt_whole(replica, link, secret)
    yield from read_on(replica, link)
    return replica


def check_is_kit(chain: Chain, keys: KitKeys) -> bytes:
    """The person whose recovery member these keys are in the chain. Raises ChainInvalid where they are none."""
    member = chain.members.get(keys.member)
    if member is None or member.verify_key != keys.signing.verify_key or member.role not in KITS:
        raise ChainInvalid("this recovery kit is no member of its book any more", "use the kit that replaced it")
    return member.person


def add_by_kit(replica: Replica, link: Link, signing: SigningKey, sealing: SealingKey, remove: frozenset[int],
               ) -> Procedure[Joined]:
    """Open the epoch that adds this device, and removes those that are lost; what `arrive` must find.

    The root adds an owner; another recovery member gives what its person was given (SPEC 9.4 step 3).
    """
    chain = replica.chain
    root = chain.members[replica.member].role is Role.ROOT
    role = Role.OWNER if root else chain.ranks.get(replica.person, Role.READER)
    add = make_add(signing, replica.set_id, replica.person, role, sealing.public)

    def wish(current: Replica) -> tuple[Change, ...] | None:
        if add.verify_key in current.chain.used_keys:
            return None
        gone = sorted(member for member in remove if member in current.chain.members)
        return (add, *(Remove(member) for member in gone))

    before = chain
    yield from open_epoch(replica, link, wish)
    after = replica.chain
    (index,) = (member.index for member in after.members.values() if member.verify_key == signing.verify_key)
    return Joined(
        replica.set_id, replica.person, int(role), after.relay_key, before.head.hash, before.epoch,
        after.head.hash, after.epoch, 0, after.head.hash, index,
    )


def succeed(replica: Replica, link: Link, signing: SigningKey, sealing: SealingKey) -> Procedure[Record | None]:
    """Open the epoch in which the keys of another kit take the place of this one's (SPEC 9.4 step 5).

    `replica` is the old kit's. None if the new one is a member already. Nobody writes in that epoch, as its opener
    left: the next device that comes opens another, whose secret the old kit does not know.
    """
    return (yield from open_epoch(replica, link, succession(replica.member, signing, sealing)))


def succession(old: int, signing: SigningKey, sealing: SealingKey,
               ) -> Callable[[Replica], tuple[Change, ...] | None]:
    """The wish to have recovery member `old` replaced: the successor first, as who is out may change nothing more."""
    made: list[Add] = []

    def wish(current: Replica) -> tuple[Change, ...] | None:
        member = current.chain.members.get(old)
        if member is None or signing.verify_key in current.chain.used_keys:
            return None
        if not made:
            made.append(make_add(signing, current.set_id, member.person, member.role, sealing.public))
        return made[0], Remove(old)

    return wish
