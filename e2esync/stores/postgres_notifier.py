"""How a relay process hears what others did to the same PostgreSQL database: LISTEN, or looking again and again.

A notification is `sender item item …`, one per batch as far as 8,000 bytes go; an item is a set's id or a mailbox's in
base64, for a set followed by the position of its head as `:epoch:seq`. Nothing depends on one: whoever hears of a key
compares versions, and after a break all keys are compared.
"""

from __future__ import annotations

import time
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterable, Iterator
from typing import Any, Final

import psycopg

from e2esync.stores.postgres_rows import Place

CHANNEL: Final = "e2esync"
_PAYLOAD_MAX: Final = 7_900
POLL_INTERVAL: Final = 0.5


def item(key: bytes, epoch: int | None = None, seq: int = 0) -> str:
    """How a set at this position, or a mailbox, stands in a notification."""
    name = b64encode(key).decode()
    return name if epoch is None else f"{name}:{epoch}:{seq}"


def payloads(sender: str, items: Iterable[str]) -> Iterator[str]:
    """As few notifications as hold these items."""
    line = sender
    for each in items:
        if len(line) + len(each) >= _PAYLOAD_MAX:
            yield line
            line = sender
        line += " " + each
    if line != sender:
        yield line


def heard(sender: str, payload: str) -> list[bytes]:
    """The keys in a notification of somebody else; none in one of one's own, or in one that is no relay's."""
    who, *items = payload.split(" ")
    if who == sender:
        return []
    try:
        return [b64decode(each.split(":")[0], validate=True) for each in items]
    except (NotBase64, ValueError):
        return []


class ListenNotifier:
    """LISTEN on a connection of its own. After a break it says so once, so that nothing is missed."""

    def __init__(self, place: Place, sender: str) -> None:
        self._place = place
        self._sender = sender
        self._connection: psycopg.Connection[Any] | None = self._listening()

    def wait(self, timeout: float) -> frozenset[bytes] | None:
        """What others changed since the last call; None after a break."""
        if self._connection is None:
            return self._again(timeout)
        try:
            keys = {
                key
                for notice in self._connection.notifies(timeout=timeout, stop_after=1)
                for key in heard(self._sender, notice.payload)
            }
        except psycopg.Error:
            self.close()
            return frozenset()
        return frozenset(keys)

    def close(self) -> None:
        """Hangs up; idempotent."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _again(self, timeout: float) -> frozenset[bytes] | None:
        try:
            self._connection = self._listening()
        except psycopg.Error:
            time.sleep(timeout)
            return frozenset()
        # What was said while nobody listened is not said again.
        return None

    def _listening(self) -> psycopg.Connection[Any]:
        connection: psycopg.Connection[Any] = psycopg.connect(self._place.dsn, autocommit=True, connect_timeout=10)
        connection.execute(f"LISTEN {CHANNEL}")
        return connection


class PollingNotifier:
    """For engines without LISTEN: every set that somebody is connected for is looked at twice a second."""

    def wait(self, timeout: float) -> frozenset[bytes] | None:
        """None, after a while."""
        time.sleep(min(timeout, POLL_INTERVAL))
        return None

    def close(self) -> None:
        """Nothing to let go of."""
