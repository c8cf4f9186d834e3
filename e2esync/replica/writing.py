"""From an edit to the outbox (SPEC 8.6, 10.3, 10.5).

A write is first *pending*: shown at once, in no entry yet. `pack` makes entries of what is pending, when it is time to
send: an entry never changes once it is in the outbox, and it stays there until a snapshot covers it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from e2esync.contactset import (
    BatchOp,
    DeleteOp,
    Op,
    SetOp,
    changes,
    clamp,
    decode_ops,
    delete_ops,
    encode_ops,
    fold_ops,
    same,
    set_ops,
    unpack,
    view,
    write_life,
)
from e2esync.crypto import Entropy
from e2esync.epoch.roles import WRITERS
from e2esync.errors import ReadOnly
from e2esync.limits import ENTRY_BODY_MAX, HASH, NONCE
from e2esync.log.entry import Entry, parse_entry, sign_entry
from e2esync.log.envelope import seal_envelope
from e2esync.replica.core import Replica
from e2esync.replica.guarding import Held, held_one, release
from e2esync.replica.history import keep_own
from e2esync.replica.port import OutboxRow, PendingRow, ReplicaStore
from e2esync.replica.snapshots import batch_run, fetcher, run_items
from e2esync.snapshot.runs import build_run
from e2esync.wire import Value, decode, encode

_OPS_BUDGET = ENTRY_BODY_MAX - 1024
"""What the operations of one entry may take, so that header and padding still fit into an envelope."""


def shown_state(store: ReplicaStore, contact: bytes) -> bytes | None:
    """The packed state as people see it: own unsent writes laid over the shared state. None when unknown."""
    laid = store.overlay(contact)
    if laid is not None:
        return laid or None
    row = store.contact(contact)
    return row.state or None if row else None


def write(replica: Replica, ops: list[SetOp | DeleteOp]) -> None:
    """Journal writes of this device and show them. They are sent by the next sync. Raises ReadOnly for a reader."""
    check_may_write(replica)
    store = replica.store
    with store.transaction():
        ops = _decided(replica, ops)
        context = current_context(replica)
        journal = [(op.contact, encode_ops([op])) for op in ops]
        for contact, raw in journal:
            store.add_pending(raw, contact, context)
        # What is shown is what was journalled: maps in the order of their keys, as everybody else will read them.
        _show(replica, [op for _contact, raw in journal for op in decode_ops(raw)])


def rewrite(replica: Replica, op: SetOp | DeleteOp, context: bytes) -> None:
    """Journal a write that was made elsewhere, or before, in the causal context that it had (SPEC 14.13)."""
    store = replica.store
    with store.transaction():
        store.add_pending(encode_ops([op]), op.contact, context)
        store.mark_shown(lay_over(replica, [op.contact]))


def write_batch(replica: Replica, items: Iterable[tuple[bytes, dict[str, Value]]], now: int, entropy: Entropy,
                media: Iterable[tuple[bytes, bytes]] = ()) -> None:
    """Journal many contacts' registers as one entry over chunks (SPEC 11.4); ids ascending, no null among values.

    `media`: (id, blob) of media parts that the registers name; they are uploaded with the entry. Raises ReadOnly.
    """
    check_may_write(replica)
    store = replica.store
    items = list(items)
    with store.transaction():
        _decide(replica, [contact for contact, _values in items if held_one(store, contact) is not None], now)
        pack(replica, entropy)
        counter, prev = last_own(replica)
        states: list[tuple[bytes, bytes]] = []
        fresh: list[tuple[bytes, bytes]] = []
        known: list[Op] = []
        for contact, values in items:
            shown = shown_state(store, contact)
            life = write_life(shown)
            states.append((contact, encode([[life, [[replica.member, counter + 1, now, values]]]])))
            if shown is None:
                fresh.append(states[-1])
            else:
                known += decode_ops(encode_ops([SetOp(contact, life, now, values)]))
        run = build_run(states, replica.set_id, entropy)
        batch = BatchOp(run.ref.index_id, run.ref.index_key.reveal(), run.ref.count)
        for blob_id, blob in (*run.blobs, *media):
            store.add_upload(blob_id, blob, counter + 1)
        entry = _sign(replica, counter + 1, prev, current_context(replica), [batch], entropy)
        store.add_outbox(OutboxRow(entry.counter, entry.raw, b"", 0), (contact for contact, _state in states))
        # A contact that was unknown is shown just as its item says; the others as if they had been written one by one.
        store.put_overlay(fresh)
        store.mark_shown(contact for contact, _state in fresh)
        keep_own(replica, now, ((contact, b"", state) for contact, state in fresh))
        _show(replica, known)
        _made(replica, entry.counter, entry.id)


def put_back_ops(store: ReplicaStore, contact: bytes, now: int) -> list[SetOp]:
    """What makes a held contact again what it is shown as: only where it still is what its author made of it.

    What somebody else has written since is newer than both, and stays.
    """
    guarded, row = held_one(store, contact), store.contact(contact)
    if guarded is None:
        return []
    state = row.state if row else b""
    edits = changes(_registers(state), put_back_registers(guarded, state))
    return set_ops(contact, state or None, now, edits) if edits else []


def put_back_registers(guarded: Held, shared: bytes) -> dict[str, Value]:
    """The registers of a held contact whose shared state is this, once it is put back."""
    present, made, shown = (_registers(each) for each in (shared, guarded.after, guarded.before))
    wanted = dict(present)
    for path, value in changes(present, shown).items():
        if (path in present) == (path in made) and (path not in present or same(present[path], made[path])):
            wanted.pop(path, None)
            wanted |= {path: value} if value is not None else {}
    return wanted


def _decide(replica: Replica, contacts: Sequence[bytes], now: int) -> None:
    """Whoever writes these held contacts in a batch has decided about them: they come back whole first."""
    store = replica.store
    back = [op for contact in contacts for op in put_back_ops(store, contact, now)]
    release(replica, contacts)
    store.mark_shown(lay_over(replica, set(contacts) - {op.contact for op in back}))
    write(replica, list(back))


def _decided(replica: Replica, ops: list[SetOp | DeleteOp]) -> list[SetOp | DeleteOp]:
    """The operations as they are without the guard: who writes a contact that it holds has decided about it.

    An edit means the contact that the person sees, so that one comes back whole first; a deletion means what there is.
    """
    store = replica.store
    guarded = {op.contact for op in ops if held_one(store, op.contact) is not None}
    if not guarded:
        return ops
    edited = {op.contact for op in ops if isinstance(op, SetOp)}
    found: list[SetOp | DeleteOp] = [op for op in ops if op.contact not in guarded]
    before = {contact: shown_state(store, contact) or b"" for contact in guarded}
    now = max(op.time for op in ops)
    back = {contact: put_back_ops(store, contact, now) if contact in edited else [] for contact in guarded}
    release(replica, guarded)
    gone = guarded - edited
    store.mark_shown(lay_over(replica, gone))
    keep_own(replica, now, ((contact, before[contact], shown_state(store, contact) or b"") for contact in gone))
    for contact in sorted(guarded):
        row = store.contact(contact)
        state = row.state or None if row else None
        found += back[contact]
        for op in ops:
            if op.contact == contact and isinstance(op, SetOp):
                found += set_ops(contact, state, op.time, op.values)
            elif op.contact == contact:
                found += delete_ops(contact, state, op.time)
    return found


def _registers(state: bytes) -> Mapping[str, Value]:
    shown = view(state) if state else None
    return shown.registers if shown else {}


def check_may_write(replica: Replica) -> None:
    """Raises ReadOnly for a reader: what it writes would have no effect on anybody (SPEC 10.4)."""
    me = replica.chain.members.get(replica.member)
    if me is not None and me.role not in WRITERS:
        raise ReadOnly("you may read this book, and not change it")


def pack(replica: Replica, entropy: Entropy) -> int:
    """Make entries of everything pending; returns how many. One causal context an entry (SPEC 10.3)."""
    store = replica.store
    made = 0
    with store.transaction():
        rows = store.pending()
        counter, prev = last_own(replica)
        for group in _by_entry(rows):
            ops = _coalesce([decode_ops(row.op)[0] for row in group])
            counter += 1
            entry = _sign(replica, counter, prev, group[0].context, ops, entropy)
            store.add_outbox(OutboxRow(counter, entry.raw, b"", 0), {row.contact for row in group})
            prev = entry.id
            made += 1
        if rows:
            _made(replica, counter, prev)
            store.delete_pending(rows[-1].number)
    return made


def seal_outbox(replica: Replica, entropy: Entropy) -> list[OutboxRow]:
    """The own entries that the open epoch's log has not got, each in its envelope; sealed once, then the same bytes."""
    key = replica.key
    if key is None or replica.frozen or not replica.writable:
        return []
    waiting = []
    with replica.store.transaction():
        if replica.store.get("resign") is not None:
            _sign_again(replica, entropy)
        for row in replica.store.unsent():
            if not row.envelope:
                nonce = entropy.draw("envelope nonce", NONCE)
                blobs = replica.store.uploads(row.counter)
                envelope = seal_envelope(key, replica.set_id, replica.position.epoch, row.entry, nonce, blobs)
                row = OutboxRow(row.counter, row.entry, envelope, 0)
                replica.store.update_outbox(row)
            waiting.append(row)
    return waiting


