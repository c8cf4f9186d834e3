"""From the log to the state: what a slice must be, what it changes, and that it changes all of it or nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from e2esync.errors import ForkDetected, RelayRestored, RemoteProtocolError, RollbackDetected
from e2esync.log.head import Head
from e2esync.procedures.reading import catch_up
from e2esync.procedures.steps import ask
from e2esync.replica.reading import check_head, check_welcome, fold, open_slice
from e2esync.session.messages import LogPart, Read
from tests.helpers.forger import Forger
from tests.helpers.network import Device, Line, Network


def _waiting(net: Network) -> tuple[Device, LogPart, int]:
    """A laptop, three envelopes that it has not folded, and the relay's incarnation."""
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    net.settle()
    for n in range(3):
        phone.edit("ada", **{"notes/n": str(n)})
        phone.sync()
    replica = laptop.replica
    line = Line(net, replica)
    assert line.head is not None
    part = line.run(ask(Read(replica.position.epoch, replica.position.seq + 1), LogPart))
    return laptop, part, line.head.incarnation


def _head(device: Device) -> Head:
    head = Line(device.net, device.replica).head
    assert head is not None
    return head


def test_a_slice_is_folded_as_a_whole(net: Network) -> None:
    laptop, part, incarnation = _waiting(net)
    opened = open_slice(laptop.replica, part.start, part.envelopes, part.head, incarnation)
    assert (len(opened.opened), opened.batches) == (3, [])
    assert opened.head is not None
    done = fold(laptop.replica, opened, {}, 5)
    assert (done.entries, done.without_effect, done.unknown, done.detections) == (3, 0, 0, ())
    assert len(done.changed) == 1
    assert laptop.replica.position == opened.end
    assert laptop.registers("ada") == {"uid": "ada", "notes/n": "2"}
    assert [laptop.store.envelope(part.start + n) for n in range(3)] == list(part.envelopes)
    assert {row.time for row in laptop.profile.book(0).history.steps()} == {5}


def test_opening_a_slice_changes_nothing(net: Network) -> None:
    laptop, part, incarnation = _waiting(net)
    names = ("position", "head", "media", "folded")
    before = [laptop.store.get(name) for name in names]
    open_slice(laptop.replica, part.start, part.envelopes, part.head, incarnation)
    assert [laptop.store.get(name) for name in names] == before


@pytest.mark.parametrize("start", [0, 1, 99])
def test_a_slice_from_elsewhere(net: Network, start: int) -> None:
    laptop, part, incarnation = _waiting(net)
    with pytest.raises(RemoteProtocolError):
        open_slice(laptop.replica, part.start + 1 + start, part.envelopes, part.head, incarnation)


def test_a_head_under_another_incarnation_does_not_verify(net: Network) -> None:
    laptop, part, incarnation = _waiting(net)
    with pytest.raises(ForkDetected):
        open_slice(laptop.replica, part.start, part.envelopes, part.head, incarnation + 1)
    assert part.head is not None
    with pytest.raises(ForkDetected):
        check_head(laptop.replica, part.head, laptop.replica.position, incarnation)


def test_a_fold_that_fails_leaves_no_trace(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    laptop, part, incarnation = _waiting(net)
    opened = open_slice(laptop.replica, part.start, part.envelopes, part.head, incarnation)
    before = laptop.digest(), laptop.replica.position, laptop.store.vector()

    def full(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(laptop.store, "add_changes", full)
    with pytest.raises(OSError):
        fold(laptop.replica, opened, {}, 5)
    assert (laptop.digest(), laptop.replica.position, laptop.store.vector()) == before
    assert laptop.store.get("folded") != b""
    monkeypatch.undo()
    fold(laptop.replica, opened, {}, 5)
    assert laptop.registers("ada") == {"uid": "ada", "notes/n": "2"}


def test_only_news_of_photos_make_the_device_look_for_them(net: Network) -> None:
    laptop, part, incarnation = _waiting(net)
    laptop.store.drop("media")
    fold(laptop.replica, open_slice(laptop.replica, part.start, part.envelopes, part.head, incarnation), {}, 5)
    assert laptop.store.get("media") is None
    other = net.devices[0]
    other.edit("ada", **{"blobs/x": {"parts": [], "keys": []}})
    other.sync()
    replica = laptop.replica
    line = Line(net, replica)
    line.run(catch_up(replica, line.link()))
    assert laptop.store.get("media") is not None


def test_what_has_no_effect_takes_its_position(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    net.settle()
    forger = Forger(net.add(phone, "evil"))
    laptop.sync()
    before = laptop.replica.position
    forger.append(forger.entry(b"garbage"))
    laptop.sync()
    assert laptop.replica.position.seq == before.seq + 1
    assert forger.replica.member not in laptop.store.vector()


# Heads at the handshake.

def test_the_head_that_one_stands_at(net: Network) -> None:
    phone = net.begin()
    phone.edit("ada", **{"notes/n": "1"})
    phone.sync()
    check_welcome(phone.replica, _head(phone))


@pytest.mark.parametrize(("restored", "error"), [(False, RollbackDetected), (True, RelayRestored)])
def test_an_older_head(net: Network, restored: bool, error: type[Exception]) -> None:
    phone = net.begin()
    phone.edit("ada", **{"notes/n": "1"})
    phone.sync()
    head = _head(phone)
    older = replace(head, seq=0, incarnation=head.incarnation + restored)
    for _again in range(2):
        with pytest.raises(error):
            check_welcome(phone.replica, older)


def test_a_relay_that_came_back_complete_is_this_relay_from_now_on(net: Network) -> None:
    phone = net.begin()
    phone.edit("ada", **{"notes/n": "1"})
    phone.sync()
    head = _head(phone)
    after = replace(head, incarnation=head.incarnation + 1)
    check_welcome(phone.replica, after)
    # What it forgets later is no restore any more.
    with pytest.raises(RollbackDetected):
        check_welcome(phone.replica, replace(after, seq=0))


def test_another_log_at_the_same_position(net: Network) -> None:
    phone = net.begin()
    phone.edit("ada", **{"notes/n": "1"})
    phone.sync()
    head = _head(phone)
    with pytest.raises(ForkDetected):
        check_welcome(phone.replica, replace(head, log_hash=b"x" * 32))
    with pytest.raises(ForkDetected):
        check_welcome(phone.replica, replace(head, record_hash=b"x" * 32))
    with pytest.raises(RelayRestored):
        check_welcome(phone.replica, replace(head, log_hash=b"x" * 32, incarnation=head.incarnation + 1))
