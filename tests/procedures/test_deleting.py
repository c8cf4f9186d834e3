"""`procedures.deleting` (SPEC 14.15): a word is said again where somebody has opened an epoch meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from e2esync.epoch.deletion import Act, Deletion
from e2esync.errors import Refused
from e2esync.limits import DELETION_CLOCK, DELETION_DELAY
from e2esync.procedures.deleting import revision_of, say
from e2esync.procedures.steps import Procedure
from e2esync.session.messages import Delete
from tests.helpers.network import Device, Line, Network

Result = TypeVar("Result")


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Network]:
    network = Network(tmp_path)
    yield network
    network.close()


def saying(device: Device) -> Procedure[tuple[Deletion, int]]:
    replica = device.replica
    return say(replica.chain, replica.member, replica.signing_key, Act.DELETE, relay_key=replica.chain.relay_key,
               floor=lambda: 0, now=device.net.clock.time)


def before_each_word(procedure: Procedure[Result], instead: Callable[[], Refused | None]) -> Procedure[Result]:
    """A procedure whose DELETE is held up, and answered by `instead` if that gives something."""
    requests = next(procedure)
    try:
        while True:
            refusal = instead() if isinstance(requests[0], Delete) else None
            requests = procedure.send([refusal] if refusal is not None else (yield requests))
    except StopIteration as stop:
        result: Result = stop.value
        return result


def test_it_follows_the_chain(net: Network) -> None:
    """The chain that it begins with is old; and while it reads, an epoch is opened: it says the word about that."""
    first = net.begin()
    second = net.add(first, "laptop")
    line, races = Line(net, second.replica), [None, None]
    first.open()

    def race() -> None:
        if races:
            races.pop()
            first.open()

    said, due = line.run(before_each_word(saying(second), race))
    assert races == []
    assert (said.epoch, said.record_hash) == (first.replica.position.epoch, first.replica.chain.head.hash)
    assert due == pytest.approx(net.clock.time + DELETION_DELAY, abs=DELETION_CLOCK)


def test_it_does_not_try_for_ever(net: Network) -> None:
    device = net.begin()
    tries = []

    def refuse() -> Refused:
        tries.append(1)
        return Refused("EpochClosed", "somebody was faster")

    with pytest.raises(Refused, match="somebody was faster"):
        Line(net, device.replica).run(before_each_word(saying(device), refuse))
    assert len(tries) == 4


def test_revisions(net: Network) -> None:
    device = net.begin()
    said, _due = Line(net, device.replica).run(saying(device))
    assert revision_of(said.raw) == said.revision == 1
    assert revision_of(b"") == 0
