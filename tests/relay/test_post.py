"""The post: one write for what was queued in one turn, and one connection's failure is nobody else's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from e2esync.errors import Unreachable
from e2esync.relay.post import Post
from e2esync.session import messages as m
from e2esync.transports import listen
from e2esync.transports.websocket import WebSocketTransport
from tests.relay.driver import running
from tests.session.world import blob_of


class Flushed:
    """Counts how often it is flushed."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.count = 0
        self.dropped = False
        self._failure = failure

    def flush(self) -> None:
        self.count += 1
        if self._failure is not None:
            raise self._failure

    def drop(self) -> None:
        self.dropped = True


async def test_each_is_flushed_once_a_turn_and_a_bug_ends_one_alone() -> None:
    post, broken, whole = Post(), Flushed(ValueError("a bug")), Flushed()
    connections: list[Any] = [broken, whole]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(post.run)
        for turn in (1, 2):
            for connection in connections * 3:
                post.add(connection)
            await trio.testing.wait_all_tasks_blocked()
            assert (broken.count, whole.count) == (turn, turn)
        nursery.cancel_scope.cancel()
    assert broken.dropped
    assert not whole.dropped


async def test_answers_of_one_batch_are_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[int] = []
    real = WebSocketTransport.send_now

    def counted(self: WebSocketTransport, frames: Any) -> bool:
        writes.append(len(frames))
        return real(self, frames)

    listener = await listen("ws://127.0.0.1:0")
    async with running(tmp_path, (listener,)) as scene:
        monkeypatch.setattr(WebSocketTransport, "send_now", counted)
        one = await scene.device(1, listener)
        writes.clear()
        await one.transport.send_many([one.session.request(scene.book.append()) for _ in range(20)])
        assert [(await one.answer()).seq for _ in range(20)] == list(range(1, 21))
    assert sum(writes) == 20
    assert len(writes) < 10


async def test_a_full_socket_gets_a_task_and_all_of_it(tmp_path: Path) -> None:
    listener = await listen("ws://127.0.0.1:0")
    async with running(tmp_path, (listener,)) as scene:
        name = await scene.blob(await scene.device(1), b"p" * 200_000)
        one = await scene.device(1, listener)
        connection = list(scene.relay._connections.values())[-1]
        for _ in range(60):
            await one.transport.send(one.session.request(m.GetBlob(name, 0)))
        # More than sockets hold: somebody waits for room now.
        with trio.fail_after(20):
            while not connection._sending:
                await trio.testing.wait_all_tasks_blocked()
        parts = [(await one.answer()).part for _ in range(60)]
        assert set(parts) == {blob_of(b"p" * 200_000)[1]}
        await trio.testing.wait_all_tasks_blocked()
        assert not connection._sending
        assert not connection.busy


async def test_a_write_to_who_is_gone_ends_the_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone: list[Unreachable] = []
    real = WebSocketTransport.send_now

    def send_now(self: WebSocketTransport, frames: Any) -> bool:
        if gone:
            raise gone[0]
        return real(self, frames)

    listener = await listen("ws://127.0.0.1:0")
    async with running(tmp_path, (listener,)) as scene:
        monkeypatch.setattr(WebSocketTransport, "send_now", send_now)
        one = await scene.device(1, listener)
        gone.append(Unreachable("the connection to the other side has ended"))
        await one.send(m.Ping())
        with trio.fail_after(10):
            while scene.relay.connections:
                await trio.testing.wait_all_tasks_blocked()
