"""`connection`: one client's turn to be read, in what order it is answered, and when the relay has had enough of it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import trio

from e2esync.errors import RemoteProtocolError, Unreachable
from e2esync.relay import connection as connection_module
from e2esync.relay.connection import Connection
from e2esync.session import messages as m
from e2esync.session.codec import decode_message, encode_message
from e2esync.session.kinds import Refusal
from e2esync.session.messages import Side
from e2esync.transports import memory_pair
from tests.relay.driver import Device, Scene, gone, running


class Breaking:
    """A relay's end of a connection on which, after so many frames, something comes that is no frame."""

    def __init__(self, inner: Any, good: int) -> None:
        self.inner = inner
        self.good = good

    async def send(self, frame: bytes) -> None:
        await self.inner.send(frame)

    async def receive(self) -> bytes:
        if not self.good:
            raise RemoteProtocolError("that is no frame")
        self.good -= 1
        frame: bytes = await self.inner.receive()
        return frame

    async def aclose(self) -> None:
        await self.inner.aclose()


class Gate:
    """Keeps the store's writer or reader waiting, and counts who came."""

    def __init__(self, patch: pytest.MonkeyPatch, store: Any, name: str) -> None:
        self.came = 0
        self._open = threading.Event()
        real = getattr(store, name)

        def waiting(*args: Any) -> Any:
            self.came += 1
            self._open.wait(10)
            return real(*args)

        patch.setattr(store, name, waiting)

    def open(self) -> None:
        """Lets everybody through."""
        self._open.set()


def only(scene: Scene) -> Connection:
    (connection,) = scene.relay._connections.values()
    return connection


async def test_what_is_no_frame_does_not_overtake_the_answers_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They may tell of what is durable (SPEC 13.11)."""
    async with running(tmp_path) as scene:
        near, far = memory_pair()
        scene.nursery.start_soon(scene.relay.handle, Breaking(far, good=3))
        device = await Device(near, scene.session(1)).shake()
        gate = Gate(monkeypatch, scene.store, "execute")
        await device.send(scene.book.append())
        await trio.testing.wait_all_tasks_blocked(0.05)
        gate.open()
        assert isinstance(await device.answer(), m.Appended)
        refusal = decode_message(await near.receive(), Side.RELAY)
        assert isinstance(refusal, m.RefusalAnswer)
        assert refusal.code is Refusal.BAD_FRAME
        with trio.fail_after(5), pytest.raises(Unreachable):
            await near.receive()


async def test_behind_a_broken_rule_nothing_is_read(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        one = await scene.device(1)
        await one.transport.send(encode_message(m.Pong()))
        await one.send(scene.book.append())
        await gone(one)
        assert (await scene.append(await scene.device(1))).seq == 1


async def test_one_read_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty-four answers of half a megabyte would be thirty-two for one client."""
    async with running(tmp_path) as scene:
        one, two = await scene.device(1), await scene.device(2)
        gate = Gate(monkeypatch, scene.store, "read")
        at_once: list[int] = []
        consult = scene.relay.consult
        done = Connection.complete
        under_way = dict.fromkeys(scene.relay._connections.values(), 0)

        def begun(connection: Connection, *rest: Any) -> None:
            under_way[connection] += 1
            at_once.append(under_way[connection])
            consult(connection, *rest)

        def ended(connection: Connection, *rest: Any) -> None:
            under_way[connection] -= 1
            done(connection, *rest)

        monkeypatch.setattr(scene.relay, "consult", begun)
        monkeypatch.setattr(Connection, "complete", ended)
        for device in (one, two):
            await device.send(*[m.ReadChain(0)] * 8)
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert at_once == [1, 1]
        gate.open()
        for device in (one, two):
            answers = [await device.answer() for _each in range(8)]
            assert all(isinstance(answer, m.ChainPart) for answer in answers)
        assert at_once == [1] * 16


async def test_who_takes_nothing_at_all_is_hung_up_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "_HOPELESS", 10_000)
    async with running(tmp_path) as scene:
        device = await scene.device(1, capacity=1)
        connection = only(scene)
        for _each in range(20):
            connection.queue(encode_message(m.Pong()) * 100)
        assert not connection.gone
        for _each in range(40):
            connection.queue(encode_message(m.Pong()) * 100)
        with trio.fail_after(5):
            while not connection.gone:
                await trio.sleep(0)
        await device.aclose()


async def test_what_is_queued_keeps_a_connection_busy_until_it_is_out(tmp_path: Path) -> None:
    """Goodbye waits for it: an answer on its way may be of something durable."""
    async with running(tmp_path) as scene:
        device = await scene.device(1, capacity=1)
        connection = only(scene)
        await trio.testing.wait_all_tasks_blocked()
        assert not connection.busy
        for number in range(3):
            connection.queue(encode_message(m.MailPush(number, b"m")))
            await trio.testing.wait_all_tasks_blocked()
        # One is in the pipe, the next waits for room in it.
        assert connection.busy
        for number in range(3):
            assert decode_message(await device.transport.receive(), Side.RELAY) == m.MailPush(number, b"m")
        await trio.testing.wait_all_tasks_blocked()
        assert not connection.busy


async def test_a_message_of_a_mailbox_is_told_once(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        visitor = await scene.device(None)
        connection = only(scene)
        for number in (0, 0, 2, 1, 2, 4):
            connection.tell_mail(number, b"m")
        for number in (0, 2, 4):
            assert await visitor.push() == m.MailPush(number, b"m")
        assert await visitor.ask(m.Ping()) == m.Pong()
