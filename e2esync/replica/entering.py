"""From one epoch to the next (SPEC 14.2): nothing that crosses a boundary is joined; the state is *replaced*.

An `Entrance` is what has been verified of the epoch to enter. `adopt_fold` enters with this device's own fold, when
its digest is the manifest's; otherwise `adopt_snapshot` enters with the runs that are new to it.
Either way the own entries that the snapshot does not cover go to the new log again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from e2esync.contactset import BatchOp, Op, SetOp, alive_lives, decode_ops, encode_ops, unpack, whole_life
from e2esync.crypto import Entropy, Secret, SigningKey
from e2esync.crypto.sealing import SealingKey
from e2esync.epoch.boxes import epoch_key, open_own_box, parse_box_list
from e2esync.epoch.chain import Chain
from e2esync.epoch.record import Record, parse_record
from e2esync.errors import (
    CloneDetected,
    CryptoError,
    DeviceRemoved,
    E2esyncError,
    ForkDetected,
    SnapshotInvalid,
    SnapshotMismatch,
)
from e2esync.log.entry import Entry, parse_entry
from e2esync.log.envelope import next_log_hash, read_envelope
from e2esync.replica import rewinding
from e2esync.replica.aging import rekeyed
from e2esync.replica.core import EPOCH, SEALING, SIGNING, Position, Replica, write_position
from e2esync.replica.forgetting import entered, forgets
from e2esync.replica.guarding import release_restored, watch
from e2esync.replica.history import NOBODY, keep
from e2esync.replica.leaving import removal_of
from e2esync.replica.port import DIRTY, HELD, ContactRow, OutboxRow, ReplicaStore, RunRow
from e2esync.replica.sightings import CHAIN
from e2esync.replica.snapshots import Settled, digest, run_row, settle, write_settled
from e2esync.replica.writeback import keep_aside
from e2esync.replica.writing import OwnBatches, current_context, last_own, lay_over, shown_state
from e2esync.snapshot.blob import check_blob_id, open_manifest
from e2esync.snapshot.manifest import Manifest, RunRef, check_manifest, parse_manifest
from e2esync.wire import decode, encode


@dataclass(frozen=True, slots=True)
class Entrance:
    """What has been verified of the newest epoch: its chain, its secret, its manifest (None in epoch 0)."""

    chain: Chain
    records: tuple[Record, ...]
    """The records from this replica's epoch (exclusive) to the newest."""
    secret: Secret
    manifest: Manifest | None


def extend(replica: Replica, raws: Sequence[bytes], *, doubted: bool = False, base: Chain | None = None,
           ) -> tuple[Chain, tuple[Record, ...]]:
    """SPEC 14.2 steps 1 and 2: the chain extended by records from this replica's epoch + 1 on, or behind `base`.

    With `doubted` this replica's own log is known to be another than the one that was closed. Raises ForkDetected
    where the records are of another branch, DeviceRemoved where this device is out.
    """
    chain = base or replica.chain
    records = []
    for raw in raws:
        if replica.member not in chain.members:
            # SPEC 14.12: what follows its removal is none of a device's business.
            break
        record = parse_record(raw)
        if record.epoch == chain.epoch + 1 and record.prev != chain.head.hash:
            raise ForkDetected(f"epoch {record.epoch} follows a record that this device has never seen", about=CHAIN)
        chain = chain.extend(record)
        records.append(record)
    if replica.member not in chain.members:
        raise DeviceRemoved("this device was removed from the contact set", "another device can pair it again",
                            removal_of(chain))
    if records and not doubted and base is None:
        _check_closing(replica, records[0])
    return chain, tuple(records)


def closed_at(replica: Replica, record: Record) -> bool:
    """Whether this replica's fold is exactly the log that `record` closes."""
    position = replica.position
    closed = (position.epoch + 1, position.seq, position.log_hash)
    return (record.epoch, record.closes_seq, record.closes_hash) == closed


