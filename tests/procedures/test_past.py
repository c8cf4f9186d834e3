"""procedures.past (SPEC 12.7): what is read of an earlier time is what was there, or it is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2esync.epoch.record import parse_record
from e2esync.errors import CommitMismatch, E2esyncError, ForkDetected, NotFound
from e2esync.limits import BLOB_DEAD_RETENTION
from e2esync.procedures.past import epoch_at, list_retained, read_past
from e2esync.procedures.recovering import KitKeys, kit_keys, read_as_kit
from e2esync.replica.contacts import contact_id
from e2esync.replica.core import Replica
from e2esync.session import messages as m
from e2esync.stores.book import BookStore
from e2esync.stores.profile import ProfileStore
from tests.helpers.liar import LyingLine, Spoil
from tests.helpers.network import Device, Line, Network, Newcomer

DAY = 86_400_000


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Network]:
    made = Network(tmp_path)
    yield made
    made.close()


class Kit:
    """The kit on a line of its own, with the chain that it has read."""

    def __init__(self, net: Network, spoil: Spoil | None = None) -> None:
        self.net = net
        self.keys: KitKeys = kit_keys(net.kit)
        who = Newcomer(self.keys.set_id, self.keys.member, self.keys.signing)
        honest = Line(net, who)
        self.replica: Replica = honest.run(read_as_kit(ProfileStore.memory().book(0), honest.link(), self.keys))
        self.line = honest if spoil is None else LyingLine(net, who, spoil)

    def past(self, at: int) -> BookStore:
        """What the book was at a time."""
        store = ProfileStore.memory().book(0)
        self.line.run(read_past(store, self.line.link(), self.keys, self.replica, at))
        return store

    def shown(self, at: int) -> set[str]:
        """The names of the contacts that it had, of those that the tests use."""
        store = self.past(at)
        names = {contact_id(self.keys.set_id, name, 0): name for name in ("ada", "bob", "eve")}
        return {names[row.contact] for row in store.cards() if row.contact in names}


def history(net: Network) -> tuple[Device, dict[str, int]]:
    """ada, an epoch, bob, an epoch, eve instead of both; the times after each."""
    phone, times = net.begin(), {}
    times["begin"] = net.clock()
    for step in ("ada", "first", "bob", "second", "eve"):
        net.clock.time += DAY
        if step in ("first", "second"):
            phone.open()
        else:
            phone.edit(step, name={"full": step})
        if step == "eve":
            phone.delete("ada")
            phone.delete("bob")
        phone.sync()
        times[step] = net.clock()
    return phone, times


def test_every_time_of_it(net: Network) -> None:
    _phone, times = history(net)
    kit = Kit(net)
    shown = {step: kit.shown(at) for step, at in times.items()}
    assert shown == {"begin": set(), "ada": {"ada"}, "first": {"ada"}, "bob": {"ada", "bob"},
                     "second": {"ada", "bob"}, "eve": {"eve"}}
    assert kit.shown(times["ada"] - 1) in (set(), {"ada"})
    assert kit.shown(times["eve"] - DAY // 2) == {"ada", "bob"}


def test_before_the_set_there_is_nothing(net: Network) -> None:
    _phone, times = history(net)
    with pytest.raises(NotFound, match="did not exist"):
        Kit(net).past(times["begin"] - 10 * DAY)


def test_what_is_listed_is_what_can_be_read(net: Network) -> None:
    _phone, times = history(net)
    kit = Kit(net)
    listed = kit.line.run(list_retained(kit.replica.store.records()))
    assert [each.epoch for each in listed] == [2, 1, 0]
    assert [each.until for each in listed] == [0, listed[0].since, listed[1].since]
    net.relay.sweep(net.clock() + BLOB_DEAD_RETENTION - 3 * DAY)
    listed = kit.line.run(list_retained(kit.replica.store.records()))
    assert [each.epoch for each in listed] == [2, 1]
    with pytest.raises(NotFound, match="keeps nothing"):
        kit.past(times["ada"])
    assert kit.shown(times["bob"]) == {"ada", "bob"}


def test_a_thief_whose_clock_is_ahead_only_makes_it_earlier(net: Network) -> None:
    phone, times = history(net)
    before = net.clock.time
    net.clock.time += 3650 * DAY
    phone.edit("bob", name={"full": "nobody"})
    phone.sync()
    net.clock.time = before + DAY
    phone.edit("ada", name={"full": "late"})
    phone.sync()
    assert Kit(net).shown(net.clock()) == {"eve"}
    assert Kit(net).shown(times["second"]) == {"ada", "bob"}


def shorten(message: m.Message) -> m.Message:
    if isinstance(message, m.LogPart) and message.envelopes:
        return m.LogPart(message.epoch, message.start, message.envelopes[:-1], message.head)
    return message


def alter(message: m.Message) -> m.Message:
    if isinstance(message, m.LogPart) and message.envelopes:
        last = message.envelopes[-1][:-1] + bytes([message.envelopes[-1][-1] ^ 1])
        return m.LogPart(message.epoch, message.start, (*message.envelopes[:-1], last), message.head)
    return message


def reorder(message: m.Message) -> m.Message:
    if isinstance(message, m.LogPart) and message.envelopes:
        return m.LogPart(message.epoch, message.start, message.envelopes[::-1], message.head)
    return message


@pytest.mark.parametrize("spoil", [shorten, alter, reorder])
def test_a_log_that_is_not_the_one_is_refused(net: Network, spoil: Spoil) -> None:
    """Of a closed epoch, and of the open one, which the kit has read before."""
    phone, times = history(net)
    phone.edit("ada", name={"full": "more"})
    phone.sync()
    phone.open()
    phone.edit("bob", name={"full": "again"})
    phone.sync()
    phone.edit("bob", name={"full": "and again"})
    phone.sync()
    kit = Kit(net, spoil)
    for at in (times["eve"], net.clock()):
        with pytest.raises(ForkDetected):
            kit.past(at)
    assert Kit(net).shown(times["eve"]) == {"eve"}


def test_a_box_or_manifest_of_another_epoch_is_refused(net: Network) -> None:
    _phone, times = history(net)
    kept: list[m.BoxAnswer] = []

    def swap(message: m.Message) -> m.Message:
        if isinstance(message, m.BoxAnswer):
            kept.append(message)
            return kept[0]
        return message

    kit = Kit(net, swap)
    kit.past(times["eve"])
    with pytest.raises(CommitMismatch):
        kit.past(times["bob"])

    def other_blob(message: m.Message) -> m.Message:
        return m.BlobPart(message.size, message.part[::-1]) if isinstance(message, m.BlobPart) else message

    with pytest.raises(E2esyncError):
        Kit(net, other_blob).past(times["bob"])


def test_epoch_at_goes_by_the_records(net: Network) -> None:
    phone, times = history(net)
    raws = phone.store.records()
    for epoch, raw in enumerate(raws):
        assert epoch_at(raws, parse_record(raw).time) == epoch
    assert epoch_at(raws, times["eve"] + 3650 * DAY) == 2
