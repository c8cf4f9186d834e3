"""The corpus that is kept: one text file for each target, `tests/fuzz/corpus/TARGET.hex`, an input a line.

A line that begins with "! " once failed, and stays. The others are the few that reach most of what the seeds do not:
of all that a run found, those with the most features of libFuzzer's that no seed and no smaller one had, as many as
fit. The default suite runs every line, and every fuzzing begins from them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "corpus"
BUDGET: Final = 2048
"""So many bytes of each target's findings are kept, but for what failed."""
LARGEST: Final = 512
_FAILED: Final = "! "


def kept(name: str) -> list[bytes]:
    """The inputs that are kept for a target."""
    path = FOLDER / f"{name}.hex"
    lines = path.read_text("ascii").splitlines() if path.exists() else []
    return [bytes.fromhex(line.removeprefix(_FAILED)) for line in lines]


def keep_failure(name: str, data: bytes) -> None:
    """Keep an input that failed, for ever."""
    path = FOLDER / f"{name}.hex"
    before = path.read_text("ascii") if path.exists() else ""
    _write(path, [*before.splitlines(), _FAILED + data.hex()])


def keep_best(name: str, weighed: list[tuple[int, bytes]]) -> int:
    """Keep those of (new features, input) that reach most, in place of what was kept before; how many there are."""
    path = FOLDER / f"{name}.hex"
    lines = path.read_text("ascii").splitlines() if path.exists() else []
    chosen, room = [], BUDGET
    for features, data in sorted(weighed, key=lambda each: (-each[0], len(each[1]), each[1])):
        if features and len(data) <= min(room, LARGEST):
            chosen.append(data)
            room -= len(data)
    _write(path, [line for line in lines if line.startswith(_FAILED)] + sorted(data.hex() for data in chosen))
    return len(chosen)


def _write(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(exist_ok=True)
    if lines:
        path.write_text("".join(f"{line}\n" for line in lines), "ascii")
    else:
        path.unlink(missing_ok=True)


def read_weights(control: str, files: list[Path]) -> list[tuple[int, bytes]]:
    """What libFuzzer wrote about each file: how many features it has that none before it has."""
    found = []
    for line in control.splitlines():
        kind, *numbers = line.split()
        if kind == "FT" and numbers:
            found.append((len(numbers) - 1, files[int(numbers[0])].read_bytes()))
    return found
