"""What is measured, one function per question; each returns seconds or bytes and asserts nothing but its own sanity."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from e2esync.card import assemble, read_vcards
from e2esync.client import pairing
from e2esync.client.book import Book
from e2esync.client.sync import Online, go_online, inspect, sync
from e2esync.epoch.record import Remove
from e2esync.procedures.opening import announce, open_epoch
from e2esync.procedures.reading import take
from e2esync.procedures.sending import send
from e2esync.procedures.syncing import sync as sync_procedure
from e2esync.replica.snapshots import digest
from e2esync.session.messages import LogPush
from e2esync.wire import encode

from .world import World, world

EDITS = 30


@dataclass(slots=True)
class Sizes:
    """Bytes of one run."""

    cards: int = 0
    """msgpack of the JSContact cards."""
    upload: int = 0
    stored: int = 0
    reconnect: int = 0
    edit_sent: int = 0
    edit_received: int = 0
    session: int = 0
    adding: int = 0
    removing: int = 0


@dataclass(slots=True)
class Times:
    """Seconds of one run."""

    parse: float = 0.0
    plan: float = 0.0
    apply: float = 0.0
    upload: float = 0.0
    pairing: float = 0.0
    restore: float = 0.0
    edit: float = 0.0


def plain_cards(content: bytes) -> list[dict[str, Any]]:
    """The JSContact cards of a file, without what an import adds."""
    return [assemble(card.registers) for card in read_vcards(content, salt=bytes(32)).cards]


def import_times(content: bytes, book: Book, times: Times) -> None:
    """Parse, plan and apply, apart."""
    begun = time.perf_counter()
    file = read_vcards(content, salt=book.set_id)
    times.parse = time.perf_counter() - begun
    begun = time.perf_counter()
    plan = book.plan(file)
    times.plan = time.perf_counter() - begun
    begun = time.perf_counter()
    book.apply(plan)
    times.apply = time.perf_counter() - begun


async def one_run(content: bytes, folder: Path) -> tuple[Times, Sizes]:
    """A whole life of a book: upload, restore, edits, devices added and removed."""
    times, sizes = Times(), Sizes()
    sizes.cards = sum(len(encode(card)) for card in plain_cards(content))
    async with world(folder) as here:
        first = await here.first(b"")
        import_times(content, first, times)
        await _upload(first, times, sizes)
        await _reconnect(first, sizes)
        second = here.profile()
        await _restore(here, first, second, times)
        await sync(first.profile)
        await sync(second.profile)
        await _live_edits(first, second, times, sizes)
        await _devices(here, first, second, sizes)
        await _session(first, sizes)
        await sync(second.profile)
        assert digest(first.store) == digest(second.store)
        for book in (first, second):
            book.profile.close()
    return times, sizes


async def _upload(first: Book, times: Times, sizes: Sizes) -> None:
    empty = await inspect(first.profile)
    begun = time.perf_counter()
    done = await sync(first.profile)
    times.upload = time.perf_counter() - begun
    sizes.upload = done.bytes_sent
    held = await inspect(first.profile)
    sizes.stored = sum(held[name] - empty[name] for name in ("envelope_bytes", "blob_bytes"))


async def _reconnect(book: Book, sizes: Sizes) -> None:
    await sync(book.profile)
    done = await sync(book.profile)
    sizes.reconnect = done.bytes_sent + done.bytes_received


async def _restore(here: World, first: Book, second: Book, times: Times) -> None:
    """From the end of the pairing's conversation, which is the same for any book, to the book on disk."""
    module: Any = pairing
    converse, arrive = module.converse, module.arrive_as
    talked = 0.0

    async def timed(*args: Any) -> Any:
        nonlocal talked
        joined = await converse(*args)
        talked = time.perf_counter()
        return joined

    async def arrived(*args: Any) -> Any:
        replica = await arrive(*args)
        times.restore = time.perf_counter() - talked
        return replica

    module.converse, module.arrive_as = timed, arrived
    begun = time.perf_counter()
    try:
        await here.add(first, second)
    finally:
        module.converse, module.arrive_as = converse, arrive
    times.pairing = time.perf_counter() - begun
    assert len(second.list()) == len(first.list())


