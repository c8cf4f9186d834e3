"""Deciding one command inside the transaction of its batch (SPEC 13.2, 13.4 to 13.7), the same for every engine.

A command that a rule declines is undone alone, by its savepoint; the rest of the batch goes on.
"""

from __future__ import annotations

from dataclasses import replace

from e2esync.epoch.roles import KITS, Role
from e2esync.errors import E2esyncError
from e2esync.log.head import ShortHead, sign_head
from e2esync.session import handshake, rules
from e2esync.session import messages as m
from e2esync.session.commands import Admit, Attend, Attention, Change, Written
from e2esync.session.holds import Holds
from e2esync.session.kinds import Refusal
from e2esync.session.rules import Declined, HeldBack
from e2esync.stores import relay_log, relay_seed, relay_slots
from e2esync.stores.relay_batch import Admitted, Batch, Delayed, Known, Logged, Outcome
from e2esync.stores.relay_blobs import put_blob
from e2esync.stores.relay_deletion import take_word

Decided = Outcome | Logged | tuple[bytes, int, int]
"""An outcome; or an append's effect, or the position of the same append before, which wait for the batch's head."""


def decide(batch: Batch, command: Written) -> Decided:
    """What becomes of a command; a refusal where a rule declines it."""
    try:
        if isinstance(command, Attend):
            return attend(batch, command)
        if isinstance(command, Admit):
            return admit(batch, command)
        if isinstance(command.request, m.Append) and not command.request.live:
            # One INSERT behind all checks: an engine undoes a failing statement by itself, without a savepoint.
            return relay_log.append(batch, command, command.request)
        return _within_savepoint(batch, command)
    except Declined as declined:
        if isinstance(command, Change) and isinstance(command.request, m.Open):
            _opening_refused(batch, command)
        return refused(command.set_id, declined)


def refused(set_id: bytes, declined: Declined) -> Outcome:
    """The outcome of a command that a rule declines."""
    effect = Delayed(set_id, declined.until) if isinstance(declined, HeldBack) else None
    return Outcome(declined.answer(), effect)


def outcome(decided: Decided, heads: dict[tuple[bytes, int], ShortHead]) -> Outcome:
    """Appends are answered with the batch's head, which is signed when the batch is over."""
    if isinstance(decided, Outcome):
        return decided
    if isinstance(decided, Logged):
        return Outcome(m.Appended(decided.seq, heads[decided.set_id, decided.epoch]), decided)
    set_id, epoch, seq = decided
    return Outcome(m.Appended(seq, heads[set_id, epoch]))


def admit(batch: Batch, command: Admit) -> Outcome:
    """SPEC 13.2 steps 2 and 4: stranger and bad signature are one refusal; who was removed reads the chain."""
    known = batch.find(command.set_id)
    view, member = rules.check_was_member(known.view if known else None, command.member)
    try:
        handshake.check_proof(member.verify_key, command.set_id, command.binding, command.signature)
    except E2esyncError as error:
        raise Declined(
            Refusal.NOT_MEMBER, "no such set, no such member, or a wrong signature"
        ) from error
    if member.removed_at is not None:
        welcome = handshake.farewell(batch.identity.key, view.set_id, command.binding, member.removed_at)
        return Outcome(welcome)
    if view.gone:
        return Outcome(handshake.tell_deleted(batch.identity.key, view.set_id, command.binding, view.deletion))
    head = sign_head(
        batch.identity.key, view.set_id, epoch=view.epoch, seq=view.seq, log_hash=view.log_hash,
        record_hash=view.record_hash, time=batch.now, incarnation=batch.identity.incarnation, binding=command.binding,
    )
    role = view.chain.members[command.member].role
    effect = Admitted(view.set_id, view.epoch, view.seq, role, view.deletion)
    return Outcome(m.Welcome(head.body, head.signature), effect)


def attend(batch: Batch, command: Attend) -> Outcome:
    """SPEC 13.6: a hold begins, if the member may have one, or ends because nobody is there who would use it."""
    known = batch.find(command.set_id)
    member = None if known is None else known.view.chain.members.get(command.member)
    if known is not None and member is not None and not known.view.gone:
        holds = known.view.holds
        if command.why is Attention.LOST:
            holds = holds.lost(member.index, batch.now, batch.place)
        elif command.why is Attention.LEFT:
            holds = holds.left(member.index, batch.place)
        elif member.role in KITS:
            holds = holds.came(member.index, batch.now, batch.place, root=member.role is Role.ROOT)
        _set_holds(batch, known, holds)
    return Outcome(m.Pong())


def _opening_refused(batch: Batch, command: Change) -> None:
    """A device has had its try."""
    known = batch.find(command.set_id)
    if known is not None:
        _set_holds(batch, known, known.view.holds.decided(command.member, accepted=False))


def _set_holds(batch: Batch, known: Known, holds: Holds) -> None:
    if holds != known.view.holds:
        batch.update(known, replace(known.view, holds=holds))


def _within_savepoint(batch: Batch, command: Change) -> Decided:
    with batch.rows.savepoint():
        return _change(batch, command)


def _change(batch: Batch, command: Change) -> Decided:
    request = command.request
    if isinstance(request, m.Append):
        return relay_log.append(batch, command, request)
    if isinstance(request, m.Open):
        return relay_log.open_epoch(batch, command, request)
    if isinstance(request, m.PutBlob):
        return put_blob(batch, command, request)
    if isinstance(request, m.PutSlot):
        return relay_slots.put_slot(batch, command, request)
    if isinstance(request, m.Create):
        return relay_log.create_set(batch, request)
    if isinstance(request, m.UseMailbox):
        return relay_slots.use_mailbox(batch, command, request)
    if isinstance(request, m.Show):
        return relay_seed.show(batch, request)
    if isinstance(request, m.Seed):
        return relay_seed.seed(batch, request)
    if isinstance(request, m.Delete):
        return take_word(batch, command, request)
    return relay_slots.put_mail(batch, command.mailbox, request)
