"""`checking`: what `verify` says of the contacts on this device."""

from __future__ import annotations

from pathlib import Path

from e2esync.client.book import Book
from e2esync.client.checking import verify_local
from e2esync.client.sync import sync
from tests.client.world import card, founded, open_relay


async def test_only_contacts_are_counted(tmp_path: Path) -> None:
    async with open_relay(tmp_path) as url:
        with await founded(tmp_path / "a", url) as phone:
            book = Book(phone)
            added = [book.add(card(name)) for name in ("Ada", "Bob", "Cleo")]
            await sync(phone)
            book.remove(added[:1])
            await sync(phone)
            (check,) = [check for check in verify_local(Book(phone)) if check.name == "contacts"]
            assert (check.found, check.problem) == ("2", "")
