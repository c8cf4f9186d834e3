"""Who waits for a hold, in the order in which they came (SPEC 13.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from e2esync.relay.waiting import WaitingRoom
from e2esync.session import messages as m
from e2esync.session.commands import Admit, Change

SET, OTHER = b"s" * 32, b"o" * 32


@dataclass(frozen=True)
class Job:
    connection: str
    command: Any


def append(connection: str, set_id: bytes = SET) -> Job:
    return Job(connection, Change(set_id, 1, 1, m.Append(0, b"e")))


def test_they_come_out_once_and_in_order() -> None:
    room: WaitingRoom[Job] = WaitingRoom()
    jobs = [append("a"), append("b"), append("a")]
    for job in (*jobs, append("c", OTHER)):
        room.add(job)
    assert set(room.sets()) == {SET, OTHER}
    assert list(room.take(SET)) == jobs
    assert list(room.take(SET)) == []
    assert room.sets() == [OTHER]


def test_nothing_of_one_connection_overtakes() -> None:
    room: WaitingRoom[Job] = WaitingRoom()
    assert not room.is_behind(append("a"))
    room.add(append("a"))
    assert room.is_behind(append("a"))
    # Who is held for is not behind the others, nor is another set, nor what nobody is held back with.
    assert not room.is_behind(append("b"))
    assert not room.is_behind(append("a", OTHER))
    assert not room.is_behind(Job("a", Change(SET, 1, 1, m.PutSlot(b"", b""))))
    assert not room.is_behind(Job("a", Admit(SET, 1, b"", b"")))
