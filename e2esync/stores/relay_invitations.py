"""Invitations to make a set at a relay (SPEC 13.13): made by its operator, good for one set, until they expire."""

from __future__ import annotations

import os
from collections.abc import Callable

from e2esync.limits import RELAY_INVITATION
from e2esync.session.policy import Registration, check_registration
from e2esync.stores.relay_batch import Batch
from e2esync.stores.relay_migrate import Depot
from e2esync.stores.relay_rows import Rows


def invite(depot: Depot, expires: int, draw: Callable[[int], bytes] = os.urandom) -> bytes:
    """A new invitation, good until `expires` (ms); a relay that runs on the store knows it at once."""
    invitation = draw(RELAY_INVITATION)
    with depot.transaction() as rows:
        rows.run("INSERT INTO invitations (invitation, expires) VALUES (?, ?)", (invitation, expires))
    return invitation


def admit_set(batch: Batch, invitation: bytes) -> None:
    """Lets a set that is not there yet in, or raises Declined; the invitation is used up with it."""
    invited = False
    if batch.policy.registration is Registration.INVITATION and invitation:
        spent = batch.rows.run(
            "DELETE FROM invitations WHERE invitation = ? AND expires > ?", (invitation, batch.now)
        )
        invited = spent == 1
    check_registration(batch.policy, invited)


def sweep_invitations(rows: Rows, now: int) -> int:
    """Drops those that have expired. Returns how many."""
    return rows.run("DELETE FROM invitations WHERE expires <= ?", (now,))
