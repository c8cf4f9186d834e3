"""The local history of a device that begins its epoch again and folds a log a second time (SPEC 14.3 step 6, 14.7).

What is folded again is in the history already. So the device remembers what it showed when it began again, and looks
when it is through: what has not come back, because the log lacks it now, is a change like any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from e2esync.replica.history import NOBODY, Change, keep
from e2esync.replica.port import KeptRow, ReplicaStore
from e2esync.replica.writing import shown_state

REWOUND: Final = "rewound"
"""Contact → the packed state that was shown of it."""


def changes(store: ReplicaStore, before: Mapping[bytes, bytes]) -> Iterator[Change]:
    """What is shown of contacts now, against what was shown before."""
    for contact, old in before.items():
        yield contact, old, shown_state(store, contact) or b""


def remember(store: ReplicaStore, before: Mapping[bytes, bytes], now: int) -> None:
    """Remember what was shown of contacts; of one that is remembered already the older state stays."""
    known = set(store.kept_keys(REWOUND))
    store.keep(REWOUND, [KeptRow(contact, state, now) for contact, state in before.items() if contact not in known])


def take(store: ReplicaStore) -> dict[bytes, bytes]:
    """What is remembered; from now on it is not."""
    before = {row.key: row.value for row in store.kept(REWOUND)}
    store.unkeep(REWOUND, before)
    return before


def settle_history(store: ReplicaStore, now: int) -> None:
    """The device is through: keep in the history what did not come back."""
    keep(store, NOBODY, now, list(changes(store, take(store))))
