"""What visitors may hold: a share for each, one sum beyond it, and who makes room."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from e2esync.errors import Refused, Unreachable
from e2esync.limits import RECORD_MAX, VISIT_FREE
from e2esync.relay import connection as connection_module
from e2esync.relay.visits import Visits
from e2esync.session import messages as m
from e2esync.session.codec import decode_message, encode_message
from e2esync.session.messages import Side
from tests.relay.driver import Device, gone, running

LIMIT = 1000


class Crowd:
    """Sessions by number, and which of them were turned out."""

    def __init__(self) -> None:
        self.visits = Visits(LIMIT)
        self.out: list[int] = []

    def hold(self, number: int, beyond: int, *, pending: int = 0) -> None:
        """Session `number` holds so much beyond its share, in a frame that is not finished."""
        unfinished = beyond + VISIT_FREE if beyond else 0
        self.visits.hold(number, pending, unfinished, lambda: self.out.append(number))


def test_each_has_a_share_that_is_not_counted() -> None:
    crowd = Crowd()
    for number in range(100):
        crowd.visits.hold(number, VISIT_FREE - 1, 1, lambda: None)
    assert crowd.visits.held == 0
    crowd.visits.hold(7, VISIT_FREE, 1, lambda: None)
    assert crowd.visits.held == 1


def test_who_began_first_makes_room() -> None:
    crowd = Crowd()
    crowd.hold(1, 400)
    crowd.hold(2, 400)
    crowd.hold(1, 500)
    assert crowd.out == []
    crowd.hold(3, 300)
    assert crowd.out == [1]
    assert crowd.visits.held == 700
    crowd.hold(1, 0)
    assert crowd.visits.held == 700


def test_who_is_the_one_to_go_is_told() -> None:
    crowd = Crowd()
    crowd.hold(1, 600)
    crowd.hold(2, 400)
    with pytest.raises(Refused) as caught:
        crowd.hold(1, 601)
    assert caught.value.reason == "Busy"
    assert crowd.visits.held == 400
    with pytest.raises(Refused):
        crowd.hold(3, LIMIT + 1)
    assert crowd.out == [2]


def test_what_waits_for_its_decision_is_nobodys_to_turn_out() -> None:
    crowd = Crowd()
    crowd.hold(1, 0, pending=VISIT_FREE + 900)
    with pytest.raises(Refused):
        crowd.hold(2, 200)
    assert crowd.out == []
    crowd.hold(1, 0, pending=VISIT_FREE + 100)
    crowd.hold(2, 200)
    assert crowd.visits.held == 300


def test_what_comes_down_is_never_refused() -> None:
    crowd = Crowd()
    crowd.hold(1, 0, pending=VISIT_FREE + LIMIT)
    for pending in (LIMIT, LIMIT // 2, 0):
        crowd.hold(1, 0, pending=VISIT_FREE + pending)
    assert crowd.visits.held == 0


async def test_undecided_requests_count_until_they_are_answered(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        scene.relay.visits = Visits(3 * RECORD_MAX)
        one, other, member = await scene.device(None), await scene.device(None), await scene.device(1)
        seed = m.Seed(bytes(32), 0, (bytes(RECORD_MAX),) * 2, b"")
        # Both are read before the store has decided either: the second is one too many.
        refused = [await other.ask(request) for request in (seed, seed)]
        assert refused == ["BadRecord", "BadRecord"]
        for device in (one, other):
            await device.send(seed)
        assert await one.answer() == "BadRecord"
        assert await other.answer() == "Busy"
        await gone(other)
        assert scene.relay.visits.held == 0
        assert isinstance(await scene.append(member), m.Appended)


async def test_a_visitor_that_reads_nothing_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "_VISITOR_OUTBOX_MAX", 4000)
    async with running(tmp_path) as scene:
        visitor: Device = await scene.device(None, capacity=1)
        sent = 0
        with trio.move_on_after(0.3):
            while True:
                await visitor.transport.send(encode_message(m.Ping()))
                sent += 1
        # Two bytes each: what bounds them is what a queued frame weighs.
        assert sent < 100
        with trio.fail_after(5):
            assert decode_message(await visitor.transport.receive(), Side.RELAY) == m.Pong()
        await visitor.aclose()
        with pytest.raises(Unreachable):
            await visitor.transport.receive()
