"""watch(): what others write is here at once, what is written here is there at once; a lost relay is found again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from e2esync.client import watching as module
from e2esync.client.book import Book
from e2esync.client.profile import Profile
from e2esync.client.relocating import move
from e2esync.client.sync import go_online, sync
from e2esync.client.watching import watch
from e2esync.errors import ProfileBusy
from e2esync.procedures.opening import announce, open_epoch
from e2esync.procedures.sending import send
from e2esync.stores.relay_backup import backup, restore
from tests.client.test_relocating import blind_at_first
from tests.client.world import card, founded, names, open_relay, paired, state, until


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often, and come back soon. So short a look also breaks off whatever may not be broken off."""
    monkeypatch.setattr(module, "LOCAL_POLL", 0.002)
    monkeypatch.setattr(module, "RECONNECT_FIRST", 0.02)
    monkeypatch.setattr(module, "RECONNECT_MOST", 0.05)


@asynccontextmanager
async def watching(*profiles: Profile) -> AsyncIterator[list[str]]:
    """Everybody watches; gives what happened."""
    events: list[str] = []
    async with trio.open_nursery() as nursery:
        for profile in profiles:
            nursery.start_soon(_watch, profile, events.append)
        await until(lambda: events.count("connected") == len(profiles))
        yield events
        nursery.cancel_scope.cancel()


async def _watch(profile: Profile, on_event: Callable[[str], None]) -> None:
    await watch(profile, on_event=on_event)


async def test_edits_arrive_live_both_ways(tmp_path: Path) -> None:
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone, await paired(phone, tmp_path / "b") as laptop:
            async with watching(phone, laptop):
                Book(phone).add(card("Ada"))
                await until(lambda: names(laptop) == ["Ada"])
                Book(laptop).add(card("Bob"))
                await until(lambda: names(phone) == ["Ada", "Bob"])
                Book(laptop).remove([Book(laptop).find("Ada").contact])
                await until(lambda: names(phone) == ["Bob"])
            assert state(phone) == state(laptop)


async def test_an_import_with_blobs_arrives_live(tmp_path: Path) -> None:
    """It takes many requests, longer than a look for local edits does: none of them may be broken off."""
    from e2esync.card import read_vcards

    vcards = "".join(f"BEGIN:VCARD\r\nVERSION:4.0\r\nUID:u{n}\r\nFN:c{n:04}\r\nNOTE:{'x' * 900}\r\nEND:VCARD\r\n"
                     for n in range(1500))
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone, await paired(phone, tmp_path / "b") as laptop:
            async with watching(phone, laptop):
                book = Book(phone)
                book.apply(book.plan(read_vcards(vcards.encode(), salt=book.set_id)))
                Book(laptop).add(card("Zoe"))
                await until(lambda: len(names(laptop)) == len(names(phone)) == 1501)
            assert state(phone) == state(laptop)


async def test_the_edit_of_another_process_goes_out(tmp_path: Path) -> None:
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone, await paired(phone, tmp_path / "b") as laptop:
            async with watching(phone, laptop) as events:
                with Profile.open(tmp_path / "a") as other:
                    Book(other).add(card("Ada"))
                    with pytest.raises(ProfileBusy):
                        await sync(other)
                await until(lambda: names(laptop) == ["Ada"])
                assert "sent" in events


async def test_it_comes_back_after_the_relay_was_restarted(tmp_path: Path) -> None:
    async with open_relay(tmp_path) as url:
        phone = await founded(tmp_path / "a", url)
        laptop = await paired(phone, tmp_path / "b")
    with phone, laptop:
        events: list[str] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_watch, phone, events.append)
            nursery.start_soon(_watch, laptop, events.append)
            await until(lambda: events.count("unreachable") >= 2)
            for number in range(2):
                async with open_relay(tmp_path, url):
                    Book(phone).add(card(f"c{number}"))
                    await until(lambda count=number + 1: len(names(laptop)) == count)
                events.clear()
                await until(lambda: "unreachable" in events)
            nursery.cancel_scope.cancel()
        assert state(phone) == state(laptop)


