"""Another relay for a book (SPEC 14.10): with real connections, and photos."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import pytest

from e2esync.access.kit import RecoveryKit
from e2esync.client import relocating
from e2esync.client.book import Book
from e2esync.client.books import create_book, move_to_book
from e2esync.client.moving import rehome
from e2esync.client.profile import Profile
from e2esync.client.relocating import move
from e2esync.client.sync import create_set, sync
from e2esync.client.together import sync_all
from e2esync.errors import ProfileError, Refused, Unreachable
from e2esync.procedures import reading, syncing
from e2esync.procedures.steps import Link, Procedure
from e2esync.replica.core import Replica
from e2esync.replica.home import read_home
from e2esync.session.policy import Policy, Registration
from e2esync.stores.relay_invitations import invite as make_invitation
from e2esync.stores.relay_migrate import open_depot
from tests.client.test_books import invite, synced
from tests.client.world import ENTROPY, card, founded, names, open_relay, paired, profile_in, state

INVITED = Policy(registration=Registration.INVITATION)


def _invitation(folder: Path) -> bytes:
    """One more of the operator's."""
    with closing(open_depot(str(folder / "relay.sqlite3"))) as depot:
        return make_invitation(depot, time.time_ns() // 1_000_000 + 60_000)


def _listed(profile: Profile) -> list[str]:
    """Where the home book says that the further ones are."""
    return [each.relay for each in read_home(Book(profile).replica).sets.values()]


def blind_at_first(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """The next sync sees nothing new at first, as if a record had come a moment later; how often that was so."""
    seen = [True]

    def catch_up(replica: Replica, link: Link) -> Procedure[int]:
        if seen:
            return (yield from reading.catch_up(replica, link))
        seen.append(True)
        return 0

    monkeypatch.setattr(syncing, "catch_up", catch_up)
    return seen


async def test_a_sync_that_meets_the_move_in_its_middle_is_done_at_the_other_relay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its append is refused, leads into the epoch that names the other relay, and goes out there."""
    seen = blind_at_first(monkeypatch)
    async with open_relay(tmp_path / "new") as new, open_relay(tmp_path / "old") as old:
        phone = await founded(tmp_path / "phone", old)
        laptop = await paired(phone, tmp_path / "laptop")
        await sync(laptop)
        assert await move(phone, new)
        Book(laptop).add(card("Bob"))
        seen.clear()
        assert (await sync(laptop)).sent == 1
        assert seen
        assert Book(laptop).relay_url == new
        await sync(phone)
        assert names(phone) == ["Bob"]


async def test_a_book_moves_and_the_others_follow(tmp_path: Path) -> None:
    async with open_relay(tmp_path / "new") as new:
        async with open_relay(tmp_path / "old") as old:
            phone = await founded(tmp_path / "phone", old)
            await sync(phone)
            laptop = await paired(phone, tmp_path / "laptop")
            Book(phone).add(card("Ada"))
            Book(laptop).add(card("Bob"))
            assert await move(phone, new)
            # The laptop still asks the old one, which tells it where to go.
            await sync(laptop)
            assert Book(laptop).relay_url == new
        await sync(phone)
        await sync(laptop)
        await sync(phone)
        assert names(phone) == names(laptop) == ["Ada", "Bob"]
        assert state(phone) == state(laptop)


async def test_a_relay_that_is_gone_is_replaced_from_any_device(tmp_path: Path) -> None:
    async with open_relay(tmp_path / "old") as old:
        phone = await founded(tmp_path / "phone", old)
        await sync(phone)
        laptop = await paired(phone, tmp_path / "laptop")
        await sync(phone)
    Book(phone).add(card("Ada"))
    Book(laptop).add(card("Bob"))
    async with open_relay(tmp_path / "new") as new:
        assert await move(phone, new)
        await sync(phone)
        assert not await move(laptop, new)
        await sync(laptop)
        await sync(phone)
        assert names(phone) == names(laptop) == ["Ada", "Bob"]
        assert state(phone) == state(laptop)


async def test_the_home_book_says_where_a_further_one_is_now(tmp_path: Path) -> None:
    """The book's old relay is gone, so nobody there can say it; a device that comes later goes straight there."""
    async with open_relay(tmp_path / "home") as home:
        async with open_relay(tmp_path / "old") as old:
            phone = await founded(tmp_path / "phone", home)
            laptop = await paired(phone, tmp_path / "laptop")
            await create_book(phone, "Family", old)
            Book(phone, 1).add(card("Ada"))
            await synced(phone, laptop, phone, laptop)
            assert _listed(phone) == _listed(laptop) == [old]
        async with open_relay(tmp_path / "new") as new:
            assert await move(phone, new, book=1)
            assert _listed(phone) == [new]
            Book(laptop, 1).add(card("Bob"))
            await synced(laptop, phone)
            assert Book(laptop, 1).relay_url == new
            assert [row.name for row in Book(phone, 1).list()] == ["Ada", "Bob"]
            assert _listed(phone) == _listed(laptop) == [new]
            tablet = await paired(phone, tmp_path / "tablet", "Tablet")
            await synced(tablet, phone, tablet)
            assert Book(tablet, 1).relay_url == new
            assert [row.name for row in Book(tablet, 1).list()] == ["Ada", "Bob"]


async def test_a_book_comes_back_to_where_it_was(tmp_path: Path) -> None:
    async with open_relay(tmp_path / "one") as one, open_relay(tmp_path / "other") as other:
        phone = await founded(tmp_path / "phone", one)
        laptop = await paired(phone, tmp_path / "laptop")
        Book(phone).add(card("Ada"))
        for count, url in enumerate((other, one, other)):
            assert await move(phone, url)
            Book(laptop).add(card(f"Bob {count}"))
            for profile in (laptop, phone):
                await sync(profile)
            assert Book(laptop).relay_url == url
            assert state(phone) == state(laptop)
        assert len(names(laptop)) == 4


async def test_an_old_relay_that_was_told_nothing_keeps_nobody(tmp_path: Path) -> None:
    """It was away when the book moved, and is there again: it still serves who believes it."""
    async with open_relay(tmp_path / "home") as home, open_relay(tmp_path / "new") as new:
        async with open_relay(tmp_path / "old") as old:
            phone = await founded(tmp_path / "phone", home)
            laptop = await paired(phone, tmp_path / "laptop")
            await create_book(phone, "Family", old)
            await synced(phone, laptop, phone, laptop)
        assert await move(phone, new, book=1)
        async with open_relay(tmp_path / "old", old):
            Book(laptop, 1).add(card("Bob"))
            await synced(laptop, phone)
            assert Book(laptop, 1).relay_url == new
            assert [row.name for row in Book(phone, 1).list()] == ["Bob"]


async def test_an_address_in_the_home_book_that_leads_nowhere_changes_nothing(tmp_path: Path) -> None:
    async with open_relay(tmp_path / "a") as url, open_relay(tmp_path / "b") as other:
        phone = await founded(tmp_path / "phone", url)
        await create_book(phone, "Family")
        await synced(phone)
        for nowhere in ("ws://127.0.0.1:9", "no address", other):
            relocating._note_relay(phone, 1, nowhere, lambda: time.time_ns() // 1_000_000)
            relay = phone.store.books()[1]
            phone.store.put_book(relay._replace(relay=url))
            await synced(phone)
            assert Book(phone, 1).relay_url == url


async def test_who_follows_in_a_shared_book_tells_the_own_devices(tmp_path: Path) -> None:
    async with open_relay(tmp_path / "old") as old, open_relay(tmp_path / "new") as new:
        ada, bob = await founded(tmp_path / "ada", old), await founded(tmp_path / "bob", old)
        await create_book(ada, "Family")
        assert await invite(ada, 1, bob) == []
        with pytest.raises(ProfileError, match="only an owner"):
            await move(bob, new, book=1)
        assert await move(ada, new, book=1)
        await synced(bob)
        assert Book(bob, 1).relay_url == new
        assert _listed(bob) == [new]


async def test_a_relay_that_takes_nobody_uninvited_changes_nothing(tmp_path: Path) -> None:
    async with open_relay(tmp_path / "old") as old, open_relay(tmp_path / "new", policy=INVITED) as new:
        phone = await founded(tmp_path / "phone", old)
        laptop = await paired(phone, tmp_path / "laptop")
        await sync(phone)
        before = Book(phone).replica.position
        with pytest.raises(Refused, match="by invitation only") as refused:
            await move(phone, new)
        assert "--invitation CODE" in refused.value.hint
        with pytest.raises(Refused) as refused:
            await move(phone, new, invitation=bytes(16))
        assert "another one" in refused.value.hint
        assert Book(phone).replica.position == before
        Book(phone).add(card("Ada"))
        await sync(phone)
        await sync(laptop)
        assert names(laptop) == ["Ada"]
        assert Book(phone).relay_url == old
        assert await move(phone, new, invitation=_invitation(tmp_path / "new"))
        await sync(laptop)
        assert Book(laptop).relay_url == new


async def test_a_move_that_was_broken_off_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old relay was told already, and the new one has the chain; the invitation is used up."""
    async def killed(*_arguments: object) -> None:
        raise Unreachable("killed here")

    async with open_relay(tmp_path / "old") as old, open_relay(tmp_path / "new", policy=INVITED) as new:
        phone = await founded(tmp_path / "phone", old)
        laptop = await paired(phone, tmp_path / "laptop")
        Book(phone).add(card("Ada"))
        with monkeypatch.context() as patch:
            patch.setattr(relocating, "_bring", killed)
            with pytest.raises(Unreachable):
                await move(phone, new, invitation=_invitation(tmp_path / "new"))
        assert await move(phone, new)
        Book(laptop).add(card("Bob"))
        for profile in (laptop, phone):
            await sync(profile)
        assert names(phone) == names(laptop) == ["Ada", "Bob"]
        assert state(phone) == state(laptop)


async def test_a_relay_that_has_lost_everything_takes_it_back_by_invitation(tmp_path: Path) -> None:
    async with open_relay(tmp_path / "relay") as url:
        phone = await founded(tmp_path / "phone", url)
        laptop = await paired(phone, tmp_path / "laptop")
        Book(phone).add(card("Ada"))
        await sync(phone)
        with closing(open_depot(str(tmp_path / "relay" / "relay.sqlite3"))) as depot:
            secret, _incarnation = depot.identity()
    for file in (tmp_path / "relay").iterdir():
        file.unlink()
    async with open_relay(tmp_path / "relay", url):
        pass
    from e2esync.stores.relay_keys import replace_key

    with closing(open_depot(str(tmp_path / "relay" / "relay.sqlite3"))) as depot:
        replace_key(depot, secret)
    async with open_relay(tmp_path / "relay", url, INVITED):
        with pytest.raises(Refused, match="has lost this book") as refused:
            await sync(phone)
        assert f"e2esync relay move {url} --invitation CODE" in refused.value.hint
        assert await move(phone, url, invitation=_invitation(tmp_path / "relay"))
        await sync(laptop)
        assert names(phone) == names(laptop) == ["Ada"]


async def test_every_new_set_may_bring_an_invitation(tmp_path: Path) -> None:
    folder = tmp_path / "relay"
    async with open_relay(folder, policy=INVITED) as url:
        phone = profile_in(tmp_path / "phone")
        kit = RecoveryKit.generate(ENTROPY)
        with pytest.raises(Refused, match="by invitation only"):
            await create_set(phone, url, "Phone", kit)
        await create_set(phone, url, "Phone", kit, invitation=_invitation(folder))
        Book(phone).add(card("Ada"))
        await sync(phone)
        for without in (
            lambda: create_book(phone, "Family"), lambda: move_to_book(phone, "Club"),
            lambda: rehome(phone, RecoveryKit.generate(ENTROPY)),
        ):
            with pytest.raises(Refused, match="by invitation only") as refused:
                await without()
            assert "--invitation CODE" in refused.value.hint
            assert [info.name for info in phone.store.books()] == ["Contacts"]
        await create_book(phone, "Family", invitation=_invitation(folder))
        await move_to_book(phone, "Club", invitation=_invitation(folder))
        assert [info.name for info in phone.store.books()] == ["Contacts", "Family", "Club"]
        assert [row.name for row in Book(phone, 2).list()] == ["Ada"]
        await rehome(phone, RecoveryKit.generate(ENTROPY), invitation=_invitation(folder))
        assert [each.error for each in await sync_all(phone)] == [None, None, None]
