"""Record 0 (SPEC 9.1, 9.4): a contact set begins with a root and one device, signed by the root."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from e2esync.crypto import Entropy, Secret, SigningKey
from e2esync.crypto.sealing import SealingKey
from e2esync.epoch.boxes import epoch_commit, list_hash, seal_boxes
from e2esync.epoch.chain import Chain
from e2esync.epoch.record import Add, Record, make_add, parse_record, set_id_of, sign_record
from e2esync.epoch.roles import Role
from e2esync.errors import NotFound
from e2esync.limits import KEY, PERSON
from e2esync.replica.core import EPOCH, SEALING, Replica, begin
from e2esync.replica.home import Landing, Seat
from e2esync.replica.port import ReplicaStore
from e2esync.wire import encode

ROOT, FIRST_DEVICE = 0, 1
"""Member indices in record 0."""


@dataclass(frozen=True, slots=True)
class Founding:
    """What CREATE sends."""

    set_id: bytes
    record: Record
    box_list: bytes
    boxes: tuple[bytes, ...]


def found(store: ReplicaStore, root_signing: SigningKey, root_sealing: SealingKey, relay_key: bytes, now: int,
          entropy: Entropy) -> Founding:
    """Make a set whose root is the recovery kit and whose only device is this one; its replica begins in `store`.

    The root's secrets are used here and stay with the caller, who forgets them.
    """
    set_id = set_id_of(root_signing.verify_key)
    person = entropy.draw("person", PERSON)
    signing = SigningKey(entropy.draw("signing key", KEY))
    sealing = SealingKey.generate(entropy)
    secret = Secret(entropy.draw("epoch secret", KEY))
    recipients = [(ROOT, 0, root_sealing.public), (FIRST_DEVICE, 1, sealing.public)]
    box_list, boxes = seal_boxes(set_id, 0, secret, recipients, entropy)
    record = sign_record(
        root_signing, set_id, epoch=0, relay=relay_key, time=now, opener=ROOT,
        changes=(make_add(root_signing, set_id, person, Role.ROOT, root_sealing.public),
                 make_add(signing, set_id, person, Role.OWNER, sealing.public)),
        numbers={FIRST_DEVICE: 1}, commit=epoch_commit(set_id, 0, secret), boxes=list_hash(box_list),
    )
    with store.transaction():
        store.keep_secret(SEALING, 1, sealing.secret)
        store.keep_secret(EPOCH, 0, secret)
        store.put("history", encode(now))
        begin(store, set_id, FIRST_DEVICE, person, signing, Chain.begin(record, set_id), [record.raw])
    return Founding(set_id, record, box_list, tuple(boxes))


def seat_of(replica: Replica, verify_key: bytes) -> Seat:
    """The seat of the member that the chain added under this key, with what it must find when it arrives (SPEC 12.2).

    Raises NotFound unless the chain holds an add of that key.
    """
    records = [parse_record(raw) for raw in replica.store.records()]
    for before, record in pairwise(records):
        for change in record.changes:
            if isinstance(change, Add) and change.verify_key == verify_key:
                (member,) = (m.index for m in replica.chain.all_members.values() if m.verify_key == verify_key)
                at = replica.position
                # Of a closed log the record that closed it says enough.
                head = (at.seq, at.log_hash) if at.epoch == record.epoch else (0, record.hash)
                return Seat(member, Landing(before.epoch, before.hash, record.hash, record.epoch, *head))
    raise NotFound("the chain does not name the key of that device")


def join(store: ReplicaStore, set_id: bytes, member: int, person: bytes, signing: SigningKey, sealing: SealingKey,
         chain: Chain, records: list[bytes]) -> Replica:
    """A replica of a device that the chain's newest record has just added: it has its keys, and no state yet."""
    with store.transaction():
        store.keep_secret(SEALING, 1, sealing.secret)
        return begin(store, set_id, member, person, signing, chain, records)
