"""How a device comes into a set (SPEC 12.2, 13.3): it makes one, or the chain's newest record has added it."""

from __future__ import annotations

from e2esync.access.pairing import Joined
from e2esync.crypto import SigningKey
from e2esync.crypto.sealing import SealingKey
from e2esync.epoch.boxes import open_own_box
from e2esync.epoch.chain import Chain, verify_chain
from e2esync.epoch.record import parse_record
from e2esync.errors import E2esyncError, PairingAborted
from e2esync.log.envelope import next_log_hash
from e2esync.procedures.reading import adopt_whole, read_records
from e2esync.procedures.steps import Link, Procedure, ask
from e2esync.replica.core import Replica
from e2esync.replica.founding import Founding, join
from e2esync.replica.port import ReplicaStore
from e2esync.session.messages import BoxAnswer, Create, Created, LogPart, Read, ReadBox


def create(founding: Founding) -> Procedure[None]:
    """Register a new set with the relay, as a visitor."""
    yield from ask(Create(founding.record.raw, founding.box_list, founding.boxes, ()), Created)


def arrive(store: ReplicaStore, link: Link, joined: Joined, signing: SigningKey, sealing: SealingKey,
           ) -> Procedure[Replica]:
    """Fetch chain and snapshot for a device that was just added; its replica then stands in `store`.

    Raises PairingAborted, with nothing stored, for a chain that is not the one the sponsor told of.
    """
    raws = yield from read_records(0)
    chain = _told_chain(joined, raws, signing.verify_key)
    yield from _check_told_head(joined)
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
    member = chain.members.get(joined.index)
    if member is None or member.verify_key != verify_key:
        raise PairingAborted("the relay's chain does not list this device")
    return chain


def _check_told_head(joined: Joined) -> Procedure[None]:
    """SPEC 12.2 step 3: the log that the relay serves holds the head that the sponsor told of."""
    log_hash, seq = joined.record_hash, 0
    while seq < joined.head_seq:
        part = yield from ask(Read(joined.epoch, seq + 1), LogPart)
        if not part.envelopes:
            break
        for envelope in part.envelopes[: joined.head_seq - seq]:
            log_hash, seq = next_log_hash(log_hash, envelope), seq + 1
    if (seq, log_hash) != (joined.head_seq, joined.log_hash):
        raise PairingAborted("the relay serves another log than the device that added this one sees")