def open_secret(replica: Replica, chain: Chain, box_list: bytes, box: bytes, base: Chain | None = None,
                ) -> Secret | None:
    """SPEC 14.2 step 3: the epoch secret from this device's box; None if it has to ask to be sealed again.

    `base`: the chain whose key numbers are this device's last, where it is not its own.
    """
    numbers = {member: number for member, number, _hash in parse_box_list(box_list)}
    secret = replica.store.secret(SEALING, numbers.get(replica.member, 0))
    if secret is None:
        return None
    try:
        key = SealingKey.from_secret(secret.reveal())
        last = (base or replica.chain).numbers.get(replica.member, 0)
        return open_own_box(chain.head, replica.set_id, replica.member, box_list, box, key, last_number=last)
    except CryptoError:
        return None


def read_manifest(replica: Replica, chain: Chain, secret: Secret, blob: bytes) -> Manifest:
    """SPEC 14.2 step 4."""
    check_blob_id(chain.head.manifest, blob)
    key = epoch_key(replica.set_id, chain.epoch, secret)
    manifest = parse_manifest(open_manifest(key, replica.set_id, chain.epoch, blob))
    check_manifest(manifest, chain.epoch, _horizon(replica.store))
    _check_own(replica, manifest)
    return manifest


def _check_own(replica: Replica, manifest: Manifest) -> None:
    """Raises CloneDetected, and freezes, if the snapshot has an entry under this device's key that it has not made.

    Nothing is entered then: unsent writes must not be taken for the entries of the other one (SPEC 10.3).
    """
    landed = manifest.vector.get(replica.member)
    if landed is None:
        return
    last, last_id = last_own(replica)
    row = replica.store.outbox_row(landed.counter)
    known = parse_entry(row.entry).id if row else last_id if landed.counter == last else landed.entry_id
    if landed.counter > last or landed.entry_id != known:
        replica.freeze(CloneDetected.code)
        raise CloneDetected(f"another device has written entry {landed.counter} under this device's index")


def _own_landed(replica: Replica, manifest: Manifest | None) -> int:
    """The counter of the last own entry that a snapshot holds."""
    return manifest.counters.get(replica.member, 0) if manifest else 0


def adopt_fold(replica: Replica, entrance: Entrance, now: int) -> bool:
    """SPEC 14.2 step 5, first half: enter with the own fold, if its digest is the manifest's. False if not."""
    manifest = entrance.manifest
    if manifest is None or len(entrance.records) != 1 or not closed_at(replica, entrance.records[0]):
        return False
    store = replica.store
    settled = settle(store, manifest.horizon)
    if not _is_of(settled, store, manifest):
        return False
    with store.transaction():
        lives = _own_lives(replica, _own_landed(replica, manifest))
        kept, number = _adopt_runs(store, manifest.runs)
        store.renumber_runs([DIRTY, *(run.number for run in store.runs() if run.number not in kept)], number)
        write_settled(store, settled, number)
        store.put_runs(_new_runs(store, manifest.runs, kept, number))
        if not kept or forgets(entrance.records):
            store.drop_absent(number)
        store.mark_shown(settled.changes)
        rewinding.settle_history(store, now)
        release_restored(replica)
        _move(replica, entrance, lives)
        entered(store, entrance.records)
    return True


def _is_of(settled: Settled, store: ReplicaStore, manifest: Manifest) -> bool:
    """Whether a complete fold, settled, is what a snapshot holds."""
    return settled.digest == manifest.digest and dict(manifest.vector) == store.vector()


def missing_runs(replica: Replica, manifest: Manifest, *, whole: bool) -> list[tuple[int, RunRef]]:
    """The runs to fetch, newest first, with local numbers: those that this replica's state was not made of.

    With `whole` every run; needed where the shorter way does not give the manifest's digest.
    """
    known = {} if whole else {run.index_id: run.number for run in _common(replica.store.runs(), manifest.runs)}
    top = max((run.number for run in replica.store.runs()), default=0)
    numbered = [(known.get(ref.index_id, top + place), ref) for place, ref in enumerate(manifest.runs, 1)]
    return [(number, ref) for number, ref in reversed(numbered) if ref.index_id not in known]


