"""Real devices, the client library with profiles on disk, that stay connected while the relay behind their address
goes: a balancer stands there, as in front of any cluster, and leads each connection to a relay that answers."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import trio

from e2esync.client.book import Book
from e2esync.client.profile import Profile
from e2esync.client.sync import sync
from e2esync.client.watching import watch
from tests.client.world import card, founded, names, paired, state

HARMLESS = {"connected", "received", "sent", "epoch", "unreachable"}
"""What a device may say while its relay goes and comes: a reconnect, and nothing else."""


class Balancer:
    """One address for many relays: a connection goes to any of `targets` (host:port) that answers, and ends with it."""

    def __init__(self, targets: list[str]) -> None:
        self.targets = targets
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serves until the block ends."""
        async with trio.open_nursery() as nursery:
            (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
            self.url = f"ws://127.0.0.1:{listener.socket.getsockname()[1]}"
            nursery.start_soon(trio.serve_listeners, self._serve, [listener])
            yield
            nursery.cancel_scope.cancel()

    async def _serve(self, client: trio.SocketStream) -> None:
        for target in random.sample(self.targets, len(self.targets)):
            host, _, port = target.rpartition(":")
            with suppress(OSError):
                relay = await trio.open_tcp_stream(host, int(port))
                break
        else:
            await trio.aclose_forcefully(client)
            return
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_pump, client, relay, nursery.cancel_scope)
                nursery.start_soon(_pump, relay, client, nursery.cancel_scope)
        finally:
            for stream in (client, relay):
                stream.socket.close()


async def _pump(source: trio.SocketStream, target: trio.SocketStream, scope: trio.CancelScope) -> None:
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        async for data in source:
            await target.send_all(data)
    scope.cancel()


class Devices:
    """Several devices of one book, each of which watches, and writes until it is told to stop."""

    def __init__(self, profiles: list[Profile]) -> None:
        self.profiles = profiles
        self.events: list[list[str]] = [[] for _ in profiles]
        self.written: set[str] = set()
        self.stopping = False

    @classmethod
    async def made(cls, folder: Path, url: str, count: int) -> Devices:
        """A book, and so many devices in it."""
        first = await founded(folder / "device0", url)
        rest = [await paired(first, folder / f"device{number}", f"Device {number}") for number in range(1, count)]
        for profile in (first, *rest, first):
            await sync(profile)
        return cls([first, *rest])

    @asynccontextmanager
    async def busy(self) -> AsyncIterator[None]:
        """Everybody watches and writes while the block lasts; at its end all have everything."""
        async with trio.open_nursery() as watchers:
            for profile, events in zip(self.profiles, self.events, strict=True):
                watchers.start_soon(_watch, profile, events)
            async with trio.open_nursery() as writers:
                for number in range(len(self.profiles)):
                    writers.start_soon(self._write, number)
                yield
                self.stopping = True
            with trio.fail_after(60):
                while not self.in_step():
                    await trio.sleep(0.05)
            watchers.cancel_scope.cancel()

    def in_step(self) -> bool:
        """Whether every device shows everything that any of them has written, and has nothing left to send."""
        return all(set(names(profile)) == self.written and not Book(profile).status().unsent
                   for profile in self.profiles)

    def check(self) -> None:
        """Nothing is lost, nothing is there twice, and nobody was told of more than a lost connection."""
        for profile, events in zip(self.profiles, self.events, strict=True):
            assert sorted(names(profile)) == sorted(self.written)
            assert set(events) <= HARMLESS, set(events) - HARMLESS
            assert Book(profile).status().notices == []
        assert len({state(profile) for profile in self.profiles}) == 1

    async def _write(self, number: int) -> None:
        count = 0
        while not self.stopping:
            name = f"{number}/{count}"
            Book(self.profiles[number]).add(card(name))
            self.written.add(name)
            count += 1
            await trio.sleep(random.uniform(0.02, 0.2))

    def close(self) -> None:
        """Closes the profiles."""
        for profile in self.profiles:
            profile.close()


async def _watch(profile: Profile, events: list[str]) -> None:
    await watch(profile, on_event=events.append)
