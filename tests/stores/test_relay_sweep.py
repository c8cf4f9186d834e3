"""`relay_sweep`: what is past its time goes, and gives its bytes back to the quota (SPEC 11.5, 13.7, 13.13)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from e2esync.limits import BLOB_DEAD_RETENTION, MAILBOX_TTL
from e2esync.session import messages as m
from e2esync.stores.relay_blobs import PIECE_BYTES
from e2esync.stores.relay_invitations import invite
from e2esync.stores.relay_migrate import open_depot
from tests.session.world import NOW
from tests.stores.relays import Place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path / "relay.sqlite3")
    yield made
    made.store.close()


def test_a_closed_log_gives_its_bytes_back_when_nobody_can_ask_for_it(place: Place) -> None:
    place.append(size=4096)
    place.open()
    held = place.held()
    assert place.store.sweep(NOW + BLOB_DEAD_RETENTION - 1) == 0
    assert place.held() == held
    assert place.store.sweep(NOW + BLOB_DEAD_RETENTION + 1) > 0
    assert held - place.held() >= 4096
    # The set goes on, with what is known of it brought up to date.
    assert place.append().seq == 1


def test_a_blob_that_nobody_names_goes_after_a_day(place: Place) -> None:
    held = place.held()
    name = place.blob(b"x" * 1000)
    assert place.held() > held
    place.store.sweep(NOW + 2 * 86_400_000)
    assert place.held() == held
    assert place.ask(1, m.Have((name,))) == m.HaveAnswer((0,))


def test_what_is_much_goes_in_pieces(place: Place) -> None:
    """A gigabyte of superseded snapshots is no reason for anybody to wait."""
    for number in range(5):
        place.blob(bytes([number]) * (PIECE_BYTES - 2))
    held = place.held()
    swept = []
    while gone := place.store.sweep(NOW + 2 * 86_400_000):
        swept.append((gone, held - place.held()))
        held = place.held()
        assert place.append().seq == len(swept)
        held += 512
    assert [gone for gone, _bytes in swept] == [1] * 5
    assert all(size >= PIECE_BYTES for _gone, size in swept)


def test_mailboxes_and_invitations_that_are_over(place: Place) -> None:
    side = m.UseMailbox(b"mailbox." * 2, 0, b"t" * 16)
    place.visit(side, side)
    with closing(open_depot(str(place.path))) as depot:
        invite(depot, NOW + 5)
        invite(depot, NOW + 10 * MAILBOX_TTL)
    assert place.store.sweep(NOW + 4) == 0
    assert place.store.sweep(NOW + MAILBOX_TTL + 1) == 2
    assert place.store.sweep(NOW + MAILBOX_TTL + 1) == 0
