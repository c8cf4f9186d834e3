"""The running relay over memory transports: pushes, group commit, holds (SPEC 13)."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from e2esync.crypto import SigningKey
from e2esync.epoch.record import Remove, make_rekey
from e2esync.epoch.roles import Role
from e2esync.log.head import from_short, verify_head
from e2esync.relay.server import system_now
from e2esync.session import messages as m
from e2esync.session.handshake import sign_find
from tests.relay.driver import Device, Scene, gone, running
from tests.session.world import ALICE

# Conversation.

async def test_an_append_is_pushed_to_the_others_with_a_head(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        one, two, same = [await scene.device(member) for member in (1, 2, 1)]
        answer = await scene.append(one)
        for device in (two, same):
            push = await device.push()
            assert (push.epoch, push.start, len(push.envelopes), push.head) == (0, 1, 1, answer.head)
        head = from_short(
            push.head, 0, scene.book.log_hash, scene.book.chain.head.hash, scene.store.incarnation
        )
        verify_head(head, scene.book.set_id, scene.book.relay_key)


async def test_everybody_follows_the_log_whoever_writes(tmp_path: Path) -> None:
    """Answers and pushes together give every session each envelope once, in order, ending at a head that verifies."""
    async with running(tmp_path) as scene:
        devices = [await scene.device(member) for member in (1, 2, 1, 2)]
        requests = {device: [scene.book.append() for _ in range(40)] for device in devices}
        logs: dict[Device, dict[int, bytes]] = {device: {} for device in devices}

        async def work(device: Device) -> None:
            await device.send(*requests[device])
            queue = list(requests[device])
            while len(logs[device]) < 160:
                event = (await device.event(object))
                if hasattr(event, "answer"):
                    assert event.answer.seq not in logs[device]
                    assert len(logs[device]) == event.answer.seq - 1
                    logs[device][event.answer.seq] = queue.pop(0).envelope
                else:
                    for offset, envelope in enumerate(event.message.envelopes):
                        assert event.message.start + offset not in logs[device]
                        logs[device][event.message.start + offset] = envelope

        async with trio.open_nursery() as nursery:
            for device in devices:
                nursery.start_soon(work, device)
        first = logs[devices[0]]
        assert all(log == first for log in logs.values())
        assert sorted(first) == list(range(1, 161))
        served = await devices[0].ask(m.Read(0, 1))
        assert list(served.envelopes) == [first[seq] for seq in range(1, 161)]


async def test_many_appends_share_a_commit(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        devices = [await scene.device(1 + index % 2, capacity=64) for index in range(10)]
        before = scene.store.commits
        async with trio.open_nursery() as nursery:
            for device in devices:
                nursery.start_soon(device.send, *[scene.book.append() for _ in range(20)])
        for device in devices:
            for _ in range(20):
                assert isinstance(await device.answer(), m.Appended)
        assert scene.store.commits - before <= 200 / 4


async def test_a_lost_acknowledgement_is_asked_for_again(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        request = scene.book.append()
        one = await scene.device(1)
        await one.send(request)
        await one.aclose()
        again = await scene.device(1)
        assert (await again.ask(request)).seq == 1
        assert (await again.ask(request)).seq == 1
        assert (await again.ask(m.Inspect())).counts["envelopes"] == 1


async def test_a_read_behind_an_append_sees_it(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        one = await scene.device(1)
        for seq in range(1, 20):
            await one.send(scene.book.append(), m.Read(0, 1))
            assert (await one.answer()).seq == seq
            assert len((await one.answer()).envelopes) == seq


async def test_of_racing_openings_one_wins_and_all_hear_of_it(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        one, two, watcher = [await scene.device(member) for member in (1, 2, 2)]
        manifest = await scene.blob(one)
        (first, record1), (second, record2) = [scene.book.open(index, manifest=manifest) for index in (1, 2)]
        await one.send(first)
        await two.send(second)
        answers = [await one.answer(), await two.answer()]
        assert sorted(map(type, answers), key=str) == sorted([m.Opened, str], key=str)
        won = record1 if isinstance(answers[0], m.Opened) else record2
        assert "EpochClosed" in answers
        push = await watcher.push()
        assert (push.record, push.head.seq) == (won.raw, 0)
        loser = two if won is record1 else one
        assert (await loser.push()).record == won.raw
        scene.book.opened(won)
        await scene.append(loser)
        assert (await watcher.push()).epoch == 1


async def test_the_old_log_comes_before_the_record_that_closes_it(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        one, two = await scene.device(1), await scene.device(2)
        manifest = await scene.blob(one)
        request = scene.book.append()
        scene.book.landed(request.envelope)
        opening, record = scene.book.open(manifest=manifest)
        await one.send(request, opening)
        assert (await two.push()).envelopes == (request.envelope,)
        assert (await two.push()).record == record.raw


async def test_a_removed_member_hears_of_it_and_is_hung_up_on(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        one, two = await scene.device(1), await scene.device(2)
        opening, record = scene.book.open(changes=(Remove(2),), manifest=await scene.blob(one))
        assert isinstance(await one.ask(opening), m.Opened)
        assert (await two.push()).record == record.raw
        await gone(two)
        scene.book.opened(record)
        later, newer = scene.book.open(manifest=await scene.blob(one))
        assert isinstance(await one.ask(later), m.Opened)
        scene.book.opened(newer)
        # It may come back for the chain up to its removal, and for nothing else.
        two = await scene.device(2)
        assert await two.ask(m.ReadChain(1)) == m.ChainPart((record.raw,))
        assert await two.ask(m.ReadChain(2)) == m.ChainPart(())
        for request in (m.ReadBox(1), m.Read(1, 1), m.ReadSlots(), m.Inspect(), m.PutSlot(b"", b"x")):
            assert await two.ask(request) == "NotAllowed"
        await scene.append(one)
        assert await two.ask(m.Ping()) == m.Pong()


async def test_a_replaced_key_ends_the_sessions_made_with_it(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        one, thief, two = [await scene.device(member) for member in (1, 1, 2)]
        key = SigningKey(b"n" * 32)
        rekey = make_rekey(key, scene.book.set_id, 1, ALICE, Role.OWNER)
        opening, record = scene.book.open(
            changes=(rekey,), manifest=await scene.blob(one),
            announcement=scene.book.announcement(1, number=2, signer=key),
        )
        assert isinstance(await one.ask(opening), m.Opened)
        assert (await thief.push()).record == record.raw
        await gone(thief)
        scene.book.opened(record)
        await scene.append(one)
        assert (await two.push()).record == record.raw


async def test_announcements_are_pushed_and_heartbeats_ride_along(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        one, two = await scene.device(1), await scene.device(2)
        beat, announcement = scene.book.heartbeat(), scene.book.announcement(1)
        assert await one.ask(m.PutSlot(b"", beat)) == m.SlotStored()
        assert await one.ask(m.PutSlot(b"", newer := scene.book.heartbeat())) == m.SlotStored()
        with trio.move_on_after(0.05) as waited:
            await two.push()
        assert waited.cancelled_caught
        assert await two.ask(m.Ping()) == m.Pong()
        assert (await two.push()).heartbeat == newer
        assert await one.ask(m.PutSlot(announcement, b"")) == m.SlotStored()
        push = await two.push()
        assert (push.member, push.announcement, push.heartbeat) == (1, announcement, newer)


async def test_a_mailbox_conversation(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        joins, sponsors = m.UseMailbox(b"mailbox.", 0, b"n" * 16), m.UseMailbox(b"mailbox.", 1, b"a" * 16)
        new, old = await scene.device(None), await scene.device(None)
        await new.send(joins, m.Mail(0, b"zero"))
        assert [await new.answer(), await new.answer()] == [m.MailboxUsed(), m.MailStored()]
        assert await old.ask(sponsors) == m.MailboxUsed()
        assert await old.push() == m.MailPush(0, b"zero")
        assert await old.ask(m.Mail(1, b"one")) == m.MailStored()
        assert await new.push() == m.MailPush(1, b"one")
        thief = await scene.device(None)
        assert await thief.ask(m.UseMailbox(b"mailbox.", 0, b"x" * 16)) == "MailboxTaken"
        await new.aclose()
        back = await scene.device(None)
        assert await back.ask(joins) == m.MailboxUsed()
        assert await back.push() == m.MailPush(1, b"one")
        assert await back.ask(m.Mail(2, b"two")) == m.MailStored()
        assert await old.push() == m.MailPush(2, b"two")


async def test_a_heartbeat_of_a_closed_epoch_is_not_pushed(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        one, two = await scene.device(1), await scene.device(2)
        assert await one.ask(m.PutSlot(b"", scene.book.heartbeat())) == m.SlotStored()
        opening, record = scene.book.open(manifest=await scene.blob(one))
        assert isinstance(await one.ask(opening), m.Opened)
        scene.book.opened(record)
        await scene.append(one)
        assert [type(await two.push()), type(await two.push())] == [m.RecordPush, m.LogPush]


async def test_a_visitor_may_change_its_mailbox(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        visitor = await scene.device(None)
        for name in (b"mailbox1", b"mailbox2"):
            assert await visitor.ask(m.UseMailbox(name, 0, b"n" * 16)) == m.MailboxUsed()
        assert list(scene.relay.hub._mailboxes) == [b"mailbox2"]
        await visitor.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert not scene.relay.hub._mailboxes


# Holds (SPEC 13.6).

async def lose_once(scene: Scene, opener: Device, writer: Device) -> bytes:
    """Member 1's opening loses to an append of member 2. Returns the manifest."""
    manifest = await scene.blob(opener)
    opening, _ = scene.book.open(manifest=manifest)
    await scene.append(writer)
    assert await opener.ask(opening) == "HeadMoved"
    return manifest


