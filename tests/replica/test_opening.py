"""The next epoch itself: who is sealed to, under which number, what dies, and that the opener can always enter."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

import pytest

from e2esync.epoch.record import Flag, Remove, parse_record
from e2esync.epoch.roles import Role
from e2esync.errors import ChainInvalid, CloneDetected, LocalProtocolError, RightMissing, Unreachable
from e2esync.limits import HORIZON_AGE
from e2esync.replica.core import SEALING
from e2esync.replica.opening import horizon_now, merged_runs, prepare
from tests.helpers.network import Network


def test_the_numbers_of_an_opener_rise_by_one_or_two(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    numbers = []
    for _epoch in range(3):
        phone.open()
        net.settle()
        numbers.append(phone.replica.chain.numbers[phone.replica.member])
    assert numbers == sorted(set(numbers))
    assert all(later - sooner <= 2 for sooner, later in pairwise(numbers))
    assert laptop.replica.chain.numbers == phone.replica.chain.numbers


@pytest.mark.parametrize("frames", range(4, 24))
def test_an_opening_that_breaks_off_anywhere_is_entered_or_was_not(net: Network, frames: int) -> None:
    """Also the numbers of the opener's own announcements stay in order after openings that failed."""
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    phone.edit("ada", **{"notes/n": "x"})
    net.settle()
    for _again in range(3):
        with suppress(Unreachable):
            phone.open(frames=frames)
    phone.open()
    net.settle()
    assert phone.replica.position == laptop.replica.position
    assert phone.digest() == laptop.digest()
    assert set(phone.store.secret_numbers(SEALING)) >= {phone.replica.chain.numbers[phone.replica.member]}


def test_a_device_whose_announcement_is_not_served_cannot_be_sealed_to(net: Network) -> None:
    phone = net.begin()
    net.add(phone, "laptop")
    phone.open()
    net.settle()
    phone.open()
    with pytest.raises(ChainInvalid, match="announcement"):
        prepare(phone.replica, (), {}, {}, net.clock(), net.entropy, flags=Flag(0))


def test_changes_that_nobody_may_make(net: Network) -> None:
    phone = net.begin()
    writer = net.add(phone, "writer", Role.WRITER)
    net.settle()
    with pytest.raises(RightMissing):
        prepare(writer.replica, (Remove(0),), {}, {}, net.clock(), net.entropy, flags=Flag(0))
    with pytest.raises(ChainInvalid):
        prepare(phone.replica, (Remove(99),), {}, {}, net.clock(), net.entropy, flags=Flag(0))
    with pytest.raises(RightMissing):
        prepare(writer.replica, (), {row.member: row for row in writer.store.slots()}, {}, net.clock(), net.entropy,
                flags=Flag.FORGET)


def test_nobody_opens_the_epoch_that_it_is_not_in(net: Network) -> None:
    phone = net.begin()
    with pytest.raises(LocalProtocolError):
        phone.open(Remove(phone.replica.member))
    assert phone.replica.position.epoch == 0


def test_a_frozen_device_opens_nothing(net: Network) -> None:
    phone = net.begin()
    phone.sync()
    phone.replica.freeze("CloneDetected")
    with pytest.raises(CloneDetected):
        phone.open()
    with pytest.raises(CloneDetected):
        phone.sync()


def test_small_runs_are_merged_and_their_blobs_die(net: Network) -> None:
    phone = net.begin()
    for n in range(100):
        phone.edit(f"c{n}", **{"notes/n": "x"})
    phone.open()
    for n in range(20):
        phone.edit(f"c{n}", **{"notes/n": "y"})
        phone.open()
    runs = phone.store.runs()
    assert len(runs) <= 8
    assert all(old.count > 2 * new.count for old, new in pairwise(runs))
    counts = net.relay._reader.execute("SELECT state, count(*) FROM blobs GROUP BY state").fetchall()
    live = dict(counts)[1]
    # A manifest, and of each run its index and one chunk.
    assert live == 1 + 2 * len(runs)
    assert merged_runs(phone.replica) == runs[len(runs) - len(merged_runs(phone.replica)):]


def test_the_horizon_is_the_newest_epoch_of_thirty_days_ago(net: Network) -> None:
    phone = net.begin()
    begun = net.clock.time
    assert horizon_now(phone.replica, begun) == 0
    for _epoch in range(3):
        phone.open()
    times = [parse_record(raw).time for raw in phone.store.records()]
    assert horizon_now(phone.replica, times[2] + HORIZON_AGE) == 2
    assert horizon_now(phone.replica, times[2] + HORIZON_AGE - 1) == 1
    assert horizon_now(phone.replica, 0) == 0
