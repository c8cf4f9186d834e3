"""`client.deleting` (SPEC 13.14, 14.15): whole lives of sets that are deleted, or nearly, with a relay whose clock
moves when a test says so.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from e2esync.access.kit import RecoveryKit
from e2esync.client.book import Book
from e2esync.client.deleting import Said, delete, delete_by_kit
from e2esync.client.kits import replace_kit
from e2esync.client.leaving import retire
from e2esync.client.profile import Profile
from e2esync.client.recovery import open_kit
from e2esync.client.relocating import move
from e2esync.client.sync import create_set, sync
from e2esync.client.watching import watch
from e2esync.epoch.deletion import Act
from e2esync.epoch.record import ChangeRole, Remove
from e2esync.epoch.roles import Role
from e2esync.errors import E2esyncError, Refused, RightMissing, SetDeleted
from e2esync.limits import DELETION_DELAY, TOMBSTONE_RETENTION
from e2esync.testing import Device, Network
from tests.attacks.scene import opens
from tests.client.world import ENTROPY, card, names, open_relay, paired, profile_in, until
from tests.helpers.virtual import virtual_time

DAY = 86_400_000


@pytest.fixture
async def net(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Network]:
    async with Network(seed=request.node.name, folder=tmp_path) as network:
        yield network


async def two(net: Network) -> tuple[Device, Device]:
    phone = await net.begin("Phone")
    laptop = await net.pair(phone, "Laptop")
    phone.add("Ada")
    await net.settle()
    return phone, laptop


async def say(device: Device, act: Act = Act.DELETE, kit: RecoveryKit | None = None) -> Said:
    with device.online():
        return await delete(device.profile, act=act, kit=kit, entropy=device.entropy, now=device.now)


async def with_kit(net: Network, act: Act = Act.DELETE, kit: RecoveryKit | None = None) -> Said:
    with net.dialing("Kit"):
        return await delete_by_kit(kit or net.kit, net.url, act=act, entropy=net.entropy, now=net.clock)


def days(net: Network, count: int) -> None:
    """The relay looks after so many days whether something is to be done."""
    net.clock.time += count * DAY
    net.relay.main.store.sweep(net.clock())


async def deleted(device: Device) -> SetDeleted:
    """The device is told that the set was deleted, and loses nothing by it."""
    before = device.standing()
    with pytest.raises(SetDeleted) as raised:
        await device.sync()
    assert device.standing() == before
    return raised.value


@virtual_time
async def test_an_owner_asks_and_everybody_is_told(net: Network) -> None:
    phone, laptop = await two(net)
    said = await say(phone)
    assert said.due == pytest.approx(net.clock() + DELETION_DELAY, abs=60_000)
    for device in (phone, laptop):
        deleting = (await device.sync()).deleting
        assert deleting is not None
        assert (deleting.by, deleting.done) == ("Phone", False)
        assert deleting.time == pytest.approx(said.due, abs=60_000)
        (notice,) = [each for each in device.book.status().notices if "deleted" in each]
        assert "Phone" in notice
        assert "--cancel" in notice
    # Life goes on, over an opening too.
    laptop.add("Bob")
    await opens(laptop)
    await net.settle()
    days(net, 29)
    assert (await laptop.sync()).deleting is not None
    days(net, 2)
    for device in (laptop, phone):
        told = await deleted(device)
        assert "30 days after Phone asked for it" in told.message
        assert device.names() == ["Ada", "Bob"]
        assert any("was deleted at its relay" in each for each in device.book.status().notices)


@virtual_time
async def test_another_owner_cancels(net: Network) -> None:
    phone, laptop = await two(net)
    await say(phone)
    assert await say(laptop, Act.KEEP) == Said(Act.KEEP, laptop.replica.set_id, 0)
    days(net, 40)
    for device in (phone, laptop):
        assert (await device.sync()).deleting is None
        assert not any("deleted" in each for each in device.book.status().notices)
    # And it can be asked for again, with 30 days of its own.
    due = (await say(laptop)).due
    assert due == pytest.approx(net.clock() + DELETION_DELAY, abs=60_000)
    assert (await with_kit(net, Act.KEEP)).due == 0
    assert (await phone.sync()).deleting is None


@virtual_time
async def test_the_kit_deletes_at_once(net: Network) -> None:
    phone, laptop = await two(net)
    laptop.add("Bob")
    said = await with_kit(net)
    assert (said.due, said.set_id) == (0, phone.replica.set_id)
    assert said.left["records"] == len(phone.store.records())
    assert {name for name, count in said.left.items() if count} == {"epoch", "records", "record_bytes"}
    for device in (phone, laptop):
        told = await deleted(device)
        assert "with the recovery kit" in told.message
        # Again and again the same, and nobody seeds it.
        await deleted(device)
    assert laptop.names() == ["Ada", "Bob"]
    with pytest.raises(SetDeleted):
        await with_kit(net)
    with pytest.raises(SetDeleted), net.dialing("New"):
        async with open_kit(net.kit, net.url, entropy=net.entropy, now=net.clock):
            pytest.fail("it read what is gone")


@virtual_time
async def test_the_kit_beside_a_profile_and_in_place_of_another(net: Network) -> None:
    phone, laptop = await two(net)
    old, new = net.kit, RecoveryKit.generate(net.entropy)
    with phone.online():
        (done,) = await replace_kit(phone.profile, old, new, entropy=phone.entropy, now=phone.now)
    assert done.done
    with pytest.raises(RightMissing, match="no member"):
        await say(phone, kit=old)
    await laptop.sync()
    await say(laptop)
    assert (await say(phone, kit=new)).due == 0
    assert "with the recovery kit" in (await deleted(laptop)).message
    with pytest.raises(E2esyncError) as raised:
        await with_kit(net, kit=old)
    assert not isinstance(raised.value, SetDeleted)


@virtual_time
async def test_who_may_not(net: Network) -> None:
    phone, laptop = await two(net)
    await opens(phone, ChangeRole(laptop.replica.member, Role.WRITER))
    with pytest.raises(RightMissing):
        await say(laptop)
    with pytest.raises(Refused, match="no deletion waits"):
        await say(phone, Act.KEEP)
    await say(phone)
    with pytest.raises(Refused, match="waits here already"):
        await say(phone)
    assert (await laptop.sync()).deleting is not None


@virtual_time
async def test_who_is_removed_takes_the_word_along(net: Network) -> None:
    phone, laptop = await two(net)
    await say(laptop)
    await opens(phone, Remove(laptop.replica.member))
    assert (await phone.sync()).deleting is None
    days(net, 40)
    phone.add("Bob")
    await phone.sync()
    assert phone.standing().unsent == []


@virtual_time
async def test_a_device_that_slept_through_it_all(net: Network) -> None:
    """It checks the word against records that it has never seen."""
    phone, laptop = await two(net)
    before = laptop.replica.position
    for _ in range(3):
        await opens(phone)
    await with_kit(net)
    await deleted(laptop)
    assert laptop.replica.position == before
    days(net, 729)
    await deleted(laptop)


@virtual_time
async def test_after_two_years_it_is_a_set_that_the_relay_never_had(net: Network) -> None:
    phone, _laptop = await two(net)
    await with_kit(net)
    net.clock.time += TOMBSTONE_RETENTION
    days(net, 1)
    await phone.sync()
    assert phone.names() == ["Ada"]
    assert not any("deleted" in each for each in phone.book.status().notices)


@virtual_time
async def test_retiring_from_what_is_gone_erases_here(net: Network) -> None:
    phone, laptop = await two(net)
    await with_kit(net)
    await deleted(laptop)
    home = laptop.profile.home
    with laptop.online():
        left = await retire(laptop.profile, entropy=laptop.entropy, now=laptop.now)
    assert left.state == "retired"
    assert {path.name for path in home.iterdir()} == {"left.json"}
    assert phone.names() == ["Ada"]
    net.devices.remove(laptop)


async def test_another_relay_takes_it(tmp_path: Path) -> None:
    """An explicit choice: the book goes to another relay, whole, and the other device follows there."""

    kit = RecoveryKit.generate(ENTROPY)
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    async with open_relay(tmp_path / "one") as url, open_relay(tmp_path / "two") as other:
        with profile_in(tmp_path / "a") as phone, profile_in(tmp_path / "unused"):
            await create_set(phone, url, "Phone", kit)
            with await paired(phone, tmp_path / "b") as laptop:
                Book(phone).add(card("Ada"))
                await sync(phone)
                await sync(laptop)
                await delete_by_kit(kit, url)
                with pytest.raises(SetDeleted):
                    await sync(phone)
                # Not to the relay that deleted it.
                with pytest.raises(E2esyncError):
                    await move(phone, url)
                assert await move(phone, other)
                assert not any("deleted" in each for each in Book(phone).status().notices)
                with pytest.raises(SetDeleted):
                    await sync(laptop)
                assert not await move(laptop, other)
                Book(laptop).add(card("Bob"))
                await sync(laptop)
                await sync(phone)
                assert names(phone) == names(laptop) == ["Ada", "Bob"]


async def test_whoever_watches_is_told_at_once(tmp_path: Path) -> None:

    kit, heard = RecoveryKit.generate(ENTROPY), list[str]()
    ended = list[SetDeleted]()

    async def look(profile: Profile) -> None:
        with pytest.raises(SetDeleted) as raised:
            await watch(profile, on_event=heard.append)
        ended.append(raised.value)

    async with open_relay(tmp_path) as url:
        with profile_in(tmp_path / "a") as phone:
            await create_set(phone, url, "Phone", kit)
            with await paired(phone, tmp_path / "b") as laptop, trio.fail_after(30):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(look, laptop)
                    await until(lambda: "connected" in heard)
                    await delete(phone)
                    await until(lambda: "deletion" in heard)
                    assert any("wants this book deleted" in each for each in Book(laptop).status().notices)
                    await delete_by_kit(kit, url)
                    await until(lambda: bool(ended))
