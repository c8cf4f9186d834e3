"""Sets that were lost, or come from another relay (SPEC 13.12): what shows it, and the chain that comes back.

A relay that is shown its own signature on a record which it lacks was restored from a backup. It then takes what
devices bring: the records of the branch that was shown, and at last an opening with a full snapshot. Until that has
come nothing else is written. A set that it never had begins in the same way, and one that comes back goes on in it.
"""

from __future__ import annotations

from dataclasses import replace

from e2esync.epoch.chain import Chain, verify_chain
from e2esync.epoch.record import Record
from e2esync.errors import E2esyncError
from e2esync.log.head import Head, parse_head, verify_head
from e2esync.session import rules
from e2esync.session.deleting import due_after, due_without
from e2esync.session.kinds import Refusal
from e2esync.session.messages import Seed, Seeded, Show, Shown
from e2esync.session.rules import Declined, SetView
from e2esync.stores.relay_batch import Batch, Known, Outcome
from e2esync.stores.relay_invitations import admit_set
from e2esync.stores.relay_log import hash_of, parsed, place_kits
from e2esync.stores.relay_rows import Key


def show(batch: Batch, request: Show) -> Outcome:
    """SHOW: a head that this relay has signed; the set waits for a seed from now on if its record is not here."""
    head = _own_head(batch, request)
    known = batch.find(request.set_id)
    if known is None:
        raise Declined(Refusal.NOT_MEMBER, "no such set, no such member, or a wrong signature")
    view = known.view
    rules.check_not_gone(view)
    here = hash_of(batch.rows, known.row, head.epoch)
    gone = batch.rows.one("SELECT 1 FROM seeding WHERE owner = ? AND record_hash = ? AND waits = 0",
                          (known.row, head.record_hash)) is not None
    newest = view.waits_for is None or head.epoch > view.waits_for[0]
    if newest and rules.is_lacking(view, head, here, gone):
        _wait(batch, known.row, head.epoch, head.record_hash)
        view = replace(view, waits_for=(head.epoch, head.record_hash))
        batch.update(known, view)
    return Outcome(Shown(view.epoch, int(view.waits_for is not None)))


def seed(batch: Batch, request: Seed) -> Outcome:
    """SEED: records from `start` on; those that are here already change nothing, others take the place of what is."""
    records = [parsed(raw) for raw in request.records]
    if [record.epoch for record in records] != list(range(request.start, request.start + len(records))):
        raise Declined(Refusal.BAD_RECORD, "the records of a seed are not in order")
    known = batch.find(request.set_id)
    if known is None:
        known, records = _begin(batch, request, records)
    view = known.view
    rules.check_not_gone(view)
    rules.check_seedable(view, batch.identity.key.verify_key)
    if view.waits_for is None:
        # It comes back from another relay: whoever brings it goes on from the record that took it there.
        _wait(batch, known.row, view.epoch, view.record_hash)
        view = replace(view, waits_for=(view.epoch, view.record_hash))
    for record in records:
        if record.epoch > view.epoch or hash_of(batch.rows, known.row, record.epoch) != record.hash:
            view = _take(batch, known.row, view, record)
    batch.update(known, view)
    return Outcome(Seeded(view.epoch))


def _own_head(batch: Batch, request: Show) -> Head:
    """The head, if it is this relay's own; the same refusal as for a stranger (SPEC 13.2 step 2)."""
    try:
        head = parse_head(request.head, request.signature)
        verify_head(head, request.set_id, batch.identity.key.verify_key)
    except E2esyncError as error:
        raise Declined(Refusal.NOT_MEMBER, "no such set, no such member, or a wrong signature") from error
    return head


def _wait(batch: Batch, row: Key, epoch: int, record_hash: bytes) -> None:
    batch.rows.run("DELETE FROM seeding WHERE owner = ? AND waits = 1", (row,))
    batch.rows.run("INSERT INTO seeding (owner, record_hash, epoch, waits) VALUES (?, ?, ?, 1) "
                   "ON CONFLICT (owner, record_hash) DO UPDATE SET waits = 1", (row, record_hash, epoch))


def _begin(batch: Batch, request: Seed, records: list[Record]) -> tuple[Known, list[Record]]:
    """A set that this relay never had: its record 0 says which set it is (SPEC 9.1)."""
    set_id = request.set_id
    if not records or records[0].epoch:
        raise Declined(Refusal.BAD_RECORD, "the seed of a set that is not here begins with record 0")
    try:
        chain = Chain.begin(records[0], set_id)
    except E2esyncError as error:
        raise Declined(Refusal.BAD_RECORD, error.message) from error
    admit_set(batch, request.invitation)
    row = batch.rows.make_set(set_id, records[0].hash)
    _store(batch, row, records[0])
    place_kits(batch, {}, chain)
    _wait(batch, row, 0, b"")
    view = SetView(set_id, chain, 0, records[0].hash, 0, records[0].hash, 0, waits_for=(0, b""))
    return Known(row, view), records[1:]


def _take(batch: Batch, row: Key, view: SetView, record: Record) -> SetView:
    """The view with one record more; what stood in its place was accepted after the loss, and goes."""
    if record.epoch <= view.epoch:
        view = _cut(batch, row, view, record.epoch)
    try:
        chain = view.chain.extend(record)
    except E2esyncError as error:
        raise Declined(Refusal.BAD_RECORD, error.message) from error
    _store(batch, row, record)
    place_kits(batch, view.chain.members, chain)
    return replace(view, chain=chain, epoch=record.epoch, record_hash=record.hash, seq=0, log_hash=record.hash,
                   leaving=frozenset(), due=due_after(view, chain))


def _cut(batch: Batch, row: Key, view: SetView, epoch: int) -> SetView:
    """The view without the records from `epoch` on. They are remembered, so that nobody brings them back."""
    if epoch == 0:
        raise Declined(Refusal.BAD_RECORD, "the set is here with another record 0")
    rows = batch.rows
    found = rows.all("SELECT epoch, record FROM records WHERE owner = ? ORDER BY epoch", (row,))
    gone = [parsed(raw) for number, raw in found if number >= epoch]
    rows.many("INSERT INTO seeding (owner, record_hash, epoch, waits) VALUES (?, ?, ?, 0) ON CONFLICT DO NOTHING",
              [(row, record.hash, record.epoch) for record in gone])
    held = rows.one("SELECT CAST(coalesce(sum(length(envelope)), 0) AS BIGINT) FROM envelopes "
                    "WHERE owner = ? AND epoch >= ?", (row, epoch))
    for table in ("envelopes", "boxes", "records"):
        rows.run(f"DELETE FROM {table} WHERE owner = ? AND epoch >= ?", (row, epoch))
    rows.run("DELETE FROM slots WHERE owner = ?", (row,))
    chain = verify_chain(view.set_id, [raw for number, raw in found if number < epoch])
    place_kits(batch, view.chain.members, chain)
    return replace(view, chain=chain, epoch=chain.epoch, held=view.held - (held[0] if held else 0),
                   due=due_without(view, epoch))


def _store(batch: Batch, row: Key, record: Record) -> None:
    """A record without boxes: nobody needs them, as the seed ends in an epoch that has its own."""
    batch.rows.run("INSERT INTO records (owner, epoch, opened, record, box_list) VALUES (?, ?, ?, ?, ?)",
                   (row, record.epoch, batch.now, record.raw, b""))
