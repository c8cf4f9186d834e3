"""Appends planned together (SPEC 13.4): what a batch's plain appends come to, before anything of them is stored.

Plain is an append that names no blob. All of a set's are decided on one view of it, and their rows then go to the
engine in one piece. What that cannot decide, a repetition or a full set, is decided one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from e2esync.log.envelope import envelope_hash, log_hash_after
from e2esync.session.commands import Change, Written
from e2esync.session.messages import Append
from e2esync.session.policy import is_full
from e2esync.session.rules import Declined, check_envelope, check_not_held
from e2esync.stores.relay_batch import Batch, Known, Logged
from e2esync.stores.relay_decide import Decided, refused
from e2esync.stores.relay_log import check_may_append


class Plan:
    """What one set's appends come to, if the set is as it is known to be.

    `rows` are (owner, epoch, seq, member, time, hash, log hash, envelope).
    """

    __slots__ = ("after", "decided", "declined", "known", "rows")

    def __init__(self, known: Known) -> None:
        self.known = self.after = known
        self.decided: list[Decided] = []
        self.declined = False
        self.rows: list[tuple[Any, ...]] = []


def plan_appends(batch: Batch, known: Known, changes: Sequence[Any]) -> Plan | None:
    """The plan of one set's plain appends, in order. None if they have to be decided one by one."""
    plan = Plan(known)
    view, key = known.view, batch.identity.key.verify_key
    seq, log_hash, held = view.seq, view.log_hash, view.held
    writers: set[tuple[int, int]] = set()
    for change in changes:
        member, request = change.member, change.request
        if member not in view.chain.members:
            return None
        try:
            # Of one member's appends to one epoch the first one tells whether it may; the envelope is each one's own.
            if (member, request.epoch) not in writers:
                check_not_held(view, member, batch.now)
                check_may_append(view, member, request.epoch, key)
                writers.add((member, request.epoch))
            check_envelope(request.epoch, request.envelope)
        except Declined as declined:
            plan.declined = True
            plan.decided.append(refused(view.set_id, declined))
            continue
        envelope = request.envelope
        held += len(envelope)
        if is_full(batch.policy, held, seq):
            return None
        seq += 1
        digest = envelope_hash(envelope)
        log_hash = log_hash_after(log_hash, digest)
        plan.rows.append((known.row, view.epoch, seq, member, batch.now, digest, log_hash, envelope))
        plan.decided.append(Logged(view.set_id, view.epoch, seq, envelope, member, change.session))
    plan.after = replace(known, view=replace(view, seq=seq, log_hash=log_hash, held=held))
    return plan


def grouped(commands: Sequence[Written]) -> dict[bytes, list[int]]:
    """Which commands belong to one set, or one mailbox, and so together. A new set's is alone."""
    groups: dict[bytes, list[int]] = {}
    for number, command in enumerate(commands):
        key = command.set_id
        if isinstance(command, Change) and not key:
            key = command.mailbox.mailbox if command.mailbox else b"%d" % number
        groups.setdefault(key, []).append(number)
    return groups


def plain_groups(
    commands: Sequence[Written], groups: Mapping[bytes, Sequence[int]]
) -> dict[bytes, Sequence[int]]:
    """The groups of which every command is a plain append."""
    return {key: indices for key, indices in groups.items() if all(_is_plain(commands[each]) for each in indices)}


def _is_plain(command: Written) -> bool:
    return isinstance(command, Change) and isinstance(command.request, Append) and not command.request.live
