"""Checks of openings: compare-and-set, and everything or nothing (SPEC 13.5)."""

from __future__ import annotations

from dataclasses import replace

from e2esync.conformance.engine.stage import Stage, expect, refused
from e2esync.epoch.boxes import list_hash
from e2esync.epoch.record import Remove
from e2esync.limits import OPENINGS_BURST, OPENINGS_INTERVAL
from e2esync.session import messages as m
from e2esync.session.kinds import Refusal
from e2esync.stores.relay_batch import EpochOpened


def an_opening_is_whole(stage: Stage) -> None:
    """13.5 step 10: record, boxes, manifest, the new log, slots and blobs in one transaction."""
    stage.append()
    dead = stage.blob(b"dead")
    expect(isinstance(stage.do(1, stage.book.append(live=[dead])), m.Appended), "an append with a blob was refused")
    stage.book.landed(stage.ask(1, m.Read(0, 2)).envelopes[0])
    stage.do(2, m.PutSlot(stage.book.announcement(2), stage.book.heartbeat()))
    request, record = stage.opening(dead=[dead])
    (outcome,) = stage.batch([stage.change(1, request)]).outcomes
    expect(isinstance(outcome.result, m.Opened), f"a good opening was answered by {outcome.result}")
    expect(isinstance(outcome.effect, EpochOpened), "an opening has no effect to push")
    again = stage.do(1, request)
    expect(isinstance(again, m.Opened) and again.epoch == 1, "13.5 step 2: the same opening again got another answer")
    stage.book.opened(record)
    envelopes, head = stage.log(1)
    expect(not envelopes, "the new log is not empty")
    stage.check_log(envelopes, head, record.hash, 1)
    for member in stage.book.chain.members:
        box = stage.ask(member, m.ReadBox(1))
        expect(isinstance(box, m.BoxAnswer) and list_hash(box.box_list) == record.boxes, f"member {member} has no box")
    counts = stage.counts()
    expect((counts["records"], counts["dead_blobs"]) == (2, 1), "the chain or the dead blobs are not as opened")
    beats = [slot.heartbeat for slot in stage.ask(1, m.ReadSlots()).slots]
    expect(not any(beats), "a heartbeat of an older epoch is still there")


def a_refused_opening_leaves_no_trace(stage: Stage) -> None:
    """13.5 steps 4 to 8: each defect is refused with its code, and nothing of it stays."""
    stage.append()
    request, record = stage.opening()
    before = stage.counts()
    missing = replace(request, live=(b"m" * 32,))
    for wrong, code in (
        (replace(request, record=record.raw[:-1] + bytes([record.raw[-1] ^ 1])), Refusal.BAD_RECORD),
        (replace(request, boxes=request.boxes[::-1]), Refusal.BAD_RECORD),
        (missing, Refusal.BLOB_MISSING),
        (replace(request, announcement=stage.book.announcement(1, number=7)), Refusal.BAD_SLOT),
    ):
        refused(stage.do(1, wrong), code)
        expect(stage.counts() == before, f"an opening refused with {code.value} left something")
    refused(stage.do(2, request), Refusal.NOT_ALLOWED)
    expect(isinstance(stage.do(1, request), m.Opened), "after refusals the good opening was refused")


def compare_and_set(stage: Stage) -> None:
    """13.5 step 5: an opening that does not close the head is refused, in its own batch too."""
    request, record = stage.opening()
    behind = stage.book.append()
    results = stage.batch([stage.change(2, behind), stage.change(1, request)]).outcomes
    expect(isinstance(results[0].result, m.Appended), "an append was refused")
    refused(results[1].result, Refusal.HEAD_MOVED)
    stage.book.landed(behind.envelope)
    request, record = stage.opening()
    stale = stage.book.append()
    results = stage.batch([stage.change(1, request), stage.change(2, stale)]).outcomes
    expect(isinstance(results[0].result, m.Opened), "an opening at the head was refused")
    expect(refused(results[1].result, Refusal.EPOCH_CLOSED).data == 1, "EpochClosed does not name the open epoch")
    stage.book.opened(record)


def a_removal_cuts(stage: Stage) -> None:
    """13.5 step 5: what only removed members wrote behind the closed position is dropped, with the blobs it named."""
    stage.append()
    named = stage.blob(b"named by a thief")
    theft = stage.book.append(live=[named])
    expect(isinstance(stage.do(2, theft), m.Appended), "an append was refused")
    request, record = stage.opening(1, (Remove(2),))
    (outcome,) = stage.batch([stage.change(1, request)]).outcomes
    expect(isinstance(outcome.result, m.Opened), f"a cutting removal was answered by {outcome.result}")
    effect = outcome.effect
    expect(isinstance(effect, EpochOpened) and effect.ended == {2}, "the removed member's sessions are not ended")
    stage.book.opened(record)
    expect(stage.log(0)[0] != [], "the closed log is not kept")
    expect(theft.envelope not in stage.log(0)[0], "what was cut is still in the log")
    expect(stage.counts()["dead_blobs"] == 1, "what only the cut envelope named is not dead")
    refused(stage.do(2, stage.book.append()), Refusal.NOT_MEMBER)


def openings_are_limited(stage: Stage) -> None:
    """13.5 step 9: a burst, then one an interval; removals are not refused and count, and the root is exempt."""
    for _ in range(OPENINGS_BURST):
        stage.open()
    request, _ = stage.opening()
    wait = refused(stage.do(1, request), Refusal.TOO_OFTEN).data
    expect(0 < wait <= OPENINGS_INTERVAL, f"TooOften says to wait {wait} ms")
    removal, record = stage.opening(1, (Remove(2),))
    outcome = stage.do(1, removal)
    expect(isinstance(outcome, m.Opened), f"a removal had to wait: {outcome}")
    stage.book.opened(record)
    stage.open(0)
    stage.now += OPENINGS_INTERVAL
    request, _ = stage.opening()
    refused(stage.do(1, request), Refusal.TOO_OFTEN)
    stage.now += OPENINGS_INTERVAL
    stage.open()


def recovery_keys_find_their_sets(stage: Stage) -> None:
    """13.10: a recovery key is answered with the sets where it is a member now."""
    key = stage.book.signing[0].verify_key
    found = stage.ask(0, m.Find(key, b""))
    expect(found == m.Found((m.Place(stage.book.set_id, 0),)), f"the root's key was answered by {found}")
    expect(stage.ask(0, m.Find(b"s" * 32, b"")) == m.Found(()), "a stranger's key found something")


CHECKS = (
    an_opening_is_whole, a_refused_opening_leaves_no_trace, compare_and_set, a_removal_cuts, openings_are_limited,
    recovery_keys_find_their_sets,
)
