"""Sync over a real relay on loopback: once, by one process at a time, and with every way in which it cannot work."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest
import trio

from e2esync.access.kit import RecoveryKit
from e2esync.client.book import Book
from e2esync.client.profile import Profile
from e2esync.client.sync import create_set, go_online, inspect, sync
from e2esync.epoch.record import Remove
from e2esync.errors import DeviceRemoved, HandshakeFailed, ProfileBusy, ProfileExists, Unreachable
from e2esync.procedures.opening import open_epoch
from tests.client.world import ENTROPY, card, founded, names, open_relay, paired, profile_in, state


async def test_two_devices_see_each_other(tmp_path: Path) -> None:
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone, await paired(phone, tmp_path / "b") as laptop:
            Book(phone).add(card("Ada"))
            Book(laptop).add(card("Bob"))
            assert (await sync(phone)).sent == 1
            done = await sync(laptop)
            assert (done.received, done.sent) == (1, 1) or done.received > 1
            await sync(phone)
            assert names(phone) == names(laptop) == ["Ada", "Bob"]
            assert state(phone) == state(laptop)
            status = Book(phone).status()
            assert (status.contacts, status.unsent, status.device, status.notices) == (2, 0, "Phone", [])
            assert [device.name for device in status.devices] == ["Phone", "Laptop"]
            assert Book(phone).name == Book(laptop).name == "Contacts"


async def test_a_device_that_was_not_heard_is_not_in_step(tmp_path: Path) -> None:
    """SPEC 14.6 step 5: neither before its first heartbeat, nor beside an edit that it cannot have."""
    def in_step(profile: Profile) -> list[bool]:
        return [device.in_step for device in Book(profile).devices() if not device.this]

    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone, await paired(phone, tmp_path / "b") as laptop:
            assert in_step(phone) == [False]
            await sync(phone)
            await sync(laptop)
            await sync(phone)
            assert in_step(phone) == [True]
            Book(phone).add(card("Ada"))
            await sync(phone)
            assert in_step(phone) == [False]


async def test_a_reconnect_with_nothing_new_is_under_one_kibibyte(tmp_path: Path) -> None:
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone:
            await sync(phone)
            done = await sync(phone)
            assert (done.received, done.sent, done.opened, done.media) == (0, 0, False, 0)
            assert 0 < done.bytes_sent + done.bytes_received < 1024


async def test_a_relay_that_is_not_there_leaves_everything_as_it_is(tmp_path: Path) -> None:
    async with open_relay(tmp_path) as url:
        phone = await founded(tmp_path / "a", url)
    with phone:
        Book(phone).add(card("Ada"))
        with pytest.raises(Unreachable):
            await sync(phone)
        assert Book(phone).status().unsent > 0
        async with open_relay(tmp_path, url) as _again:
            await sync(phone)
        assert Book(phone).status().unsent == 0
        assert names(phone) == ["Ada"]


async def test_nothing_is_made_where_no_relay_answers(tmp_path: Path) -> None:
    with profile_in(tmp_path / "a") as profile:
        with pytest.raises(Unreachable):
            await create_set(profile, "ws://127.0.0.1:9", "Phone", RecoveryKit.generate(ENTROPY))
        assert not Book(profile).exists()
        assert profile.store.books() == []
        async with open_relay(tmp_path) as url:
            await create_set(profile, url, "Phone", RecoveryKit.generate(ENTROPY))
            with pytest.raises(ProfileExists):
                await create_set(profile, url, "Phone", RecoveryKit.generate(ENTROPY))
        assert Book(profile).exists()


async def test_a_set_that_the_relay_refuses_leaves_no_trace(tmp_path: Path) -> None:
    kit = RecoveryKit.generate(ENTROPY)
    async with open_relay(tmp_path) as url:
        with profile_in(tmp_path / "a") as first, profile_in(tmp_path / "b") as second:
            await create_set(first, url, "Phone", kit)
            from e2esync.errors import Refused

            with pytest.raises(Refused):
                await create_set(second, url, "Phone", kit)
            assert not Book(second).exists()
            assert second.store.books() == []


async def test_another_relay_at_the_address_is_refused(tmp_path: Path) -> None:
    async with open_relay(tmp_path) as url:
        phone = await founded(tmp_path / "a", url)
    (tmp_path / "other").mkdir()
    with phone:
        async with open_relay(tmp_path / "other", url):
            before = state(phone)
            with pytest.raises(HandshakeFailed):
                await sync(phone)
            assert state(phone) == before


async def test_one_process_syncs_at_a_time(tmp_path: Path) -> None:
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone, Profile.open(tmp_path / "a") as again:
            with phone.sync_lock(), pytest.raises(ProfileBusy):
                await sync(again)
            await sync(again)
            results: list[str] = []

            async def attempt(profile: Profile) -> None:
                try:
                    await sync(profile)
                    results.append("synced")
                except ProfileBusy:
                    results.append("busy")

            async with trio.open_nursery() as nursery:
                nursery.start_soon(attempt, phone)
                nursery.start_soon(attempt, again)
            assert sorted(results) == ["busy", "synced"]


async def test_edits_go_on_while_another_process_syncs(tmp_path: Path) -> None:
    """Each edit is made between two steps of the other connection's syncs; none is lost, none is there twice."""
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone, Profile.open(tmp_path / "a") as editor:
            stop = trio.Event()

            async def edit() -> None:
                for number in range(30):
                    Book(editor).add(card(f"c{number:02}"))
                    await trio.sleep(0)
                stop.set()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(edit)
                while not stop.is_set():
                    await sync(phone)
            await sync(phone)
            assert names(phone) == names(editor) == [f"c{number:02}" for number in range(30)]
            with await paired(phone, tmp_path / "b") as laptop:
                await sync(laptop)
                assert names(laptop) == names(phone)
                assert state(laptop) == state(phone)


