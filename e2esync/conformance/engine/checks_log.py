"""Checks of appends, admission, quota and what survives a restart (SPEC 13.2, 13.4)."""

from __future__ import annotations

from e2esync.conformance.engine.book import blob_of
from e2esync.conformance.engine.stage import Broken, Stage, expect, refused
from e2esync.session import handshake
from e2esync.session import messages as m
from e2esync.session.commands import Admit
from e2esync.session.kinds import Refusal
from e2esync.stores.relay_batch import Logged


def appends_take_positions(stage: Stage) -> None:
    """13.4 step 7: positions without a gap, and a head that signs the log as it is served."""
    requests = [stage.book.append() for _ in range(7)]
    result = stage.batch([stage.change(1 + n % 2, request) for n, request in enumerate(requests)])
    for n, (outcome, request) in enumerate(zip(result.outcomes, requests, strict=True)):
        answer, effect = outcome.result, outcome.effect
        expect(isinstance(answer, m.Appended) and answer.seq == n + 1, f"append {n + 1} was answered by {answer}")
        expect(isinstance(effect, Logged) and effect.envelope == request.envelope, "an append has no effect to push")
    envelopes, head = stage.log(0)
    expect(envelopes == [request.envelope for request in requests], "the log is not what was appended, in order")
    stage.check_log(envelopes, head, stage.book.chain.head.hash, 0)


def an_envelope_again_is_not_twice(stage: Stage) -> None:
    """13.4 step 5: a repetition gets its position again, in the same batch, later, and beside others."""
    first, second, third = (stage.book.append() for _ in range(3))
    results = stage.batch([stage.change(1, request) for request in (first, first, second)]).outcomes
    positions = [each.result.seq for each in results if isinstance(each.result, m.Appended)]
    expect(positions == [1, 1, 2], f"three appends of two envelopes took {positions}")
    results = stage.batch([stage.change(2, request) for request in (second, third, first)]).outcomes
    positions = [each.result.seq for each in results if isinstance(each.result, m.Appended)]
    expect(positions == [2, 3, 1], f"repetitions around a new envelope took {positions}")
    expect(stage.counts()["envelopes"] == 3, "a repetition was stored")


def what_breaks_a_rule_is_not_stored(stage: Stage) -> None:
    """13.4 steps 1 to 4: refused alone; the rest of its batch goes on."""
    good, other = stage.book.append(), stage.book.append()
    late = m.Append(5, stage.book.envelope(epoch=5))
    hollow = stage.book.append(live=[blob_of(b"nobody sent this")[0]])
    broken = m.Append(0, good.envelope[:-1])
    commands = [stage.change(1, request) for request in (good, late, hollow, broken, other)]
    commands.append(stage.change(0, stage.book.append()))
    answers = [each.result for each in stage.batch(commands).outcomes]
    expect(isinstance(answers[0], m.Appended) and isinstance(answers[4], m.Appended), "a good append was refused")
    expect(refused(answers[1], Refusal.EPOCH_CLOSED).data == 0, "EpochClosed does not name the open epoch")
    refused(answers[2], Refusal.BLOB_MISSING)
    refused(answers[3], Refusal.BAD_ENVELOPE)
    refused(answers[5], Refusal.NOT_ALLOWED)
    expect(stage.counts()["envelopes"] == 2, "something refused was stored")


def a_quota_is_exact(stage: Stage) -> None:
    """13.4 step 6: counted in the same transaction, so that a batch cannot pass it together."""
    stage.close()
    stage.quota = 10 * 512
    stage.engine = stage.open_engine()
    requests = [stage.book.append() for _ in range(12)]
    answers = [each.result for each in stage.batch([stage.change(1, each) for each in requests]).outcomes]
    expect(sum(isinstance(each, m.Appended) for each in answers) == 10, "ten envelopes fit, and another number went in")
    refused(answers[10], Refusal.QUOTA_EXCEEDED)
    again = stage.do(1, requests[3])
    expect(isinstance(again, m.Appended) and again.seq == 4, "a repetition is no new byte, and was refused")
    stage.book.landed(*(request.envelope for request in requests[:10]))
    # 13.5: openings are never refused for quota.
    stage.open()


def who_is_admitted(stage: Stage) -> None:
    """13.2 step 2: a member with its key, at the head as it is; strangers and the removed are refused alike."""
    seq = stage.append().seq
    binding = b"b" * 32

    def admit(member: int, signer: int) -> m.Message:
        proof = handshake.sign_proof(stage.book.signing[signer], stage.book.set_id, binding)
        (outcome,) = stage.engine.execute([Admit(stage.book.set_id, member, binding, proof)], stage.now).outcomes
        return outcome.result

    welcome = admit(1, 1)
    if not isinstance(welcome, m.Welcome):
        raise Broken(f"a member was answered by {welcome}")
    head = handshake.read_welcome(welcome, stage.book.set_id, stage.engine.key.verify_key, binding)
    expect(head.seq == seq, "WELCOME's head is not the log's")
    refused(admit(1, 2), Refusal.NOT_MEMBER)
    refused(admit(9, 1), Refusal.NOT_MEMBER)


def a_restart_forgets_nothing(stage: Stage) -> None:
    """10.2: the same key, incarnation, log and chain after the engine was closed and opened again."""
    stage.append()
    stage.open()
    seq = stage.append().seq
    key, incarnation = stage.engine.key.verify_key, stage.engine.incarnation
    stage.reopen()
    expect((stage.engine.key.verify_key, stage.engine.incarnation) == (key, incarnation), "the relay is another one")
    expect(stage.append().seq == seq + 1, "the log does not go on where it was")
    envelopes, head = stage.log(1)
    stage.check_log(envelopes, head, stage.book.chain.head.hash, 1)
    chain = stage.ask(1, m.ReadChain(0))
    expect(isinstance(chain, m.ChainPart) and len(chain.records) == 2, "the chain is not what it was")


CHECKS = (
    appends_take_positions, an_envelope_again_is_not_twice, what_breaks_a_rule_is_not_stored, a_quota_is_exact,
    who_is_admitted, a_restart_forgets_nothing,
)