def last_own(replica: Replica) -> tuple[int, bytes]:
    """Counter and id of the newest entry that this device has made."""
    made = replica.store.get("made")
    if made is None:
        return 0, bytes(HASH)
    counter, entry_id = decode(made)
    return counter, entry_id


def _made(replica: Replica, counter: int, entry_id: bytes) -> None:
    """Remember the newest own entry, so that an edit need not look through the outbox for it."""
    replica.store.put("made", encode([counter, entry_id]))


def current_context(replica: Replica) -> bytes:
    """`encode([vector, head])` of the shared state: what a write made now has seen."""
    position = replica.position
    vector = [[member, counter] for member, (counter, _id) in sorted(replica.store.vector().items())]
    return encode([vector, [position.epoch, position.seq, position.log_hash[:16]]])


def lay_over(replica: Replica, contacts: Iterable[bytes]) -> dict[bytes, bytes]:
    """Lay own unlanded writes over the shared state of these contacts again, or over what the guard goes on showing.

    Returns those whose shown state changed by that, with what was laid over them before.
    """
    store = replica.store
    vector = {member: counter for member, (counter, _id) in store.vector().items()}
    batches = OwnBatches(replica)
    changed: dict[bytes, bytes] = {}
    plain, laid = [], []
    for contact in contacts:
        before = store.overlay(contact)
        row = store.contact(contact)
        shared = row.state if row else b""
        guarded = held_one(store, contact)
        base = guarded.before if guarded else shared
        states = {contact: base} if base else {}
        for counter, seen, ops in _unlanded(replica, contact, vector, batches):
            fold_ops(states, replica.member, counter, seen, ops, replica.position.epoch, lambda _op: ())
        after = states.get(contact, b"")
        if after == shared:
            plain.append(contact)
        else:
            laid.append((contact, after))
        if before != after:
            changed[contact] = before or b""
    store.delete_overlay(plain)
    store.put_overlay(laid)
    return changed


