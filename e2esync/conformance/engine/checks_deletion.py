"""Checks of deletion (SPEC 13.14): who may delete a set, when it goes, that all of it goes, and what is left."""

from __future__ import annotations

from e2esync.conformance.engine.stage import Broken, Stage, expect, refused
from e2esync.epoch.deletion import Act
from e2esync.epoch.record import Remove
from e2esync.limits import DELETION_DELAY, TOMBSTONE_RETENTION
from e2esync.session import handshake
from e2esync.session import messages as m
from e2esync.session.commands import Admit, Change
from e2esync.session.kinds import Refusal
from e2esync.stores.relay_batch import DeletionSaid


def the_root_deletes_at_once(stage: Stage) -> None:
    """13.14 step 4: in one transaction all goes but chain and word, and nothing brings the set back."""
    stage.append()
    stage.blob()
    stage.open(1)
    stage.append(2)
    word = stage.book.word(0)
    (outcome,) = stage.batch([stage.change(0, m.Delete(word.raw))]).outcomes
    expect(outcome.result == m.Deleted(0), f"the root's word was answered by {outcome.result}")
    expect(outcome.effect == DeletionSaid(stage.book.set_id, word.raw, True, 1), "its sessions are not told")
    stage.reopen()
    counts = stage.counts()
    left = {name for name, count in counts.items() if count} - {"epoch", "records", "record_bytes"}
    expect(not left, f"after the deletion {sorted(left)} are left")
    records = stage.ask(1, m.ReadChain(0)).records
    expect(len(records) == 2, "the chain that shows who had the right is not there")
    refused(stage.do(1, stage.book.append()), Refusal.NOT_ALLOWED)
    refused(stage.ask(1, m.Read(1, 1)), Refusal.NOT_ALLOWED)
    refused(stage.visit(stage.book.create()), Refusal.NOT_ALLOWED)
    refused(stage.visit(m.Seed(stage.book.set_id, 0, records)), Refusal.NOT_ALLOWED)
    expect(_admitted(stage, 2) == word.raw, "a member that comes is not shown the word")


def an_owner_is_waited_for(stage: Stage) -> None:
    """13.14 steps 1 to 3: nothing goes for 30 days; anybody who governs cancels it, and so does the owner's removal."""
    refused(stage.do(1, m.Delete(stage.book.word(2).raw)), Refusal.BAD_DELETION)
    first = stage.book.word(1, time=stage.now)
    due = stage.now + DELETION_DELAY
    expect(stage.do(1, m.Delete(first.raw)) == m.Deleted(due), "an owner's word has another day")
    stage.now += 1000
    expect(stage.do(1, m.Delete(first.raw)) == m.Deleted(due), "the same word again has another answer")
    again = stage.book.word(2, Act.DELETE, 2, time=stage.now)
    refused(stage.do(2, m.Delete(again.raw)), Refusal.NOT_ALLOWED)
    stage.now = due - 1
    stage.engine.sweep(stage.now)
    stage.append(2)
    keep = stage.book.word(2, Act.KEEP, 2, time=stage.now)
    expect(stage.do(2, m.Delete(keep.raw)) == m.Deleted(0), "another owner cannot cancel")
    stage.now = due + 1
    stage.engine.sweep(stage.now)
    stage.append(2)
    third = stage.book.word(1, Act.DELETE, 3, time=stage.now)
    stage.do(1, m.Delete(third.raw))
    stage.open(2, (Remove(1),))
    stage.now += DELETION_DELAY + 1
    stage.engine.sweep(stage.now)
    expect(stage.append(2).seq == 1, "a removed owner's word was carried out")


def a_day_comes(stage: Stage) -> None:
    """13.14 steps 4 and 5: the sweep deletes on the day, says so, and drops the tombstone after two years."""
    word = stage.book.word(1, time=stage.now)
    stage.append()
    stage.do(1, m.Delete(word.raw))
    stage.now += DELETION_DELAY
    expect(stage.engine.sweep(stage.now) > 0, "a set whose day has come is not deleted")
    told = [news.effect for news in stage.engine.hear((), stage.now).news]
    expect(DeletionSaid(stage.book.set_id, word.raw, True) in told, "nobody is told of the deletion")
    expect(_admitted(stage, 2) == word.raw, "a member that comes is not shown the word")
    stage.now += TOMBSTONE_RETENTION - 1
    stage.engine.sweep(stage.now)
    expect(_admitted(stage, 2) == word.raw, "the tombstone went before its time")
    stage.now += 1
    stage.engine.sweep(stage.now)
    refused(_admit(stage, 2), Refusal.NOT_MEMBER)
    refused(stage.ask(2, m.ReadChain(0)), Refusal.NOT_FOUND)
    expect(stage.visit(stage.book.create()) == m.Created(stage.book.set_id), "the set could not be made again")


