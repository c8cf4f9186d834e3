"""The test kit does what it says: an honest network converges, a lying one lies as told, and all of it repeats."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import trio

import e2esync.testing as kit
from e2esync.errors import (
    DeviceRemoved,
    E2esyncError,
    ForkDetected,
    PairingAborted,
    RemoteProtocolError,
    RollbackDetected,
    Unreachable,
)
from e2esync.session import messages as m
from e2esync.session.kinds import Refusal
from e2esync.session.messages import Side
from e2esync.testing import Device, Network


@pytest.fixture
async def net(tmp_path: Path) -> AsyncIterator[Network]:
    async with Network(seed="kit", folder=tmp_path) as network:
        yield network


async def _two(net: Network) -> tuple[Device, Device]:
    phone = await net.begin("Phone")
    laptop = await net.pair(phone, "Laptop")
    await net.settle()
    return phone, laptop


async def test_an_honest_network_converges(net: Network) -> None:
    phone, laptop = await _two(net)
    phone.add("Ada")
    laptop.add("Bob")
    await net.settle()
    assert phone.names() == laptop.names() == ["Ada", "Bob"]
    assert phone.digest() == laptop.digest()
    laptop.note("Ada", "x")
    phone.remove("Bob")
    await net.settle()
    assert laptop.names() == ["Ada"]
    assert phone.standing().unsent == laptop.standing().unsent == []


async def test_watching_over_a_slow_network_takes_no_real_time(net: Network) -> None:
    phone, laptop = await _two(net)
    net.conditions.latency = 1.5
    begun = net.clock()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(phone.watch)
        nursery.start_soon(laptop.watch)
        await trio.sleep(600)
        phone.add("Ada")
        await trio.sleep(60)
        assert laptop.names() == ["Ada"]
        nursery.cancel_scope.cancel()
    assert net.clock() - begun >= 660_000


async def test_the_same_seed_gives_the_same_story() -> None:
    stories = []
    for _run in range(2):
        async with Network(seed="again") as net:
            phone, laptop = await _two(net)
            phone.add("Ada")
            await net.settle()
            asked = [[(seen.kind, seen.size) for seen in net.trace
                      if (seen.device, seen.side) == (device.name, Side.CLIENT)] for device in net.devices]
            stories.append((laptop.replica.set_id, laptop.digest(), asked))
    assert stories[0] == stories[1]


async def test_parted_cut_and_silent(net: Network) -> None:
    phone, _laptop = await _two(net)
    phone.add("Ada")
    before = phone.standing()
    net.conditions.part("Phone")
    with pytest.raises(Unreachable):
        await phone.sync()
    net.conditions.part("Phone", silent=True)
    with pytest.raises(Unreachable):
        await phone.sync()
    net.conditions.rejoin("Phone")
    net.conditions.cut_after("Phone", 5)
    with pytest.raises(Unreachable):
        await phone.sync()
    assert phone.standing().unsent == before.unsent
    await phone.sync()
    assert phone.standing().unsent == []


@pytest.mark.parametrize("fault", ["lose", "duplicate", "reorder"])
async def test_a_network_that_breaks_its_promises_costs_no_edit(net: Network, fault: str) -> None:
    phone, laptop = await _two(net)
    setattr(net.conditions, fault, 0.3)
    failed = 0
    for number in range(8):
        phone.add(f"Contact {number}")
        try:
            await phone.sync()
        except E2esyncError:
            failed += 1
    assert failed
    setattr(net.conditions, fault, 0.0)
    await net.settle()
    assert laptop.names() == [f"Contact {number}" for number in range(8)]
    assert phone.digest() == laptop.digest()


# Histories.

async def test_rollback_restore_and_the_truth_again(net: Network) -> None:
    phone, laptop = await _two(net)
    moment, today = net.relay.moment(), net.relay.main
    phone.add("Ada")
    await net.settle()
    net.relay.rollback(moment)
    with pytest.raises(RollbackDetected):
        await laptop.sync()
    net.relay.restore(moment)
    restored = net.relay.main.store.incarnation
    assert restored != today.store.incarnation
    assert net.relay.key.verify_key == today.store.key.verify_key
    net.relay.show(today)
    await net.settle()
    assert laptop.names() == ["Ada"]


async def test_a_fork_shows_each_its_own(net: Network) -> None:
    phone, laptop = await _two(net)
    net.relay.fork("Laptop")
    phone.add("Ada")
    laptop.add("Bob")
    await net.settle()
    assert (phone.names(), laptop.names()) == (["Ada"], ["Bob"])
    net.relay.honest()
    with pytest.raises(ForkDetected):
        await laptop.sync()


async def test_withheld_and_injected(net: Network) -> None:
    phone, laptop = await _two(net)
    phone.add("Ada")
    await phone.sync()
    mine = phone.replica.member

    def written(done: kit.Done) -> bool:
        return done.change.member == mine and isinstance(done.change.request, m.Append)
    view = net.relay.withhold(written, "Laptop")
    assert len(view.journal) < len(net.relay.main.journal)
    answer = view.inject(phone.replica.set_id, mine, m.Append(99, b""))
    assert isinstance(answer, m.RefusalAnswer)
    assert net.relay.main.chain(phone.replica.set_id).epoch == 1
    assert laptop.names() == []


# Messages.


@pytest.mark.parametrize(("hook", "error"), [
    (kit.drop(m.Welcome), Unreachable), (kit.starve(), Unreachable), (kit.delay(m.Welcome, 100), Unreachable),
    (kit.refuse(m.Welcome, Refusal.NOT_MEMBER), DeviceRemoved), (kit.substitute(bytes(32)), E2esyncError),
    (kit.repeat(m.Welcome, 3), RemoteProtocolError), (kit.truncate(m.LogPart, "envelopes", 0), RemoteProtocolError),
    (kit.mutate(m.LogPart, lambda part: replace(part, envelopes=part.envelopes[::-1])), ForkDetected),
    (kit.relabel(0), ForkDetected), (kit.reorder(m.LogPart), Unreachable),
    (kit.mutate(m.LogPart, lambda _part: b"?"), RemoteProtocolError),
    (kit.flood(m.Welcome, m.SlotList(0, ())), RemoteProtocolError), (kit.flood(m.Challenge, b"?", 2), E2esyncError),
], ids=["drop", "starve", "delay", "refuse", "substitute", "repeat", "truncate", "mutate", "relabel", "reorder", "raw",
        "flood", "noise"])
async def test_what_a_hook_does(net: Network, hook: kit.Hook, error: type[E2esyncError]) -> None:
    phone, laptop = await _two(net)
    for name in ("Ada", "Bob"):
        phone.add(name)
        await phone.sync()
    before = laptop.standing()
    with net.relay.lying(hook) as lies, pytest.raises((error, RemoteProtocolError)) as raised:
        await laptop.sync()
    assert isinstance(raised.value, error | RemoteProtocolError)
    assert lies.told >= 1
    assert laptop.standing() == before
    await net.settle()
    assert laptop.names() == ["Ada", "Bob"]


async def test_replay_and_swap_use_what_came_before(net: Network) -> None:
    phone, laptop = await _two(net)
    answers: list[m.LogPart] = []

    def keep(message: m.Message, _wire: kit.Wire) -> m.Message:
        answers.extend([message] if isinstance(message, m.LogPart) else [])
        return message
    for make in (kit.replay(m.LogPart), kit.swap(m.LogPart, "envelopes")):
        answers.clear()
        with net.relay.lying(make, keep):
            for name in ("Ada", "Bob"):
                phone.add(f"{name} {len(net.trace)}")
                await phone.sync()
                try:
                    await laptop.sync()
                except E2esyncError:
                    continue
        assert answers[0].envelopes == answers[-1].envelopes
        await net.settle()


async def test_hooks_limit_themselves(net: Network) -> None:
    phone, laptop = await _two(net)
    for limits in ({"device": "Nobody"}, {"times": 0}):
        with net.relay.lying(kit.starve(**limits)) as lies:
            await laptop.sync()
        assert lies.told == 0
    counts = {"epoch": 7}
    from e2esync.client.sync import inspect

    with net.relay.lying(kit.set_params(counts)), phone.online():
        assert await inspect(phone.profile, entropy=phone.entropy) == counts


async def test_the_trace_is_what_crosses_the_wire(net: Network) -> None:
    phone, _laptop = await _two(net)
    net.trace.clear()
    done = await phone.sync()
    sent = [seen for seen in net.trace if seen.side is Side.CLIENT]
    assert sum(seen.size for seen in sent) == done.bytes_sent
    assert [seen.kind for seen in sent][:2] == ["Hello", "Proof"]


# Devices.

async def test_a_wrong_word_ends_the_pairing(net: Network) -> None:
    phone = await net.begin("Phone")
    with pytest.raises(PairingAborted):
        await net.pair(phone, "Laptop", type_words=lambda _words: "zoo zoo zoo")
    assert phone.replica.chain.epoch == 0


async def test_clone_become_recover_and_revoke(net: Network) -> None:
    phone, laptop = await _two(net)
    old = phone.clone("Phone of yesterday")
    phone.add("Ada")
    await phone.sync()
    assert old.names() == []
    phone.become(old)
    assert phone.names() == []
    tablet = await net.recover("Tablet", phone)
    assert tablet.names() == ["Ada"]
    await tablet.revoke(laptop)
    with pytest.raises(DeviceRemoved):
        await laptop.sync()
