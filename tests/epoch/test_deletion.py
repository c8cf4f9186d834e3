"""`epoch.deletion` (SPEC 10.9, 14.15 step 2). Each refusal is a case of `vectors/v1/epochs.json`; here is the rest."""

from __future__ import annotations

import pytest

from e2esync.conformance.vectors.world import NOW, world
from e2esync.epoch.deletion import (
    Act,
    Deletion,
    chain_then,
    check_deleted,
    check_supersedes,
    governs,
    is_at_once,
    parse_deletion,
    sign_deletion,
)
from e2esync.errors import DeletionInvalid, RollbackDetected
from e2esync.limits import DELETION_MAX, INT_MAX


def word(member: int = 1, act: Act = Act.DELETE, revision: int = 1, epoch: int = 1, time: int = NOW) -> Deletion:
    at = world()
    return sign_deletion(at.parties[member].signing, at.set_id, act, revision=revision, member=member, epoch=epoch,
                         record_hash=at.openings[epoch].record.hash, relay=at.relay.verify_key, time=time)


def test_there_and_back() -> None:
    deletion = word(2, Act.KEEP, 7)
    assert parse_deletion(deletion.raw) == deletion
    assert (deletion.act, deletion.revision, deletion.member, deletion.epoch) == (Act.KEEP, 7, 2, 1)


def test_the_longest_one_fits() -> None:
    at = world()
    longest = sign_deletion(at.parties[0].signing, at.set_id, Act.DELETE, revision=INT_MAX, member=2**32 - 1,
                            epoch=INT_MAX, record_hash=bytes(32), relay=bytes(32), time=INT_MAX)
    assert len(longest.raw) <= DELETION_MAX


def test_no_key_is_shown() -> None:
    assert word().signature.hex()[:16] not in repr(word())


def test_who_governs() -> None:
    chain = world().chain
    assert [index for index in range(9) if governs(chain, index)] == [0, 1, 2]
    assert [index for index in range(3) if is_at_once(chain, index)] == [0]


def test_the_chain_as_it_stood() -> None:
    at = world()
    records = [opening.record.raw for opening in at.openings]
    assert set(chain_then(at.chain, records, word(epoch=0)).members) == {0, 1, 2}
    assert chain_then(at.chain, records, word()).members == at.chain.members


def test_words_only_go_forward() -> None:
    first, second = word(), word(2, Act.KEEP, 2)
    for later, known in ((first, None), (first, first), (second, first)):
        check_supersedes(later, known)
    for earlier, known in ((first, second), (word(1, Act.DELETE, 2), second)):
        with pytest.raises(RollbackDetected):
            check_supersedes(earlier, known)


def test_a_tombstone_is_judged_by_the_whole_chain() -> None:
    """The same word is right at the end of one chain and wrong in the middle of another."""
    at = world()
    records = [opening.record.raw for opening in at.openings]
    check_deleted(at.chain, records, word(0), at.relay.verify_key, NOW)
    later = at.record(2)
    with pytest.raises(DeletionInvalid):
        check_deleted(at.chain.extend(later), [*records, later.raw], word(0), at.relay.verify_key, NOW)