def all_landed(replica: Replica) -> bool:
    """Whether the shared state holds every write of this device."""
    store = replica.store
    landed = store.vector().get(replica.member, (0, b""))[0]
    return last_own(replica)[0] <= landed and not store.pending()


class OwnBatches:
    """The items of own batches that wait in the outbox, by contact; read from their blobs when first asked for."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._items: dict[bytes, dict[bytes, bytes]] = {}

    def items(self, op: BatchOp) -> dict[bytes, bytes]:
        """Contact → packed state, of all that a batch writes."""
        if op.index_id not in self._items:
            fetch = fetcher(self._replica.store.upload)
            self._items[op.index_id] = dict(run_items(self._replica.set_id, batch_run(op), fetch))
        return self._items[op.index_id]


def _unlanded(replica: Replica, contact: bytes, vector: dict[int, int], batches: OwnBatches,
              ) -> Iterator[tuple[int, dict[int, int], list[Op]]]:
    """(counter, seen, operations on this contact) of own writes that the shared state lacks, in order."""
    landed = vector.get(replica.member, 0)
    for row in replica.store.outbox_of(contact):
        if row.counter > landed:
            entry = parse_entry(row.entry)
            seen = clamp(entry.vector, vector, replica.member, row.counter)
            yield row.counter, seen, list(_only(contact, decode_ops(entry.ops), batches))
    own = last_own(replica)[0] + 1
    for pending in replica.store.pending_of(contact):
        claimed = dict(decode(pending.context)[0])
        yield own, clamp(claimed, vector, replica.member, own), decode_ops(pending.op)


def _only(contact: bytes, ops: list[Op], batches: OwnBatches) -> Iterator[Op]:
    """Those of an own entry's operations that are about one contact; of a batch the sets that it stands for."""
    for op in ops:
        if isinstance(op, SetOp | DeleteOp) and op.contact == contact:
            yield op
        elif isinstance(op, BatchOp):
            yield from _sets_of(contact, batches.items(op).get(contact, b""))


