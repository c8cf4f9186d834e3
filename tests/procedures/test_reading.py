"""Catching up: a log is held until its head says that it is the one, and every epoch on the way is entered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from e2esync.errors import ForkDetected, RemoteProtocolError
from e2esync.procedures import reading
from e2esync.procedures.reading import begin_again, catch_up, read_on, read_records
from e2esync.replica.core import EPOCH
from e2esync.session import messages as m
from e2esync.session.messages import Message
from tests.helpers.liar import lying_sync
from tests.helpers.network import Device, Line, Network, changes_by_contact


def _behind(net: Network, envelopes: int) -> tuple[Device, Device]:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    net.settle()
    for n in range(envelopes):
        phone.edit("ada", **{"notes/n": str(n)})
        phone.sync()
    return phone, laptop


def _one_at_a_time(message: Message) -> Message:
    """As a relay with a small frame answers: one envelope, and the head with the last."""
    if isinstance(message, m.LogPart) and len(message.envelopes) > 1:
        return replace(message, envelopes=message.envelopes[:1], head=None)
    return message


def test_a_log_in_many_answers(net: Network) -> None:
    phone, laptop = _behind(net, 5)
    assert lying_sync(laptop, _one_at_a_time).received == 5
    assert laptop.digest() == phone.digest()


def test_nothing_of_a_log_in_many_answers_is_folded_before_its_head(net: Network) -> None:
    phone, laptop = _behind(net, 5)
    before = laptop.digest(), laptop.replica.position
    count = 0

    def spoil(message: Message) -> Message:
        nonlocal count
        message = _one_at_a_time(message)
        if isinstance(message, m.LogPart):
            count += 1
            if count == 2:
                return replace(message, envelopes=(bytes(len(message.envelopes[0])),))
        return message

    with pytest.raises(ForkDetected):
        lying_sync(laptop, spoil)
    assert count == 5
    assert (laptop.digest(), laptop.replica.position) == before
    laptop.sync()
    assert laptop.digest() == phone.digest()


def test_a_log_that_is_too_long_to_hold_is_folded_in_parts(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "HELD_MAX", 600)
    phone, laptop = _behind(net, 6)
    assert lying_sync(laptop, _one_at_a_time).received == 6
    assert laptop.digest() == phone.digest()


def test_a_closed_log_in_many_answers(net: Network) -> None:
    phone, laptop = _behind(net, 5)
    phone.open()
    lying_sync(laptop, _one_at_a_time)
    assert laptop.digest() == phone.digest()
    assert laptop.replica.position == phone.replica.position
    # It folded the log, and so has the history of what was replaced.
    assert [len(rows) for rows in changes_by_contact(laptop.store)] == [5]


def test_a_closed_log_that_is_gone_is_made_up_for_by_the_snapshot(net: Network) -> None:
    phone, laptop = _behind(net, 5)
    phone.open()
    net.clock.time += 40 * 86_400_000
    net.relay.sweep(net.clock())
    laptop.edit("bob", **{"notes/n": "mine"})
    net.settle()
    assert laptop.digest() == phone.digest()
    assert phone.registers("bob") == {"uid": "bob", "notes/n": "mine"}


def test_standing_at_the_head_asks_nothing(net: Network) -> None:
    _phone, laptop = _behind(net, 0)
    replica = laptop.replica
    line = Line(net, replica)
    assert next(catch_up(replica, line.link()), None) is None


def test_an_epoch_that_the_relay_names_and_does_not_have(net: Network) -> None:
    _phone, laptop = _behind(net, 0)
    replica = laptop.replica
    line = Line(net, replica)
    link = line.link()
    link.epoch = 9
    with pytest.raises(RemoteProtocolError):
        line.run(read_on(replica, link))
    assert replica.position.epoch == 1


def test_an_epoch_that_nobody_told_of_is_found_at_the_end_of_the_log(net: Network) -> None:
    phone, laptop = _behind(net, 2)
    replica = laptop.replica
    line = Line(net, replica)
    link = line.link()
    phone.open()
    assert link.epoch == 1
    line.run(read_on(replica, link))
    assert replica.position.epoch == 2
    assert laptop.digest() == phone.digest()


def test_the_chain_in_many_answers(net: Network) -> None:
    phone, laptop = _behind(net, 0)
    for _epoch in range(3):
        phone.open()
    line = Line(net, laptop.replica)
    assert list(line.run(read_records(0))) == phone.store.records()
    assert line.run(read_records(99)) == ()


def test_going_back_to_the_beginning_of_the_epoch_and_on_again(net: Network) -> None:
    phone, laptop = _behind(net, 3)
    laptop.sync()
    laptop.edit("bob", **{"notes/n": "landed"})
    laptop.sync()
    before = laptop.digest(), laptop.replica.position, laptop.profile.book(0).history.steps()
    replica = laptop.replica
    line = Line(net, replica)
    link = line.link()
    line.run(begin_again(replica, link))
    assert replica.position.seq == 0
    assert laptop.registers("bob") == {"uid": "bob", "notes/n": "landed"}
    line.run(read_on(replica, link))
    assert (laptop.digest(), laptop.replica.position, laptop.profile.book(0).history.steps()) == before
    net.settle()
    assert phone.digest() == laptop.digest()


@pytest.mark.parametrize("moved", [False, True])
def test_a_device_without_the_epochs_secret_begins_with_the_snapshot(net: Network, moved: bool) -> None:
    """It was killed while it joined: it must not fold a log that it cannot read."""
    phone, laptop = _behind(net, 3)
    tablet = net.add(phone, "tablet")
    tablet.store.erase_secrets(EPOCH, 99)
    tablet.store.delete_all_contacts()
    tablet.store.replace_vector({})
    phone.edit("ada", **{"notes/n": "last"})
    phone.sync()
    if moved:
        laptop.sync()
        laptop.open()
    net.settle()
    assert tablet.digest() == phone.digest() == laptop.digest()
    assert tablet.registers("ada") == {"uid": "ada", "notes/n": "last"}
