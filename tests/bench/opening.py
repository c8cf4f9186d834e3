"""`python -m tests.bench.opening [--size N] [--members M]`: what the opening of an epoch costs the device that opens.

A relay process, a key-file profile with a book of N cards, all of them synced, and M device members. Then epochs are
opened that change nothing but the secret (`rotate` without new keys), one after twenty edits: CPU of this process by
its own clock, as a ratio to one sealed box per member made in the same run; requests that wait for an answer;
transactions of the profile that were committed, each of which is one fsync; bytes on the wire, both ways.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import trio

from e2esync.client.book import Book
from e2esync.client.sync import Online, go_online, sync
from e2esync.crypto import Secret, SigningKey
from e2esync.crypto.sealing import SealingKey, seal_to
from e2esync.epoch.record import Add, make_add
from e2esync.epoch.roles import Role
from e2esync.limits import KEY, OPENINGS_BURST
from e2esync.procedures.opening import announce, open_epoch
from e2esync.procedures.steps import Procedure
from e2esync.procedures.syncing import sync as sync_procedure

from .cards import vcards
from .measures import _edit
from .world import ENTROPY, world

TARGET = 20
"""Sealed boxes per member that the CPU of an opening should stay below."""
EDITS = 20


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.opening", description=__doc__)
    parser.add_argument("--size", type=int, default=10_000, help="cards in the book (10000)")
    parser.add_argument("--members", type=int, default=6, help="device members (6; at most 17)")
    args = parser.parse_args()
    # As the command line does it.
    gc.set_threshold(100_000, 50, 100)
    with tempfile.TemporaryDirectory(prefix="e2esync-bench-") as name:
        found = trio.run(partial(_measure, Path(name) / "run", vcards(args.size), args.members))
    box = _box_cost()
    # The kit is sealed to as well.
    boxes = (args.members + 1) * box
    print(f"{args.size:,} cards, {args.members} devices and a kit; one sealed box: {box * 1000:.3f} ms of CPU\n")
    print(f"{'':<24}{'CPU':>10}{'x BOX/MEMBER':>14}{'WAITS':>7}{'FSYNCS':>8}{'BYTES':>10}")
    for label, (seconds, waits, commits, size) in found.items():
        print(f"{label:<24}{seconds * 1000:>7.1f} ms{seconds / boxes:>14.1f}{waits:>7}{commits:>8}{size:>10,}")
    return 0 if all(seconds < TARGET * boxes for seconds, *_ in found.values()) else 1


Found = dict[str, tuple[float, int, int, int]]


async def _measure(folder: Path, content: bytes, members: int) -> Found:
    async with world(folder) as here:
        book = await here.first(content)
        await sync(book.profile)
        await _add(book, members - 1)
        quiet = [await _opening(book) for _number in range(OPENINGS_BURST - 2)]
        for number, row in enumerate(book.list()[:EDITS]):
            _edit(book, row.contact, f"+44 20 7946 {number:04d}")
        await sync(book.profile)
        edited = await _opening(book)
        book.profile.close()
    # By CPU; the other figures are the same each time.
    return {"nothing written before": statistics.median_low(quiet), f"after {EDITS} edits": edited}


async def _add(book: Book, count: int) -> None:
    """Members who have been let in and never came: an opener seals to them as to any other."""
    async with go_online(book.profile) as online:
        await online.connection.run(sync_procedure(online.replica, online.link))
        replica = online.replica
        adds: list[Add] = []
        for _number in range(count):
            key, sealing = SigningKey(ENTROPY.draw("signing key", KEY)), SealingKey.generate(ENTROPY)
            adds.append(make_add(key, replica.set_id, replica.person, Role.OWNER, sealing.public))
        await online.connection.run(open_epoch(replica, online.link, lambda _replica: tuple(adds)))
        await online.connection.run(announce(replica, online.link))


async def _opening(book: Book) -> tuple[float, int, int, int]:
    """One opening on a connection that is there and has synced: (CPU seconds, waits, commits, bytes)."""
    async with go_online(book.profile) as online:
        await online.connection.run(sync_procedure(online.replica, online.link))
        waits, commits = _Count(), _Count()
        connection: Any = book.profile.store
        connection._db._connection.set_commit_hook(commits)
        before, begun = _bytes(online), time.process_time()
        await online.connection.run(_counted(open_epoch(online.replica, online.link, lambda _replica: ()), waits))
        taken, size = time.process_time() - begun, _bytes(online) - before
        connection._db._connection.set_commit_hook(None)
        await online.connection.run(announce(online.replica, online.link))
    return taken, waits.count, commits.count, size


class _Count:
    """How often it was called."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> bool:
        self.count += 1
        return False


def _counted(procedure: Procedure[Any], asked: Callable[[], object]) -> Procedure[Any]:
    """A procedure, and how often it waits for the relay."""
    requests = next(procedure)
    while True:
        asked()
        answers = yield requests
        try:
            requests = procedure.send(answers)
        except StopIteration as stop:
            return stop.value


def _bytes(online: Online) -> int:
    wire: Any = online.connection.transport
    return int(wire.sent + wire.received)


def _box_cost(count: int = 200) -> float:
    """Seconds of CPU of one sealed box."""
    public, context = SealingKey.generate(ENTROPY).public, bytes(48)
    secret = Secret(bytes(KEY))
    seal_to(public, context, secret, ENTROPY)
    begun = time.process_time()
    for _number in range(count):
        seal_to(public, context, secret, ENTROPY)
    return (time.process_time() - begun) / count


if __name__ == "__main__":
    sys.exit(main())
