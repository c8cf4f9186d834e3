"""The asyncio driver does the whole job with a real relay process, and goes together with a device under trio."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import trio

from e2esync import Book, Plain, Profile, RecoveryKit, SystemEntropy, join, pair
from e2esync import sync as trio_sync
from e2esync.client.sync import now_ms
from e2esync.errors import HandshakeFailed
from e2esync.procedures.founding import create
from e2esync.procedures.steps import Link
from e2esync.procedures.syncing import Synced, sync
from e2esync.replica.core import Replica
from e2esync.replica.founding import found
from e2esync.session.client import ClientSession
from e2esync.stores.profile import BookInfo

from .asyncio_driver import AsyncioConnection

ENTROPY = SystemEntropy()


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A relay process that speaks bare frames over TCP."""
    command = [sys.executable, "-m", "e2esync", "relay", "serve", "--db", str(tmp_path / "relay.sqlite3"),
               "--listen", "tcp://127.0.0.1:0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as relay:
        try:
            assert relay.stdout is not None
            yield int(json.loads(relay.stdout.readline())["listening"][0].rpartition(":")[2])
        finally:
            relay.terminate()


def _nonce() -> bytes:
    return ENTROPY.draw("session nonce", 32)


async def make_set(profile: Profile, port: int) -> None:
    """What `create_set` does under trio: visit the relay, trust its key at sight, register record 0."""
    kit = RecoveryKit.generate(ENTROPY)
    visit = await AsyncioConnection.open("127.0.0.1", port, ClientSession(None, 0, None, None, _nonce()))
    store = profile.store.book(0)
    founding = found(store, kit.signing_key(0), kit.sealing_key(0), visit.relay_key, now_ms(), ENTROPY)
    await visit.run(create(founding))
    await visit.close()
    profile.store.put_book(BookInfo(0, founding.set_id, "Contacts", f"tcp://127.0.0.1:{port}"))


async def sync_once(profile: Profile, port: int, relay_key: bytes | None = None) -> Synced:
    """What `sync` does under trio."""
    replica = Replica(profile.store.book(0))
    session = ClientSession(replica.set_id, replica.member, replica.signing_key,
                            relay_key or replica.chain.relay_key, _nonce())
    connection = await AsyncioConnection.open("127.0.0.1", port, session)
    assert connection.head is not None
    try:
        return await connection.run(sync(replica, Link(connection.head, ENTROPY, now_ms)))
    finally:
        await connection.close()


async def _pair(sponsor: Profile, newcomer: Profile) -> None:
    send, receive = trio.open_memory_channel[str](1)

    async def arrive() -> None:
        await join(newcomer, await receive.receive(), "Second", show_words=lambda _words: None)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(arrive)
        await pair(sponsor, show_code=lambda code: send.send_nowait(code.text()), ask_words=None)


def _card(name: str) -> dict[str, object]:
    return {"@type": "Card", "version": "1.0", "name": {"full": name}}


def test_a_book_between_asyncio_and_trio(tmp_path: Path, port: int) -> None:
    with (Profile.create(tmp_path / "a", Plain(), entropy=ENTROPY) as one,
          Profile.create(tmp_path / "b", Plain(), entropy=ENTROPY) as two):
        asyncio.run(make_set(one, port))
        ours, theirs = Book(one), Book(two)
        ours.add(_card("Added under asyncio"))
        assert asyncio.run(sync_once(one, port)).sent == 1
        trio.run(_pair, one, two)
        assert [row.name for row in theirs.list()] == ["Added under asyncio"]
        theirs.add(_card("Added under trio"))
        trio.run(partial(trio_sync, two))
        asyncio.run(sync_once(one, port))
        assert [row.name for row in ours.list()] == ["Added under asyncio", "Added under trio"]


def test_many_contacts(tmp_path: Path, port: int) -> None:
    with Profile.create(tmp_path / "a", Plain(), entropy=ENTROPY) as profile:
        asyncio.run(make_set(profile, port))
        book = Book(profile)
        for number in range(150):
            book.add(_card(f"Person {number}"))
        assert book.status().unsent == 150
        asyncio.run(sync_once(profile, port))
        assert book.status().unsent == 0


def test_another_relay_is_refused(tmp_path: Path, port: int) -> None:
    with Profile.create(tmp_path / "a", Plain(), entropy=ENTROPY) as profile:
        asyncio.run(make_set(profile, port))
        with pytest.raises(HandshakeFailed):
            asyncio.run(sync_once(profile, port, relay_key=bytes([1]) * 32))
