"""`python -m tests.bench.crowd idle|storm|soak|flood`: a relay among many, some of whom mean it harm.

idle: what an idle connection costs in memory. storm: everybody comes back at once. soak: does memory grow while devices
write, leave and come back? flood: how long honest devices wait, and how much memory the relay takes, while strangers do
what they can. The relay is a process of its own, and so is whoever attacks it; all share one machine.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import selectors
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from e2esync.errors import E2esyncError
from tests.bench.lines import Line, member_line
from tests.bench.load import Pair, Tally, found
from tests.cluster.world import Relays
from tests.session.world import Book

ATTACKS: Final = ("strangers", "slow", "mailboxes", "oversized", "idlers")
_TOO_LATE: Final = 15.0
_TURN: Final = 0.05


@dataclass
class Arrivals:
    """Who has come, after how many seconds each, and what became of those who have not."""

    lines: list[Line] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)


def arrive(makers: Iterator[Callable[[], Line]], at_once: int) -> Arrivals:
    """Everybody comes, so many at a time. Who has waited as long as a client waits has failed."""
    arrivals = Arrivals()
    begun: dict[Line, float] = {}
    with selectors.DefaultSelector() as selector:
        def begin() -> bool:
            maker = next(makers, None)
            if maker is not None:
                now = time.perf_counter()
                line = maker()
                begun[line] = now
                selector.register(line, selectors.EVENT_WRITE)
            return maker is not None

        while len(begun) < at_once and begin():
            pass
        while begun:
            for ready, events in selector.select(_TURN):
                line = ready.fileobj
                assert isinstance(line, Line)
                try:
                    proved = line.advance()
                except (OSError, E2esyncError) as error:
                    arrivals.errors[type(error).__name__] += 1
                    line.close()
                else:
                    if events & selectors.EVENT_WRITE:
                        selector.modify(line, selectors.EVENT_READ)
                    if not proved:
                        continue
                    waited = time.perf_counter() - begun[line]
                    arrivals.lines.append(line)
                    arrivals.seconds.append(waited)
                    arrivals.errors["late"] += waited > _TOO_LATE
                selector.unregister(ready.fd)
                del begun[line]
                begin()
    return arrivals


def resident(relays: Relays) -> int:
    """Bytes of memory that the relays have at this moment."""
    return sum(
        int(line.split()[1]) << 10
        for pid in relays.pids for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmRSS:")
    )


def devices(relays: Relays, key: bytes, books: list[Book], count: int) -> Iterator[Callable[[], Line]]:
    """So many sessions of the books' members."""
    for number in range(count):
        book, member = books[number % len(books)], 1 + number // len(books) % 2
        yield lambda book=book, member=member: member_line(  # type: ignore[misc]
            relays.addresses[0], key, book, member, waiting=False)


def idle(relays: Relays, key: bytes, books: list[Book], count: int) -> dict[str, float]:
    """Connections that do nothing: bytes of the relay's memory for each."""
    # What the first few cost once, as code and caches, is no connection's.
    first = arrive(devices(relays, key, books, 200), 50)
    before = resident(relays)
    arrivals = arrive(devices(relays, key, books, count), 50)
    time.sleep(1)
    each = (resident(relays) - before) / len(arrivals.lines)
    for line in (*first.lines, *arrivals.lines):
        line.close()
    return {"connections": len(arrivals.lines), "bytes_each": each, "errors": arrivals.errors.total()}


def storm(relays: Relays, key: bytes, books: list[Book], count: int) -> dict[str, float]:
    """Everybody is there, is cut off, and comes back in the same moment, without the jitter that clients have."""
    for line in arrive(devices(relays, key, books, count), 50).lines:
        line.close()
    cpu, begun = -relays.cpu(), time.perf_counter()
    arrivals = arrive(devices(relays, key, books, count), count)
    seconds = time.perf_counter() - begun
    for line in arrivals.lines:
        line.close()
    return {
        "connections": len(arrivals.lines), "refused": arrivals.errors.total() - arrivals.errors["late"],
        "late": arrivals.errors["late"], "seconds": seconds,
        "p50_s": statistics.median(arrivals.seconds), "last_s": max(arrivals.seconds),
        "relay_cpu_us": (cpu + relays.cpu()) / count * 1e6,
    }