def a_large_set_goes_whole(stage: Stage) -> None:
    """13.14 step 4: of a set that is too large to erase at once nothing is served, and in the end nothing is there."""
    for _each in range(20):
        stage.append(size=64 << 10)
    blobs = [stage.blob(bytes([number]) * 1_000_000) for number in range(3)]
    records, taken = stage.ask(1, m.ReadChain(0)).records, stage.counts()
    expect(taken["blob_bytes"] > 3_000_000, "INSPECT does not count what is there")
    stage.do(0, m.Delete(stage.book.word(0).raw))
    for _restart in range(2):
        left = {name for name, count in stage.counts().items() if count} - {"epoch", "records", "record_bytes"}
        expect(not left, f"after the deletion {sorted(left)} are left")
        refused(stage.ask(1, m.Read(0, 1)), Refusal.NOT_ALLOWED)
        refused(stage.ask(1, m.GetBlob(blobs[0], 0)), Refusal.NOT_ALLOWED)
        expect(_admitted(stage, 2) != b"", "a member that comes is not shown the word")
        stage.reopen()
        stage.engine.sweep(stage.now)
    expect(stage.ask(1, m.ReadChain(0)).records == records, "the chain that shows who had the right is not there")
    stage.now += TOMBSTONE_RETENTION
    for _piece in range(20):
        # Whoever makes the set again, as soon as that can be, finds nothing of the old one in it.
        stage.engine.sweep(stage.now)
        if stage.visit(stage.book.create()) == m.Created(stage.book.set_id):
            break
    counts = stage.counts()
    expect(not any(counts[name] for name in ("envelopes", "blobs", "dead_blobs")), "what was deleted is there again")
    expect(stage.ask(1, m.Have(tuple(blobs))) == m.HaveAnswer((0, 0, 0)), "a blob that was deleted is there again")
    expect(stage.append().seq == 1, "the log does not begin anew")


def every_process_knows(stage: Stage) -> None:
    """13.14: a word, and a deletion, reach the devices of every relay process on the store."""
    other = stage.second()
    if other is None:
        return
    stage.append(2, other)
    word = stage.book.word(1, time=stage.now)
    stage.do(1, m.Delete(word.raw))
    told = [news.effect for news in other.hear([stage.book.set_id], stage.now).news]
    expect(DeletionSaid(stage.book.set_id, word.raw, False) in told, "another process is not told of the word")
    last = stage.book.word(0, Act.DELETE, 2, time=stage.now)
    stage.do(0, m.Delete(last.raw))
    refused(stage.do(2, stage.book.append(), other), Refusal.NOT_ALLOWED)
    told = [news.effect for news in other.hear([stage.book.set_id], stage.now).news]
    (outcome,) = stage.batch([Change(stage.book.set_id, 2, 1, stage.book.append())], other).outcomes
    refused(outcome.result, Refusal.NOT_ALLOWED)


def _admit(stage: Stage, member: int) -> m.Message:
    """What a member's proof is answered by."""
    signature = handshake.sign_proof(stage.book.signing[member], stage.book.set_id, b"b" * 32)
    (outcome,) = stage.engine.execute([Admit(stage.book.set_id, member, b"b" * 32, signature)], stage.now).outcomes
    return outcome.result


def _admitted(stage: Stage, member: int) -> bytes:
    """The body of the WELCOME that a member gets."""
    answer = _admit(stage, member)
    if not isinstance(answer, m.Welcome):
        raise Broken(f"a member's proof was answered by {answer}")
    return answer.head


CHECKS = (the_root_deletes_at_once, an_owner_is_waited_for, a_day_comes, a_large_set_goes_whole, every_process_knows)
