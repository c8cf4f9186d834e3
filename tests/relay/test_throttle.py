"""What one address may do: bursts, refill, and addresses that do not count against one another."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from e2esync.errors import Refused
from e2esync.relay import throttle
from e2esync.relay.throttle import PerAddress, Throttle
from e2esync.session import messages as m
from e2esync.transports import listen
from tests.relay.driver import Device, running
from tests.session.world import Book


def test_a_burst_then_one_by_one() -> None:
    limit = Throttle(3, 10)
    assert [limit.take("a", 0) for _ in range(4)] == [0, 0, 0, 10]
    assert limit.take("b", 0) == 0
    assert limit.take("a", 9) == 1
    assert limit.take("a", 10) == 0
    assert limit.take("a", 10) == 10
    assert [limit.take("a", 1000) for _ in range(4)] == [0, 0, 0, 10]
    assert Throttle(0, 10).take("a", 0) == 0


def test_an_army_of_addresses_costs_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "_KEYS_MAX", 100)
    limit = Throttle(1, 10)
    for number in range(1000):
        limit.take(str(number), 0)
        assert len(limit._full_at) <= 100


async def test_new_books_from_one_address(tmp_path: Path) -> None:
    listener = await listen("ws://127.0.0.1:0")
    async with running(tmp_path, (listener,), per_address=PerAddress(sets_per_hour=2)) as scene:
        answers = []
        for number in range(3):
            visitor = await scene.device(None, listener)
            book = Book(scene.store.key.verify_key, seed=f"book {number}")
            answers.append(await visitor.ask(book.create()))
        assert isinstance(answers[1], m.Created)
        assert answers[2] == "TooOften"
        # The session goes on, and what is there already is served.
        assert await visitor.ask(m.Ping()) == m.Pong()
        one = await scene.device(1, listener)
        await scene.append(one)


async def test_connections_from_one_address(tmp_path: Path) -> None:
    listener = await listen("ws://127.0.0.1:0")
    async with running(tmp_path, (listener,), per_address=PerAddress(connects_burst=2)) as scene:
        for _ in range(2):
            await scene.device(1, listener)
        transport = await scene.dial(listener)
        with trio.fail_after(10), pytest.raises(Refused, match="from this address"):
            await Device(transport, scene.session(1)).shake()
        assert scene.relay.counters.turned_away == 1
