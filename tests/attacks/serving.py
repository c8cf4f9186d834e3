"""A relay in a process of its own, as an operator runs it: what strangers cost it is what the system says it has taken.

A control starts it without the check: `python -m tests.attacks.serving TARGET INSTEAD ALONE …` puts the replacement in
its place, and serves with the rest of its arguments.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from e2esync import cli
from tests.attacks.scene import missing
from tests.bench.load import found
from tests.cluster.world import Relays
from tests.saboteurs.removing import Saboteur, at_work


class Served(Relays):
    """One relay, over a database in a folder, with sets in it."""

    def __init__(self, folder: Path, sets: int) -> None:
        self.folder = folder
        self.database = folder / "relay.sqlite3"
        self.key, self.books = found(str(self.database), sets)
        super().__init__(str(self.database), folder, 1, "ws")

    @property
    def program(self) -> list[str]:
        """How a relay is started here."""
        without = [word for weak in missing() for word in (weak.target, _name(weak.instead), str(int(weak.alone)))]
        return [sys.executable, "-m", "tests.attacks.serving", *without, "--"]

    @property
    def resident(self) -> int:
        """Bytes of memory that it has at this moment."""
        return self._status("VmRSS")

    @property
    def peak(self) -> int:
        """The most that it has had since `forget_peak`."""
        return self._status("VmHWM")

    def forget_peak(self) -> None:
        """Count from what it has at this moment."""
        self._proc("clear_refs").write_text("5")

    @property
    def sockets(self) -> int:
        """Files that it has open, of which all but a few are connections."""
        return len(list(self._proc("fd").iterdir()))

    @property
    def on_disk(self) -> int:
        """Bytes of its database, journal included."""
        return sum(path.stat().st_size for path in self.folder.glob("relay.sqlite3*"))

    def _status(self, name: str) -> int:
        (line,) = (line for line in self._proc("status").read_text().splitlines() if line.startswith(name + ":"))
        return int(line.split()[1]) << 10

    def _proc(self, name: str) -> Path:
        (pid,) = self.pids
        return Path(f"/proc/{pid}/{name}")


@contextmanager
def served(folder: Path, sets: int = 1) -> Iterator[Served]:
    """A relay for as long as the block lasts. All of this machine is one address: that limit is for others to test."""
    os.environ["E2ESYNC_RELAY_CONNECTS_BURST"] = "0"
    try:
        relay = Served(folder, sets)
        try:
            yield relay
        finally:
            relay.close()
    finally:
        del os.environ["E2ESYNC_RELAY_CONNECTS_BURST"]


def _name(instead: Any) -> str:
    return str(instead) if isinstance(instead, int) else f"{instead.__module__}:{instead.__qualname__}"


def _named(text: str) -> Any:
    module, _, name = text.partition(":")
    return getattr(import_module(module), name) if name else int(text)


def main() -> int:
    """Serve, with the given checks missing."""
    arguments = sys.argv[1:]
    end = arguments.index("--")
    checks, options = arguments[:end], arguments[end + 1:]
    with ExitStack() as gone:
        for target, instead, alone in zip(checks[::3], checks[1::3], checks[2::3], strict=True):
            gone.enter_context(at_work(Saboteur(f"e2esync.{target}", "", (), _named(instead), alone == "1")))
        return cli.main(["relay", *options])


if __name__ == "__main__":
    sys.exit(main())
