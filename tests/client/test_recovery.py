"""Recovery over a real relay (SPEC 12.6, 12.7): all books of a person, an earlier time, and a thief who is at it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from e2esync.access.kit import RecoveryKit
from e2esync.client.book import Book
from e2esync.client.books import create_book
from e2esync.client.intents import intents
from e2esync.client.members import revoke
from e2esync.client.profile import Profile
from e2esync.client.recovery import find_places, open_kit
from e2esync.client.regaining import regain_sets
from e2esync.client.rescuing import add_rescue
from e2esync.client.sync import Connection, create_set, go_online, sync
from e2esync.client.together import sync_all
from e2esync.epoch.record import parse_record
from e2esync.errors import DeviceRemoved, HandshakeFailed, NotFound, ProfileError, Refused, Unreachable
from e2esync.procedures.founding import create
from e2esync.procedures.opening import open_epoch
from e2esync.replica.core import Replica
from e2esync.replica.founding import found
from e2esync.replica.home import FurtherSet, list_set, read_home
from e2esync.replica.own_object import name_book, name_device, write_own
from e2esync.replica.together import register
from e2esync.stores.profile import BookInfo
from e2esync.wire import Value
from tests.client.world import ENTROPY, card, names, open_relay, paired, profile_in

DAY = 86_400_000


class Clock:
    """A device's clock, which moves when a test says so, and a second at every look."""

    def __init__(self) -> None:
        self.time = 1_800_000_000_000

    def __call__(self) -> int:
        self.time += 1000
        return self.time


async def founded_with(folder: Path, url: str, kit: RecoveryKit, clock: Clock) -> Profile:
    profile = profile_in(folder)
    await create_set(profile, url, "Phone", kit, now=clock)
    return profile


async def write(profile: Profile, clock: Clock, *people: str, **more: Value) -> None:
    """Add people, and sync."""
    book = Book(profile, now=clock)
    for person in people:
        book.add(card(person, **more))
    await sync(profile, now=clock)


async def empty(profile: Profile, clock: Clock) -> None:
    """Delete everything, and sync."""
    book = Book(profile, now=clock)
    book.remove([row.contact for row in book.list()])
    await sync(profile, now=clock)


async def compact(profile: Profile, clock: Clock) -> None:
    """Open an epoch for nothing."""
    async with go_online(profile, now=clock) as online:
        await online.connection.run(open_epoch(online.replica, online.link, lambda _replica: ()))


@asynccontextmanager
async def three_days(tmp_path: Path, kit: RecoveryKit) -> AsyncIterator[tuple[str, Profile, Clock]]:
    """Ada on the first day, Bob and an epoch on the second, nobody on the third; the clock stands at its end."""
    clock = Clock()
    async with open_relay(tmp_path) as url:
        with await founded_with(tmp_path / "a", url, kit, clock) as phone:
            await write(phone, clock, "Ada", phones={"m": {"number": "+49 1"}})
            clock.time += DAY
            await write(phone, clock, "Bob")
            await compact(phone, clock)
            clock.time += DAY
            book = Book(phone, now=clock)
            book.update(book.find("Bob").contact, {**book.card(book.find("Bob").contact), "name": {"full": "Eve"}})
            await empty(phone, clock)
            yield url, phone, clock


@pytest.mark.parametrize(("days_ago", "people"), [(2.5, []), (1.5, ["Ada"]), (0.5, ["Ada", "Bob"]), (0, [])])
async def test_a_book_is_put_back_as_it_was(tmp_path: Path, days_ago: float, people: list[str]) -> None:
    kit = RecoveryKit.generate(ENTROPY)
    async with three_days(tmp_path, kit) as (url, phone, clock):
        at = clock.time - int(days_ago * DAY)
        with profile_in(tmp_path / "b") as new:
            async with open_kit(kit, url, now=clock) as rescue:
                if days_ago > 2:
                    with pytest.raises(NotFound):
                        await rescue.past(at)
                    return
                past = await rescue.past(at)
                assert past.contacts == len(people)
                await rescue.restore(new, "New phone", past=past)
            assert names(new) == people
            # As operations of its own: the other device, which was online all the time, has them with its next sync.
            await sync(phone, now=clock)
            assert names(phone) == people
            if people:
                ada = Book(phone).find("Ada").contact
                assert Book(phone).card(ada)["phones"] == {"m": {"number": "+49 1"}}


async def test_what_can_be_restored_is_listed(tmp_path: Path) -> None:
    kit = RecoveryKit.generate(ENTROPY)
    async with three_days(tmp_path, kit) as (url, _phone, clock), open_kit(kit, url, now=clock) as rescue:
        listed = await rescue.retained()
        assert [each.epoch for each in listed] == [1, 0]
        assert listed[0].until == 0
        assert listed[1].until == listed[0].since
        assert listed[1].since < listed[0].since < clock.time


async def test_nothing_is_written_by_looking(tmp_path: Path) -> None:
    kit = RecoveryKit.generate(ENTROPY)
    async with three_days(tmp_path, kit) as (url, phone, clock):
        async with open_kit(kit, url, now=clock) as rescue:
            await rescue.past(clock.time - DAY)
        assert (await sync(phone, now=clock)).received == 0
        assert names(phone) == []


