"""What a device knows of the deletion of its set (SPEC 14.15): the newest word on it, and whether it was carried out.

A word is kept once it is verified, and never gives way to an earlier one. Nothing on the device goes for it: contacts,
unsent edits and keys stay until a person erases them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from e2esync.epoch.chain import Chain
from e2esync.epoch.deletion import (
    Act,
    Deletion,
    chain_then,
    check_deleted,
    check_deletion,
    check_supersedes,
    governs,
    parse_deletion,
)
from e2esync.limits import DELETION_CLOCK, DELETION_DELAY
from e2esync.replica.core import Replica
from e2esync.replica.entering import extend
from e2esync.replica.own_object import device_names

WORD: Final = "word"
"""Named value: the newest word on deleting the set that this device has verified."""
GONE: Final = "gone"
"""Named value, empty: the relay has shown that it deleted the set by that word."""


@dataclass(frozen=True, slots=True)
class Deleting:
    """A set that is to be deleted, or was: when (ms), and by the word of which device; no name is the recovery kit."""

    time: int
    by: str
    done: bool
    moved: bool = False
    """Deleted at a relay that the set had left."""


def known_word(replica: Replica) -> Deletion | None:
    """The newest word that this device knows of, from the relay that the set is at."""
    raw = replica.store.get(WORD)
    word = parse_deletion(raw) if raw else None
    return word if word is not None and word.relay == replica.chain.relay_key else None


def hear_word(replica: Replica, raw: bytes) -> None:
    """Keep a word that the relay tells of (SPEC 14.15 step 1). Raises what is wrong with it, and then keeps nothing.

    One that was said in an epoch which this device is still to enter is told again at the next connection.
    """
    word = parse_deletion(raw)
    if word.epoch > replica.position.epoch:
        return
    check_deletion(chain_then(replica.chain, replica.store.records(), word), word, replica.chain.relay_key)
    check_supersedes(word, known_word(replica))
    replica.store.put(WORD, raw)


def deleted_by(replica: Replica, raw: bytes, records: tuple[bytes, ...], now: int) -> Deleting:
    """The deletion that a relay shows (SPEC 14.15 step 2), given the rest of the chain that it serves; kept.

    Raises DeletionInvalid, AuthFailed or RollbackDetected for one that proves nothing, and DeviceRemoved or
    ForkDetected for the chain.
    """
    word = parse_deletion(raw)
    chain, _new = extend(replica, records, doubted=True)
    known = replica.store.records()[: replica.position.epoch + 1]
    check_deleted(chain, [*known, *records], word, replica.chain.relay_key, now)
    check_supersedes(word, known_word(replica))
    with replica.store.transaction():
        replica.store.put(WORD, raw)
        replica.store.put(GONE, b"")
    return replace(deleting_by(word, chain, device_names(replica), done=True),
                   moved=chain.relay_key != replica.chain.relay_key)


def deletion_of(replica: Replica, now: int) -> Deleting | None:
    """What people are to be told: the set is to be deleted, or was; None if nobody wants that, or not any more."""
    word = known_word(replica)
    if word is None or word.act is not Act.DELETE:
        return None
    if replica.store.get(GONE) is not None:
        return deleting_by(word, replica.chain, device_names(replica), done=True)
    over = now > word.time + DELETION_DELAY + DELETION_CLOCK
    if over or not governs(replica.chain, word.member):
        return None
    return deleting_by(word, replica.chain, device_names(replica), done=False)


def served_again(replica: Replica) -> None:
    """The relay serves the set: it was brought to another one, or this one came back from a backup."""
    replica.store.drop(GONE)


def deleting_by(word: Deletion, chain: Chain, names: Mapping[int, str], *, done: bool) -> Deleting:
    """A verified word as people are told of it."""
    if not chain.all_members[word.member].is_device:
        return Deleting(word.time, "", done)
    return Deleting(word.time + DELETION_DELAY, names.get(word.member) or f"device {word.member}", done)
