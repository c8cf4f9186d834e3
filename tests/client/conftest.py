"""Fixtures of the client's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2esync.access.kit import RecoveryKit
from e2esync.client.book import Book
from e2esync.crypto import Secret, SigningKey
from e2esync.replica.core import Replica
from e2esync.replica.founding import found
from e2esync.replica.own_object import name_book, name_device
from tests.client.world import ENTROPY, profile_in
from tests.helpers.entropy import FastEntropy

RELAY = SigningKey(Secret(bytes(32))).verify_key


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    """A book of one device, without a relay."""
    kit = RecoveryKit.generate(ENTROPY)
    with profile_in(tmp_path / "a") as profile:
        store = profile.store.book(0)
        found(store, kit.signing_key(0), kit.sealing_key(0), RELAY, 1, FastEntropy("book"))
        name_book(Replica(store), "Contacts", 1)
        name_device(Replica(store), 1, "Phone", 1)
        yield Book(profile)
