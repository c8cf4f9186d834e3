"""Saying that a set is to be deleted, or kept (SPEC 14.15), and reading what a deleted set has left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from e2esync.crypto import SigningKey
from e2esync.epoch.chain import Chain, verify_chain
from e2esync.epoch.deletion import Act, Deletion, check_deleted, parse_deletion, sign_deletion
from e2esync.epoch.record import parse_record
from e2esync.errors import Refused
from e2esync.procedures.reading import read_records
from e2esync.procedures.steps import Procedure, accepted
from e2esync.replica.core import Replica
from e2esync.replica.deletion import Deleting, deleted_by, deleting_by
from e2esync.session.messages import Delete, Deleted

_TRIES: Final = 4


def say(chain: Chain, member: int, key: SigningKey, act: Act, *, relay_key: bytes, floor: Callable[[], int], now: int,
        ) -> Procedure[tuple[Deletion, int]]:
    """Say a word as a member who governs the set; returns it, and when the set goes (0: at once, or never).

    `chain` is verified as far as the member knows it. `floor` gives the revision of the newest word that the relay or
    the member knows of, once the chain has been read. Raises Refused.
    """
    for attempt in range(_TRIES):
        for raw in (yield from read_records(chain.epoch + 1)):
            chain = chain.extend(parse_record(raw))
        word = sign_deletion(key, chain.set_id, act, revision=floor() + 1, member=member, epoch=chain.epoch,
                             record_hash=chain.head.hash, relay=relay_key, time=now)
        answers = yield [Delete(word.raw)]
        answer = answers[0]
        if isinstance(answer, Refused) and answer.reason == "EpochClosed" and attempt < _TRIES - 1:
            # Somebody has opened an epoch meanwhile.
            continue
        break
    return word, accepted(answer, Deleted).due


def revision_of(raw: bytes) -> int:
    """The revision of a word; 0 for none."""
    return parse_deletion(raw).revision if raw else 0


def read_deletion(replica: Replica, raw: bytes, now: int) -> Procedure[Deleting]:
    """Read what is left of a set that the relay says was deleted, and check that it may have been (SPEC 14.15 step 2).

    Raises what keeps it from being believed, or DeviceRemoved.
    """
    return deleted_by(replica, raw, (yield from read_records(replica.position.epoch + 1)), now)


def read_deletion_as_kit(set_id: bytes, raw: bytes, relay_key: bytes, now: int) -> Procedure[Deleting]:
    """The same for who knows nothing of the set but its id: the whole chain is read, and verified from record 0."""
    records = yield from read_records(0)
    chain, word = verify_chain(set_id, records), parse_deletion(raw)
    check_deleted(chain, records, word, relay_key, now)
    return deleting_by(word, chain, {}, done=True)
