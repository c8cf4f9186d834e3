"""A relay process and devices in this process, as the benchmarks and the tests of sizes use them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from e2esync.access.kit import RecoveryKit
from e2esync.card import read_vcards
from e2esync.client import pairing
from e2esync.client.book import Book
from e2esync.client.entropy import SystemEntropy
from e2esync.client.profile import Profile
from e2esync.client.protection import KeyFile, Plain
from e2esync.client.sync import create_set
from e2esync.demo.processes import RelayProcess, Tap, relay_process

ENTROPY = SystemEntropy()


class World:
    """A relay, a tap in front of it for who wants bytes counted, and a folder for profiles."""

    def __init__(self, relay: RelayProcess, tap: Tap, folder: Path) -> None:
        self.relay = relay
        self.tap = tap
        self.folder = folder
        self._devices = 0

    async def first(self, content: bytes, *, plain: bool = False) -> Book:
        """A device with a new set and an imported, unsent book; its key is in a file unless it is plain."""
        book = self.profile(plain=plain)
        await create_set(book.profile, self.relay.url, "First", RecoveryKit.generate(ENTROPY))
        book.apply(book.plan(read_vcards(content, salt=book.set_id)))
        return book

    def profile(self, *, plain: bool = False) -> Book:
        """An empty profile."""
        self._devices += 1
        home = self.folder / f"device{self._devices}"
        way = Plain() if plain else KeyFile(home.with_suffix(".key"))
        return Book(Profile.create(home, way, entropy=ENTROPY))

    async def counted(self, book: Book, work: Callable[[], Awaitable[None]]) -> int:
        """All bytes on a device's wire, both ways, while something is done."""
        store = book.profile.store
        info = store.books()[0]
        store.put_book(info._replace(relay=self.tap.url))
        await self.tap.take()
        await work()
        store.put_book(info)
        return sum(await self.tap.take())

    async def add(self, sponsor: Book, newcomer: Book) -> None:
        """Pair, and restore the book on the new device."""
        send, receive = trio.open_memory_channel[str](1)

        async def arrive() -> None:
            await pairing.join(newcomer.profile, await receive.receive(), "Next", relay=self.relay.url,
                               show_words=lambda _words: None)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(arrive)
            await pairing.pair(sponsor.profile, show_code=lambda code: send.send_nowait(code.text()), ask_words=None)


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    """A world for as long as the block lasts, in a new folder."""
    folder.mkdir()
    async with relay_process(folder / "relay") as relay, trio.open_nursery() as nursery:
        tap = Tap()
        await nursery.start(tap.run, relay)
        yield World(relay, tap, folder)
        nursery.cancel_scope.cancel()