class Honest:
    """Pairs of devices that append at a steady pace, and how long they wait."""

    def __init__(self, relays: Relays, key: bytes, books: list[Book], pause: float) -> None:
        self._relays, self._key, self._pause = relays, key, pause
        self._books = books
        self._pairs = [self._pair(book) for book in books]
        self.peak = 0

    def run(self, seconds: float) -> Tally:
        """So long; every pair appends once a pause, if it has its answer."""
        tally, until = Tally(), time.perf_counter() + seconds
        due = time.perf_counter()
        while time.perf_counter() < until:
            if time.perf_counter() >= due:
                due += self._pause
                for pair in self._pairs:
                    pair.append_if_idle()
            with selectors.DefaultSelector() as selector:
                for pair in self._pairs:
                    selector.register(pair.writer, selectors.EVENT_READ, pair.answers)
                    selector.register(pair.listener, selectors.EVENT_READ, pair.pushes)
                while (left := min(due, until) - time.perf_counter()) > 0:
                    for ready, _ in selector.select(left):
                        ready.data(tally)
            self.peak = max(self.peak, resident(self._relays))
        return tally

    def return_one(self, number: int) -> None:
        """One pair leaves and comes back."""
        place = number % len(self._pairs)
        self._pairs[place].close()
        self._pairs[place] = self._pair(self._books[place])

    def close(self) -> None:
        """Everybody hangs up."""
        for pair in self._pairs:
            pair.close()

    def _pair(self, book: Book) -> Pair:
        address = self._relays.addresses[0]
        return Pair(member_line(address, self._key, book, 1), member_line(address, self._key, book, 2), flight=0)


def soak(relays: Relays, key: bytes, books: list[Book], seconds: float) -> dict[str, float]:
    """Memory by the second; its slope over the second half, when caches have filled."""
    honest = Honest(relays, key, books, 0.02)
    points: list[tuple[float, int]] = []
    begun, appended = time.perf_counter(), 0
    while (now := time.perf_counter() - begun) < seconds:
        appended += honest.run(1).appended
        honest.return_one(len(points))
        points.append((now, resident(relays)))
    half = points[len(points) // 2 :]
    slope = statistics.linear_regression([at for at, _ in half], [size for _, size in half]).slope
    return {"appends": appended, "returns": len(points), "first_bytes": points[0][1], "half_bytes": half[0][1],
            "last_bytes": points[-1][1], "bytes_per_append": slope * seconds / appended}


def flood(relays: Relays, key: bytes, books: list[Book], seconds: float) -> dict[str, dict[str, float]]:
    """Honest devices alone, and then beside each attack."""
    honest = Honest(relays, key, books, 0.1)
    honest.run(2)
    told = {"nobody": _waited(honest, seconds)}
    for attack in ATTACKS:
        command = [sys.executable, "-m", "tests.bench.attackers", attack, relays.addresses[0], key.hex()]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as attacker:
            honest.run(2)
            told[attack] = _waited(honest, seconds)
            attacker.terminate()
            out, _ = attacker.communicate()
            told[attack]["attempts"] = float(out or 0)
        honest.run(2)
    return told


def _waited(honest: Honest, seconds: float) -> dict[str, float]:
    honest.peak = 0
    delays = sorted(honest.run(seconds).delays)
    return {"appends": len(delays), "p50_ms": statistics.median(delays) * 1000,
            "p99_ms": delays[int(len(delays) * 0.99)] * 1000, "peak_bytes": honest.peak}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.crowd", description=__doc__)
    parser.add_argument("what", choices=["idle", "storm", "soak", "flood"])
    parser.add_argument("--count", type=int, help="connections (idle 10000, storm 5000), pairs of devices (20)")
    parser.add_argument("--seconds", type=float, default=10, help="how long soak is, and each part of flood (10)")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = args.count or {"idle": 10_000, "storm": 5_000}.get(args.what, 20)
    # Everybody comes from one address here; an army of attackers comes from many.
    os.environ["E2ESYNC_RELAY_CONNECTS_BURST"] = "0"
    with tempfile.TemporaryDirectory(prefix="e2esync-crowd-") as name:
        url = str(Path(name) / "relay.sqlite3")
        key, books = found(url, 100 if args.what in ("idle", "storm") else count)
        relays = Relays(url, Path(name), 1, "ws")
        try:
            if args.what in ("idle", "storm"):
                told = {args.what: (idle if args.what == "idle" else storm)(relays, key, books, count)}
            elif args.what == "soak":
                told = {"soak": soak(relays, key, books, args.seconds)}
            else:
                told = flood(relays, key, books, args.seconds)
        finally:
            relays.close()
    if args.json:
        print(json.dumps(told))
        return 0
    for row, values in told.items():
        print(f"{row:<10}", "  ".join(f"{key} {value:,.2f}" for key, value in values.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
