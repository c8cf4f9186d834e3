"""Commands that a hold keeps back (SPEC 13.6), by set, in the order in which they came.

Whether a set is held, the engine alone knows, as other processes of the relay may have begun it. Here is who waits:
what was told to wait, and whatever the same connection sends behind it, so that nothing overtakes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

from e2esync.session.commands import Change
from e2esync.session.messages import Append, Open


class Waiter(Protocol):
    """A command, and the connection that it came from."""

    @property
    def connection(self) -> Any:
        """Whose command it is."""

    @property
    def command(self) -> Any:
        """What is to be decided."""


Job = TypeVar("Job", bound=Waiter)


class WaitingRoom(Generic[Job]):
    """The commands of all sets that wait. Bounded by what each connection may have under way."""

    def __init__(self) -> None:
        self._jobs: dict[bytes, deque[Job]] = {}

    def is_behind(self, job: Job) -> bool:
        """Whether this is an append or opening of a connection of which one waits already."""
        if not self._jobs or not isinstance(job.command, Change) or not isinstance(job.command.request, Append | Open):
            return False
        return any(other.connection is job.connection for other in self._jobs.get(job.command.set_id, ()))

    def add(self, job: Job) -> None:
        """One more that waits."""
        self._jobs.setdefault(job.command.set_id, deque()).append(job)

    def take(self, set_id: bytes) -> Sequence[Job]:
        """All that wait in a set, in order; none does any more."""
        return self._jobs.pop(set_id, ())

    def sets(self) -> list[bytes]:
        """The sets in which somebody waits."""
        return list(self._jobs)