def adopt_snapshot(replica: Replica, entrance: Entrance, fetched: dict[bytes, ContactRow], now: int, entropy: Entropy,
                   *, whole: bool) -> SnapshotMismatch | None:
    """SPEC 14.2 step 5, second half: enter with the fetched runs, overlaid, over those this state was made of.

    Raises SnapshotInvalid, having changed nothing, if the result has not the manifest's digest. Returns the notice
    if this device's complete fold of the same log was another one; the difference is kept to be written back.
    """
    store, manifest = replica.store, entrance.manifest
    # Who was in doubt about the log takes the snapshot without asking its own fold, which may well be the same.
    differs = len(entrance.records) == 1 and closed_at(replica, entrance.records[0]) and not (
        manifest is not None and _is_of(settle(store, manifest.horizon), store, manifest))
    with store.transaction():
        lives = _own_lives(replica, _own_landed(replica, manifest))
        refs = manifest.runs if manifest else ()
        kept = [] if whole else _common(store.runs(), refs)
        before = _shown_before(store, fetched)
        guarding = _guarded_before(replica, entrance, fetched) if not differs else {}
        own = _settled_states(store, {run.number for run in kept}, fetched, manifest) if differs else {}
        shown = _replace_state(store, {run.number for run in kept}, fetched)
        missing = missing_runs(replica, manifest, whole=whole) if manifest else []
        store.put_runs([*kept, *(run_row(number, ref) for number, ref in reversed(missing))])
        if manifest is not None and digest(store) != manifest.digest:
            raise SnapshotInvalid("the runs of the snapshot do not give the state that its manifest names")
        store.mark_shown(shown)
        store.put("media", b"")
        _guard(replica, entrance, guarding, now)
        _move(replica, entrance, lives)
        _keep_history(store, entrance, before, now)
        opener = entrance.chain.head.opener
        kept_aside = keep_aside(replica, own, now, entropy)
        entered(store, entrance.records)
    if differs:
        return SnapshotMismatch(
            f"epoch {entrance.chain.epoch}, opened by member {opener}, began from another state than this device had, "
            + (f"and {kept_aside:,} contact{'' if kept_aside == 1 else 's'} in it that this device will write back"
               if kept_aside else "with the same contacts"),
            about=str(entrance.chain.epoch))
    return None


def _shown_before(store: ReplicaStore, fetched: Iterable[bytes]) -> dict[bytes, bytes]:
    """What is shown of each contact that a snapshot may change; nothing for a device that has just arrived."""
    here = store.contact_ids()
    changing = {*here, *fetched, *store.overlaid()} if here else ()
    return {contact: shown_state(store, contact) or b"" for contact in changing}


def _keep_history(store: ReplicaStore, entrance: Entrance, before: dict[bytes, bytes], now: int) -> None:
    """Keep in the local history what a snapshot changed; not what is to be forgotten.

    A device that begins its own epoch again will fold the most of it a second time: it looks when it is through.
    """
    if not entrance.records:
        gone = {contact: old for contact, old, new in rewinding.changes(store, before) if old != new}
        rewinding.remember(store, gone, now)
        return
    before |= rewinding.take(store)
    if not forgets(entrance.records):
        keep(store, NOBODY, now, rewinding.changes(store, before))


def _guarded_before(replica: Replica, entrance: Entrance, fetched: Iterable[bytes]) -> dict[bytes, bytes]:
    """Contact → the state of which the guard judges what a snapshot takes away: all that stands here by now."""
    store = replica.store
    if not entrance.records or entrance.chain.head.opener == replica.member:
        return {}
    return {row.contact: row.state for row in store.contacts()} | {
        contact: row.state for contact in fetched if (row := store.contact(contact)) is not None}


def _guard(replica: Replica, entrance: Entrance, before: Mapping[bytes, bytes], now: int) -> None:
    """SPEC 14.9: what a snapshot takes away is counted as its opener's doing."""
    store = replica.store
    after = {contact: row.state if (row := store.contact(contact)) else b"" for contact in before}
    opener = entrance.chain.head.opener
    harmed = ((opener, contact, state, after[contact]) for contact, state in before.items())
    watch(replica, harmed, lambda: sum(1 for state in before.values() if state and alive_lives(state)), now)
    if entrance.records:
        release_restored(replica)


