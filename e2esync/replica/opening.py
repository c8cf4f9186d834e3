"""The next epoch itself (SPEC 9, 14.3): every change of members, rotation and compaction is one opening.

`prepare` makes all that an opening sends from a replica that is caught up with the head; nothing of it is secret to
the replica's store before the relay has accepted it but the opener's own sealing key, so an opening that is lost, or
whose answer is lost, is simply entered by its own box. What was wished (`intents`) is stored until it is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from e2esync.crypto import Entropy, Secret, SigningKey
from e2esync.epoch.boxes import epoch_commit, epoch_key, list_hash, seal_boxes
from e2esync.epoch.record import Change, Flag, Record, Rekey, Remove, make_rekey, parse_record, sign_record
from e2esync.epoch.roster import Roster
from e2esync.errors import ChainInvalid, LocalProtocolError
from e2esync.limits import HORIZON_AGE, KEY, NONCE
from e2esync.replica.announcing import announcement, is_announced, newest_seal_key, next_number, sealing_key
from e2esync.replica.core import SIGNING, Replica
from e2esync.replica.entering import Entrance
from e2esync.replica.forgetting import clean_runs
from e2esync.replica.port import DIRTY, ReplicaStore, RunRow, SlotRow
from e2esync.replica.snapshots import Settled, run_chunks, run_ref, settle
from e2esync.snapshot.blob import blob_id, seal_manifest
from e2esync.snapshot.manifest import LastEntry, Manifest, UnknownOp, encode_manifest
from e2esync.snapshot.runs import BuiltRun, build_run, plan_runs
from e2esync.wire import decode


@dataclass(frozen=True, slots=True)
class Opening:
    """What OPEN sends, and the entrance by which its own opener enters once it is accepted."""

    record: Record
    box_list: bytes
    boxes: tuple[bytes, ...]
    announcement: bytes
    blobs: tuple[tuple[bytes, bytes], ...]
    """(id, blob) to upload before; they are what becomes live."""
    dead: tuple[bytes, ...]
    entrance: Entrance


def merged_runs(replica: Replica, flags: Flag = Flag.NONE) -> list[RunRow]:
    """The runs that an opening now would merge into its new one: their index blobs name the chunks that die."""
    runs = replica.store.runs()
    return runs[_kept(replica, runs, flags):]


def horizon_now(replica: Replica, now: int) -> int:
    """The horizon of an opening now: the newest epoch that began 30 days ago or earlier, and never a lower one."""
    stored = replica.store.get("horizon")
    horizon: int = decode(stored) if stored else 0
    for raw in replica.store.records()[horizon + 1:]:
        record = parse_record(raw)
        if record.time > now - HORIZON_AGE:
            break
        horizon = record.epoch
    return horizon


def prepare(replica: Replica, changes: tuple[Change, ...], slots: Mapping[int, SlotRow], indexes: Mapping[bytes, bytes],
            now: int, entropy: Entropy, *, flags: Flag, seed: bool = False, relay: bytes = b"") -> Opening:
    """SPEC 14.3 steps 3 to 5, for a replica that is caught up with the head.

    A `seed` (SPEC 14.10) takes no run over: its relay has none. One that is flagged so may have to give way, and so
    it leaves key numbers and horizon where they are. `relay`: the key of another relay to move to.

    `slots`: what was served, by member. `indexes`: index blobs of `merged_runs`, by id. Raises RightMissing or
    ChainInvalid if the chain would refuse the changes.
    """
    chain, position = replica.chain, replica.position
    epoch = chain.epoch + 1
    if Remove(replica.member) in changes and chain.members[replica.member].is_device:
        raise LocalProtocolError("a device cannot make the secret that is to shut it out", "let another remove it")
    yields = bool(flags & Flag.SEED)
    recipients = _recipients(replica, chain.after(replica.member, changes), slots, entropy, fresh=not yields)
    secret = Secret(entropy.draw("epoch secret", KEY))
    merged = replica.store.runs() if seed else merged_runs(replica, flags)
    forget = bool(flags & Flag.FORGET)
    horizon = epoch if forget else horizon_now(replica, 0 if yields else now)
    manifest, built = _snapshot(replica, merged, horizon, entropy, forget=forget)
    key = epoch_key(replica.set_id, epoch, secret)
    sealed = seal_manifest(key, entropy.draw("manifest nonce", NONCE), replica.set_id, epoch, encode_manifest(manifest))
    box_list, boxes = seal_boxes(replica.set_id, epoch, secret, recipients, entropy)
    numbers = {member: number for member, number, _public in recipients if number}
    record = sign_record(
        replica.signing_key, replica.set_id, epoch=epoch, prev=chain.head.hash, closes_seq=position.seq,
        closes_hash=position.log_hash, time=now, opener=replica.member, changes=changes, numbers=numbers, flags=flags,
        commit=epoch_commit(replica.set_id, epoch, secret), boxes=list_hash(box_list), manifest=blob_id(sealed),
        relay=relay,
    )
    return Opening(
        record, box_list, tuple(boxes), _own_announcement(replica, changes, numbers, entropy),
        ((blob_id(sealed), sealed), *(built.blobs if built else ())), _dead(replica, merged, indexes),
        Entrance(chain.extend(record), (record,), secret, manifest),
    )


def _own_announcement(replica: Replica, changes: tuple[Change, ...], numbers: Mapping[int, int], entropy: Entropy,
                      ) -> bytes:
    """The opener's announcement of the number that its opening gives it; a recovery member has none (SPEC 9.3)."""
    if replica.member not in numbers:
        return b""
    return announcement(replica, _next_signing_key(replica, changes), numbers[replica.member], entropy)


