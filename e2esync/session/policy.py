"""What a relay's operator chooses (SPEC 13.13): which new sets the relay takes, how much one may hold, for how long.

Pure, as `rules` is: the store asks inside its transaction, so a limit is exact however many ask at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from e2esync.limits import BLOB_DEAD_RETENTION, MEMBERS_MAX, SET_BYTES_MAX
from e2esync.session.kinds import Refusal
from e2esync.session.rules import Declined


class Registration(Enum):
    """Which new sets a relay takes."""

    OPEN = "open"
    INVITATION = "invitation"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Policy:
    """One relay's choices. `retention` (ms) is how long superseded snapshots and closed logs are kept."""

    registration: Registration = Registration.OPEN
    set_bytes: int = SET_BYTES_MAX
    set_entries: int = 0
    set_members: int = MEMBERS_MAX
    retention: int = BLOB_DEAD_RETENTION


DEFAULT_POLICY: Final = Policy()


def check_registration(policy: Policy, invited: bool) -> None:
    """SPEC 13.13 step 1, for a set that is not there yet; `invited`: its invitation was good and is used up now."""
    if policy.registration is Registration.CLOSED:
        raise Declined(Refusal.NOT_ALLOWED, "this relay takes no new books")
    if policy.registration is Registration.INVITATION and not invited:
        raise Declined(Refusal.NOT_ALLOWED, "this relay takes new books by invitation only, and each invitation once")


def is_full(policy: Policy, held: int, seq: int) -> bool:
    """Whether a set that would hold so many bytes, and whose open log has `seq` envelopes, takes no other one."""
    return held > policy.set_bytes or bool(policy.set_entries and seq >= policy.set_entries)


def check_entries(policy: Policy, seq: int) -> None:
    """SPEC 13.13 step 3: a log of `seq` envelopes takes one more. 0 is no limit; an opening begins a new log."""
    if is_full(policy, 0, seq):
        raise Declined(Refusal.QUOTA_EXCEEDED, f"a book's open log may hold {policy.set_entries:,} changes here")


def check_members(policy: Policy, before: int, after: int) -> None:
    """SPEC 13.13 step 3: nobody is added beyond the limit, and nobody is kept from removing."""
    if after > max(before, policy.set_members):
        raise Declined(Refusal.QUOTA_EXCEEDED, f"a book may have {policy.set_members} devices and kits here")