async def further_set(profile: Profile, url: str, kit: RecoveryKit, number: int, name: str) -> bytes:
    """A further set whose root is recovery key `number`, listed in the home set."""
    store = profile.store.book(number)
    visit = await Connection.as_visitor(url, None, ENTROPY)
    founding = found(store, kit.signing_key(number), kit.sealing_key(number), visit.relay_key, 1, ENTROPY)
    replica = Replica(store)
    profile.store.put_book(BookInfo(number, founding.set_id, name, url))
    name_book(replica, name, 1)
    name_device(replica, replica.member, "Phone", 1)
    await visit.run(create(founding))
    await visit.aclose()
    home = Replica(profile.store.book(0))
    me = replica.chain.members[replica.member]
    list_set(home, FurtherSet(founding.set_id, name, url, me.person, me.role, number), 1)
    register(home, replica, url, 1)
    return founding.set_id


async def test_all_books_come_back_and_the_lost_phone_is_out_of_each(tmp_path: Path) -> None:
    kit = RecoveryKit.generate(ENTROPY)
    async with open_relay(tmp_path) as url:
        with await founded_with(tmp_path / "a", url, kit, Clock()) as phone, profile_in(tmp_path / "b") as new:
            await write(phone, Clock(), "Ada")
            family = await further_set(phone, url, kit, 1, "Family")
            await further_set(phone, url, kit, 2, "Choir")
            Book(phone, 1).add(card("Bea"))
            await sync(phone)
            await sync(phone, 1)
            await sync(phone, 2)
            async with open_kit(kit, url) as rescue:
                await rescue.restore(new, "New phone", remove=set(rescue.devices()))
            done = await regain_sets(new, kit, "New phone")
            assert {(each.name, each.contacts, each.removed, each.problem) for each in done} == {
                ("Family", 1, ("Phone",), ""), ("Choir", 0, ("Phone",), "")}
            number = next(each.book for each in done if each.set_id == family)
            assert [row.name for row in Book(new, number).list()] == ["Bea"]
            assert names(new) == ["Ada"]
            for book in (2, 1, 0):
                with pytest.raises(DeviceRemoved):
                    await sync(phone, book)
            # Every device of the book reads what the kit did.
            (used,) = [each for each in Book(new).status().notices if "kit was used" in each]
            assert "and has added New phone and shut out Phone; if that was not you" in used
            # Once more finds nothing left to do.
            assert await regain_sets(new, kit, "New phone") == []


async def test_a_set_that_the_thief_took_off_the_list_is_found_all_the_same(tmp_path: Path) -> None:
    kit = RecoveryKit.generate(ENTROPY)
    async with open_relay(tmp_path) as url:
        with await founded_with(tmp_path / "a", url, kit, Clock()) as phone, profile_in(tmp_path / "b") as new:
            set_id = await further_set(phone, url, kit, 1, "Family")
            home = Replica(phone.store.book(0))
            write_own(home, {f"sets/{set_id.hex()}": None}, 2)
            await sync(phone)
            await sync(phone, 1)
            async with open_kit(kit, url) as rescue:
                await rescue.restore(new, "New phone")
            assert [(each.name, each.problem) for each in await regain_sets(new, kit, "New phone")] == [("Family", "")]


async def test_what_cannot_be_reached_is_named_and_stays_listed(tmp_path: Path) -> None:
    kit = RecoveryKit.generate(ENTROPY)
    gone = "ws://127.0.0.1:9"
    async with open_relay(tmp_path) as url:
        with await founded_with(tmp_path / "a", url, kit, Clock()) as phone, profile_in(tmp_path / "b") as new:
            home = Replica(phone.store.book(0))
            me = home.chain.members[home.member]
            list_set(home, FurtherSet(b"\1" * 32, "Choir", gone, me.person, me.role, 3), 1)
            await sync(phone)
            async with open_kit(kit, url) as rescue:
                await rescue.restore(new, "New phone")
            (missing,) = await regain_sets(new, kit, "New phone")
            assert (missing.name, missing.book) == ("Choir", 0)
            assert missing.problem
            (again,) = await regain_sets(new, kit, "New phone")
            assert again == missing


async def test_each_further_book_has_a_key_of_its_own_and_comes_back_from_its_own_relay(tmp_path: Path) -> None:
    kit = RecoveryKit.generate(ENTROPY)
    (tmp_path / "two").mkdir()
    async with open_relay(tmp_path) as url, open_relay(tmp_path / "two") as elsewhere:
        with await founded_with(tmp_path / "a", url, kit, Clock()) as phone, profile_in(tmp_path / "b") as new:
            for name, relay in (("Family", url), ("Choir", url), ("Club", elsewhere)):
                book = await create_book(phone, name, relay)
                Book(phone, book.number).add(card(f"Ada of {name}"))
                await sync(phone, book.number)
            listed = read_home(Replica(phone.store.book(0))).sets.values()
            assert sorted((each.name, each.kit) for each in listed) == [("Choir", 2), ("Club", 3), ("Family", 1)]
            async with open_kit(kit, url) as rescue:
                await rescue.restore(new, "New")
            back = await regain_sets(new, kit, "New")
            assert {(each.name, each.contacts, each.problem) for each in back} == {
                ("Family", 1, ""), ("Choir", 1, ""), ("Club", 1, "")}


