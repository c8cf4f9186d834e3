"""`python -m tests.bench.load [--clients N] [--flight N] [--seconds N] [--relays N] [--db URL] [--postgres]`: appends.

Each client appends to a set of its own, so many at a time, and another device of the set hears of it. Relays are
processes of their own. Rates are printed as ratios, in one run, to three others: the floor, which is the same rows,
compared and appended in group commits by the database without a relay; the engine, which is the relay's own store with
the same batches and without a network; and the prototype, a relay that keeps no rule (SQLite alone).
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from e2esync.session import messages as m
from e2esync.session.commands import Change
from e2esync.stores.relay_engine import open_engine
from tests.bench.lines import APPENDED, ENVELOPE, PUSHED, Appends, Line, member_line
from tests.bench.prototype import Running
from tests.cluster.world import Relays
from tests.helpers.postgres import Server
from tests.session.world import NOW, Book

_WARM_UP = 1.0


@dataclass
class Tally:
    """What the clients saw within the measured time: seconds from append to answer, and from answer to push."""

    appended: int = 0
    pushed: int = 0
    delays: list[float] = field(default_factory=list)
    behind: list[float] = field(default_factory=list)
    relay_cpu: float = 0.0
    client_cpu: float = 0.0


class Pair:
    """A set's two devices: one keeps so many appends in flight, the other one hears of them."""

    def __init__(self, writer: Line, listener: Line, flight: int) -> None:
        self.writer = writer
        self.listener = listener
        self._appends = Appends()
        self._sent: deque[float] = deque()
        # When the answers came to appends that have not been pushed yet, and the other way round.
        self._answered: deque[float] = deque()
        self._pushed: deque[float] = deque()
        self._again = flight > 0
        self.append(flight)

    def append(self, count: int) -> None:
        """Sends so many appends."""
        self._sent.extend([time.perf_counter()] * count)
        self.writer.socket.sendall(self._appends.frames(count))

    def append_if_idle(self) -> None:
        """Sends an append, unless one is unanswered."""
        if not self._sent:
            self.append(1)

    def answers(self, tally: Tally) -> None:
        """What the relay says to the writer; for each answer there is another append, if any were in flight."""
        answers = sum(message[1] == APPENDED for message in self.writer.receive())
        if answers:
            now = time.perf_counter()
            tally.appended += answers
            tally.delays += [now - self._sent.popleft() for _ in range(answers)]
            self._answered.extend([now] * answers)
            if self._again:
                self.append(answers)
            self._compare(tally)

    def pushes(self, tally: Tally) -> None:
        """What the other device hears: pushes, with nothing but envelopes of one size."""
        pushed = sum(len(message) // ENVELOPE for message in self.listener.receive() if message[1] == PUSHED)
        tally.pushed += pushed
        self._pushed.extend([time.perf_counter()] * pushed)
        self._compare(tally)

    def close(self) -> None:
        """Both hang up."""
        self.writer.close()
        self.listener.close()

    def _compare(self, tally: Tally) -> None:
        while self._answered and self._pushed:
            tally.behind.append(self._pushed.popleft() - self._answered.popleft())


def found(url: str, count: int) -> tuple[bytes, list[Book]]:
    """The relay's key, and as many new sets."""
    engine = open_engine(url)
    books = [Book(engine.key.verify_key, seed=f"{time.time()} {number}") for number in range(count)]
    for book in books:
        (made,) = engine.execute([Change(b"", 0, 1, book.create())], NOW).outcomes
        assert made.result == m.Created(book.set_id)
    engine.close()
    return books[0].relay_key, books


def relay_lines(relays: Relays, key: bytes, books: list[Book]) -> list[tuple[Line, Line]]:
    """The two devices of each set; at two relays where there are two."""
    addresses = relays.addresses
    return [
        (member_line(addresses[number % len(addresses)], key, book, 1),
         member_line(addresses[(number + 1) % len(addresses)], key, book, 2))
        for number, book in enumerate(books)
    ]


def load(lines: list[tuple[Line, Line]], cpu: Callable[[], float], flight: int, seconds: float) -> Tally:
    """Everybody appends for so long, after a second to warm up. `cpu` tells what the relays have used so far."""
    pairs = [Pair(writer, listener, flight) for writer, listener in lines]
    with selectors.DefaultSelector() as selector:
        for pair in pairs:
            selector.register(pair.writer, selectors.EVENT_READ, pair.answers)
            selector.register(pair.listener, selectors.EVENT_READ, pair.pushes)
        _turn(selector, Tally(), _WARM_UP)
        tally = Tally(relay_cpu=-cpu(), client_cpu=-time.process_time())
        _turn(selector, tally, seconds)
        tally.relay_cpu += cpu()
        tally.client_cpu += time.process_time()
    for pair in pairs:
        pair.close()
    return tally


def _turn(selector: selectors.BaseSelector, tally: Tally, seconds: float) -> None:
    until = time.perf_counter() + seconds
    while (left := until - time.perf_counter()) > 0:
        for ready, _ in selector.select(left):
            ready.data(tally)


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


def prototype(folder: Path, sets: int, flight: int, seconds: float) -> dict[str, float]:
    """The same load on a relay that keeps no rule."""
    running = Running(folder / "prototype.sqlite3")
    try:
        tally = load([running.lines(number) for number in range(sets)], running.cpu, flight, seconds)
    finally:
        running.close()
    return {"prototype": tally.appended / seconds, "prototype_cpu_us": tally.relay_cpu / tally.appended * 1e6}


def floors(url: str, folder: Path, books: list[Book], flight: int, seconds: float) -> dict[str, float]:
    """What the relays are compared with."""
    from tests.bench.load_floor import as_before, engine_floor, postgres_floor, sqlite_floor

    if url.startswith("postgresql"):
        with as_before(url):
            rate, cpu = postgres_floor(url, [book.set_id for book in books], flight, seconds)
        with as_before(url):
            engine = engine_floor(url, books, flight, seconds)
        return {"floor": rate, "floor_cpu_us": cpu * 1e6, "engine": engine}
    rate, cpu = sqlite_floor(Path(url + "-floor"), len(books), flight, seconds)
    _, others = found(url + "-engine", len(books))
    engine = engine_floor(url + "-engine", others, flight, seconds)
    return {"floor": rate, "floor_cpu_us": cpu * 1e6, "engine": engine} | prototype(folder, len(books), flight, seconds)


def measure(url: str, folder: Path, args: argparse.Namespace) -> dict[str, float]:
    """One run: floors, load at full flight, and one client with one append at a time."""
    key, books = found(url, args.clients)
    measured = floors(url, folder, books, args.flight, args.seconds)
    measured["fdatasync_ms"] = fdatasync_time(folder) * 1000
    relays = Relays(url, folder, args.relays, "ws")
    try:
        full = load(relay_lines(relays, key, books), relays.cpu, args.flight, args.seconds)
        _, lone = found(url, 1) if url.startswith("postgresql") else (key, books[:1])
        one = load(relay_lines(relays, key, lone), relays.cpu, 1, args.seconds)
    finally:
        relays.close()
    measured |= {
        "appends": full.appended / args.seconds, "pushes": full.pushed / args.seconds,
        "cpu_us": full.relay_cpu / full.appended * 1e6, "client_cpu_us": full.client_cpu / full.appended * 1e6,
        "p50_ms": statistics.median(full.delays) * 1000, "one_p50_ms": statistics.median(one.delays) * 1000,
        "push_p50_ms": statistics.median(full.behind) * 1000, "one_push_p50_ms": statistics.median(one.behind) * 1000,
        "one_appends": one.appended / args.seconds,
    }
    return measured


def report(measured: dict[str, float], args: argparse.Namespace) -> None:
    """Prints for people."""
    print(f"{args.clients} clients × {args.flight}, {args.relays} relay(s): {measured['appends']:,.0f} appends/s, "
          f"p50 {measured['p50_ms']:.1f} ms, push {measured['push_p50_ms']:.2f} ms behind it, "
          f"{measured['pushes']:,.0f} pushes/s")
    for name, what in (
        ("prototype", "a relay that keeps no rule"), ("engine", "the engine's own group commits"),
        ("floor", "the database alone"),
    ):
        if name in measured:
            print(f"  {measured['appends'] / measured[name]:.2f} of {what} ({measured[name]:,.0f}/s)")
    print(f"processor time of each: {measured['cpu_us']:.0f} µs in the relays, {measured['client_cpu_us']:.0f} µs in "
          f"the clients, {measured['floor_cpu_us']:.0f} µs for the floor"
          + (f", {measured['prototype_cpu_us']:.0f} µs in the prototype" if "prototype" in measured else ""))
    print(f"one client: p50 {measured['one_p50_ms']:.2f} ms, push {measured['one_push_p50_ms']:.2f} ms behind it, "
          f"{measured['one_appends']:,.0f}/s; fdatasync {measured['fdatasync_ms']:.2f} ms")


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
    report(measured, args)
    return 0


if __name__ == "__main__":
    sys.exit(main())
