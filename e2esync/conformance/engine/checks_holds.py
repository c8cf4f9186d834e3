"""Checks of holds (SPEC 13.6): a set waits for one member's opening, in every process on the store."""

from __future__ import annotations

from e2esync.conformance.engine.stage import Broken, Stage, expect, refused
from e2esync.limits import HOLD, HOLD_ROOT
from e2esync.session import messages as m
from e2esync.session.commands import Attend, Attention
from e2esync.session.kinds import Refusal
from e2esync.stores.relay_batch import Delayed
from e2esync.stores.relay_engine import Engine

ROOT = 0


def the_root_comes_first(stage: Stage) -> None:
    """13.6: while a session of the root lasts the others' appends and openings wait, in a restarted process, too."""
    opening, _record = stage.opening(1)
    _attend(stage, ROOT, Attention.CAME)
    for _ in range(2):
        _waits(stage, 2, stage.book.append())
        _waits(stage, 1, opening)
        stage.reopen()
    stage.open(ROOT, announcement=b"")
    expect(stage.append(2).seq == 1, "the root's opening did not end its hold")
    _attend(stage, ROOT, Attention.CAME)
    _waits(stage, 2, stage.book.append())
    stage.now += HOLD_ROOT
    expect(stage.append(2).seq == 2, "a hold has no end")


def who_lost_a_race_comes_next(stage: Stage) -> None:
    """13.6: after HeadMoved the others wait for one more try, whatever comes of it; then not again for a minute."""
    opening, _record = stage.opening(1)
    stage.append(2)
    refused(stage.do(1, opening), Refusal.HEAD_MOVED)
    _attend(stage, 1, Attention.LOST)
    _waits(stage, 2, stage.book.append())
    expect(stage.append(1).seq == 2, "a member waits for itself")
    refused(stage.do(1, opening), Refusal.HEAD_MOVED)
    _attend(stage, 1, Attention.LOST)
    expect(stage.append(2).seq == 3, "a member was held for twice in a minute")
    stage.now += 12 * HOLD
    _attend(stage, 1, Attention.LOST)
    _waits(stage, 2, stage.book.append())
    _attend(stage, 1, Attention.LEFT)
    expect(stage.append(2).seq == 4, "the hold of a member that is gone goes on")


def no_process_is_a_way_round(stage: Stage) -> None:
    """13.6: a hold that began at one process is kept by the others, which hear of its end."""
    other = stage.second()
    if other is None:
        return
    stage.append(2, other)
    _attend(stage, ROOT, Attention.CAME)
    _waits(stage, 2, stage.book.append(), other)
    _attend(stage, ROOT, Attention.LEFT, other)
    _waits(stage, 2, stage.book.append(), other)
    notifier = other.notifier()
    if notifier is None:
        raise Broken("a shared store has no notifier")
    try:
        _attend(stage, ROOT, Attention.LEFT)
        named = (notifier.wait(0.5) for _ in range(20))
        expect(any(keys is None or stage.book.set_id in keys for keys in named), "nobody is told that a hold is over")
    finally:
        notifier.close()
    expect(stage.append(2, other).seq == 2, "another process does not see that a hold is over")


def _attend(stage: Stage, member: int, why: Attention, engine: Engine | None = None) -> None:
    (engine or stage.engine).execute([Attend(stage.book.set_id, member, why)], stage.now)


def _waits(stage: Stage, member: int, request: m.Append | m.Open, engine: Engine | None = None) -> None:
    """Raises Broken unless the request is told to wait, and has changed nothing."""
    before = stage.counts(engine)
    (outcome,) = stage.batch([stage.change(member, request)], engine).outcomes
    expect(isinstance(outcome.effect, Delayed), f"{type(request).__name__} of another member did not wait for a hold")
    refused(outcome.result, Refusal.BUSY)
    expect(stage.counts(engine) == before, "what waits for a hold has changed the set")


CHECKS = (the_root_comes_first, who_lost_a_race_comes_next, no_process_is_a_way_round)
