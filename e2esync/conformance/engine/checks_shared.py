"""Checks of several relay processes on one store: one log, and everybody hears of it (SPEC 13.3, 13.4).

Where a store is for one process only, a second one has to be refused; then there is nothing else to check here.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from e2esync.conformance.engine.stage import Broken, Stage, expect, refused
from e2esync.epoch.record import Remove
from e2esync.limits import MAILBOX_ID
from e2esync.session import handshake
from e2esync.session import messages as m
from e2esync.session.commands import Admit, Change
from e2esync.session.kinds import Refusal
from e2esync.stores.relay_batch import EpochOpened, Logged, Mailed, SlotChanged
from e2esync.stores.relay_engine import Engine, Notifier

_EACH = 40
_PATIENCE = 20


def two_processes_write_one_log(stage: Stage) -> None:
    """13.4: compare-and-set holds between processes; each hears of the other's, in order and without a gap."""
    other = stage.second()
    if other is None:
        return
    expect(other.key.verify_key == stage.engine.key.verify_key, "two processes on one store have different keys")
    expect(stage.append().seq == 1 and stage.append(2, other).seq == 2, "the second process does not go on")
    request = stage.book.append()
    result = stage.batch([stage.change(1, request)])
    told = [news.effect.seq for news in result.news if isinstance(news.effect, Logged)]
    expect(told == [2], f"of the other's envelope at position 2 this process was told {told}")
    expect(isinstance(result.outcomes[0].result, m.Appended), "an append behind another process's was refused")
    expect((stage.book.set_id, 0) in result.heads, "news have no head")
    stage.book.landed(request.envelope)
    # The other one opens; what this one knows of the epoch is old when it appends.
    stage.open(1, engine=other)
    late = stage.do(1, m.Append(0, stage.book.envelope(epoch=0)))
    expect(refused(late, Refusal.EPOCH_CLOSED).data == 1, "an epoch that another process opened is not known")
    stage.append()
    opening, _ = stage.opening(engine=other)
    stage.append(2)
    refused(stage.do(1, opening, other), Refusal.HEAD_MOVED)


def both_at_once(stage: Stage) -> None:
    """13.4: two processes that append to one set at the same time lose nothing and store nothing twice."""
    other = stage.second()
    if other is None:
        return
    requests = [[stage.book.append() for _ in range(_EACH)] for _ in range(2)]
    taken: list[list[int]] = [[], []]
    faults: list[BaseException] = []

    def write(engine: Engine, number: int) -> None:
        try:
            for start in range(0, _EACH, 4):
                batch = [stage.change(1 + number, request) for request in requests[number][start : start + 4]]
                for outcome in engine.execute(batch, stage.now).outcomes:
                    if not isinstance(outcome.result, m.Appended):
                        raise Broken(f"an append was answered by {outcome.result}")
                    taken[number].append(outcome.result.seq)
        except BaseException as error:
            faults.append(error)

    _run_all([lambda: write(stage.engine, 0), lambda: write(other, 1)])
    if faults:
        raise faults[0]
    expect(sorted(taken[0] + taken[1]) == list(range(1, 2 * _EACH + 1)), "positions were given twice, or left out")
    envelopes, head = stage.log(0)
    for number in range(2):
        for request, seq in zip(requests[number], taken[number], strict=True):
            expect(envelopes[seq - 1] == request.envelope, f"at position {seq} is not what was acknowledged there")
    stage.check_log(envelopes, head, stage.book.chain.head.hash, 0)


