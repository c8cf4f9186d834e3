"""`relay_keys`: under another key it is another relay; an owner's move to the same address brings a book over."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
import trio

from e2esync.client.book import Book
from e2esync.client.relocating import move
from e2esync.client.sync import sync
from e2esync.crypto import SigningKey
from e2esync.errors import HandshakeFailed, ProfileBusy
from e2esync.stores.relay_check import check_store
from e2esync.stores.relay_keys import replace_key
from e2esync.stores.relay_migrate import open_depot
from tests.client.world import card, founded, names, open_relay, paired, state


def test_a_book_follows_by_a_move_to_the_same_address(tmp_path: Path) -> None:
    async def main() -> None:
        file = str(tmp_path / "relay.sqlite3")
        async with open_relay(tmp_path) as url:
            phone = await founded(tmp_path / "phone", url)
            await sync(phone)
            laptop = await paired(phone, tmp_path / "laptop")
            Book(phone).add(card("Ada"))
            await sync(phone)
        with closing(open_depot(file)) as depot:
            before = depot.identity()
            assert replace_key(depot, bytes(range(32))) == 1
            assert depot.identity()[1] != before[1]
        async with open_relay(tmp_path, url.partition("://")[2]) as url:
            for profile in (phone, laptop):
                with pytest.raises(HandshakeFailed):
                    await sync(profile)
            assert await move(phone, url)
            assert not await move(laptop, url)
            Book(laptop).add(card("Bob"))
            for profile in (phone, laptop, phone):
                await sync(profile)
            assert names(phone) == names(laptop) == ["Ada", "Bob"]
            assert state(phone) == state(laptop)
        with closing(open_depot(file)) as depot:
            assert list(check_store(depot)) == []
            # The old key comes back from where it was kept: those who moved would have to move again.
            assert replace_key(depot, before[0]) == 1

    trio.run(main)


def test_not_while_the_relay_runs(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_relay(tmp_path):
            with closing(open_depot(str(tmp_path / "relay.sqlite3"))) as depot:
                before = depot.identity()
                with pytest.raises(ProfileBusy, match="the relay runs"):
                    replace_key(depot, bytes(32))
                assert depot.identity() == before

    trio.run(main)


def test_the_same_key_again_keeps_every_book_here(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_relay(tmp_path) as url:
            phone = await founded(tmp_path / "phone", url)
            await sync(phone)
        with closing(open_depot(str(tmp_path / "relay.sqlite3"))) as depot:
            seed, _ = depot.identity()
            assert replace_key(depot, bytes(32)) == 1
            assert replace_key(depot, seed) == 0
            assert SigningKey(depot.identity()[0]).verify_key == SigningKey(seed).verify_key
        async with open_relay(tmp_path, url.partition("://")[2]):
            await sync(phone)

    trio.run(main)
