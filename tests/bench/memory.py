"""Peak memory of client and relay, by running the commands: `python -m tests.bench.memory SIZE PHOTOS FOLDER`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

_E2ESYNC = [sys.executable, "-m", "e2esync"]


def peak_memory(size: int, photos: int, folder: Path) -> dict[str, tuple[float, int]]:
    """Command → (seconds, peak resident bytes) of a client's commands on a book of this size, and of the relay.

    So many of its contacts have a photo (`cards.PHOTO_BYTES` each).
    """
    # Linux counts what the parent had when it forked, so that the parent of what is measured must be a small one.
    command = [sys.executable, "-m", "tests.bench.memory", str(size), str(photos), str(folder)]
    measured: dict[str, tuple[float, int]] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return measured


def _measure(size: int, photos: int, folder: Path) -> dict[str, tuple[float, int]]:
    folder.mkdir()
    with open(folder / "book.vcf", "wb") as book:
        subprocess.run([sys.executable, "-m", "tests.bench.cards", str(size), str(photos)], stdout=book, check=True)
    relay = subprocess.Popen(
        [*_E2ESYNC, "relay", "serve", "--db", str(folder / "relay.sqlite3"), "--listen", "127.0.0.1:0", "--json"],
        stdout=subprocess.PIPE,
    )
    try:
        assert relay.stdout is not None
        url = json.loads(relay.stdout.readline())["listening"][0]
        measured = _commands(folder, url)
        relay.terminate()
        _pid, status, usage = os.wait4(relay.pid, 0)
        relay.returncode = os.waitstatus_to_exitcode(status)
        measured["relay"] = (usage.ru_utime + usage.ru_stime, _resident(usage.ru_maxrss))
        return measured
    finally:
        if relay.returncode is None:
            relay.kill()
            relay.wait()


def _commands(folder: Path, url: str) -> dict[str, tuple[float, int]]:
    one, two = ["--home", str(folder / "one")], ["--home", str(folder / "two")]
    key = ["--key-file", str(folder / "key")]
    measured = {}
    for name, arguments in (
        ("init", [*one, *key, "init", "--relay", url, "--kit-file", str(folder / "kit")]),
        ("import", [*one, "import", str(folder / "book.vcf")]),
        ("sync", [*one, "sync"]),
        ("list", [*one, "list"]),
        ("import again", [*one, "import", str(folder / "book.vcf")]),
        ("export", [*one, "export", "-o", str(folder / "out.vcf")]),
        ("export as imported", [*one, "export", "--as-imported", "book.vcf", "-o", str(folder / "again.vcf")]),
        ("labels", [*one, "labels", "list"]),
        ("dedupe", [*one, "dedupe"]),
        ("backup", [*one, "backup", str(folder / "book.e2ebackup")]),
    ):
        measured[name] = _timed(arguments)
    with subprocess.Popen([*_E2ESYNC, *one, "pair", "--json", "--no-verify"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as pair:
        assert pair.stdout is not None
        code = json.loads(pair.stdout.readline())["code"]
        measured["join"] = _timed([*two, *key, "join", code, "--no-verify"])
    return measured


def _timed(arguments: list[str]) -> tuple[float, int]:
    begun = time.perf_counter()
    with subprocess.Popen([*_E2ESYNC, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, arguments
    return time.perf_counter() - begun, _resident(usage.ru_maxrss)


def _resident(value: int) -> int:
    # Linux counts kibibytes, macOS bytes.
    return value if sys.platform == "darwin" else value * 1024


if __name__ == "__main__":
    print(json.dumps(_measure(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))))
