"""A folder that is looked at again and again: `import --watch`.

Invariants: a file is taken once it is as it was at the look before, so never half written; what was taken is not taken
again until it changes; a file that cannot be read, or a folder that is empty for a while, ends nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from e2esync.errors import E2esyncError

from .exits import OK, FileProblem

if TYPE_CHECKING:
    from .context import Context

INTERVAL: Final = 2.0
"""Seconds between two looks."""

Seen = dict[str, tuple[int, int]]
"""File → (size, time of change)."""


def watch_folder(context: Context, folder: str, take: Callable[[], int], *,
                 wait: Callable[[], None] = lambda: time.sleep(INTERVAL)) -> int:
    """Call `take` at first and whenever the folder's files have changed and rest; ends with an interrupt in `wait`."""
    if not os.path.isdir(folder):
        raise FileProblem(f"{folder} is no folder", "--watch takes a folder")
    context.out.note(f"watching {folder}; Ctrl-C ends it")
    taken: Seen | None = None
    before = look(folder)
    while True:
        try:
            wait()
        except KeyboardInterrupt:
            return OK
        now = look(folder)
        if now and now == before and now != taken:
            taken = now
            try:
                take()
            except E2esyncError as error:
                context.out.error(error)
        before = now


def look(folder: str) -> Seen:
    """What lies in a folder."""
    found: Seen = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_file() and not entry.name.startswith("."):
                    stat = entry.stat()
                    found[entry.name] = (stat.st_size, stat.st_mtime_ns)
    except OSError:
        # Unmounted, say: it may come back.
        return {}
    return found