def rekey(replica: Replica, entropy: Entropy) -> Rekey:
    """The change that replaces this device's own signing key; the new one is stored before anybody hears of it."""
    store = replica.store
    signing_key = SigningKey(entropy.draw("signing key", KEY))
    with store.transaction():
        store.keep_secret(SIGNING, max(store.secret_numbers(SIGNING)) + 1, signing_key.seed)
    member = replica.chain.members[replica.member]
    return make_rekey(signing_key, replica.set_id, replica.member, member.person, member.role)


def _next_signing_key(replica: Replica, changes: tuple[Change, ...]) -> SigningKey:
    """The key that this device signs with after `changes`: announcements by a replaced key are void (SPEC 10.6)."""
    for change in changes:
        if isinstance(change, Rekey):
            for number in replica.store.secret_numbers(SIGNING):
                seed = replica.store.secret(SIGNING, number)
                if seed is not None and (key := SigningKey(seed)).verify_key == change.verify_key:
                    return key
    return replica.signing_key


def _snapshot(replica: Replica, merged: list[RunRow], horizon: int, entropy: Entropy, *, forget: bool,
              ) -> tuple[Manifest, BuiltRun | None]:
    """The manifest of BOUNDARY of the fold, and the one new run if something differs from the kept ones (SPEC 11.3)."""
    store = replica.store
    settled = settle(store, horizon)
    runs = store.runs()
    kept = runs[:len(runs) - len(merged)]
    # Of what is forgotten no run that is kept holds anything, so nothing needs to be said of it.
    items = _new_items(store, settled, merged, absent=bool(kept) and not forget)
    built = build_run(items, replica.set_id, entropy) if items else None
    refs = [run_ref(run) for run in kept]
    unknown = store.get("unknown")
    manifest = Manifest(
        vector={member: LastEntry(*last) for member, last in store.vector().items()},
        digest=settled.digest, horizon=horizon,
        runs=(*refs, built.ref) if built else tuple(refs),
        # By author and counter (SPEC 11.2): the log has them in the order in which they came.
        unknown=tuple(sorted((UnknownOp(*op) for op in decode(unknown)), key=_dot)) if unknown else (),
    )
    return manifest, built


def _dot(unknown: UnknownOp) -> tuple[int, int]:
    return unknown.member, unknown.counter


def _kept(replica: Replica, runs: list[RunRow], flags: Flag) -> int:
    """How many of the runs stay as they are; the others are merged into the new one (SPEC 14.3, 14.4 step 1)."""
    store = replica.store
    kept = plan_runs([run_ref(run) for run in runs], store.count_dirty() + len(store.unsettled()))
    if flags & Flag.FORGET:
        return min(kept, clean_runs(store, runs, settle(store, replica.chain.epoch + 1).changes))
    return kept


def _new_items(store: ReplicaStore, settled: Settled, merged: list[RunRow], *, absent: bool,
               ) -> list[tuple[bytes, bytes]]:
    """(contact, state after the boundary) of every contact that the kept runs may not give, ascending."""
    states = {row.contact: row.state for number in (DIRTY, *(run.number for run in merged))
              for row in store.contacts(run=number)}
    states.update(settled.changes)
    # What is gone needs a word only where an older run still has it.
    return sorted((contact, state) for contact, state in states.items() if state or absent)


def _recipients(replica: Replica, roster: Roster, slots: Mapping[int, SlotRow], entropy: Entropy, *,
                fresh: bool = True) -> list[tuple[int, int, bytes]]:
    """(member, key number, public sealing key) of everybody to seal to, to oneself a `fresh` key (SPEC 14.3 step 4)."""
    recipients = []
    for index, member in sorted(roster.members.items()):
        if not member.is_device:
            recipients.append((index, 0, member.seal_key))
        elif index == replica.member:
            number = next_number(replica) + is_announced(replica) - (not fresh)
            recipients.append((index, number, sealing_key(replica, number, entropy).public))
        elif index not in replica.chain.members:
            recipients.append((index, 1, member.seal_key))
        else:
            found = newest_seal_key(replica.chain, index, slots)
            if found is None:
                raise ChainInvalid(f"the relay does not serve the announcement of member {index}",
                                   "try again later; without it nothing can be sealed to that device")
            recipients.append((index, *found))
    return recipients


def _dead(replica: Replica, merged: list[RunRow], indexes: Mapping[bytes, bytes]) -> tuple[bytes, ...]:
    """The blobs that the opening makes dead: the present manifest, and merged runs with their chunks."""
    dead = [replica.chain.head.manifest] if replica.chain.epoch else []
    for run in merged:
        if run.index_id in indexes:
            chunks = run_chunks(replica.set_id, run_ref(run), indexes[run.index_id])
            dead += [run.index_id, *(chunk.id for chunk in chunks)]
    return tuple(dead)
