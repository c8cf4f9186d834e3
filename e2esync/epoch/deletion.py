"""Deletions (SPEC 10.9): the signed word that a relay is to delete a set, or to keep it after all.

Who governs a set may sign one: what the root says holds at once, what an owner says after 30 days, until then anybody
who governs may take it back. The relay acts on it, and shows it to every member ever after, so nobody has to believe
the relay that a set was deleted. It names relay, epoch and record, so it is good in one place, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from e2esync.crypto import Label, SigningKey, verify
from e2esync.epoch import shape
from e2esync.epoch.chain import Chain, replay_chain
from e2esync.epoch.roles import RIGHTS, Role
from e2esync.errors import DeletionInvalid, RollbackDetected
from e2esync.limits import DELETION_CLOCK, DELETION_DELAY, DELETION_MAX, HASH, SIGNATURE, VERIFY_KEY
from e2esync.wire import decode, encode


class Act(IntEnum):
    """What is to happen."""

    DELETE = 1
    KEEP = 2


@dataclass(frozen=True, slots=True)
class Deletion:
    """A word on a set, said in an epoch by a member. `revision` rises with every word that the relay takes."""

    act: Act
    revision: int
    member: int
    epoch: int
    record_hash: bytes
    relay: bytes
    time: int
    body: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    raw: bytes = field(repr=False)


def sign_deletion(
    signing_key: SigningKey, set_id: bytes, act: Act, *, revision: int, member: int, epoch: int, record_hash: bytes,
    relay: bytes, time: int,
) -> Deletion:
    """A signed word. `record_hash` (32) is that of the open epoch's record, `relay` (32) the key of whom it is for."""
    body = encode([int(act), revision, member, epoch, record_hash, relay, time])
    return parse_deletion(encode([body, signing_key.sign(Label.SIGN_DELETION, set_id, body)]))


def parse_deletion(raw: bytes) -> Deletion:
    """The word that `raw` spells, at most 256 bytes. Raises NonCanonical or LimitExceeded; checks no signature."""
    body, signature = shape.array(decode(raw, limit=DELETION_MAX), 2, "a deletion")
    shape.octets(signature, SIGNATURE, "a deletion's signature")
    fields = decode(shape.any_octets(body, "a deletion's body"), limit=DELETION_MAX)
    shape.array(fields, 7, "a deletion's body")
    return Deletion(
        act=Act(shape.integer(fields[0], "what a deletion asks for", Act.DELETE, Act.KEEP)),
        revision=shape.integer(fields[1], "a deletion's revision", 1),
        member=shape.index(fields[2], "a deletion's member"),
        epoch=shape.integer(fields[3], "a deletion's epoch"),
        record_hash=shape.octets(fields[4], HASH, "a deletion's record hash"),
        relay=shape.octets(fields[5], VERIFY_KEY, "a deletion's relay"),
        time=shape.integer(fields[6], "a deletion's time"),
        body=body, signature=signature, raw=raw,
    )


def chain_then(chain: Chain, records: Sequence[bytes], deletion: Deletion) -> Chain:
    """The chain as it stood when the word was said. `records` are those of `chain`, which is verified.

    Raises DeletionInvalid for a word from an epoch that there is not.
    """
    if deletion.epoch > chain.epoch:
        raise DeletionInvalid(f"the deletion names epoch {deletion.epoch} and the chain ends with {chain.epoch}")
    return replay_chain(chain.set_id, records[: deletion.epoch + 1])


def check_deletion(then: Chain, deletion: Deletion, relay_key: bytes) -> None:
    """SPEC 10.9 steps 1 to 3: the word is for this relay, and by who governed. `then`: the chain up to its epoch.

    Raises DeletionInvalid or AuthFailed.
    """
    check_place(then, deletion, relay_key)
    check_speaker(then, deletion)
    speaker = then.members[deletion.member]
    verify(Label.SIGN_DELETION, then.set_id, deletion.body, deletion.signature, speaker.verify_key)


def check_place(then: Chain, deletion: Deletion, relay_key: bytes) -> None:
    """SPEC 10.9 step 1, *another place*: a word for another relay, or about another branch, says nothing here."""
    if (deletion.epoch, deletion.record_hash) != (then.epoch, then.head.hash):
        raise DeletionInvalid(f"the deletion names another record than that of epoch {deletion.epoch}")
    if deletion.relay != relay_key:
        raise DeletionInvalid("the deletion was meant for another relay")


def check_speaker(then: Chain, deletion: Deletion) -> None:
    """SPEC 10.9 step 2, *no right*: only the root and owners decide over a set."""
    if not governs(then, deletion.member):
        raise DeletionInvalid(f"member {deletion.member} is neither root nor owner in epoch {then.epoch}")


def governs(chain: Chain, member: int) -> bool:
    """Whether a member is the root or an owner as the chain ends. A word of who is neither any more is void."""
    found = chain.members.get(member)
    return found is not None and RIGHTS[found.role].governs


def is_at_once(chain: Chain, member: int) -> bool:
    """Whether this member's word holds at once: the root's. A thief with a phone has no kit."""
    return chain.members[member].role is Role.ROOT


def check_supersedes(deletion: Deletion, known: Deletion | None) -> None:
    """SPEC 10.9 step 4, *taken back*: whoever has seen a later word is not shown an earlier one as the last.

    Raises RollbackDetected.
    """
    if known is None or deletion.raw == known.raw or deletion.revision > known.revision:
        return
    raise RollbackDetected(f"the relay shows word {deletion.revision} on the set after word {known.revision}")


def check_deleted(chain: Chain, records: Sequence[bytes], deletion: Deletion, relay_key: bytes, now: int) -> None:
    """SPEC 14.15 step 2: the set may have been deleted by this word. Raises DeletionInvalid or AuthFailed.

    `chain` is the whole one that the relay serves, verified, and `records` are its records.
    """
    check_deletion(chain_then(chain, records, deletion), deletion, relay_key)
    check_in_force(chain, deletion)
    check_day(chain, deletion, now)


def check_in_force(chain: Chain, deletion: Deletion) -> None:
    """SPEC 14.15 step 2, *void*: it is a word to delete, of who still governs as the chain ends."""
    if deletion.act is not Act.DELETE:
        raise DeletionInvalid("the relay says that the set was deleted, and shows the word to keep it")
    if not governs(chain, deletion.member):
        raise DeletionInvalid(f"member {deletion.member}, who wanted the set deleted, no longer governs it")


def check_day(chain: Chain, deletion: Deletion, now: int) -> None:
    """SPEC 14.15 step 2, *before its day, or long after*: the root's word ends the chain, an owner's waits a month."""
    if is_at_once(chain, deletion.member):
        if chain.epoch != deletion.epoch:
            raise DeletionInvalid(f"the set went on after it was to be deleted in epoch {deletion.epoch}")
    elif now < deletion.time + DELETION_DELAY - DELETION_CLOCK:
        raise DeletionInvalid(
            "the relay deleted the set before its time", "any owner can still cancel; ask the relay's operator"
        )