async def _live_edits(first: Book, second: Book, times: Times, sizes: Sizes) -> None:
    """One edit after the other, both devices connected: from the edit to its being in the other one's store."""
    rows = first.list()[:EDITS]
    taken: list[float] = []
    async with go_online(second.profile) as reader, go_online(first.profile) as writer:
        for online in (reader, writer):
            await online.connection.run(sync_procedure(online.replica, online.link))
        for number, row in enumerate(rows):
            counts = _counts(writer)[0], _counts(reader)[1]
            begun = time.perf_counter()
            _edit(first, row.contact, f"+44 20 7946 {number:04d}")
            await writer.connection.run(send(writer.replica, writer.link))
            push = await reader.connection.next_push()
            assert isinstance(push, LogPush)
            await reader.connection.run(take(reader.replica, reader.link, push))
            taken.append(time.perf_counter() - begun)
            sizes.edit_sent = max(sizes.edit_sent, _counts(writer)[0] - counts[0])
            sizes.edit_received = max(sizes.edit_received, _counts(reader)[1] - counts[1])
    times.edit = statistics.median(taken)


async def _session(first: Book, sizes: Sizes) -> None:
    """A thousand edits of one offline session, each of another contact (or as many as there are)."""
    rows = first.list()
    for number in range(1000):
        _edit(first, rows[number % len(rows)].contact, f"+44 30 7946 {number:04d}")
    done = await sync(first.profile)
    sizes.session = done.bytes_sent


async def _devices(here: World, first: Book, second: Book, sizes: Sizes) -> None:
    """Adding, then removing a device, each right after twenty edits: all bytes on the opener's wire."""
    third = here.profile()
    sizes.adding = await _counted(here, first, lambda: here.add(first, third))
    member = third.replica.member
    third.profile.close()

    async def remove() -> None:
        async with go_online(first.profile) as online:
            await online.connection.run(sync_procedure(online.replica, online.link))
            await online.connection.run(open_epoch(online.replica, online.link, lambda _now: (Remove(member),)))
            await online.connection.run(announce(online.replica, online.link))

    sizes.removing = await _counted(here, first, remove)
    await sync(second.profile)


async def _counted(here: World, first: Book, work: Callable[[], Any]) -> int:
    for number, row in enumerate(first.list()[:20]):
        _edit(first, row.contact, f"+44 40 7946 {number:04d}")
    await sync(first.profile)
    return await here.counted(first, work)


def _edit(book: Book, contact: bytes, number: str) -> None:
    """Change a number, as people do."""
    card = book.card(contact)
    phones = card.setdefault("phones", {})
    key = min(phones, default="p1")
    phones[key] = {**phones.get(key, {"@type": "Phone"}), "number": number}
    book.update(contact, card)


def _counts(online: Online) -> tuple[int, int]:
    wire: Any = online.connection.transport
    return wire.sent, wire.received


def list_cpu(content: bytes, folder: Path, *, plain: bool, rounds: int = 9) -> float:
    """Seconds of CPU of `e2esync list`, start-up included, on a book of these contacts: the median of some runs."""

    async def make() -> Path:
        async with world(folder) as here:
            book = await here.first(content, plain=plain)
            book.profile.close()
            return book.profile.home

    home = trio.run(make)
    # With compiled modules, as after an installation, whatever this process's environment says about writing them.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "compiled"), "PYTHONDONTWRITEBYTECODE": ""}
    command = [sys.executable, "-m", "e2esync", "--home", str(home), "list"]
    _cpu(command, environment)
    return statistics.median(_cpu(command, environment) for _ in range(rounds))


def _cpu(command: list[str], environment: dict[str, str]) -> float:
    """Seconds of CPU of a command that succeeds."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment) as process:
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime
