"""Checks of blobs, retention, slots and mailboxes (SPEC 10.6, 10.7, 11.1, 11.5, 13.7)."""

from __future__ import annotations

import os

from e2esync.conformance.engine.book import blob_of
from e2esync.conformance.engine.stage import Broken, Stage, expect, refused
from e2esync.limits import BLOB_DEAD_RETENTION, BLOB_UNNAMED_RETENTION, MAILBOX_ID, MAILBOX_MESSAGES_MAX, MAILBOX_TTL
from e2esync.session import messages as m
from e2esync.session.commands import Change
from e2esync.session.kinds import Refusal
from e2esync.stores.relay_batch import Mailed, SideTaken, SlotChanged


def blobs_arrive_in_parts(stage: Stage) -> None:
    """11.1: parts in order, a gap or repetition changes nothing, and only the right bytes make a blob."""
    name, data = blob_of(os.urandom(3000))
    for offset, end, received in ((0, 1000, 1000), (0, 1000, 1000), (2000, 3000, 1000), (1000, 3002, 3002)):
        answer = stage.do(1, m.PutBlob(name, len(data), offset, data[offset:end]))
        expect(answer == m.BlobStored(received), f"a part was answered by {answer}, {received} bytes were due")
    part = stage.ask(1, m.GetBlob(name, 999))
    expect(part == m.BlobPart(len(data), data[999:]), "a blob's bytes came back changed")
    bad, content = blob_of(b"x")[0], b"\x01\x04y"
    refused(stage.do(1, m.PutBlob(bad, len(content), 0, content)), Refusal.BAD_BLOB)
    answer = stage.ask(1, m.Have((name, bad)))
    expect(answer == m.HaveAnswer((len(data), 0)), "bytes under a wrong name are kept")
    refused(stage.do(1, m.PutBlob(name, len(data) - 1, 0, b"z")), Refusal.BAD_BLOB)


def what_is_over_is_swept(stage: Stage) -> None:
    """11.5: the unnamed go after a day, the dead and closed logs after the retention, the living never."""
    unnamed = stage.blob(b"unnamed")
    live, dead = stage.blob(b"live"), stage.blob(b"dead")
    for blob in (live, dead):
        request = stage.book.append(live=[blob])
        stage.do(1, request)
        stage.book.landed(request.envelope)
    stage.open(dead=[dead], live=[live])
    kept = stage.append()
    held = stage.counts()
    stage.now += BLOB_UNNAMED_RETENTION + 1000
    stage.engine.sweep(stage.now)
    have = stage.ask(1, m.Have((unnamed, live, dead)))
    expect([bool(each) for each in have.received] == [False, True, True], "after a day others than the unnamed went")
    expect(stage.counts()["envelopes"] == held["envelopes"], "a closed log went before its time")
    stage.now += BLOB_DEAD_RETENTION + 1000
    stage.engine.sweep(stage.now)
    have = stage.ask(1, m.Have((live, dead)))
    expect([bool(each) for each in have.received] == [True, False], "after the retention the dead stay, or others went")
    refused(stage.ask(1, m.Read(0, 1)), Refusal.NOT_FOUND)
    envelopes, head = stage.log(1)
    expect(len(envelopes) == kept.seq, "the open log lost something")
    stage.check_log(envelopes, head, stage.book.chain.head.hash, 1)
    expect(stage.append().seq == kept.seq + 1, "after a sweep the log does not go on")


def slots_are_their_members(stage: Stage) -> None:
    """10.6, 10.7: overwritten in place, an older announcement never, a heartbeat alone wakes nobody."""
    announcement, beat = stage.book.announcement(1), stage.book.heartbeat()
    (outcome,) = stage.batch([stage.change(1, m.PutSlot(announcement, beat))]).outcomes
    effect = outcome.effect
    expect(isinstance(effect, SlotChanged) and effect.urgent, "an announcement is not told at once")
    (outcome,) = stage.batch([stage.change(1, m.PutSlot(b"", stage.book.heartbeat()))]).outcomes
    effect = outcome.effect
    expect(isinstance(effect, SlotChanged) and not effect.urgent, "a heartbeat alone is told at once")
    newer = stage.book.announcement(1)
    stage.do(1, m.PutSlot(newer, b""))
    refused(stage.do(1, m.PutSlot(announcement, b"")), Refusal.BAD_SLOT)
    refused(stage.do(1, m.PutSlot(stage.book.announcement(2), b"")), Refusal.BAD_SLOT)
    refused(stage.do(1, m.PutSlot(b"", stage.book.heartbeat(epoch=3))), Refusal.EPOCH_CLOSED)
    slots = stage.ask(2, m.ReadSlots()).slots
    expect([(slot.member, slot.announcement) for slot in slots] == [(1, newer)], "the slots are not as they were put")


def mailboxes_pass_messages_on(stage: Stage) -> None:
    """13.7: two sides, each its first token's; alternating; kept until the other side comes; gone after their time."""
    box = os.urandom(MAILBOX_ID)
    joins, sponsors = m.UseMailbox(box, 0, b"t" * 16), m.UseMailbox(box, 1, b"u" * 16)
    expect(stage.visit(joins, joins) == m.MailboxUsed(), "a mailbox was not given")
    (outcome,) = stage.batch([Change(b"", 0, 1, m.Mail(0, b"hello"), joins)]).outcomes
    expect(outcome.effect == Mailed(box, 0, 0, b"hello"), "a message has no effect to push")
    (outcome,) = stage.batch([Change(b"", 0, 2, sponsors, sponsors)]).outcomes
    if not isinstance(outcome.effect, SideTaken):
        raise Broken("taking a side has no effect")
    expect(outcome.effect.waiting == ((0, b"hello"),), "the message that waited is not delivered")
    thief = m.UseMailbox(box, 1, b"x" * 16)
    refused(stage.visit(thief, thief), Refusal.MAILBOX_TAKEN)
    refused(stage.visit(m.Mail(0, b"other"), joins), Refusal.NOT_ALLOWED)
    expect(stage.visit(m.Mail(0, b"hello"), joins) == m.MailStored(), "the same message again was refused")
    for n in range(1, MAILBOX_MESSAGES_MAX):
        using = sponsors if n % 2 else joins
        expect(stage.visit(m.Mail(n, b"m"), using) == m.MailStored(), f"message {n} was refused")
    refused(stage.visit(m.Mail(MAILBOX_MESSAGES_MAX, b"m"), joins), Refusal.MAILBOX_FULL)
    stage.now += MAILBOX_TTL + 1000
    stage.engine.sweep(stage.now)
    refused(stage.visit(m.Mail(0, b"m"), joins), Refusal.NOT_FOUND)


CHECKS = (blobs_arrive_in_parts, what_is_over_is_swept, slots_are_their_members, mailboxes_pass_messages_on)