def single_ops(ops: list[Op], batches: OwnBatches) -> Iterator[SetOp | DeleteOp]:
    """The sets and deletes of an own entry, those that a batch stands for included."""
    for op in ops:
        if isinstance(op, SetOp | DeleteOp):
            yield op
        elif isinstance(op, BatchOp):
            for contact, state in sorted(batches.items(op).items()):
                yield from _sets_of(contact, state)


def _sets_of(contact: bytes, state: bytes) -> Iterator[SetOp]:
    for life in unpack(state).lives if state else ():
        for group in life.groups:
            yield SetOp(contact, life.number, group.time, group.values)


def _show(replica: Replica, ops: list[Op]) -> None:
    """Lay new writes over what is shown now. The counter is the one that the next entry will have."""
    store = replica.store
    counter = last_own(replica)[0] + 1
    seen = {member: count for member, (count, _id) in store.vector().items()}
    seen[replica.member] = counter - 1
    contacts = dict.fromkeys(op.contact for op in ops if isinstance(op, SetOp | DeleteOp))
    before = {contact: shown_state(store, contact) or b"" for contact in contacts}
    states = {contact: state for contact, state in before.items() if state}
    fold_ops(states, replica.member, counter, seen, ops, replica.position.epoch, lambda _op: ())
    now = max((op.time for op in ops if isinstance(op, SetOp | DeleteOp)), default=0)
    keep_own(replica, now, ((contact, old, states.get(contact, b"")) for contact, old in before.items()))
    store.put_overlay([(contact, states.get(contact, b"")) for contact in contacts])
    store.mark_shown(contacts)


def _sign(replica: Replica, counter: int, prev: bytes, context: bytes, ops: list[Op], entropy: Entropy) -> Entry:
    vector, head = decode(context)
    claimed = {member: count for member, count in vector if member != replica.member}
    return sign_entry(
        replica.signing_key, replica.set_id, author=replica.member, counter=counter, prev=prev, vector=claimed,
        seen_head=(head[0], head[1], head[2]), ops=encode_ops(ops), entropy=entropy,
    )


def _sign_again(replica: Replica, entropy: Entropy) -> None:
    """Sign what was never sent with the key that has replaced the one it was signed with (SPEC 10.5)."""
    store = replica.store
    prev = store.vector().get(replica.member, (0, bytes(HASH)))[1]
    for row in store.outbox():
        old = parse_entry(row.entry)
        entry = sign_entry(
            replica.signing_key, replica.set_id, author=old.author, counter=old.counter, prev=prev, vector=old.vector,
            seen_head=old.seen_head, ops=old.ops, entropy=entropy,
        )
        store.update_outbox(OutboxRow(row.counter, entry.raw, b"", 0))
        prev = entry.id
        _made(replica, entry.counter, entry.id)
    store.drop("resign")


def _by_entry(rows: list[PendingRow]) -> Iterator[list[PendingRow]]:
    """Pending rows cut into entries: one context each, within the size, and no set after a delete of its contact."""
    group: list[PendingRow] = []
    size = 0
    deleted: set[bytes] = set()
    for row in rows:
        full = size + len(row.op) > _OPS_BUDGET
        if group and (full or row.context != group[0].context or row.contact in deleted):
            yield group
            group, size, deleted = [], 0, set()
        group.append(row)
        size += len(row.op)
        if isinstance(decode_ops(row.op)[0], DeleteOp):
            deleted.add(row.contact)
    if group:
        yield group


def _coalesce(ops: list[Op]) -> list[Op]:
    """Several sets of one life become one: the last value of each path, with the last time."""
    merged: dict[tuple[bytes, int] | int, Op] = {}
    for number, op in enumerate(ops):
        if not isinstance(op, SetOp):
            merged[number] = op
            continue
        earlier = merged.pop((op.contact, op.life), None)
        values = {**earlier.values, **op.values} if isinstance(earlier, SetOp) else op.values
        merged[op.contact, op.life] = SetOp(op.contact, op.life, op.time, values)
    return list(merged.values())
