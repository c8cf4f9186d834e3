"""Further books over a real relay: made, shared, followed by one's other devices, left; and what a relay tries."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from e2esync.access.code import PairingCode
from e2esync.access.kit import RecoveryKit
from e2esync.access.pairing import Offer
from e2esync.client.book import Book
from e2esync.client.books import accept, create_book, leave, people, share, unshare
from e2esync.client.intents import intents
from e2esync.client.members import revoke
from e2esync.client.profile import Profile
from e2esync.client.rescuing import add_rescue
from e2esync.client.sync import create_set
from e2esync.client.together import BookSync, sync_all, watch_all
from e2esync.epoch.roles import Role
from e2esync.errors import E2esyncError, NotFound, PairingAborted, ProfileError, ProfileExists, ReadOnly
from tests.client.world import ENTROPY, PATIENCE, card, founded, open_relay, paired, profile_in, until


async def invite(host: Profile, book: int, guest: Profile, role: Role = Role.WRITER, *, decide: bool = True,
                 spoil: Callable[[str], str] = str) -> list[E2esyncError]:
    """Both sides of an invitation; what went wrong on either."""
    codes, words = trio.open_memory_channel[str](1), trio.open_memory_channel[str](1)
    raised: list[E2esyncError] = []

    async def ask(device: str, person: str) -> str:
        assert (device, person) == ("Phone", "Bob")
        return spoil(await words[1].receive())

    async def decided(offer: Offer) -> bool:
        assert offer.inviter is not None
        assert (offer.inviter.name, offer.inviter.book, offer.role) == ("Ada", "Family", role)
        return decide

    async def first(scope: trio.CancelScope) -> None:
        def show(code: PairingCode) -> None:
            codes[0].send_nowait(code.text())

        try:
            await share(host, book, role, "Ada", show_code=show, ask_words=ask)
        except E2esyncError as error:
            raised.append(error)
            scope.cancel()

    async def second() -> None:
        try:
            await accept(guest, await codes[1].receive(), "Bob", "Phone", decide=decided,
                         show_words=lambda each: words[0].send_nowait(" ".join(each)))
        except E2esyncError as error:
            raised.append(error)

    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(first, nursery.cancel_scope)
            nursery.start_soon(second)
    return raised


async def synced(*profiles: Profile) -> list[BookSync]:
    """Sync all books of these profiles; nothing may go wrong."""
    done = []
    for profile in profiles:
        done += await sync_all(profile)
    assert [each.error for each in done if each.error] == []
    return done


async def test_a_further_book_is_on_the_other_devices_after_three_syncs(tmp_path: Path) -> None:
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone, await paired(phone, tmp_path / "b") as laptop:
            info = await create_book(phone, "Family")
            assert (info.number, info.name, info.relay) == (1, "Family", url)
            Book(phone, 1).add(card("Ada"))
            await synced(phone, laptop)
            assert [(each.kind, each.book) for each in intents(laptop)] == [("follow", "Family")]
            assert not Book(laptop, 1).exists()
            await synced(phone)
            assert intents(phone) == []
            done = await synced(laptop)
            assert [each.name for each in done] == ["Contacts", "Family"]
            assert intents(laptop) == []
            assert [row.name for row in Book(laptop, 1).list()] == ["Ada"]
            # Each has its own keys, and calls the devices the same.
            await synced(phone, laptop)
            assert [device.name for device in Book(phone, 1).devices()] == ["Phone", "Laptop"]
            keys = [Book(phone, n).replica.chain.used_keys for n in (0, 1)]
            assert not keys[0] & keys[1]
            # Its one-time root is nobody's kit: nobody is frightened by it.
            assert not any("kit was" in notice for notice in Book(laptop, 1).status().notices)


async def test_a_book_is_shared_and_a_revoked_device_leaves_it_too(tmp_path: Path) -> None:
    async with open_relay(tmp_path) as url:
        with (await founded(tmp_path / "a", url) as ada, await founded(tmp_path / "b", url) as bob,
              await paired(bob, tmp_path / "c") as laptop):
            await create_book(ada, "Family")
            Book(ada, 1).add(card("Grace"))
            assert await invite(ada, 1, bob) == []
            assert [row.name for row in Book(bob, 1).list()] == ["Grace"]
            await synced(laptop, bob, laptop, ada)
            assert Book(laptop, 1).exists()
            found = people(Book(ada, 1).replica)
            assert [(each.name, each.role, each.devices, each.this) for each in found] == [
                ("Ada", "owner", 1, True), ("Bob", "writer", 2, False)]
            Book(laptop, 1).add(card("Linus"))
            await synced(laptop, ada)
            assert [row.name for row in Book(ada, 1).list()] == ["Grace", "Linus"]
            # Removed at home, and so everywhere; said until it is done.
            await revoke(bob, {Book(laptop).replica.member})
            assert [each.text for each in intents(bob)] == [
                "Laptop was removed from your devices, and is still in Family: sync this device"]
            await synced(bob)
            assert intents(bob) == []
            assert [device.name for device in Book(bob, 1).devices()] == ["Phone", "Phone"]


async def test_who_declines_is_not_in_it_and_wrong_words_add_nobody(tmp_path: Path) -> None:
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as ada, await founded(tmp_path / "b", url) as bob:
            await create_book(ada, "Family")
            raised = await invite(ada, 1, bob, decide=False)
            assert [type(error) for error in raised] == [PairingAborted] * len(raised)
            assert any("declined" in error.message for error in raised)
            raised = await invite(ada, 1, bob, spoil=lambda words: " ".join(reversed(words.split())))
            assert isinstance(raised[0], PairingAborted)
            await synced(ada, bob)
            assert len(people(Book(ada, 1).replica)) == 1
            assert [info.number for info in bob.store.books()] == [0]
            # A code is not of the other kind, and a book is taken once.
            assert await invite(ada, 1, bob) == []
            assert any("already" in error.message for error in await invite(ada, 1, bob))


async def test_a_reader_reads(tmp_path: Path) -> None:
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as ada, await founded(tmp_path / "b", url) as bob:
            await create_book(ada, "Family")
            contact = Book(ada, 1).add(card("Grace"))
            assert await invite(ada, 1, bob, Role.READER) == []
            book = Book(bob, 1)
            for edit in (lambda: book.add(card("Eve")), lambda: book.remove([contact]), lambda: book.rename("Mine"),
                         lambda: book.update(contact, card("Eve", uid="urn:Grace"))):
                with pytest.raises(ReadOnly):
                    edit()
            assert (book.status().unsent, book.store.pending()) == (0, [])
            with pytest.raises(ProfileError, match="owner"):
                await share(bob, 1, Role.READER, "Bob", show_code=lambda _code: None, ask_words=None)
            with pytest.raises(ProfileError, match="owner"):
                await unshare(bob, 1, Book(ada, 1).replica.person)
            await synced(bob, ada)


async def test_unshare_and_leave(tmp_path: Path) -> None:
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as ada, await founded(tmp_path / "b", url) as bob:
            await create_book(ada, "Family")
            with pytest.raises(ProfileError, match="nobody else"):
                await leave(ada, 1)
            for number in (0, 1):
                with pytest.raises(ProfileError if number == 0 else NotFound):
                    await (leave(ada, 0) if number == 0 else unshare(ada, 1, bytes(16)))
            assert await invite(ada, 1, bob) == []
            await leave(bob, 1)
            assert [each.kind for each in intents(bob)] == ["leave"]
            await synced(bob)
            assert Book(bob, 1).exists()
            await synced(ada)
            assert len(people(Book(ada, 1).replica)) == 1
            await synced(bob)
            # With consent given here, nothing of it stays here.
            assert [info.number for info in bob.store.books()] == [0]
            assert intents(bob) == []
            assert await invite(ada, 1, bob) == []
            assert await unshare(ada, 1, Book(bob, 1).replica.person) == 2
            with pytest.raises(ProfileError, match="themselves"):
                await unshare(ada, 1, Book(ada, 1).replica.person)
            (_home, family) = await sync_all(bob)
            assert family.error is not None
            assert "your other books are as they were" in family.error.hint
            assert "ask one of its owners" in family.error.hint
            # Somebody else took him out: nothing of the book can be read here any more but with his kit.
            assert not Book(bob, 1).exists()
            assert [each.name for each in tmp_path.rglob("*") if "rescue" in each.name]


async def test_who_was_shut_out_and_has_not_heard_of_it_is_invited_again(tmp_path: Path) -> None:
    """The old copy is sealed with what it had not sent, and the new one takes its place; both are one book to see."""
    async with open_relay(tmp_path) as url:
        kit = RecoveryKit.generate(ENTROPY)
        bob = profile_in(tmp_path / "b")
        await create_set(bob, url, "Phone", kit)
        with await founded(tmp_path / "a", url) as ada, bob:
            await create_book(ada, "Family")
            Book(ada, 1).add(card("Ada"))
            assert await invite(ada, 1, bob) == []
            await synced(ada, bob)
            assert {type(error) for error in await invite(ada, 1, bob)} == {PairingAborted, ProfileExists}
            Book(bob, 1).add(card("Unsent"))
            await unshare(ada, 1, Book(bob, 1).replica.person)
            assert await invite(ada, 1, bob) == []
            assert [info.number for info in bob.store.books()] == [0, 1]
            assert [row.name for row in Book(bob, 1).list()] == ["Ada"]
            (rescue,) = (tmp_path / "b").rglob("rescue-*")
            with rescue.open("rb") as file:
                add_rescue(bob, kit, file.read)
            await synced(bob, ada)
            for profile in (ada, bob):
                assert [row.name for row in Book(profile, 1).list()] == ["Ada", "Unsent"]


async def test_watching_carries_a_new_device_into_the_further_books(tmp_path: Path) -> None:
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone, await paired(phone, tmp_path / "b") as laptop:
            await create_book(phone, "Family")
            Book(phone, 1).add(card("Ada"))
            seen: list[tuple[str, str]] = []
            async with trio.open_nursery() as nursery:
                for profile in (phone, laptop):
                    nursery.start_soon(lambda profile=profile: watch_all(
                        profile, on_event=lambda event, book: seen.append((event, book))))
                await until(lambda: Book(laptop, 1).exists() and len(Book(laptop, 1).list()) == 1)
                Book(laptop, 1).add(card("Grace"))
                await until(lambda: len(Book(phone, 1).list()) == 2)
                nursery.cancel_scope.cancel()
            assert ("connected", "Family") in seen