def _settled_states(store: ReplicaStore, kept: set[int], fetched: Iterable[bytes], manifest: Manifest | None,
                    ) -> dict[bytes, bytes]:
    """Contact → packed state after BOUNDARY of this device's own fold, of all that a snapshot may replace."""
    states = {row.contact: row.state for row in store.contacts() if row.run not in kept}
    states.update((contact, row.state if (row := store.contact(contact)) else b"") for contact in fetched)
    settled = settle(store, manifest.horizon if manifest else 0).changes
    states.update((contact, state) for contact, state in settled.items() if contact in states)
    return states


def _check_closing(replica: Replica, record: Record) -> None:
    """SPEC 14.2 step 2: the own log is a prefix of the closed one, or what follows is of removed members only."""
    position = replica.position
    if position.seq <= record.closes_seq:
        if position.seq == record.closes_seq and position.log_hash != record.closes_hash:
            raise ForkDetected(f"epoch {record.epoch} closes another log than the one that this device has seen")
        return
    log_hash = replica.chain.head.hash
    for seq in range(1, position.seq + 1):
        envelope = replica.store.envelope(seq) or b""
        if seq == record.closes_seq + 1 and log_hash != record.closes_hash:
            raise ForkDetected(f"epoch {record.epoch} closes another log than the one that this device has seen")
        log_hash = next_log_hash(log_hash, envelope)


def check_dropped(replica: Replica, entrance: Entrance) -> None:
    """SPEC 14.2 step 2: what the next epoch left out of this replica's log was by members whom its record removes.

    What had no effect may have been sent by anybody: bytes that do not open, or again what an author's entry said.
    Raises ForkDetected.
    """
    record = entrance.records[0]
    kept = entrance.manifest.counters if entrance.manifest else {}
    for seq in range(record.closes_seq + 1, replica.position.seq + 1):
        entry = _entry(replica, replica.store.envelope(seq) or b"")
        if entry is not None and entry.author not in record.removes and entry.counter > kept.get(entry.author, 0):
            raise ForkDetected(f"epoch {record.epoch} leaves out an envelope of a member that stays")


def kept_by_cut(replica: Replica, removed: set[int]) -> int:
    """The last position of the log that is not followed by envelopes of others than `removed` (SPEC 14.3 step 6)."""
    seq = replica.position.seq
    while seq:
        entry = _entry(replica, replica.store.envelope(seq) or b"")
        if entry is not None and entry.author not in removed:
            break
        seq -= 1
    return seq


def _entry(replica: Replica, envelope: bytes) -> Entry | None:
    """The entry in an envelope of the open epoch; None for one that is not valid."""
    key = replica.key
    if key is None:
        return None
    try:
        return read_envelope(key, replica.chain, envelope)
    except E2esyncError:
        return None


def _own_lives(replica: Replica, landed: int) -> dict[tuple[bytes, int], tuple[bytes, set[str]]]:
    """(contact, life) that own writes beyond `landed` set → the contact as shown before, and the paths that they set.

    What has landed counts no more: whoever deleted it since had seen it.
    """
    store = replica.store
    batches = OwnBatches(replica)
    lives: dict[tuple[bytes, int], tuple[bytes, set[str]]] = {}
    unlanded = [parse_entry(row.entry).ops for row in store.outbox() if row.counter > landed]
    for raw in [*unlanded, *(row.op for row in store.pending())]:
        for contact, life, paths in _written(decode_ops(raw), batches, store):
            if (contact, life) not in lives:
                lives[contact, life] = shown_state(store, contact) or b"", set()
            lives[contact, life][1].update(paths)
    return lives


def _written(ops: list[Op], batches: OwnBatches, store: ReplicaStore) -> Iterator[tuple[bytes, int, Iterable[str]]]:
    """(contact, life, paths) that operations of this device's set; of a batch only in contacts that others knew too."""
    for op in ops:
        if isinstance(op, SetOp):
            yield op.contact, op.life, op.values
        elif isinstance(op, BatchOp):
            for contact, state in batches.items(op).items():
                if store.contact(contact) is not None:
                    for life in unpack(state).lives:
                        yield contact, life.number, [path for group in life.groups for path in group.values]


def _replace_state(store: ReplicaStore, kept: set[int], fetched: dict[bytes, ContactRow]) -> list[bytes]:
    """The overlay of fetched rows over the contacts whose run is kept; returns the contacts that may have changed."""
    stale = [row.contact for row in store.contacts() if row.run not in kept and row.contact not in fetched]
    store.delete_contacts(stale)
    store.put_contacts(fetched.values())
    return [*fetched, *stale]


