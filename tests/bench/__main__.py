"""`python -m tests.bench [--size N] [--repeat R] [--json]`: one table of measurements, as ratios to the floor.

Each run begins with an empty folder, a new relay process and new profiles; what is printed is the median of the runs.
With --size 50000 or more the peak memory of client and relay is measured too, by running the commands themselves.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import statistics
import sys
import tempfile
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import trio

from .cards import vcards
from .floor import book_floor, edit_floor
from .measures import EDITS, Sizes, Times, list_cpu, one_run, plain_cards
from .memory import peak_memory

TARGETS_AT = 10_000
"""The targets for times are for a book of this size."""
MEMORY_FROM = 50_000
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    name: str
    value: str
    ratio: str
    target: str
    met: bool | None


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--size", type=int, default=10_000, help="cards in the book (10000)")
    parser.add_argument("--repeat", type=int, default=3, help="runs, of which the median is printed (3)")
    parser.add_argument("--memory", action="store_true", help="measure peak memory too, as with a large --size")
    parser.add_argument("--photos", type=int, default=0, metavar="N",
                        help="where memory is measured, N of the cards have a photo of 40 kB (0)")
    parser.add_argument("--markdown", action="store_true", help="the table as README has it")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    args = parser.parse_args()
    # As the command line does it.
    gc.set_threshold(100_000, 50, 100)
    content = vcards(args.size)
    cards = plain_cards(content)
    with tempfile.TemporaryDirectory(prefix="e2esync-bench-") as name:
        folder = Path(name)
        runs, floors, edits = [], [], []
        for number in range(args.repeat):
            floors.append(book_floor(cards, folder))
            edits.append(statistics.median(edit_floor(folder, EDITS)))
            runs.append(trio.run(partial(one_run, content, folder / f"run{number}")))
        times, sizes = _median([run[0] for run in runs], Times), _median([run[1] for run in runs], Sizes)
        floor, edit = statistics.median(floors), statistics.median(edits)
        rows = time_rows(times, floor, edit)
        rows += [
            Row(f"list, CPU with start-up, {kind} profile", f"{cpu * 1000:.0f} ms", "", "150 ms", cpu < 0.150)
            for kind, cpu in (("plain", list_cpu(content, folder / "plain", plain=True)),
                              ("key-file", list_cpu(content, folder / "keyfile", plain=False)))
        ]
        if args.size != TARGETS_AT:
            rows = [replace(row, target="", met=None) for row in rows]
        rows += size_rows(sizes)
        if args.memory or args.photos or args.size >= MEMORY_FROM:
            rows += memory_rows(peak_memory(args.size, args.photos, folder / "memory"))
    machine = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    if args.json:
        print(json.dumps({"size": args.size, "machine": machine, "floor": floor, "edit_floor": edit,
                          "times": asdict(times), "sizes": asdict(sizes), "rows": [asdict(row) for row in rows]}))
        return 0
    print(f"{args.size:,} cards, {sizes.cards / args.size:.0f} bytes of msgpack each; {machine}; "
          f"median of {args.repeat}")
    print(f"floor: {floor * 1000:.0f} ms for the book, {edit * 1000:.1f} ms for an edit\n")
    (print_markdown if args.markdown else print_table)(rows)
    return 0


def time_rows(times: Times, floor: float, edit: float) -> list[Row]:
    """What is measured in seconds."""
    applied = times.plan + times.apply
    return [
        Row("parse the .vcf", f"{times.parse:.2f} s", "", "2 s", times.parse < 2),
        Row("plan and apply the import", f"{applied:.2f} s", f"{applied / floor:.1f}x", "", None),
        _ratio("first upload of an imported profile", times.upload, floor, 5),
        _ratio("restore on a new device, encrypted", times.restore, floor, 8),
        Row("pairing with restore, all of it", f"{times.pairing:.2f} s", f"{times.pairing / floor:.1f}x", "", None),
        _ratio("an edit into the other device's store", times.edit, edit, 5),
    ]


def size_rows(sizes: Sizes) -> list[Row]:
    """What is measured in bytes."""
    return [
        _share("upload over msgpack of the cards", sizes.upload, sizes.cards, 1.25),
        _share("relay storage over the same", sizes.stored, sizes.cards, 1.25),
        _limit("reconnect with nothing new", sizes.reconnect, KIB),
        _limit("1,000 edits of one offline session", sizes.session, 180_000),
        _limit("a live edit, sent", sizes.edit_sent, 600),
        _limit("a live edit, pushed", sizes.edit_received, 600),
        _limit("adding a device after 20 edits", sizes.adding, 64 * KIB),
        _limit("removing a device after 20 edits", sizes.removing, 64 * KIB),
    ]


def memory_rows(measured: dict[str, tuple[float, int]]) -> list[Row]:
    """Peak resident memory by command."""
    return [
        Row(f"peak memory: {name}", f"{peak / MIB:.0f} MiB", f"{seconds:.1f} s",
            "300 MiB" if name == "relay" else "1 GiB", peak < (300 * MIB if name == "relay" else GIB))
        for name, (seconds, peak) in measured.items()
    ]


def print_table(rows: list[Row]) -> None:
    """One line each."""
    print(f"{'':<42}{'MEASURED':>12}{'RATIO':>9}{'TARGET':>10}  MET")
    for row in rows:
        met = "" if row.met is None else "yes" if row.met else "NO"
        print(f"{row.name:<42}{row.value:>12}{row.ratio:>9}{row.target:>10}  {met}".rstrip())


def print_markdown(rows: list[Row]) -> None:
    """What was measured, without the targets."""
    print("| | measured | ratio |\n|---|---:|---:|")
    for row in rows:
        print(f"| {row.name} | {row.value} | {row.ratio.replace('x', ' ×')} |")


def _ratio(name: str, seconds: float, floor: float, target: float) -> Row:
    value = f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds:.2f} s"
    return Row(name, value, f"{seconds / floor:.1f}x", f"{target:g}x", seconds < target * floor)


def _share(name: str, count: int, base: int, target: float) -> Row:
    return Row(name, f"{count:,} B", f"{count / base:.3f}x", f"{target:g}x", count <= target * base)


def _limit(name: str, count: int, target: int) -> Row:
    return Row(name, f"{count:,} B", "", f"{target:,} B", count < target)


def _median(runs: list[Any], kind: Any) -> Any:
    return kind(**{item.name: statistics.median(getattr(run, item.name) for run in runs) for item in fields(kind)})


if __name__ == "__main__":
    sys.exit(main())