async def test_a_removed_device_is_told_so(tmp_path: Path) -> None:
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone, await paired(phone, tmp_path / "b") as laptop:
            gone = Book(laptop).replica.member
            async with go_online(phone) as online:
                await online.connection.run(open_epoch(online.replica, online.link, lambda _now: (Remove(gone),)))
            Book(laptop).add(card("Bob"))
            with pytest.raises(DeviceRemoved, match="Phone shut this device, Laptop, out"):
                await sync(laptop)
        # Its copy is locked: what it had is for the person's kit alone (tests/cli/test_leaving.py).
        with pytest.raises(DeviceRemoved, match="locked"):
            Profile.open(tmp_path / "b")


async def test_a_relay_that_only_says_so_takes_nothing(tmp_path: Path) -> None:
    async with open_relay(tmp_path) as url:
        phone = await founded(tmp_path / "a", url)
    connection = apsw.Connection(str(tmp_path / "relay.sqlite3"))
    connection.execute("UPDATE sets SET set_id = zeroblob(32)")
    connection.close()
    with phone:
        Book(phone).add(card("Bob"))
        async with open_relay(tmp_path) as url:
            phone.store.put_book(phone.store.books()[0]._replace(relay=url))
            with pytest.raises(DeviceRemoved):
                await sync(phone)
            assert names(phone) == ["Bob"]
            assert any("does not know this device" in notice for notice in Book(phone).status().notices)


async def test_secrets_of_a_closed_epoch_are_in_no_file(tmp_path: Path) -> None:
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone, await paired(phone, tmp_path / "b") as laptop:
            for profile in (phone, laptop):
                await sync(profile)
            store = laptop.store.book(0)
            epoch = Book(laptop).replica.position.epoch
            sealing = [store.secret("sealing", number) for number in store.secret_numbers("sealing")]
            kept = [store.secret("epoch", epoch), *sealing]
            old = [secret.reveal() for secret in kept if secret is not None]
            assert any(part in _files(laptop) for part in old)
            for _epoch in range(2):
                async with go_online(phone) as online:
                    await online.connection.run(open_epoch(online.replica, online.link, lambda _now: ()))
                await sync(phone)
                await sync(laptop)
            assert Book(laptop).replica.position.epoch == epoch + 2
            content = _files(laptop)
            assert not any(part in content for part in old)


def _files(profile: Profile) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(profile.home.iterdir()) if path.is_file())


async def test_what_the_relay_holds(tmp_path: Path) -> None:
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone:
            await sync(phone)
            counts = await inspect(phone)
            assert (counts["records"], counts["envelopes"], counts["members"]) == (1, 2, 2)


async def test_a_profile_without_a_relay(tmp_path: Path) -> None:
    from e2esync.errors import NoProfile

    with profile_in(tmp_path / "a") as profile, pytest.raises(NoProfile):
        await sync(profile)
