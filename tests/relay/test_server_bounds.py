"""The running relay, clients that are hostile or unlucky, and its own bad days: bounds, failures, goodbye (SPEC 13)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from e2esync.crypto import SigningKey
from e2esync.errors import DiskFull, Refused, Unreachable
from e2esync.log.envelope import next_log_hash
from e2esync.relay import connection as connection_module
from e2esync.session import messages as m
from e2esync.session.client import ClientSession
from e2esync.session.codec import decode_message, encode_message
from e2esync.session.kinds import Refusal
from e2esync.session.messages import Side
from e2esync.wire import encode
from tests.relay.driver import Device, gone, running
from tests.session.world import blob_of


async def refusal(transport: Any) -> m.RefusalAnswer:
    """The refusal that comes before the relay hangs up."""
    with trio.fail_after(10):
        message = decode_message(await transport.receive(), Side.RELAY)
        assert isinstance(message, m.RefusalAnswer)
        with pytest.raises(Unreachable):
            await transport.receive()
    return message


@pytest.mark.parametrize("frame", [
    b"", b"\xc1", encode([10, 0, b"x"]), encode([1]), encode([1, 1, b"", 5, b"n" * 32]), b"\xdd\xff\xff\xff\xff",
    encode([99]), encode_message(m.Pong()), b"\x91" * 1000, bytes(1 << 20),
])
async def test_hostile_first_frames_end_in_one_refusal(tmp_path: Path, frame: bytes) -> None:
    async with running(tmp_path) as scene:
        transport = scene.raw()
        await transport.send(frame)
        assert (await refusal(transport)).code is Refusal.BAD_FRAME
        assert isinstance(await scene.append(await scene.device(1)), m.Appended)


@pytest.mark.parametrize("frame", [
    b"\xc1", encode([1, 1, b"", 0, b"n" * 32]), encode([3, b""]), encode([30, 1, [1, 2, b"s" * 64]]), encode([10]),
])
async def test_hostile_later_frames_end_in_one_refusal(tmp_path: Path, frame: bytes) -> None:
    async with running(tmp_path) as scene:
        one = await scene.device(1)
        await one.transport.send(frame)
        assert (await refusal(one.transport)).code is Refusal.BAD_FRAME
        await scene.append(await scene.device(1))


async def test_another_version_is_told(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        transport = scene.raw()
        await transport.send(encode([1, 2, "whatever"]))
        assert (await refusal(transport)).code is Refusal.BAD_VERSION


async def test_a_stranger_is_not_told_what_exists(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        stranger = SigningKey(b"x" * 32)
        refusals = []
        for set_id, member in ((scene.book.set_id, 1), (scene.book.set_id, 9), (b"?" * 32, 1)):
            session = ClientSession(set_id, member, stranger, scene.store.key.verify_key, b"n" * 32)
            with pytest.raises(Refused) as caught:
                await Device(scene.raw(), session).shake()
            refusals.append((caught.value.reason, caught.value.message))
        assert len(set(refusals)) == 1
        assert refusals[0][0] == "NotMember"


async def test_who_says_nothing_is_hung_up_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path) as scene:
        monkeypatch.setattr(connection_module, "HANDSHAKE_TIMEOUT", 30)
        silent, half = scene.raw(), scene.raw()
        await half.send(scene.session(1).hello())
        await half.receive()
        for transport in (silent, half):
            with trio.fail_after(10), pytest.raises(Unreachable):
                await transport.receive()
        assert scene.relay.connections == 0


async def test_who_is_connected_may_be_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path) as scene:
        monkeypatch.setattr(connection_module, "HANDSHAKE_TIMEOUT", 30)
        one, visitor, late = await scene.device(1), await scene.device(None), scene.raw()
        # The relay hangs up on the one who began after them and never came to an end.
        with trio.fail_after(10), pytest.raises(Unreachable):
            await late.receive()
        assert await one.ask(m.Ping()) == m.Pong()
        assert await visitor.ask(m.Ping()) == m.Pong()


async def test_a_flood_waits_in_its_own_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "OUTBOX_MAX", 2000)
    async with running(tmp_path) as scene:
        one = await scene.device(1, capacity=1)
        frame = encode_message(m.Read(0, 1))
        sent = 0
        with trio.move_on_after(0.3):
            while True:
                await one.transport.send(frame)
                sent += 1
        (connection,) = scene.relay._connections.values()
        assert connection.session.unanswered <= 64
        assert sent < 64 + 16 + 2000 // 80


async def test_a_slow_reader_does_not_grow_the_relay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "OUTBOX_MAX", 100_000)
    async with running(tmp_path) as scene:
        slow = await scene.device(2, capacity=1)
        (connection,) = scene.relay._connections.values()
        one = await scene.device(1)
        for _ in range(60):
            await scene.append(one, size=8192)
            assert connection._outbox_bytes < 150_000
        assert connection.lagging
        seen, log_hash = 0, scene.book.chain.head.hash
        while (push := await slow.push()).start == seen + 1 and push.envelopes:
            for envelope in push.envelopes:
                seen, log_hash = seen + 1, next_log_hash(log_hash, envelope)
        # The gap shows; the rest is read from the log.
        assert (push.start, push.head.seq) == (61, 60)
        rest = await slow.ask(m.Read(0, seen + 1))
        for envelope in rest.envelopes:
            log_hash = next_log_hash(log_hash, envelope)
        assert log_hash == scene.book.log_hash
        await scene.append(one)
        assert (await slow.push()).start == 61


async def test_a_reader_that_never_reads_again_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "_SEND_TIMEOUT", 0.05)
    async with running(tmp_path) as scene:
        await scene.device(2, capacity=0)
        one = await scene.device(1)
        for _ in range(5):
            await scene.append(one)
        with trio.fail_after(10):
            while scene.relay.connections > 1:
                await trio.sleep(0.01)


async def test_beyond_its_connections_the_relay_is_busy(tmp_path: Path) -> None:
    async with running(tmp_path, connections_max=2) as scene:
        one = await scene.device(1)
        await scene.device(2)
        assert (await refusal(scene.raw())).code is Refusal.BUSY
        await one.aclose()
        await trio.testing.wait_all_tasks_blocked()
        await scene.device(1)


async def test_a_failing_disk_is_busy_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path) as scene:
        one = await scene.device(1)
        request = scene.book.append()
        real = scene.store.execute

        def full(*_: Any) -> Any:
            raise DiskFull("the disk is full")

        monkeypatch.setattr(scene.store, "execute", full)
        assert await one.ask(request) == "Busy"
        monkeypatch.setattr(scene.store, "execute", real)
        assert (await one.ask(request)).seq == 1
        monkeypatch.setattr(scene.store, "read", full)
        assert await one.ask(m.Inspect()) == "Busy"


async def test_a_bug_in_the_store_ends_no_relay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path) as scene:
        one = await scene.device(1)
        with monkeypatch.context() as patched:
            patched.setattr(scene.store, "execute", lambda *_: 1 / 0)
            patched.setattr(scene.store, "read", lambda *_: 1 / 0)
            assert await one.ask(scene.book.append()) == "Busy"
            assert await one.ask(m.Inspect()) == "Busy"
        await scene.append(one)


async def test_an_answer_that_cannot_be_given_costs_one_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as scene:
        one, two = await scene.device(1), await scene.device(2)
        with monkeypatch.context() as patched:
            patched.setattr(scene.store, "read", lambda *_: m.ChainPart((bytes(64 << 10),) * 20))
            await one.send(m.ReadChain(0))
            await gone(one)
        await scene.append(two)


async def test_goodbye_finishes_what_was_begun(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        one = await scene.device(1, capacity=64)
        await one.send(*[scene.book.append() for _ in range(20)])
        scene.stop.set()
        assert await one.closing() > 0
        answers = []

        async def hear_all() -> None:
            while True:
                answers.append(await one.answer())

        with pytest.raises(Unreachable):
            await hear_all()
        assert all(isinstance(answer, m.Appended) for answer in answers)
        known = scene.store._views.get(scene.store._rows, scene.book.set_id)
        assert known is not None
        assert len(answers) == known.view.seq
        assert (await refusal(scene.raw())).code is Refusal.BUSY


async def test_sweeping_goes_between_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path) as scene:
        swept: list[int] = []
        monkeypatch.setattr(scene.store, "sweep", swept.append)
        from e2esync.relay.server import _Sweep

        scene.relay._writer.submit(_Sweep())
        one = await scene.device(1)
        await scene.append(one)
        assert len(swept) == 1


async def test_large_blobs_come_back_whole(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        one = await scene.device(1)
        name, data = blob_of(bytes(range(256)) * 4000)
        half = len(data) // 2
        await one.send(m.PutBlob(name, len(data), 0, data[:half]), m.PutBlob(name, len(data), half, data[half:]))
        assert [await one.answer(), await one.answer()] == [m.BlobStored(half), m.BlobStored(len(data))]
        await one.send(*[m.GetBlob(name, offset) for offset in range(0, len(data), 512 << 10)])
        assert b"".join([(await one.answer()).part for _ in range(2)]) == data