async def test_it_follows_to_another_relay(tmp_path: Path) -> None:
    async with open_relay(tmp_path / "new") as new, open_relay(tmp_path / "old") as old:
        with await founded(tmp_path / "a", old) as phone, await paired(phone, tmp_path / "b") as laptop:
            async with watching(laptop) as events:
                assert await move(phone, new)
                await until(lambda: events.count("connected") == 2)
                assert "moved" in events
                assert Book(laptop).relay_url == new
                Book(laptop).add(card("Bob"))
                await until(lambda: Book(laptop).status().unsent == 0)
            await sync(phone)
            assert names(phone) == ["Bob"]


async def test_a_send_that_leads_to_another_relay_is_done_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                                ) -> None:
    seen = blind_at_first(monkeypatch)
    async with open_relay(tmp_path / "new") as new, open_relay(tmp_path / "old") as old:
        with await founded(tmp_path / "a", old) as phone, await paired(phone, tmp_path / "b") as laptop:
            await sync(laptop)
            assert await move(phone, new)
            Book(laptop).add(card("Bob"))
            seen.clear()
            async with watching(laptop) as events:
                assert events == ["moved", "connected"]
            assert seen
            await sync(phone)
            assert names(phone) == ["Bob"]


async def test_a_relay_that_was_restored_gets_back_what_it_lacks(tmp_path: Path) -> None:
    async with open_relay(tmp_path / "relay") as url:
        phone = await founded(tmp_path / "a", url)
        laptop = await paired(phone, tmp_path / "b")
        await sync(laptop)
        await sync(phone)
        backup(str(tmp_path / "relay" / "relay.sqlite3"), tmp_path / "backup")
        Book(phone).add(card("Ada"))
        await sync(phone)
        await _open(phone)
        await sync(laptop)
    restore(tmp_path / "backup", str(tmp_path / "relay" / "relay.sqlite3"))
    with phone, laptop:
        async with open_relay(tmp_path / "relay", url), watching(phone, laptop) as events:
            assert "restored" in events
            Book(laptop).add(card("Bob"))
            await until(lambda: names(phone) == ["Ada", "Bob"])
        assert state(phone) == state(laptop)


async def test_an_epoch_that_another_opens_is_entered(tmp_path: Path) -> None:
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone, await paired(phone, tmp_path / "b") as laptop:
            async with watching(laptop) as events:
                Book(laptop).add(card("Bob"))
                await _open(phone)
                Book(laptop).add(card("Cid"))
                await until(lambda: "epoch" in events)
                await until(lambda: Book(laptop).status().unsent == 0)
            await sync(phone)
            await sync(laptop)
            assert names(phone) == names(laptop) == ["Bob", "Cid"]
            assert state(phone) == state(laptop)
            assert Book(laptop).replica.position == Book(phone).replica.position


async def test_news_of_an_epoch_that_was_entered_already_is_no_news(tmp_path: Path) -> None:
    """The record is pushed while an append is on its way: the refusal of the append has led into the epoch by then."""
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone, await paired(phone, tmp_path / "b") as laptop:
            await sync(laptop)
            async with go_online(laptop) as online:
                await _open(phone)
                Book(laptop).add(card("Bob"))
                await online.connection.run(send(online.replica, online.link))
                events: list[str] = []
                with trio.fail_after(5):
                    push = await online.connection.next_push()
                    await module.take_push(online, push, events.append)
                assert events == []
            await sync(phone)
            assert names(phone) == ["Bob"]


async def test_an_announcement_does_not_make_a_device_unheard(tmp_path: Path) -> None:
    from e2esync.replica.port import SlotRow
    from e2esync.session.messages import SlotPush

    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone:
            await sync(phone)
            store = phone.store.book(0)
            store.put_slot(SlotRow(7, b"", b"", 12345))
            async with go_online(phone) as online:
                await module.take_push(online, SlotPush(7, b"announcement", b"", 1), lambda _event: None)
                assert store.slots()[-1] == SlotRow(7, b"announcement", b"", 12345)
                await module.take_push(online, SlotPush(7, b"announcement", b"forged", 1), lambda _event: None)
                assert store.slots()[-1].heard == 12345


async def _open(profile: Profile) -> None:
    async with go_online(profile) as online:
        await online.connection.run(open_epoch(online.replica, online.link, lambda _now: ()))
        await online.connection.run(announce(online.replica, online.link))
