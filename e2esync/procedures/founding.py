"""How a device comes into a set (SPEC 12.2, 13.3): it makes one, or the chain's newest record has added it."""

from __future__ import annotations

from e2esync.access.pairing import Joined
from e2esync.crypto import SigningKey
from e2esync.crypto.sealing import SealingKey
from e2esync.epoch.boxes import open_own_box
from e2esync.epoch.chain import Chain, verify_chain
from e2esync.epoch.record import Add, Flag, KitHalf, Remove, parse_record
from e2esync.epoch.roles import Role
from e2esync.errors import E2esyncError, PairingAborted
from e2esync.log.envelope import next_log_hash
from e2esync.procedures.reading import adopt_whole, read_records
from e2esync.procedures.steps import Link, Procedure, ask, ask_to_be_taken, upload_blobs
from e2esync.replica.core import Replica
from e2esync.replica.founding import Founding, join
from e2esync.replica.opening import prepare
from e2esync.replica.port import ReplicaStore
from e2esync.session.messages import BoxAnswer, Create, Created, LogPart, Open, Opened, Read, ReadBox


def create(founding: Founding, invitation: bytes = b"") -> Procedure[None]:
    """Register a new set with the relay, as a visitor; with the operator's invitation where he asks for one."""
    new = Create(founding.record.raw, founding.box_list, founding.boxes, (), invitation)
    yield from ask_to_be_taken(new, Created)


def hand_over(replica: Replica, link: Link, half: KitHalf) -> Procedure[None]:
    """Open the epoch in which a one-time root makes a kit the root and goes (SPEC 12.4). It does not enter it."""
    changes = half.add(replica.person, Role.ROOT), Remove(replica.member)
    opening = prepare(replica, changes, {}, {}, link.now(), link.entropy, flags=Flag.NONE)
    yield from upload_blobs(link, opening.blobs)
    live = tuple(name for name, _blob in opening.blobs)
    opened = Open(opening.record.raw, opening.box_list, opening.boxes, opening.announcement, live, opening.dead)
    yield from ask(opened, Opened)


def arrive(store: ReplicaStore, link: Link, joined: Joined, signing: SigningKey, sealing: SealingKey,
           ) -> Procedure[Replica]:
    """Fetch chain and snapshot for a device that was just added; its replica then stands in `store`.

    Raises PairingAborted, with nothing stored, for a chain that is not the one the sponsor told of.
    """
    raws = yield from read_records(0)
    chain = _told_chain(joined, raws, signing.verify_key)
    yield from _check_told_head(joined, chain, raws)
    box = yield from ask(ReadBox(chain.epoch), BoxAnswer)
    secret = open_own_box(chain.head, joined.set_id, joined.index, box.box_list, box.box, sealing)
    with store.transaction():
        replica = join(store, joined.set_id, joined.index, joined.person, signing, sealing, chain, list(raws))
    yield from adopt_whole(replica, link, secret)
    return replica


def _told_chain(joined: Joined, raws: tuple[bytes, ...], verify_key: bytes) -> Chain:
    """SPEC 12.2 step 3: the chain holds the record that adds this device, and the one the sponsor stood at before."""
    try:
        chain = verify_chain(joined.set_id, raws)
        hashes = [parse_record(raw).hash for raw in raws]
    except E2esyncError as error:
        raise PairingAborted("the relay serves a chain that does not verify") from error
    told = {joined.epoch_before: joined.record_hash_before, joined.epoch: joined.record_hash}
    for epoch, record_hash in told.items():
        if epoch >= len(hashes) or hashes[epoch] != record_hash:
            raise PairingAborted("the relay serves another chain than the device that added this one sees")
    if chain.relay_key != joined.relay_key:
        raise PairingAborted("the book is at another relay than the one at this address")
    _check_guest(joined, raws[joined.epoch], chain)
    member = chain.members.get(joined.index)
    if member is None or member.verify_key != verify_key:
        raise PairingAborted("the relay's chain does not list this device")
    return chain


def _check_guest(joined: Joined, raw: bytes, chain: Chain) -> None:
    """SPEC 12.3 step 3: the record brings a guest's kit in with the device; the inviter was heard of by this chain."""
    guest = joined.guest
    if guest is None:
        return
    adds = {change.verify_key: change for change in parse_record(raw).changes if isinstance(change, Add)}
    kit = adds.get(guest.kit.verify_key)
    if kit is None or (kit.person, kit.role) != (joined.person, Role.RECOVERY):
        raise PairingAborted("the record that adds this device does not bring in its person's recovery kit")
    if joined.inviter_key not in chain.used_keys:
        raise PairingAborted("whoever invites is nobody of this book")


def _check_told_head(joined: Joined, chain: Chain, raws: tuple[bytes, ...]) -> Procedure[None]:
    """SPEC 12.2 step 3: the log that the relay serves holds the head that the sponsor told of."""
    if chain.epoch > joined.epoch:
        # That log was closed since. It was closed there or later, unless what removed members wrote was left out.
        closing = parse_record(raws[joined.epoch + 1])
        if closing.closes_seq < joined.head_seq and not closing.removes:
            raise PairingAborted("the relay's chain leaves out what the device that added this one has seen")
        return
    log_hash, seq = joined.record_hash, 0
    while seq < joined.head_seq:
        part = yield from ask(Read(joined.epoch, seq + 1), LogPart)
        if not part.envelopes:
            break
        for envelope in part.envelopes[: joined.head_seq - seq]:
            log_hash, seq = next_log_hash(log_hash, envelope), seq + 1
    if (seq, log_hash) != (joined.head_seq, joined.log_hash):
        raise PairingAborted("the relay serves another log than the device that added this one sees")