async def test_after_head_moved_the_others_wait_for_the_opening(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        one, two = await scene.device(1), await scene.device(2)
        manifest = await lose_once(scene, one, two)
        await two.send(scene.book.append())
        assert len((await one.ask(m.Read(0, 1))).envelopes) == 1
        opening, _ = scene.book.open(manifest=manifest)
        assert isinstance(await one.ask(opening), m.Opened)
        assert await two.answer() == "EpochClosed"


async def test_a_hold_ends_when_its_member_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("e2esync.session.holds.HOLD", 3_600_000)
    async with running(tmp_path) as scene:
        one, two = await scene.device(1), await scene.device(2)
        await lose_once(scene, one, two)
        await two.send(scene.book.append())
        await one.aclose()
        assert isinstance(await two.answer(), m.Appended)


async def test_a_hold_ends_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("e2esync.session.holds.HOLD", 30)
    async with running(tmp_path, now=system_now) as scene:
        one, two = await scene.device(1), await scene.device(2)
        await lose_once(scene, one, two)
        assert isinstance(await two.ask(scene.book.append()), m.Appended)
        # Once a minute: the second loss holds nobody.
        monkeypatch.setattr("e2esync.session.holds.HOLD", 3_600_000)
        assert await one.ask(scene.book.open(manifest=await scene.blob(one))[0]) == "HeadMoved"
        assert isinstance(await two.ask(scene.book.append()), m.Appended)


async def test_own_sessions_are_not_held(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        one, two, same = [await scene.device(member) for member in (1, 2, 1)]
        await lose_once(scene, one, two)
        assert isinstance(await same.ask(scene.book.append()), m.Appended)


async def test_the_root_is_held_for_from_its_welcome_on(tmp_path: Path) -> None:
    """S4: neither a flood of appends nor a thief that opens epochs comes between the root and its opening."""
    async with running(tmp_path) as scene:
        thief, other = await scene.device(1), await scene.device(2)
        manifest = await scene.blob(thief)
        root = await scene.device(0)
        await thief.send(scene.book.append(), scene.book.open(1, manifest=manifest)[0])
        await other.send(scene.book.append())
        # What only reads is not held.
        assert isinstance(await root.ask(m.Read(0, 1)), m.LogPart)
        request, record = scene.book.open(0, (Remove(1),), manifest=manifest, announcement=b"")
        assert isinstance(await root.ask(request), m.Opened)
        scene.book.opened(record)
        assert await other.answer() == "EpochClosed"
        assert isinstance(await other.ask(scene.book.append()), m.Appended)


async def test_a_hold_for_the_root_outlasts_a_refused_opening_and_ends_with_its_session(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        other, root = await scene.device(2), await scene.device(0)
        manifest = await scene.blob(root)
        await other.send(scene.book.append())
        wrong, _record = scene.book.open(0, manifest=manifest, closes_seq=7)
        assert await root.ask(wrong) == "HeadMoved"
        with pytest.raises(trio.TooSlowError), trio.fail_after(0.1):
            await other.answer()
        await root.aclose()
        assert isinstance(await other.answer(), m.Appended)


async def test_a_hold_for_the_root_ends_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("e2esync.session.holds.HOLD_ROOT", 30)
    async with running(tmp_path, now=system_now) as scene:
        other, _root = await scene.device(2), await scene.device(0)
        assert isinstance(await other.ask(scene.book.append()), m.Appended)


async def test_a_visitor_finds_the_sets_of_a_key_that_it_proves(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        visitor = await scene.device(None)
        key = scene.book.signing[0]
        signature = sign_find(key, visitor.session.binding)
        assert await visitor.ask(m.Find(key.verify_key, signature)) == m.Found((m.Place(scene.book.set_id, 0),))
        again = await scene.device(None)
        assert await again.ask(m.Find(key.verify_key, signature)) == "NotMember"
