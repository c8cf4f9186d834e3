"""The demo's devices: a profile, its book, and what it does, each step timed and its bytes counted.

The phone's profile is plain, so that a search of its files proves that the search works; the laptop's is encrypted
under a key file, so that the same search proves that it is.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trio

from e2esync.access.code import PairingCode
from e2esync.access.kit import RecoveryKit
from e2esync.client.book import Book
from e2esync.client.entropy import SystemEntropy
from e2esync.client.importing import ImportResult
from e2esync.client.pairing import join, pair
from e2esync.client.profile import Profile
from e2esync.client.protection import Way
from e2esync.client.sync import create_set, inspect, sync
from e2esync.demo.processes import Tap

Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class Step:
    """Something that took time."""

    name: str
    seconds: float = 0.0
    sent: int = 0
    """Bytes from devices to the relay."""
    received: int = 0


@dataclass(slots=True)
class Clock:
    """The steps so far."""

    steps: list[Step] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Time what happens inside."""
        step = Step(name)
        begun = time.perf_counter()
        yield step
        step.seconds = time.perf_counter() - begun
        self.steps.append(step)

    @asynccontextmanager
    async def online(self, name: str, *devices: Device) -> AsyncIterator[Step]:
        """Time what happens inside, and count what these devices say to the relay and hear from it."""
        with self.step(name) as step:
            yield step
        for device in devices:
            sent, received = await device.tap.take()
            step.sent += sent
            step.received += received


class Device:
    """One device: name, profile, book and wire."""

    def __init__(self, name: str, home: Path, way: Way, tap: Tap, progress: Progress) -> None:
        self.name = name
        self.tap = tap
        self.profile = Profile.create(home, way, entropy=SystemEntropy())
        self.book = Book(self.profile)
        self._progress = progress

    async def found(self) -> RecoveryKit:
        """Make a contact set at the relay; returns its recovery kit."""
        kit = RecoveryKit.generate(SystemEntropy())
        await create_set(self.profile, self.tap.url, self.name, kit)
        return kit

    def take_in(self, content: bytes) -> tuple[ImportResult, dict[str, bytes], list[str]]:
        """Import a .vcf: what it did, the photos by digest, and why cards could not be read."""
        from e2esync.card import read_vcards

        file = read_vcards(content, salt=self.book.set_id)
        photos = {digest: data for card in file.cards for digest, data in card.media.items()}
        result = self.book.apply(self.book.plan(file))
        return result, photos, [unreadable.reason for unreadable in file.quarantine]

    async def sync(self) -> None:
        """Sync once."""
        await sync(self.profile, progress=self._progress)

    async def let_in(self, other: Device) -> str:
        """Pair with a new device, at both ends; returns the code that was shown."""
        shown: list[str] = []
        send, receive = trio.open_memory_channel[str](1)

        def show(code: PairingCode) -> None:
            shown.append(code.text())
            send.send_nowait(code.text())

        async def arrive() -> None:
            await join(other.profile, await receive.receive(), other.name, show_words=lambda _words: None,
                       relay=other.tap.url, progress=self._progress)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(arrive)
            await pair(self.profile, show_code=show, ask_words=None)
        return shown[0]

    async def inspect(self) -> dict[str, int]:
        """What the relay says that it holds."""
        return await inspect(self.profile)

    def settle_at(self, url: str) -> None:
        """Make the relay's own address the profile's: the taps are gone when the demo ends."""
        info = self.profile.store.books()[0]
        self.profile.store.put_book(info._replace(relay=url))

    def close(self) -> None:
        """Close the profile."""
        self.profile.close()
