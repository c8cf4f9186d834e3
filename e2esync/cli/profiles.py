"""Making a profile for `init` and `join`, and taking it away again if the command fails before it is of use."""

from __future__ import annotations

import os
import platform
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from e2esync.limits import DEVICE_NAME_MAX

from .context import Context
from .exits import UsageError

if TYPE_CHECKING:
    from e2esync.client.profile import Profile
    from e2esync.client.protection import Way


def device_name(given: str | None, what: str = "device") -> str:
    """A name as given, of this device else the computer's. Raises UsageError for one that is no name."""
    name = given if given is not None else platform.node().partition(".")[0] or "device"
    name = name.strip()
    if not name or len(name.encode("utf-8", "replace")) > DEVICE_NAME_MAX:
        raise UsageError(f"a {what}'s name has 1 to {DEVICE_NAME_MAX} bytes", "choose another name")
    if any(char < " " or "\x7f" <= char <= "\x9f" for char in name):
        raise UsageError(f"a {what}'s name is one line, without control characters", "choose another name")
    return name


@contextmanager
def new_profile(context: Context, way: Way) -> Iterator[Profile]:
    """A new, empty profile in the folder that the options name. Raises ProfileExists.

    If the block fails, the profile goes again: nobody could use it, and it would be in the way of the next attempt.
    """
    from e2esync.client.entropy import SystemEntropy
    from e2esync.client.profile import Profile

    profile = context.adopt(Profile.create(context.home, way, entropy=SystemEntropy()))
    try:
        with _ended_as_interrupted():
            yield profile
    except BaseException:
        context.release()
        _remove(profile.home)
        raise


@contextmanager
def _ended_as_interrupted() -> Iterator[None]:
    """A terminal that is closed, or a process told to end, is as Ctrl-C: what was begun is cleared away."""
    ours = (signal.SIGHUP, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.signal(number, _interrupt) for number in ours
              if signal.getsignal(number) is signal.SIG_DFL}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: object) -> None:
    # Where SIGINT is ignored, as in a shell's background, raising it would swallow the other signal, too.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGINT)


def _remove(home: Path) -> None:
    """Remove the folder of a profile that this process made, if nothing else is in it."""
    from e2esync.client.profile import DATABASE, LOCK, PROTECTION

    for name in (PROTECTION, DATABASE, DATABASE + "-wal", DATABASE + "-shm", LOCK):
        with suppress(OSError):
            os.unlink(home / name)
    with suppress(OSError):
        home.rmdir()
