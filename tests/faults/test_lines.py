"""Lines and clocks that fail: a slow peer, half-open connections, a storm of reconnects, time that jumps either way."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import trio

from e2esync.client.book import Book
from e2esync.client.sync import sync
from e2esync.errors import E2esyncError
from e2esync.session import messages as m
from e2esync.testing import Device, Network
from e2esync.transports import listen
from tests.client.world import card, founded, names, open_relay, paired, state
from tests.faults.agreeing import check_copies
from tests.helpers.virtual import virtual_time
from tests.relay.driver import running

PATIENCE = 60
HOUR = 3_600_000
YEAR = 365 * 24 * HOUR
WORDS = (b"", b"GET / HT", b"\x00" * 40, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")


async def _agree(net: Network, expected: set[str]) -> None:
    """Everybody syncs until nothing moves; then all have everything, once, and the same."""
    await net.settle()
    assert len({device.digest() for device in net.devices}) == 1
    for device in net.devices:
        assert sorted(device.names()) == sorted(expected)
        assert device.standing().unsent == []
        with device.online():
            await check_copies(device.profile)


def _jump(net: Network, phone: Device, whose: str, jump: int) -> None:
    """From now on this clock is wrong by so much."""
    if whose == "everybody's":
        net.clock.time += jump
    elif whose == "a device's":
        phone.now = net.clock.skewed(jump)
    else:
        net.relay.main.relay._now = net.clock.skewed(jump)


@pytest.mark.parametrize("jump", [-HOUR, YEAR, -YEAR, 40 * YEAR], ids=["hour back", "year", "year back", "40 years"])
@pytest.mark.parametrize("whose", ["everybody's", "a device's", "the relay's"])
@virtual_time
async def test_clocks_that_jump(jump: int, whose: str) -> None:
    """Nothing that counts hangs on the time of day: edits before and after the jump are there on both sides."""
    async with Network(seed=f"jump {whose}") as net:
        phone = await net.begin("Phone")
        laptop = await net.pair(phone, "Laptop")
        expected = set()
        for number in range(4):
            for device in (phone, laptop):
                device.add(f"{device.name} {number}")
                expected.add(f"{device.name} {number}")
                if number in (1, 2):
                    await device.sync()
            back = -jump if whose == "everybody's" else 0
            _jump(net, phone, whose, jump if number % 2 == 0 else back)
        await phone.rotate()
        await _agree(net, expected)


@pytest.mark.parametrize("seed", range(3))
@virtual_time
async def test_a_line_that_loses_repeats_and_breaks(seed: int) -> None:
    """Every sync may fail; none of them loses an edit or brings one twice."""
    async with Network(seed=f"line {seed}") as net:
        phone = await net.begin("Phone")
        laptop = await net.pair(phone, "Laptop")
        chance, expected, failed = random.Random(seed), set(), 0
        for number in range(12):
            device = chance.choice((phone, laptop))
            device.add(f"edit {number}")
            expected.add(f"edit {number}")
            net.conditions.latency = chance.choice((0.0, 0.3, 20.0))
            net.conditions.lose = chance.choice((0.0, 0.05))
            net.conditions.duplicate = chance.choice((0.0, 0.1))
            if chance.random() < 0.6:
                net.conditions.cut_after(device.name, chance.randint(1, 12))
            try:
                with trio.fail_after(600):
                    await device.sync()
            except (E2esyncError, trio.TooSlowError):
                failed += 1
        net.conditions.latency = net.conditions.lose = net.conditions.duplicate = 0.0
        net.conditions.rejoin("Phone")
        net.conditions.cut_after("Phone", 10**9)
        net.conditions.cut_after("Laptop", 10**9)
        assert failed
        await _agree(net, expected)


@virtual_time
async def test_a_half_open_connection_is_given_up() -> None:
    """The other side is gone without a word: the sync ends in bounded time, and the edit is still to be sent."""
    async with Network(seed="half-open") as net:
        phone = await net.begin("Phone")
        await net.pair(phone, "Laptop")
        phone.add("Ada")
        net.conditions.part("Phone", silent=True)
        with trio.fail_after(900), pytest.raises(E2esyncError):
            await phone.sync()
        assert phone.standing().unsent
        net.conditions.rejoin("Phone")
        await _agree(net, {"Ada"})


async def test_a_storm_of_connections(tmp_path: Path) -> None:
    """A hundred that connect at once, a second, and again: some say nothing, some half a word, some hang up."""
    async with open_relay(tmp_path) as url:
        host, _, port = url.removeprefix("ws://").rpartition(":")
        with await founded(tmp_path / "a", url) as phone, await paired(phone, tmp_path / "b") as laptop:
            refused = 0

            async def knock(number: int) -> None:
                nonlocal refused
                try:
                    stream = await trio.open_tcp_stream(host, int(port))
                    async with stream:
                        await stream.send_all(WORDS[number % len(WORDS)])
                        if number % 3:
                            await trio.sleep(0.5)
                except (OSError, trio.BrokenResourceError):
                    refused += 1

            expected = set()
            with trio.fail_after(PATIENCE):
                async with trio.open_nursery() as nursery:
                    for round_ in range(3):
                        for number in range(100):
                            nursery.start_soon(knock, number)
                        for device, profile in (("phone", phone), ("laptop", laptop)):
                            Book(profile).add(card(f"{device} {round_}"))
                            expected.add(f"{device} {round_}")
                            await sync(profile)
                for profile in (phone, laptop):
                    await sync(profile)
            assert refused < 150
            assert state(phone) == state(laptop)
            assert sorted(names(phone)) == sorted(expected)
            assert Book(phone).status().unsent == Book(laptop).status().unsent == 0
            await check_copies(phone)


async def test_a_device_that_reconnects_without_end(tmp_path: Path) -> None:
    """Forty syncs by two devices as fast as they go: each is a connection of its own, and none is one too many."""
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone, await paired(phone, tmp_path / "b") as laptop:
            with trio.fail_after(PATIENCE):
                for number in range(20):
                    if number % 10 == 0:
                        Book(phone).add(card(f"edit {number:02}"))
                    await sync(phone)
                    await sync(laptop)
                for profile in (phone, laptop, phone):
                    await sync(profile)
            assert state(phone) == state(laptop)
            assert names(laptop) == [f"edit {number:02}" for number in range(0, 20, 10)]
            await check_copies(laptop)


async def test_a_hundred_reconnects_one_after_the_other(tmp_path: Path) -> None:
    """A member that is thrown out after each append, and connects again at once, has every envelope in the log once."""
    listener = await listen("127.0.0.1:0")
    async with running(tmp_path, (listener,)) as scene:
        for number in range(100):
            one = await scene.device(1, listener)
            assert one.head.seq == number
            await scene.append(one)
            await one.aclose()
        part = await (await scene.device(2, listener)).ask(m.Read(0, 1))
        assert len(part.envelopes) == len(set(part.envelopes)) == part.head.seq == 100


async def test_a_slow_reader_holds_nobody_up(tmp_path: Path) -> None:
    """A peer that sends a byte at a time and reads nothing keeps its own connection alone."""
    async with open_relay(tmp_path) as url:
        host, _, port = url.removeprefix("ws://").rpartition(":")

        async def dribble() -> None:
            stream = await trio.open_tcp_stream(host, int(port))
            async with stream:
                for byte in b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n" * 50:
                    await stream.send_all(bytes([byte]))
                    await trio.sleep(0.01)

        with await founded(tmp_path / "a", url) as phone, await paired(phone, tmp_path / "b") as laptop:
            with trio.fail_after(PATIENCE):
                async with trio.open_nursery() as nursery:
                    for _ in range(20):
                        nursery.start_soon(dribble)
                    Book(phone).add(card("Ada"))
                    await sync(phone)
                    await sync(laptop)
                    nursery.cancel_scope.cancel()
            assert names(laptop) == ["Ada"]
            await check_copies(laptop)
