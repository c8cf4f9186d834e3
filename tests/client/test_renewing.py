"""Further books when the kit is lost (SPEC 12.9 step 4): the finder of the old one reads nothing new in any of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2esync.access.kit import RecoveryKit
from e2esync.client.book import Book
from e2esync.client.books import create_book
from e2esync.client.carrying import leave_word
from e2esync.client.intents import intents
from e2esync.client.kits import own_kits
from e2esync.client.moving import rehome
from e2esync.client.profile import Profile
from e2esync.client.recovery import find_places, open_kit
from e2esync.client.regaining import regain_sets
from e2esync.client.renewing import Renewed, renew_books
from e2esync.client.sync import create_set, sync
from e2esync.epoch.roles import Role
from e2esync.errors import Unreachable
from e2esync.replica.core import Replica
from e2esync.replica.home import read_home
from e2esync.replica.moving import read_notice, successor
from tests.client.test_books import invite, synced
from tests.client.test_moving import followed, with_photo
from tests.client.world import ENTROPY, card, founded, open_relay, paired, profile_in


def named(profile: Profile, name: str) -> Book:
    (number,) = [info.number for info in profile.store.books() if info.name == name]
    return Book(profile, number)


def shown(profile: Profile, name: str) -> list[str]:
    return [row.name for row in named(profile, name).list()]


async def test_a_person_with_three_books_moves_all_that_is_hers(tmp_path: Path) -> None:
    old, new = RecoveryKit.generate(ENTROPY), RecoveryKit.generate(ENTROPY)
    async with open_relay(tmp_path) as url:
        phone = profile_in(tmp_path / "a")
        await create_set(phone, url, "Phone", old)
        with phone, await paired(phone, tmp_path / "b") as laptop:
            for name in ("Family", "Choir"):
                book = await create_book(phone, name)
                Book(phone, book.number).add(card(f"Ada of {name}"))
            await synced(phone, laptop, phone, laptop)
            before = {info.name: info.set_id for info in phone.store.books()}
            numbers = {info.name: info.number for info in laptop.store.books()}
            # Written on the laptop and never sent.
            named(laptop, "Family").add(card("Unsent"))

            await rehome(phone, new)
            assert await renew_books(phone) == [Renewed(1, "Family"), Renewed(2, "Choir")]
            # Nothing is left to do, under the same numbers.
            assert await renew_books(phone) == []
            assert [(info.number, info.name) for info in phone.store.books()] == [
                (0, "Contacts"), (1, "Family"), (2, "Choir")]
            assert not {info.set_id for info in phone.store.books()} & set(before.values())
            assert shown(phone, "Family") == ["Ada of Family"]
            Book(phone, 1).add(card("Later"))
            await synced(phone)

            # The laptop is confirmed by a person once; its other books follow by themselves, with what it had written.
            assert await followed(phone, laptop) == 0
            await synced(laptop)
            assert "has moved to a new set" in " ".join(intent.text for intent in intents(laptop))
            await synced(phone, laptop, phone)
            for profile in (phone, laptop):
                assert shown(profile, "Family") == ["Ada of Family", "Later", "Unsent"]
                assert shown(profile, "Choir") == ["Ada of Choir"]
                assert intents(profile) == []
                assert len(profile.store.books()) == 3
            # A book keeps the number under which each device has it.
            assert {info.name: info.number for info in laptop.store.books()} == numbers

            # Who finds the old kit is a member of the old sets, and of nothing that is written now.
            places = await find_places(old, url, range(16))
            assert {keys.set_id for keys in places} == set(before.values())
            async with open_kit(old, url) as rescue:
                assert rescue.replica.set_id == before["Contacts"]
            with profile_in(tmp_path / "c") as rescued:
                async with open_kit(new, url) as rescue:
                    await rescue.restore(rescued, "Rescued")
                back = await regain_sets(rescued, new, "Rescued")
                assert {(each.name, each.contacts, each.problem) for each in back} == {
                    ("Family", 3, ""), ("Choir", 1, "")}


async def test_in_a_shared_book_an_owner_replaces_the_old_kit_and_others_are_told(tmp_path: Path) -> None:
    new = RecoveryKit.generate(ENTROPY)
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as ada, await founded(tmp_path / "b", url) as bob:
            await create_book(ada, "Family")
            assert await invite(ada, 1, bob, Role.OWNER) == []
            before = own_kits_in(bob, 1)
            await rehome(bob, new)
            assert await renew_books(bob) == [Renewed(1, "Family")]
            assert own_kits_in(bob, 1) != before
            assert [m.role for m in own_kits(Replica(bob.store.book(1)), new)] == [Role.RECOVERY]
            assert await renew_books(bob) == []
            await synced(bob, ada)

            # Ada made it: her kit is its root, which nothing but itself takes out.
            await rehome(ada, RecoveryKit.generate(ENTROPY))
            (done,) = await renew_books(ada)
            assert (done.book, "its root" in done.problem) == (1, True)
            Book(ada, 1).add(card("Grace"))
            await synced(ada, bob)
            assert shown(bob, "Family") == ["Grace"]


async def test_a_writer_is_told_that_owners_decide(tmp_path: Path) -> None:
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as ada, await founded(tmp_path / "b", url) as bob:
            await create_book(ada, "Family")
            assert await invite(ada, 1, bob) == []
            await rehome(bob, RecoveryKit.generate(ENTROPY))
            (done,) = await renew_books(bob)
            assert "only its owners" in done.problem


async def test_a_move_that_was_broken_off_goes_on_with_the_set_that_it_had_made(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone:
            await create_book(phone, "Family")
            Book(phone, 1).add(card("Ada"))
            await sync(phone, 1)
            await rehome(phone, RecoveryKit.generate(ENTROPY))

            def cut(*_: object) -> None:
                raise Unreachable("the line is down")

            with monkeypatch.context() as patch:
                patch.setattr("e2esync.client.renewing.leave_word", cut)
                assert [each.problem for each in await renew_books(phone)] == ["the line is down"]
            assert await renew_books(phone) == [Renewed(1, "Family")]
            assert [info.number for info in phone.store.books()] == [0, 1]
            assert shown(phone, "Family") == ["Ada"]
            listed = read_home(Replica(phone.store.book(0))).sets.values()
            assert sorted(each.left for each in listed) == [False, True]


async def test_a_notice_of_a_set_that_the_home_set_does_not_list_leads_nowhere(tmp_path: Path) -> None:
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone, await founded(tmp_path / "b", url) as thief:
            await create_book(phone, "Family")
            book = Book(phone, 1)
            leave_word(book, Book(thief), url, book.now)
            replica = Replica(phone.store.book(1))
            assert read_notice(replica) is not None
            assert successor(read_home(Replica(phone.store.book(0))), replica) is None
            await synced(phone)
            assert [info.number for info in phone.store.books()] == [0, 1]


async def test_photos_go_along(tmp_path: Path) -> None:
    new = RecoveryKit.generate(ENTROPY)
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone:
            await create_book(phone, "Family")
            with_photo(phone, 1)
            await synced(phone)
            await rehome(phone, new)
            assert await renew_books(phone) == [Renewed(1, "Family")]
            book = Book(phone, 1)
            (media,) = book.card(book.find("Ada").contact)["media"].values()
            assert book.media(media["digest"]) is not None


def own_kits_in(profile: Profile, book: int) -> set[bytes]:
    """The keys of this person's recovery members in a book."""
    replica = Replica(profile.store.book(book))
    return {member.verify_key for member in replica.chain.members.values()
            if not member.is_device and member.person == replica.person}
