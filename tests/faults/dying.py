"""A program that kills itself with -9 at a named point: `python -m tests.faults.dying POINT N ARGUMENT…`.

It is `e2esync ARGUMENT…`, but for the N-th time that it comes to the point, at which it is gone: no handler runs, no
file is closed, and what the kernel has not been given is lost.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from inspect import iscoroutinefunction
from typing import Any, Final, NamedTuple

from e2esync.cli import main


class Point(NamedTuple):
    """A function of the program, and the side of it on which the program dies."""

    place: str
    after: bool = False


_LEAVE = "e2esync.stores.database:Database.end"
_SEND = "e2esync.client.connection:Connection._exchange"
_OPEN = "e2esync.stores.profile:ProfileStore.open"
_EXECUTE = "e2esync.stores.relay:RelayStore.execute"
_ANSWER = "e2esync.relay.hub:Hub.apply"
_CHECKPOINT = "e2esync.stores.relay:RelayStore.checkpoint"

POINTS: Final = {
    "device: profile opened": Point(_OPEN, after=True),
    "device: before a transaction ends": Point(_LEAVE),
    "device: after a transaction ended": Point(_LEAVE, after=True),
    "device: before requests are sent": Point(_SEND),
    "device: after their answers came": Point(_SEND, after=True),
    "device: a frame is there": Point("e2esync.session.client:ClientSession.receive"),
    "device: before a slice is folded": Point("e2esync.replica.reading:_check_own"),
    "device: before the profile is closed": Point("e2esync.stores.profile:ProfileStore.close"),
    "relay: store opened": Point("e2esync.stores.relay:RelayStore._load_identity", after=True),
    "relay: a frame is there": Point("e2esync.session.relay:RelaySession.receive"),
    "relay: before a batch": Point(_EXECUTE),
    "relay: decided, before the commit": Point("e2esync.stores.relay_batch:Batch.flush", after=True),
    "relay: durable, nobody answered": Point(_EXECUTE, after=True),
    "relay: before the answers": Point(_ANSWER),
    "relay: after the answers": Point(_ANSWER, after=True),
    "relay: before a checkpoint": Point(_CHECKPOINT),
    "relay: after a checkpoint": Point(_CHECKPOINT, after=True),
}
"""Where a command of a device, and a relay, may be told to die."""


def program_that_dies(name: str, at: int, *arguments: str) -> list[str]:
    """The command line of a program that dies the `at`-th time that it comes to a point."""
    return [sys.executable, "-m", "tests.faults.dying", name, str(at), *arguments]


def die_at(point: Point, at: int) -> None:
    """Have this process die the `at`-th time that it comes there, counted from 1."""
    module, _, names = point.place.partition(":")
    *owners, name = names.split(".")
    owner: Any = import_module(module)
    for each in owners:
        owner = getattr(owner, each)
    real, bound = getattr(owner, name), isinstance(vars(owner)[name], classmethod)
    left = at

    def tick() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    wrapped: Callable[..., Any]
    if iscoroutinefunction(real):
        async def wrapped(*args: Any, **options: Any) -> Any:
            if not point.after:
                tick()
            result = await real(*args, **options)
            if point.after:
                tick()
            return result
    else:
        def wrapped(*args: Any, **options: Any) -> Any:
            if not point.after:
                tick()
            result = real(*(args[1:] if bound else args), **options)
            if point.after:
                tick()
            return result

    setattr(owner, name, classmethod(wrapped) if bound else wrapped)


if __name__ == "__main__":
    chosen, times, *arguments = sys.argv[1:]
    die_at(POINTS[chosen], int(times))
    sys.exit(main(arguments))