def _common(runs: list[RunRow], refs: Sequence[RunRef]) -> list[RunRow]:
    """The longest prefix that a replica's runs and a manifest's have in common."""
    common = []
    for run, ref in zip(runs, refs, strict=False):
        if run.index_id != ref.index_id:
            break
        common.append(run)
    return common


def _adopt_runs(store: ReplicaStore, refs: Sequence[RunRef]) -> tuple[set[int], int]:
    """(numbers of the runs kept, number of the new run or DIRTY) when entering with the own fold (SPEC 11.3)."""
    kept = {run.number for run in _common(store.runs(), refs)}
    if len(refs) == len(kept):
        return kept, DIRTY
    if len(refs) > len(kept) + 1:
        raise SnapshotInvalid("a snapshot has more than one new run")
    return kept, max((run.number for run in store.runs()), default=0) + 1


def _new_runs(store: ReplicaStore, refs: Sequence[RunRef], kept: set[int], number: int) -> list[RunRow]:
    rows = [run for run in store.runs() if run.number in kept]
    return rows + [run_row(number, ref) for ref in refs[len(kept):]]


def _move(replica: Replica, entrance: Entrance, lives: dict[tuple[bytes, int], tuple[bytes, set[str]]]) -> None:
    """SPEC 14.2 steps 6 and 7: vector, chain, outbox, secrets, position and undo of the new epoch."""
    store, chain, manifest = replica.store, entrance.chain, entrance.manifest
    store.replace_vector(dict(manifest.vector) if manifest else {})
    if manifest is not None:
        store.put("horizon", encode(manifest.horizon))
        store.put("unknown", encode([list(op) for op in manifest.unknown]))
    landed = _own_landed(replica, manifest)
    for record in entrance.records:
        store.add_record(record.epoch, record.raw)
    store.clear_envelopes()
    store.put_parked([])
    store.keep_secret(EPOCH, chain.epoch, entrance.secret)
    store.erase_secrets(EPOCH, chain.epoch)
    if replica.member in chain.numbers:
        store.erase_secrets(SEALING, chain.numbers[replica.member])
    before = replica.chain.all_members[replica.member].verify_key
    replaced = chain.all_members[replica.member].verify_key != before
    write_position(store, Position(chain.epoch, 0, chain.head.hash))
    replica.adopt_chain(chain)
    if replaced:
        _replace_signing_key(replica)
    store.delete_outbox(landed)
    for row in store.outbox():
        store.update_outbox(OutboxRow(row.counter, row.entry, b"", 0))
    _send_whole_lives(replica, lives)
    guarded = store.kept_keys(HELD)
    # Also what is laid over nothing now: going back to before own entries (SPEC 14.3 step 6) must not hide them.
    unlanded = {contact for row in store.outbox() for contact in store.outbox_contacts(row.counter)}
    store.mark_shown(lay_over(replica, unlanded.union(store.overlaid(), guarded)))


def _send_whole_lives(replica: Replica, lives: dict[tuple[bytes, int], tuple[bytes, set[str]]]) -> None:
    """Step 6: what the snapshot lacks of a life goes along, so that no half contact can come back."""
    store = replica.store
    context = current_context(replica)
    for (contact, life), (before, own) in lives.items():
        row = store.contact(contact)
        snapshot = row.state or None if row else None
        rest = whole_life(contact, before, life, own, snapshot) if before else None
        if rest is not None:
            store.add_pending(encode_ops([rest]), contact, context)


def _replace_signing_key(replica: Replica) -> None:
    """The chain names another key of this device's: forget the older ones, and have what is unsent signed anew."""
    store = replica.store
    active = replica.signing_key.verify_key
    for number in store.secret_numbers(SIGNING):
        seed = store.secret(SIGNING, number)
        if seed is not None and SigningKey(seed).verify_key == active:
            store.erase_secrets(SIGNING, number)
            break
    store.put("resign", b"")
    rekeyed(replica)


def _horizon(store: ReplicaStore) -> int:
    stored = store.get("horizon")
    return int(decode(stored)) if stored else 0
