"""Pairing over a real relay: what the words decide, and that whatever goes wrong adds nobody and leaves nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

from e2esync.access.code import PairingCode, parse_code
from e2esync.client import pairing as module
from e2esync.client.book import Book
from e2esync.client.pairing import JOINS, Mailbox, join, pair
from e2esync.client.profile import Profile
from e2esync.client.sync import sync
from e2esync.errors import BadCode, E2esyncError, PairingAborted, ProfileBusy, ProfileExists, Unreachable
from tests.client.world import ENTROPY, PATIENCE, card, founded, names, open_relay, paired, profile_in, state

Ask = Callable[[str], Awaitable[str]]


async def _meet(sponsor: Profile, newcomer: Profile, *, spoil: Callable[[str], str] = str,
                code: Callable[[str], str] = str) -> tuple[E2esyncError | None, E2esyncError | None]:
    """Both sides of a pairing whose words, or code, may be spoiled; what each of them raised."""
    raised: list[E2esyncError | None] = [None, None]
    codes, words = trio.open_memory_channel[str](1), trio.open_memory_channel[str](1)

    async def ask(name: str) -> str:
        assert name == "Laptop"
        return spoil(await words[1].receive())

    async def first(scope: trio.CancelScope) -> None:
        try:
            await pair(sponsor, show_code=lambda shown: codes[0].send_nowait(shown.text()), ask_words=ask)
        except E2esyncError as error:
            raised[0] = error
            scope.cancel()

    async def second() -> None:
        try:
            text = code(await codes[1].receive())
            await join(newcomer, text, "Laptop", show_words=lambda each: words[0].send_nowait(" ".join(each)))
        except E2esyncError as error:
            raised[1] = error

    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(first, nursery.cancel_scope)
            nursery.start_soon(second)
    return raised[0], raised[1]


async def test_a_new_device_has_the_book(tmp_path: Path) -> None:
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone:
            Book(phone).add(card("Ada"))
            with await paired(phone, tmp_path / "b") as laptop:
                assert names(laptop) == ["Ada"]
                assert Book(laptop).relay_url == url
                for profile in (phone, laptop):
                    await sync(profile)
                assert Book(laptop).device_name == "Laptop"
                assert state(phone) == state(laptop)
                # And it may add another one by itself.
                with await paired(laptop, tmp_path / "c", "Tablet") as tablet:
                    await sync(phone)
                    assert names(tablet) == ["Ada"]
                    assert [device.name for device in Book(phone).devices()] == ["Phone", "Laptop", "Tablet"]


async def test_wrong_words_add_nobody(tmp_path: Path) -> None:
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone, profile_in(tmp_path / "b") as laptop:
            first, _second = await _meet(phone, laptop, spoil=lambda words: " ".join(reversed(words.split())))
            assert isinstance(first, PairingAborted)
            assert len(Book(phone).devices()) == 1
            assert not Book(laptop).exists()
            assert laptop.store.books() == []
            assert await _meet(phone, laptop) == (None, None)
            assert len(Book(phone).devices()) == 2


@pytest.mark.parametrize("text", ["", "ABC", "ws://127.0.0.1:1#", "ws://127.0.0.1:1#" + "A" * 42])
async def test_a_mistyped_code_uses_no_network(tmp_path: Path, text: str) -> None:
    with profile_in(tmp_path / "b") as laptop:
        with pytest.raises(BadCode):
            await join(laptop, text, "Laptop", show_words=lambda _words: None)
        assert not Book(laptop).exists()


async def test_a_code_without_an_address_needs_one(tmp_path: Path) -> None:
    bare = PairingCode.generate("ws://127.0.0.1:1", ENTROPY).text().partition("#")[2]
    with profile_in(tmp_path / "b") as laptop:
        with pytest.raises(BadCode):
            await join(laptop, bare, "Laptop", show_words=lambda _words: None)
        with pytest.raises(Unreachable):
            await join(laptop, bare, "Laptop", show_words=lambda _words: None, relay="ws://127.0.0.1:9")


async def test_a_code_is_good_for_one_device(tmp_path: Path) -> None:
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone, profile_in(tmp_path / "b") as laptop:
            taken: list[Mailbox] = []

            async def take(text: str) -> None:
                taken.append(await Mailbox.open(url, None, parse_code(text), JOINS, ENTROPY))

            codes = trio.open_memory_channel[str](1)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_pair_quietly, phone, codes[0])
                text = await codes[1].receive()
                await take(text)
                with pytest.raises(PairingAborted, match="used already"):
                    await join(laptop, text, "Laptop", show_words=lambda _words: None)
                nursery.cancel_scope.cancel()
            for mailbox in taken:
                await mailbox.aclose()
            assert not Book(laptop).exists()
            assert len(Book(phone).devices()) == 1


async def _pair_quietly(profile: Profile, codes: trio.MemorySendChannel[str]) -> None:
    await pair(profile, show_code=lambda code: codes.send_nowait(code.text()), ask_words=None)


async def test_another_relay_behind_the_address(tmp_path: Path) -> None:
    """Somebody sends the newcomer to a relay of his own, where nobody waits: it never says a word to it."""
    (tmp_path / "other").mkdir()
    async with open_relay(tmp_path) as url, open_relay(tmp_path / "other") as other:
        with await founded(tmp_path / "a", url) as phone, profile_in(tmp_path / "b") as laptop:
            codes = trio.open_memory_channel[str](1)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_pair_quietly, phone, codes[0])
                text = await codes[1].receive()
                with trio.move_on_after(0.3) as scope:
                    await join(laptop, text, "Laptop", show_words=lambda _words: None, relay=other)
                assert scope.cancelled_caught
                nursery.cancel_scope.cancel()
            assert not Book(laptop).exists()
            assert len(Book(phone).devices()) == 1


async def test_nobody_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAILBOX_TTL", 50)
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone:
            with pytest.raises(PairingAborted):
                await pair(phone, show_code=lambda _code: None, ask_words=None)
            assert len(Book(phone).devices()) == 1
            await sync(phone)


async def test_a_profile_that_is_in_a_book_joins_no_other(tmp_path: Path) -> None:
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone, pytest.raises(ProfileExists):
            await join(phone, "anything", "Laptop", show_words=lambda _words: None)


async def test_joining_holds_the_profile(tmp_path: Path) -> None:
    text = PairingCode.generate("ws://127.0.0.1:9", ENTROPY).text()
    with profile_in(tmp_path / "b") as laptop, laptop.sync_lock(), pytest.raises(ProfileBusy):
        await join(laptop, text, "Laptop", show_words=lambda _words: None)


async def test_a_device_that_dies_while_it_arrives_goes_on_with_its_next_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The keys are stored, the snapshot is not; the clean-up that an exception brings does not come with a kill."""
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone, profile_in(tmp_path / "b") as laptop:
            Book(phone).add(card("Ada"))
            real = module.arrive

            def dies(*arguments: object) -> object:
                procedure = real(*arguments)  # type: ignore[arg-type]
                requests = next(procedure)
                while True:
                    if laptop.store.book(0).get("identity") is not None:
                        raise KeyboardInterrupt
                    requests = procedure.send((yield requests))

            monkeypatch.setattr(module, "arrive", dies)
            monkeypatch.setattr(laptop.store, "delete_book", lambda _number: None)
            with pytest.raises(BaseExceptionGroup):
                await _meet(phone, laptop)
            monkeypatch.undo()
            assert Book(laptop).exists()
            assert names(laptop) == []
            await sync(phone)
            await sync(laptop)
            assert names(laptop) == ["Ada"]
            await sync(phone)
            assert state(phone) == state(laptop)
