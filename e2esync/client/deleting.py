"""Having a book deleted at its relay, and keeping it after all, with trio (SPEC 14.15).

    await delete(profile)                      as this device: in 30 days
    await delete(profile, kit=kit)             by the kit that is its root: at once
    await delete_by_kit(kit, url)              with nothing but the kit

What devices hold is not touched by any of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from e2esync.access.kit import RecoveryKit, key_number
from e2esync.client.connection import Connection
from e2esync.client.kits import own_kits
from e2esync.client.profile import Profile
from e2esync.client.recovery import connect_kit, connect_place
from e2esync.client.sync import SYSTEM_ENTROPY, go_online, now_ms, relay_url
from e2esync.crypto import Entropy
from e2esync.epoch.chain import Chain, verify_chain
from e2esync.epoch.deletion import Act, governs
from e2esync.errors import RightMissing, Unreachable
from e2esync.procedures.deleting import revision_of, say
from e2esync.procedures.reading import read_records
from e2esync.procedures.recovering import KitKeys, check_is_kit
from e2esync.procedures.syncing import sync as sync_procedure
from e2esync.replica.core import Replica
from e2esync.replica.deletion import hear_word, known_word
from e2esync.session.messages import Inspect, Inspected


@dataclass(frozen=True, slots=True)
class Said:
    """A word that the relay has taken. `due` (ms) is when the book goes; 0 if it is gone, or is kept."""

    act: Act
    set_id: bytes
    due: int
    left: Mapping[str, int] = field(default_factory=dict)
    """What the relay says that it still holds of a book that is gone (SPEC 13.9): its chain."""


async def delete(profile: Profile, book: int = 0, *, act: Act = Act.DELETE, kit: RecoveryKit | None = None,
                 entropy: Entropy = SYSTEM_ENTROPY, now: Callable[[], int] = now_ms) -> Said:
    """Ask for a book's deletion at its relay, or (Act.KEEP) cancel one that is to come: as this device, or by the kit.

    Raises RightMissing where this device is no owner's, or the kit not the root; Refused where there is nothing to
    cancel, or a deletion waits already; SetDeleted where it is done; Unreachable.
    """
    with profile.sync_lock():
        if kit is not None:
            return await _by_kit_of(profile, book, act, kit, entropy, now)
        async with go_online(profile, book, entropy=entropy, now=now) as online:
            replica, connection = online.replica, online.connection
            await connection.run(sync_procedure(replica, online.link))
            _check_governs(replica.chain, replica.member)
            known = known_word(replica)
            mine = 0 if known is None else known.revision
            word, due = await connection.run(say(
                replica.chain, replica.member, replica.signing_key, act, relay_key=connection.relay_key,
                floor=lambda: max(mine, revision_of(connection.word)), now=now(),
            ))
            hear_word(replica, word.raw)
            return Said(act, replica.set_id, due)


async def delete_by_kit(kit: RecoveryKit, url: str, *, act: Act = Act.DELETE, relay_key: bytes | None = None,
                        entropy: Entropy = SYSTEM_ENTROPY, now: Callable[[], int] = now_ms) -> Said:
    """Delete a person's own book at a relay with nothing but its kit, or cancel what a device has asked for.

    Raises as `delete` does, and HandshakeFailed where the relay has no book of this kit.
    """
    keys, connection = await connect_kit(kit, url, relay_key=relay_key, entropy=entropy, now=now)
    return await _say_as_kit(keys, connection, url, act, entropy, now)


async def _by_kit_of(profile: Profile, book: int, act: Act, kit: RecoveryKit, entropy: Entropy,
                     now: Callable[[], int]) -> Said:
    replica = Replica(profile.store.book(book))
    for member in own_kits(replica, kit):
        number = key_number(kit, member.verify_key)
        if number is None:
            continue
        keys = KitKeys(replica.set_id, member.index, kit.signing_key(number), kit.sealing_key(number), number)
        url = relay_url(profile, book)
        connection = await connect_place(keys, url, relay_key=replica.chain.relay_key, entropy=entropy, now=now)
        return await _say_as_kit(keys, connection, url, act, entropy, now)
    raise RightMissing("this recovery kit is no member of the book", "use the kit that was made for it last")


async def _say_as_kit(keys: KitKeys, connection: Connection, url: str, act: Act, entropy: Entropy,
                      now: Callable[[], int]) -> Said:
    try:
        chain = verify_chain(keys.set_id, await connection.run(read_records(0)))
        check_is_kit(chain, keys)
        _check_governs(chain, keys.member)
        _word, due = await connection.run(say(
            chain, keys.member, keys.signing, act, relay_key=connection.relay_key,
            floor=lambda: revision_of(connection.word), now=now(),
        ))
    finally:
        await connection.aclose()
    left = await _left_of(keys, url, connection.relay_key, entropy) if act is Act.DELETE and not due else {}
    return Said(act, keys.set_id, due, left)


async def _left_of(keys: KitKeys, url: str, relay_key: bytes, entropy: Entropy) -> dict[str, int]:
    try:
        connection = await Connection.as_member(url, keys.set_id, keys.member, keys.signing, relay_key, entropy,
                                                former=True)
    except Unreachable:
        # It is deleted all the same: the relay has answered.
        return {}
    try:
        return (await connection.request(Inspect(), Inspected)).counts
    finally:
        await connection.aclose()


def _check_governs(chain: Chain, member: int) -> None:
    if not governs(chain, member):
        raise RightMissing("only an owner's device, or the recovery kit that is the root, has a book deleted")
