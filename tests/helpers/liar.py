"""A relay that lies: a line whose answers a test may change, as whoever runs the relay, or sits before it, can."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from e2esync.procedures.syncing import Synced, sync
from e2esync.session.codec import decode_message, encode_message
from e2esync.session.messages import Message, Side
from e2esync.stores.relay import RelayStore
from tests.helpers.network import Device, Line, Network, Who

Spoil = Callable[[Message], Message | None]
"""What becomes of a message from the relay; None drops it."""


class LyingLine(Line):
    """A line on which every message from the relay passes through `spoil`."""

    def __init__(self, net: Network, who: Who | None, spoil: Spoil) -> None:
        self._spoil = spoil
        super().__init__(net, who)

    def _take(self, frame: bytes) -> None:
        message = self._spoil(decode_message(frame, Side.RELAY))
        if message is not None:
            super()._take(encode_message(message))


def copy_of(net: Network, path: Path, *, restored: bool = False) -> RelayStore:
    """The relay as it is now, once more, under the same key: a private branch for somebody, or a backup.

    A restored one begins a new incarnation (SPEC 10.2).
    """
    net.relay._writer.execute("VACUUM INTO ?", (str(path),))
    return RelayStore(path, draw=lambda size: net.entropy.draw("relay", size), restored=restored)


@contextmanager
def served_by(net: Network, relay: RelayStore) -> Iterator[None]:
    """Every line of the network leads to this relay."""
    honest, net.relay = net.relay, relay
    try:
        yield
    finally:
        net.relay = honest


def lying_sync(device: Device, spoil: Spoil) -> Synced:
    """One sync of a device over a lying line."""
    replica = device.replica
    line = LyingLine(device.net, replica, spoil)
    return line.run(sync(replica, line.link()))
