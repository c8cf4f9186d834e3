"""Another relay for a book (SPEC 14.10): with real connections, and photos."""

from __future__ import annotations

from pathlib import Path

import trio

from e2esync.client.book import Book
from e2esync.client.relocating import move
from e2esync.client.sync import sync
from tests.client.world import card, founded, names, open_relay, paired, state


async def _edit(profile: object, name: str) -> None:
    Book(profile).add(card(name))  # type: ignore[arg-type]


def test_a_book_moves_and_the_others_follow(tmp_path: Path) -> None:
    async def main() -> None:
        for folder in ("old", "new"):
            (tmp_path / folder).mkdir()
        async with open_relay(tmp_path / "new") as new:
            async with open_relay(tmp_path / "old") as old:
                phone = await founded(tmp_path / "phone", old)
                await sync(phone)
                laptop = await paired(phone, tmp_path / "laptop")
                await _edit(phone, "Ada")
                await _edit(laptop, "Bob")
                assert await move(phone, new)
                # The laptop still asks the old one, which tells it where to go.
                await sync(laptop)
                assert Book(laptop).relay_url == new
            await sync(phone)
            await sync(laptop)
            await sync(phone)
            assert names(phone) == names(laptop) == ["Ada", "Bob"]
            assert state(phone) == state(laptop)

    trio.run(main)


def test_a_relay_that_is_gone_is_replaced_from_any_device(tmp_path: Path) -> None:
    async def main() -> None:
        for folder in ("old", "new"):
            (tmp_path / folder).mkdir()
        async with open_relay(tmp_path / "old") as old:
            phone = await founded(tmp_path / "phone", old)
            await sync(phone)
            laptop = await paired(phone, tmp_path / "laptop")
            await sync(phone)
        await _edit(phone, "Ada")
        await _edit(laptop, "Bob")
        async with open_relay(tmp_path / "new") as new:
            assert await move(phone, new)
            await sync(phone)
            assert not await move(laptop, new)
            await sync(laptop)
            await sync(phone)
            assert names(phone) == names(laptop) == ["Ada", "Bob"]
            assert state(phone) == state(laptop)

    trio.run(main)
