"""`replica.deletion` (SPEC 14.15): what a device keeps of a word, and what it tells its person, day by day."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2esync.epoch.deletion import Act, Deletion, sign_deletion
from e2esync.epoch.record import Remove
from e2esync.errors import AuthFailed, DeletionInvalid, NonCanonical, RollbackDetected
from e2esync.limits import DELETION_CLOCK, DELETION_DELAY
from e2esync.replica.deletion import (
    GONE,
    WORD,
    deleted_by,
    deletion_of,
    hear_word,
    known_word,
    served_again,
)
from tests.helpers.network import Device, Network


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Network]:
    network = Network(tmp_path)
    yield network
    network.close()


@pytest.fixture
def pair(net: Network) -> tuple[Device, Device]:
    first = net.begin()
    return first, net.add(first, "laptop")


def word(by: Device, act: Act = Act.DELETE, revision: int = 1, **override: Any) -> Deletion:
    replica = by.replica
    fields: dict[str, Any] = {
        "member": replica.member, "epoch": replica.position.epoch, "record_hash": replica.chain.head.hash,
        "relay": replica.chain.relay_key, "time": by.net.clock.time,
    } | override
    return sign_deletion(fields.pop("signer", replica.signing_key), replica.set_id, act, revision=revision, **fields)


def test_a_word_is_kept_and_told(pair: tuple[Device, Device]) -> None:
    first, second = pair
    said = word(first)
    assert deletion_of(second.replica, said.time) is None
    hear_word(second.replica, said.raw)
    told = deletion_of(second.replica, said.time)
    assert told is not None
    assert (told.time, told.done) == (said.time + DELETION_DELAY, False)
    last = said.time + DELETION_DELAY + DELETION_CLOCK
    assert deletion_of(second.replica, last) is not None
    # Its day is past, and the set is still served: it was not carried out.
    assert deletion_of(second.replica, last + 1) is None


def test_the_newest_word_counts(pair: tuple[Device, Device]) -> None:
    first, second = pair
    said, kept = word(first), word(second, Act.KEEP, 2)
    for raw in (said.raw, said.raw, kept.raw):
        hear_word(first.replica, raw)
    assert deletion_of(first.replica, said.time) is None
    with pytest.raises(RollbackDetected):
        hear_word(first.replica, said.raw)
    known = known_word(first.replica)
    assert known is not None
    assert known.raw == kept.raw


@pytest.mark.parametrize(("override", "error"), [
    ({"relay": bytes(32)}, DeletionInvalid), ({"record_hash": bytes(32)}, DeletionInvalid),
    ({"member": 9}, DeletionInvalid), ({"member": 2}, AuthFailed),
])
def test_what_does_not_hold_is_not_kept(pair: tuple[Device, Device], override: Any, error: type[Exception]) -> None:
    first, second = pair
    with pytest.raises(error):
        hear_word(second.replica, word(first, **override).raw)
    with pytest.raises(NonCanonical):
        hear_word(second.replica, b"\x92")
    assert second.store.get(WORD) is None


def test_a_word_of_an_epoch_to_come_waits(pair: tuple[Device, Device]) -> None:
    first, second = pair
    first.open()
    hear_word(second.replica, word(first).raw)
    assert second.store.get(WORD) is None
    second.sync()
    hear_word(second.replica, word(first).raw)
    assert second.store.get(WORD) is not None


def test_the_word_of_who_was_removed_is_void(pair: tuple[Device, Device]) -> None:
    first, second = pair
    hear_word(first.replica, word(second).raw)
    assert deletion_of(first.replica, first.net.clock.time) is not None
    first.open(Remove(second.replica.member))
    assert deletion_of(first.replica, first.net.clock.time) is None


def test_a_deletion_is_kept_until_the_set_is_served_again(pair: tuple[Device, Device]) -> None:
    first, second = pair
    said = word(first)
    with pytest.raises(DeletionInvalid, match="before its time"):
        deleted_by(second.replica, said.raw, (), said.time)
    assert second.store.get(GONE) is None
    later = said.time + DELETION_DELAY
    assert deleted_by(second.replica, said.raw, (), later).done
    told = deletion_of(second.replica, later + 10 * DELETION_DELAY)
    assert told is not None
    assert told.done
    served_again(second.replica)
    assert deletion_of(second.replica, later + 10 * DELETION_DELAY) is None


def test_records_that_came_meanwhile_count(pair: tuple[Device, Device]) -> None:
    """The device has slept; who said the word was removed in an epoch that it is only now shown."""
    first, second = pair
    said = word(first)
    third = first.net.add(first, "third")
    records = tuple(first.store.records()[second.replica.position.epoch + 1 :])
    later = said.time + 2 * DELETION_DELAY
    assert records
    assert deleted_by(second.replica, said.raw, records, later).done
    third.sync()
    third.remove(first)
    records = tuple(third.store.records()[second.replica.position.epoch + 1 :])
    with pytest.raises(DeletionInvalid, match="no longer governs"):
        deleted_by(second.replica, said.raw, records, later)
    with pytest.raises(DeletionInvalid, match="names epoch 99"):
        deleted_by(second.replica, word(second, epoch=99).raw, records, later)
