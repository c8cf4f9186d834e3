"""Moving a book to a new set over a real relay (SPEC 12.9): everything goes along, and only a person follows."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

from e2esync.access.code import PairingCode
from e2esync.access.kit import RecoveryKit
from e2esync.card import read_vcards
from e2esync.client.book import Book
from e2esync.client.books import create_book
from e2esync.client.moving import finish_move, follow_move, rehome
from e2esync.client.pairing import pair
from e2esync.client.profile import Profile
from e2esync.client.recovery import open_kit
from e2esync.client.sync import create_set, sync
from e2esync.client.together import sync_all
from e2esync.errors import NotFound, PairingAborted, ProfileExists, Unreachable
from e2esync.replica.core import Replica
from e2esync.replica.home import read_home
from e2esync.replica.moving import Notice, move_notice, read_notice, write_notice
from e2esync.replica.own_object import write_own
from e2esync.stores.schema import BOOK_TABLES
from tests.client.world import ENTROPY, PATIENCE, card, founded, names, open_relay, paired, profile_in

PHOTO = "/9j/4AAQSkZJRgABAQAAAQABAAD/2Q=="
CARD = ("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:ada\r\nFN:Ada\r\nN:;Ada;;;\r\nTEL;TYPE=CELL:+49 170 1\r\n"
        f"PHOTO;ENCODING=b;TYPE=JPEG:{PHOTO}\r\nEND:VCARD\r\n")


def with_photo(profile: Profile, number: int = 0) -> None:
    book = Book(profile, number)
    book.apply(book.plan(read_vcards(CARD.encode(), salt=book.set_id)))


Follow = Callable[[str, Callable[[tuple[str, ...]], None]], Awaitable[None]]


async def through(sponsor: Profile, follow: Follow) -> None:
    """Pair a device in, whatever it does with the code."""
    codes, words = trio.open_memory_channel[str](1), trio.open_memory_channel[str](1)

    async def ask(_name: str) -> str:
        return await words[1].receive()

    async def arrive() -> None:
        await follow(await codes[1].receive(), lambda shown: words[0].send_nowait(" ".join(shown)))

    def show(code: PairingCode) -> None:
        codes[0].send_nowait(code.text())

    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(arrive)
            await pair(sponsor, show_code=show, ask_words=ask)


async def followed(sponsor: Profile, follower: Profile) -> int:
    done: list[int] = []

    async def follow(code: str, show: Callable[[tuple[str, ...]], None]) -> None:
        done.append(await follow_move(follower, code, show_words=show))

    await through(sponsor, follow)
    return done[0]


async def test_everything_goes_along_and_the_others_follow(tmp_path: Path) -> None:
    old, new = RecoveryKit.generate(ENTROPY), RecoveryKit.generate(ENTROPY)
    async with open_relay(tmp_path) as url:
        phone = profile_in(tmp_path / "a")
        await create_set(phone, url, "Phone", old)
        with phone, await paired(phone, tmp_path / "b") as laptop:
            with_photo(phone)
            Book(phone).add(card("Bob"))
            write_own(Replica(phone.store.book(0)), {"settings/sort": "last"}, 1)
            await sync(phone)
            await sync(laptop)
            before = Book(phone).set_id
            done = await rehome(phone, new)
            assert (done.contacts, done.others) == (2, ("Laptop",))
            book = Book(phone)
            assert book.set_id == done.set_id != before
            assert names(phone) == ["Ada", "Bob"]
            ada = book.card(book.find("Ada").contact)
            (media,) = ada["media"].values()
            assert book.media(media["digest"]) == b64decode(PHOTO)
            assert read_home(book.replica).kit[3] == new.half(3)
            assert book.replica.store.get("identity") is not None
            assert [info.number for info in phone.store.books()] == [0]

            # The laptop was offline: an edit that never went out, one that did, and a delete.
            here = Book(laptop)
            bob = here.find("Bob").contact
            here.update(bob, {**here.card(bob), "name": {"full": "Robert"}})
            here.add(card("Cleo"))
            await sync(laptop)
            here.remove([here.find("Ada").contact])
            (notice,) = [each for each in Book(laptop).status().notices if "moved" in each]
            assert "Phone" in notice
            assert await followed(phone, laptop) == 3
            await sync(phone)
            assert names(phone) == names(laptop) == ["Cleo", "Robert"]
            assert Book(laptop).set_id == done.set_id
            assert move_notice(Replica(laptop.store.book(0))) is None

            # The old kit opens what there was, and nothing that came later; the new one everything.
            Book(phone).add(card("Dora"))
            await sync(phone)
            async with open_kit(old, url) as rescue:
                assert "Dora" not in {row.name for row in rescue.replica.store.cards()}  # type: ignore[attr-defined]
            with profile_in(tmp_path / "c") as rescued:
                async with open_kit(new, url) as rescue:
                    await rescue.restore(rescued, "Rescued")
                assert names(rescued) == ["Cleo", "Dora", "Robert"]
                await sync(rescued)


async def test_further_books_stay_open_to_who_has_moved(tmp_path: Path) -> None:
    """The new home set lists them, and this device has its keys in them already."""
    async with open_relay(tmp_path) as url:
        phone = await founded(tmp_path / "a", url)
        await create_book(phone, "Family")
        Book(phone, 1).add(card("Grace"))
        await sync_all(phone)
        keys = Book(phone, 1).replica.signing_key.verify_key
        await rehome(phone, RecoveryKit.generate(ENTROPY))
        for _ in range(2):
            assert [each.error for each in await sync_all(phone)] == [None, None]
        assert Book(phone, 1).replica.signing_key.verify_key == keys
        home = read_home(Replica(phone.store.book(0)))
        assert home.asks == {}
        assert [seat.member for seat in home.seats.values()] == [Book(phone, 1).replica.member]


async def test_the_photo_comes_back_with_the_new_kit(tmp_path: Path) -> None:
    new = RecoveryKit.generate(ENTROPY)
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone, profile_in(tmp_path / "b") as rescued:
            with_photo(phone)
            await rehome(phone, new)
            async with open_kit(new, url) as rescue:
                await rescue.restore(rescued, "Rescued")
            book = Book(rescued)
            (media,) = book.card(book.find("Ada").contact)["media"].values()
            assert book.media(media["digest"]) is not None


async def test_to_another_relay(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    async with open_relay(tmp_path / "one") as one, open_relay(tmp_path / "two") as two:
        with await founded(tmp_path / "a", one) as phone, await paired(phone, tmp_path / "b") as laptop:
            Book(phone).add(card("Ada"))
            await rehome(phone, RecoveryKit.generate(ENTROPY), relay=two)
            assert await followed(phone, laptop) == 0
            assert Book(phone).relay_url == Book(laptop).relay_url == two
            await sync(laptop)
            assert names(laptop) == ["Ada"]


async def test_a_code_of_another_book_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone, await paired(phone, tmp_path / "b") as laptop, \
                await founded(tmp_path / "c", url) as thief:
            Book(phone).add(card("Ada"))
            await rehome(phone, RecoveryKit.generate(ENTROPY))
            await sync(laptop)
            before = Book(laptop).set_id

            async def follow(code: str, show: Callable[[tuple[str, ...]], None]) -> None:
                with pytest.raises(PairingAborted, match="another book"):
                    await follow_move(laptop, code, show_words=show)

            await through(thief, follow)
            assert Book(laptop).set_id == before
            assert names(laptop) == ["Ada"]
            assert [info.number for info in laptop.store.books()] == [0]


async def test_who_has_not_been_told_of_a_move_follows_none(tmp_path: Path) -> None:
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone:
            with pytest.raises(NotFound):
                await follow_move(phone, "X", show_words=lambda _words: None)
            assert move_notice(Replica(phone.store.book(0))) is None


async def test_two_devices_do_not_move_one_book_to_two_places(tmp_path: Path) -> None:
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone, await paired(phone, tmp_path / "b") as laptop:
            await rehome(phone, RecoveryKit.generate(ENTROPY))
            with pytest.raises(ProfileExists):
                await rehome(laptop, RecoveryKit.generate(ENTROPY))


async def test_a_move_that_was_broken_off_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone:
            Book(phone).add(card("Ada"))
            assert not finish_move(phone)
            seen: list[bytes] = []

            async def killed(*_: object) -> None:
                raise trio.ClosedResourceError

            with monkeypatch.context() as patch:
                patch.setattr("e2esync.client.moving.ask_to_leave", killed)
                with pytest.raises(trio.ClosedResourceError):
                    await rehome(phone, RecoveryKit.generate(ENTROPY), ready=lambda new: seen.append(new.set_id))
            assert Book(phone).set_id not in seen
            assert finish_move(phone)
            assert [Book(phone).set_id] == seen
            assert names(phone) == ["Ada"]
            await sync(phone)
            assert not finish_move(phone)


async def test_nobody_is_told_before_the_kit_is_in_its_owners_hands(tmp_path: Path) -> None:
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone:
            def refuse(_replica: Replica) -> None:
                raise NotFound("no paper")

            with pytest.raises(NotFound):
                await rehome(phone, RecoveryKit.generate(ENTROPY), ready=refuse)
            assert read_notice(Replica(phone.store.book(0))) is None
            assert [info.number for info in phone.store.books()] == [0]
            await sync(phone)


async def test_a_relay_that_is_away_changes_nothing(tmp_path: Path) -> None:
    async with open_relay(tmp_path) as url:
        phone = await founded(tmp_path / "a", url)
        await sync(phone)
    with phone:
        before = Book(phone).set_id
        with pytest.raises(Unreachable):
            await rehome(phone, RecoveryKit.generate(ENTROPY))
        async with open_relay(tmp_path, url) as _again:
            with pytest.raises(Unreachable):
                await rehome(phone, RecoveryKit.generate(ENTROPY), relay="ws://127.0.0.1:9")
            assert Book(phone).set_id == before
            assert [info.number for info in phone.store.books()] == [0]
            assert read_notice(Replica(phone.store.book(0))) is None
            for table in BOOK_TABLES:
                assert phone.store._db.one(f"SELECT count(*) FROM {table} WHERE book != 0") == (0,)


@pytest.mark.parametrize("value", [None, 1, "x", {}, {"set": b"\1" * 32}, [1], {
    "set": b"\1" * 31, "relay": "ws://x", "key": b"\2" * 32, "record": b"\3" * 32, "member": 1, "epoch": 0,
    "vector": []}, {
    "set": b"\1" * 32, "relay": "ws://x", "key": b"\2" * 32, "record": b"\3" * 32, "member": 1, "epoch": 0,
    "vector": [[1]]}])
async def test_a_notice_without_the_form_is_none(tmp_path: Path, value: object) -> None:
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone:
            replica = Replica(phone.store.book(0))
            write_notice(replica, Notice(b"\1" * 32, "ws://x", b"\2" * 32, b"\3" * 32, 1, 4, {1: 2}), 1)
            assert read_notice(replica) == Notice(b"\1" * 32, "ws://x", b"\2" * 32, b"\3" * 32, 1, 4, {1: 2})
            write_own(replica, {"moved": value}, 2)  # type: ignore[dict-item]
            assert read_notice(replica) is None
