"""A real relay on loopback, and profiles that talk to it, all in one trio program."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import trio

from e2esync.access.code import PairingCode
from e2esync.access.kit import RecoveryKit
from e2esync.client.book import Book
from e2esync.client.entropy import SystemEntropy
from e2esync.client.pairing import join, pair
from e2esync.client.profile import Profile
from e2esync.client.protection import Plain
from e2esync.client.sync import create_set
from e2esync.relay.server import Relay
from e2esync.replica.snapshots import digest
from e2esync.session.policy import DEFAULT_POLICY, Policy
from e2esync.stores.relay import RelayStore
from e2esync.transports.address import listen

ENTROPY = SystemEntropy()
PATIENCE = 30.0


@asynccontextmanager
async def open_relay(folder: Path, address: str = "127.0.0.1:0", policy: Policy = DEFAULT_POLICY,
                     ) -> AsyncIterator[str]:
    """A running relay over the database in a folder; gives its URL."""
    folder.mkdir(exist_ok=True)
    with RelayStore(folder / "relay.sqlite3", policy=policy) as store:
        listener = await listen(address)
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(Relay(store).run, [listener]))
            yield str(listener.address)
            nursery.cancel_scope.cancel()


def profile_in(folder: Path) -> Profile:
    """A new plain profile."""
    return Profile.create(folder, Plain(), entropy=ENTROPY)


async def founded(folder: Path, url: str) -> Profile:
    """A profile whose book has just been made at the relay."""
    profile = profile_in(folder)
    await create_set(profile, url, "Phone", RecoveryKit.generate(ENTROPY))
    return profile


async def paired(sponsor: Profile, folder: Path, name: str = "Laptop") -> Profile:
    """Another profile, joined through a sponsor whose owner types the words."""
    profile = profile_in(folder)
    codes, words = trio.open_memory_channel[str](1), trio.open_memory_channel[str](1)

    async def ask(_name: str) -> str:
        return await words[1].receive()

    async def arrive() -> None:
        await join(profile, await codes[1].receive(), name, show_words=lambda w: words[0].send_nowait(" ".join(w)))

    def show(code: PairingCode) -> None:
        codes[0].send_nowait(code.text())

    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(arrive)
            await pair(sponsor, show_code=show, ask_words=ask)
    return profile


def card(name: str, **more: object) -> dict[str, object]:
    """A JSContact card."""
    return {"@type": "Card", "version": "1.0", "uid": f"urn:{name}", "name": {"full": name}, **more}


def names(profile: Profile) -> list[str]:
    """What a book shows."""
    return [row.name for row in Book(profile).list()]


def state(profile: Profile) -> bytes:
    """The digest of the shared state."""
    return digest(profile.store.book(0))


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another task is about to do; never long."""
    with trio.fail_after(PATIENCE):
        while not condition():
            await trio.sleep(0.005)
