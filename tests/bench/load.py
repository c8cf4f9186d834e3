"""`python -m tests.bench.load [--clients N] [--flight N] [--seconds N] [--relays N] [--db URL] [--postgres]`: appends.

Each client appends to a set of its own, so many at a time, and another device of the set hears of it. Relays are
processes of their own; so is the floor, which does what cannot be left out: the same rows, compared and appended in
group commits of the same engine, without a network. Rates are printed as ratios to the floor of the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from e2esync.session import messages as m
from e2esync.session.client import ClientSession
from e2esync.session.codec import encode_message
from e2esync.session.commands import Change
from e2esync.stores.relay_engine import open_engine
from e2esync.transports import connect
from tests.cluster.world import Relays
from tests.helpers.postgres import Server
from tests.relay.driver import Device
from tests.session.world import NOW, Book

_APPENDED, _REFUSED = 30, 40


@dataclass
class Tally:
    """What the clients saw within the measured time."""

    appended: int = 0
    pushed: int = 0
    delays: list[float] = field(default_factory=list)
    measuring: bool = False
    cpu: float = 0.0


def found(url: str, count: int) -> tuple[bytes, list[Book]]:
    """The relay's key, and as many new sets."""
    engine = open_engine(url)
    books = [Book(engine.key.verify_key, seed=f"{time.time()} {number}") for number in range(count)]
    for book in books:
        (made,) = engine.execute([Change(b"", 0, 1, book.create())], NOW).outcomes
        assert made.result == m.Created(book.set_id)
    engine.close()
    return books[0].relay_key, books


async def load(relays: Relays, key: bytes, books: list[Book], flight: int, seconds: float) -> Tally:
    """Everybody appends for so long, after a second to warm up."""
    tally, addresses = Tally(), relays.addresses
    async with trio.open_nursery() as nursery:
        for number, book in enumerate(books):
            # The two devices of a set are at two relays where there are two.
            here = addresses[number % len(addresses)]
            there = addresses[(number + 1) % len(addresses)]
            await nursery.start(_listener, there, key, book, tally)
            await nursery.start(_writer, here, key, book, flight, tally)
        await trio.sleep(1)
        tally.measuring, tally.cpu = True, -relays.cpu()
        await trio.sleep(seconds)
        tally.measuring, tally.cpu = False, tally.cpu + relays.cpu()
        nursery.cancel_scope.cancel()
    return tally


async def _session(address: str, key: bytes, book: Book, member: int) -> Any:
    transport = await connect(address)
    session = ClientSession(book.set_id, member, book.signing[member], key, random.randbytes(32))
    await Device(transport, session).shake()
    return transport


async def _writer(
    address: str, key: bytes, book: Book, flight: int, tally: Tally, task_status: trio.TaskStatus[None]
) -> None:
    transport = await _session(address, key, book, 1)
    sent: list[float] = []
    try:
        task_status.started()
        for _ in range(flight):
            sent.append(time.perf_counter())
            await transport.send(encode_message(book.append()))
        while True:
            frame = await transport.receive()
            if frame[1] == _APPENDED:
                now = time.perf_counter()
                if tally.measuring:
                    tally.appended += 1
                    tally.delays.append(now - sent.pop(0))
                else:
                    sent.pop(0)
                sent.append(now)
                await transport.send(encode_message(book.append()))
            assert frame[1] != _REFUSED
    finally:
        await transport.aclose()


async def _listener(address: str, key: bytes, book: Book, tally: Tally, task_status: trio.TaskStatus[None]) -> None:
    transport = await _session(address, key, book, 2)
    try:
        task_status.started()
        while True:
            await transport.receive()
            if tally.measuring:
                tally.pushed += 1
    finally:
        await transport.aclose()


def fdatasync_time(folder: Path) -> float:
    """Seconds for one fdatasync of 512 bytes, the median of many."""
    times = []
    with open(folder / "fdatasync", "wb") as file:
        for _ in range(300):
            file.write(os.urandom(512))
            file.flush()
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - begun)
    return statistics.median(times)


def floor(url: str, books: list[Book], flight: int, seconds: float) -> float:
    """Rows per second that the engine takes in group commits of `flight` for each set, and nothing else."""
    from tests.bench.load_floor import postgres_floor, sqlite_floor

    batch = len(books) * flight
    if url.startswith("postgresql"):
        return postgres_floor(url, [book.set_id for book in books], flight, seconds)
    return sqlite_floor(Path(url + "-floor"), len(books), batch // len(books), seconds)


def measure(url: str, folder: Path, args: argparse.Namespace) -> dict[str, float]:
    """One run: floor, load at full flight, and one client with one append at a time."""
    key, books = found(url, args.clients)
    measured = {"fdatasync_ms": fdatasync_time(folder) * 1000, "floor": floor(url, books, args.flight, args.seconds)}
    relays = Relays(url, folder, args.relays, "ws")
    try:
        full = trio.run(load, relays, key, books, args.flight, args.seconds)
        _, lone = found(url, 1) if url.startswith("postgresql") else (key, books[:1])
        one = trio.run(load, relays, key, lone, 1, args.seconds)
    finally:
        relays.close()
    measured |= {
        "appends": full.appended / args.seconds, "pushes": full.pushed / args.seconds,
        "cpu_us": full.cpu / full.appended * 1e6,
        "ratio": full.appended / args.seconds / measured["floor"],
        "p50_ms": statistics.median(full.delays) * 1000, "one_p50_ms": statistics.median(one.delays) * 1000,
        "one_appends": one.appended / args.seconds,
    }
    return measured


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.load", description=__doc__)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--flight", type=int, default=8, help="appends that a client has unanswered (8)")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--relays", type=int, default=1, help="relay processes; more than one need PostgreSQL")
    parser.add_argument("--db", help="the database's URL, or a new file (a temporary file)")
    parser.add_argument("--postgres", action="store_true", help="start a PostgreSQL server of its own")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="e2esync-load-")))
        url = args.db or str(folder / "relay.sqlite3")
        if args.postgres:
            server = Server()
            stack.callback(server.close)
            url = server.database()
        measured = measure(url, folder, args)
    if args.json:
        print(json.dumps(measured))
        return 0
    print(f"{args.clients} clients × {args.flight}, {args.relays} relay(s): {measured['appends']:,.0f} appends/s, "
          f"{measured['ratio']:.2f} of the floor ({measured['floor']:,.0f}/s), p50 {measured['p50_ms']:.1f} ms, "
          f"{measured['pushes']:,.0f} pushes/s, {measured['cpu_us']:.0f} µs of the relays' processors each")
    print(f"one client: p50 {measured['one_p50_ms']:.2f} ms, {measured['one_appends']:,.0f}/s; "
          f"fdatasync {measured['fdatasync_ms']:.2f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
