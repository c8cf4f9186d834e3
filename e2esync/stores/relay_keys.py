"""Another signing key for a relay's store (SPEC 13.12 step 7).

Under another key it is another relay, in a new incarnation. Its sets name the old key, so each waits for an owner to
bring it here by a record that names the new one; chains and blobs are here already.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from e2esync.crypto import SigningKey
from e2esync.epoch.chain import replay_chain
from e2esync.errors import ProfileBusy
from e2esync.stores.relay_migrate import Depot
from e2esync.stores.relay_rows import Rows


def replace_key(depot: Depot, seed: bytes, draw: Callable[[int], bytes] = os.urandom) -> int:
    """Gives the store this key. Returns how many of its sets name another. Raises ProfileBusy while a relay runs."""
    if not depot.hold():
        raise ProfileBusy("the relay runs", "stop it first: it would go on signing with the old key")
    depot.become(seed, int.from_bytes(draw(6), "big"))
    verify_key = SigningKey(seed).verify_key
    elsewhere = 0
    for set_id in depot.sets():
        with depot.transaction() as rows:
            elsewhere += _wait_unless_here(rows, set_id, verify_key)
    return elsewhere


def _wait_unless_here(rows: Rows, set_id: bytes, verify_key: bytes) -> bool:
    found = rows.find_set(set_id)
    if found is None:
        return False
    records = rows.all("SELECT record FROM records WHERE owner = ? ORDER BY epoch", (found.key,))
    here = replay_chain(set_id, [raw for (raw,) in records]).relay_key == verify_key
    rows.run("DELETE FROM seeding WHERE owner = ? AND length(record_hash) = 0", (found.key,))
    if not here:
        rows.run(
            "INSERT INTO seeding (owner, record_hash, epoch, waits) VALUES (?, ?, ?, 1)", (found.key, b"", found.epoch)
        )
    rows.run("UPDATE sets SET version = version + 1 WHERE owner = ?", (found.key,))
    return not here