def others_are_heard(stage: Stage) -> None:
    """13.3: a notifier names what changed, and hearing it gives logs, records, slots and mail, each once."""
    other = stage.second()
    if other is None:
        return
    stage.append()
    box = os.urandom(MAILBOX_ID)
    joins = m.UseMailbox(box, 0, b"t" * 16)
    stage.visit(joins, joins)
    notifier = stage.engine.notifier()
    if notifier is None:
        raise Broken("a shared store has no notifier")
    try:
        stage.append(2, other)
        _wait_for(notifier, stage.book.set_id)
        stage.do(2, m.PutSlot(stage.book.announcement(2), b""), other)
        _wait_for(notifier, stage.book.set_id)
        stage.open(1, (Remove(2),), engine=other)
        stage.append(1, other)
        stage.visit(m.Mail(0, b"hello"), joins, other)
        _wait_for(notifier, box)
    finally:
        notifier.close()
    effects = [news.effect for news in stage.engine.hear([stage.book.set_id, box], stage.now).news]
    log = [(each.epoch, each.seq) for each in effects if isinstance(each, Logged)]
    expect(log == [(0, 2), (1, 1)], f"of positions (0, 2) and (1, 1) came {log}")
    opened = [each for each in effects if isinstance(each, EpochOpened)]
    expect([each.ended for each in opened] == [frozenset({2})], "the opening, or whom it removed, was not told")
    expect(any(isinstance(each, SlotChanged) and each.member == 1 for each in effects), "a slot was not told")
    expect(Mailed(box, 0, 0, b"hello") in effects, "mail was not told")
    again = stage.engine.hear([stage.book.set_id], stage.now).news
    expect(not again, "what was told once was told again")


def nobody_is_admitted_to_the_past(stage: Stage) -> None:
    """13.2: who comes back through another process sees no older head, and who was removed reads the chain, no more."""
    other = stage.second()
    if other is None:
        return
    binding = b"b" * 32

    def admit(engine: Engine, member: int) -> m.Message:
        proof = handshake.sign_proof(stage.book.signing[member], stage.book.set_id, binding)
        (outcome,) = engine.execute([Admit(stage.book.set_id, member, binding, proof)], stage.now).outcomes
        return outcome.result

    admit(other, 1)
    seq = stage.append().seq
    welcome = admit(other, 1)
    if not isinstance(welcome, m.Welcome):
        raise Broken(f"a member was answered by {welcome}")
    head = handshake.read_welcome(welcome, stage.book.set_id, stage.engine.key.verify_key, binding)
    expect(head.seq == seq, "a process admits with a head that is older than another's")
    stage.open(1, (Remove(2),))
    farewell = admit(other, 2)
    if not isinstance(farewell, m.Welcome) or len(farewell.head) != handshake.FAREWELL:
        raise Broken(f"a removed member was answered by {farewell}")
    refused(stage.do(2, stage.book.append(), other), Refusal.NOT_MEMBER)


def blobs_and_mail_across(stage: Stage) -> None:
    """11.1, 13.7: what one process stored, another completes, names and delivers."""
    other = stage.second()
    if other is None:
        return
    blob = stage.blob(os.urandom(100))
    request = stage.book.append(live=[blob])
    expect(isinstance(stage.do(1, request, other), m.Appended), "a blob stored by another process is not there")
    box = os.urandom(MAILBOX_ID)
    joins, sponsors = m.UseMailbox(box, 0, b"t" * 16), m.UseMailbox(box, 1, b"u" * 16)
    stage.visit(joins, joins)
    expect(stage.visit(sponsors, sponsors, other) == m.MailboxUsed(), "the other side of a mailbox is not to be had")
    (outcome,) = other.execute([Change(b"", 0, 2, m.Mail(0, b"m"), joins)], stage.now).outcomes
    expect(outcome.result == m.MailStored(), "mail was refused by another process")
    expect(stage.visit(m.Mail(1, b"n"), sponsors) == m.MailStored(), "an answer was refused by the first")


def _wait_for(notifier: Notifier, key: bytes) -> None:
    """Raises Broken unless the notifier soon names the key, or says that it cannot tell: then everything is heard."""
    for _ in range(_PATIENCE):
        named = notifier.wait(0.2)
        if named is None or key in named:
            return
    raise Broken("the notifier did not name what another process changed")


def _run_all(works: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


CHECKS = (
    two_processes_write_one_log, both_at_once, others_are_heard, nobody_is_admitted_to_the_past, blobs_and_mail_across,
)
