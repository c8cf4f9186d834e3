"""What things cost on the wire and at the relay, in bytes: promises that hold on any machine.

The same measurements as `python -m tests.bench` prints for a large book, on one that a test can afford. Nothing here
asserts a time.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from e2esync.client.sync import inspect, sync
from tests.bench.cards import vcards
from tests.bench.measures import Sizes, one_run, plain_cards
from tests.bench.world import world

CARDS = 1200
KIB = 1 << 10


@pytest.fixture(scope="module")
def sizes(tmp_path_factory: pytest.TempPathFactory) -> Sizes:
    """A whole life of a book of some cards."""
    return trio.run(one_run, vcards(CARDS), tmp_path_factory.mktemp("sizes") / "world")[1]


def test_cards_are_as_large_as_the_benchmark_says() -> None:
    from e2esync.wire import encode

    lengths = [len(encode(card)) for card in plain_cards(vcards(300))]
    assert min(lengths) >= 300
    assert max(lengths) <= 600
    assert 300 <= sum(lengths) / len(lengths) <= 500


def test_upload_and_storage_are_at_most_a_quarter_more_than_the_cards(sizes: Sizes) -> None:
    assert sizes.upload <= 1.25 * sizes.cards
    assert sizes.stored <= 1.25 * sizes.cards


def test_a_reconnect_with_nothing_new_takes_less_than_a_kibibyte(sizes: Sizes) -> None:
    assert 0 < sizes.reconnect < KIB


async def test_a_reconnect_costs_the_same_for_an_empty_book(tmp_path: Path, sizes: Sizes) -> None:
    async with world(tmp_path / "world") as here:
        book = await here.first(b"")
        await sync(book.profile)
        done = await sync(book.profile)
        assert abs(done.bytes_sent + done.bytes_received - sizes.reconnect) < 64
        book.profile.close()


def test_a_thousand_edits_of_one_session(sizes: Sizes) -> None:
    assert sizes.session < 180_000


def test_a_live_edit(sizes: Sizes) -> None:
    assert 512 < sizes.edit_sent < 600
    assert 512 < sizes.edit_received < 640


def test_adding_and_removing_a_device_after_twenty_edits(sizes: Sizes) -> None:
    assert sizes.adding < 64 * KIB
    assert sizes.removing < 64 * KIB


async def test_the_relay_holds_what_was_sent_and_not_twice(tmp_path: Path) -> None:
    async with world(tmp_path / "world") as here:
        book = await here.first(vcards(200))
        done = await sync(book.profile)
        held = await inspect(book.profile)
        assert held["envelope_bytes"] + held["blob_bytes"] <= done.bytes_sent
        book.profile.close()