async def test_a_book_that_nobody_is_left_to_let_this_device_into_comes_by_the_kit(tmp_path: Path) -> None:
    kit = RecoveryKit.generate(ENTROPY)
    async with open_relay(tmp_path) as url:
        with (await founded_with(tmp_path / "a", url, kit, Clock()) as phone,
              await paired(phone, tmp_path / "b") as laptop):
            await create_book(phone, "Family")
            Book(phone, 1).add(card("Ada"))
            await sync(phone, 1)
            await sync_all(laptop)
            await revoke(laptop, {Book(phone).replica.member})
            (waits,) = intents(laptop)
            assert "no other device of yours is left" in waits.text
            (back,) = await regain_sets(laptop, kit, "Laptop")
            # In the place that was kept for it, once.
            assert (back.book, back.contacts, back.removed) == (1, 1, ("Phone",))
            assert [info.number for info in laptop.store.books()] == [0, 1]
            assert [row.name for row in Book(laptop, 1).list()] == ["Ada"]
            assert intents(laptop) == []
            assert [each.error for each in await sync_all(laptop)] == [None, None]


async def test_a_key_is_found_where_it_is_a_member_only(tmp_path: Path) -> None:
    kit, other = RecoveryKit.generate(ENTROPY), RecoveryKit.generate(ENTROPY)
    async with open_relay(tmp_path) as url:
        with await founded_with(tmp_path / "a", url, kit, Clock()) as phone:
            places = await find_places(kit, url, range(3))
            assert [(keys.set_id, keys.member, keys.number) for keys in places] == [(Book(phone).set_id, 0, 0)]
            assert await find_places(other, url, range(3)) == []
            with pytest.raises(HandshakeFailed):
                async with open_kit(other, url):
                    raise AssertionError("opened with a kit of nothing")


async def rotate_for_ever(thief: Profile, clock: Clock, started: trio.Event) -> None:
    """Write, and open epoch after epoch, until shut out."""
    book = Book(thief, now=clock)
    for number in range(1000):
        book.add(card(f"flood {number}"))
        try:
            await sync(thief, now=clock)
            started.set()
            await compact(thief, clock)
        except Refused:
            continue
        except (DeviceRemoved, Unreachable):
            return


async def test_s4_recovery_while_a_thief_rotates(tmp_path: Path) -> None:
    """A thief has the unlocked phone: it shut the laptop out, emptied the book, and opens epochs as fast as it can."""
    kit, clock = RecoveryKit.generate(ENTROPY), Clock()
    async with open_relay(tmp_path) as url:
        thief = await founded_with(tmp_path / "a", url, kit, clock)
        with thief, await paired(thief, tmp_path / "b") as laptop:
            await write(laptop, clock, "Ada", "Bob")
            await sync(thief, now=clock)
            good = clock.time
            clock.time += DAY
            await revoke(thief, {Replica(laptop.store.book(0)).member}, now=clock)
            await empty(thief, clock)
            Book(laptop, now=clock).add(card("Unsent"))
            with pytest.raises(DeviceRemoved):
                await sync(laptop, now=clock)

            with profile_in(tmp_path / "c") as new:
                with trio.fail_after(20):
                    async with trio.open_nursery() as nursery:
                        started = trio.Event()
                        nursery.start_soon(rotate_for_ever, thief, clock, started)
                        await started.wait()
                        async with open_kit(kit, url, now=clock) as rescue:
                            epoch = rescue.replica.chain.epoch
                            past = await rescue.past(good)
                            await rescue.restore(new, "New phone", remove=set(rescue.devices()), past=past)
                        nursery.cancel_scope.cancel()
                # The very first opening was accepted: nothing moved from the moment on in which the kit came.
                assert parse_record(new.store.book(0).records()[epoch + 1]).opener == 0
                assert names(new) == ["Ada", "Bob"]
                assert [device.name for device in Book(new).devices()] == ["New phone"]
                # It may have learned of it while it was still rotating, and is erased then.
                with pytest.raises(ProfileError):
                    await sync(thief, now=clock)
                with pytest.raises(DeviceRemoved, match="recovery kit"):
                    Profile.open(tmp_path / "a")
                # What the laptop held when it was shut out is sealed for the kit: paired again, it writes it back.
                (kept,) = (tmp_path / "b").glob("rescue-*")
                with await paired(new, tmp_path / "d") as again, kept.open("rb") as file:
                    _book, done = add_rescue(again, kit, file.read, now=clock)
                    assert len(done.contacts) == 1
                    await sync(again, now=clock)
                    assert names(again) == ["Ada", "Bob", "Unsent"]
