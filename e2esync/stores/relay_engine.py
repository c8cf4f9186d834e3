"""What a relay needs of the engine that stores for it, and the engines that there are.

An engine keeps the rules of SPEC 13.4 to 13.7 and promises: what `execute` has returned is durable; a batch happens
whole or, if it raises, may simply be sent again; the effects that it returns for one set come in the set's order,
without a gap. Where several relays share one store, what the others did comes as `news`, before what this batch did.
`e2esync relay check-engine` proves all of this of an engine.

Anybody's engine plugs in: an entry point of the group `e2esync.engines`, named as the scheme of its URLs, is a function
that takes what `open_engine` takes, and returns an Engine.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final, Protocol

from e2esync.crypto import SigningKey
from e2esync.errors import Unreachable
from e2esync.session.commands import Consult, Written
from e2esync.session.messages import Message
from e2esync.session.policy import DEFAULT_POLICY, Policy
from e2esync.stores.relay_batch import BatchResult

POSTGRES_SCHEMES: Final = ("postgresql://", "postgres://")
PLUGINS: Final = "e2esync.engines"


class Notifier(Protocol):
    """Tells one relay process what others did. For one thread of its own."""

    def wait(self, timeout: float) -> frozenset[bytes] | None:
        """The sets and mailboxes that others changed since the last call; empty after `timeout` seconds of silence.

        None if it cannot tell, as after a connection that broke: then everything has to be looked at.
        """

    def close(self) -> None:
        """Ends it; idempotent."""


class Engine(Protocol):
    """One relay's data. `execute`, `hear` and `sweep` are for one thread, `read` for one, `checkpoint` for any."""

    @property
    def key(self) -> SigningKey:
        """The relay's signing key: it signs heads and proves who answers."""
        ...

    @property
    def incarnation(self) -> int:
        """The number of this store's life (SPEC 10.2)."""
        ...

    @property
    def commits(self) -> int:
        """How many batches were made durable."""
        ...

    def execute(self, commands: Sequence[Written], now: int) -> BatchResult:
        """Decides the commands, each set's in order, and returns once all of it is durable.

        Raises DiskFull, ProfileDamaged or Unreachable; then what became of them is for their senders to ask again.
        """
        ...

    def hear(self, keys: Iterable[bytes], now: int) -> BatchResult:
        """What others, and its own sweeps, did to these sets and mailboxes since this engine last looked: only news."""
        ...

    def read(self, consult: Consult, now: int) -> Message:
        """The answer to a reading request; a RefusalAnswer where there is none to give."""
        ...

    def sweep(self, now: int) -> int:
        """Drops what is past its retention, and sets whose day has come (SPEC 11.5, 13.7, 13.14), or a piece of it.

        Returns how many things went: until that is 0 there may be more. Whoever waits to write does so in between, and
        for no longer than a piece takes. `hear` tells of the sets.
        """
        ...

    def probe(self, now: int) -> None:
        """Makes one row durable, to see that it can; for the thread of `execute`. Raises what `execute` raises."""

    def checkpoint(self) -> None:
        """Upkeep that may be done at any time beside everything else."""

    def notifier(self) -> Notifier | None:
        """Who tells what others do to this store; None if nobody else may use it. Raises Unreachable."""

    def close(self) -> None:
        """Lets go of the store; idempotent."""


def open_engine(
    url: str, *, draw: Callable[[int], bytes] = os.urandom, policy: Policy = DEFAULT_POLICY,
) -> Engine:
    """The engine that a name stands for: postgresql://…, somebody else's scheme, or the path of a SQLite file.

    The file is made if it is missing. Raises ProfileDamaged, ProfileBusy, DiskFull or Unreachable.
    """
    if url.startswith(POSTGRES_SCHEMES):
        try:
            from e2esync.stores.postgres import PostgresStore
        except ImportError as error:
            raise Unreachable(
                "the driver for PostgreSQL is not installed", "pip install 'e2esync[postgres]'"
            ) from error
        return PostgresStore(url, draw=draw, policy=policy)
    plugged = plugged_engine(url)
    if plugged is not None:
        engine: Engine = plugged.load()(url, draw=draw, policy=policy)
        return engine
    from e2esync.stores.relay import RelayStore

    return RelayStore(Path(url), draw=draw, policy=policy)


def plugged_engine(url: str) -> EntryPoint | None:
    """Who opens URLs of this scheme, if it is none of ours and its distribution is installed."""
    scheme, found, _ = url.partition("://")
    if not found or url.startswith(POSTGRES_SCHEMES):
        return None
    return next(iter(entry_points(group=PLUGINS, name=scheme.lower())), None)
