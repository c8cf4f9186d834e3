"""The outbox goes out in order, in goes of sixteen; what the relay says of it is believed only as far as its log."""

from __future__ import annotations

import pytest

from e2esync.epoch.record import ChangeRole
from e2esync.epoch.roles import Role
from e2esync.errors import ReadOnly, Refused
from e2esync.procedures.sending import send
from e2esync.procedures.steps import PIPELINE
from e2esync.replica.writing import pack
from e2esync.session import messages as m
from e2esync.session.messages import Message
from tests.helpers.liar import LyingLine
from tests.helpers.network import Device, Line, Network


def _entries(device: Device, count: int) -> None:
    for n in range(count):
        device.edit(f"c{n}", **{"notes/n": str(n)})
        pack(device.replica, device.net.entropy)


def test_many_entries_take_their_positions_in_order(net: Network) -> None:
    phone = net.begin()
    phone.sync()
    _entries(phone, 2 * PIPELINE + 3)
    replica = phone.replica
    line = Line(net, replica)
    assert line.run(send(replica, line.link())) == 2 * PIPELINE + 3
    assert [row.seq for row in phone.store.outbox()] == list(range(1, 2 * PIPELINE + 4))
    assert phone.store.unsent() == []
    assert line.run(send(replica, line.link())) == 0


def test_own_envelopes_are_not_read_back(net: Network) -> None:
    phone = net.begin()
    phone.sync()
    _entries(phone, 3)
    seen: list[Message] = []

    def look(message: Message) -> Message:
        seen.append(message)
        return message

    replica = phone.replica
    line = LyingLine(net, replica, look)
    line.run(send(replica, line.link()))
    assert not [message for message in seen if isinstance(message, m.LogPart)]


def test_where_others_came_between_the_log_is_read(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    net.settle()
    replica, line, link = laptop.online()
    phone.edit("ada", **{"notes/n": "theirs"})
    phone.sync()
    _entries(laptop, 2)
    assert line.run(send(replica, link)) == 2
    assert laptop.registers("ada") == {"uid": "ada", "notes/n": "theirs"}
    assert laptop.store.unsent() == []


def test_a_refusal_is_the_callers_to_hear_and_nothing_is_lost(net: Network) -> None:
    phone = net.begin()
    reader = net.add(phone, "child")
    reader.sync()
    # Written before its owner made it a reader; from then on its own client stores no edit.
    reader.edit("ada", **{"notes/n": "x"})
    phone.open(ChangeRole(reader.replica.member, Role.READER))
    for _again in range(2):
        with pytest.raises(Refused, match="NotAllowed"):
            reader.sync()
        assert len(reader.store.unsent()) == 1
    with pytest.raises(ReadOnly):
        reader.edit("ada", **{"notes/n": "y"})
    assert len(reader.store.pending()) == 0


def test_edits_made_while_others_are_sent_go_out_too(net: Network) -> None:
    phone = net.begin()
    phone.sync()
    _entries(phone, 1)
    replica = phone.replica
    line = Line(net, replica)
    procedure = send(replica, line.link())

    def meanwhile():
        requests = next(procedure)
        phone.edit("late", **{"notes/n": "x"})
        while True:
            try:
                requests = procedure.send((yield requests))
            except StopIteration as stop:
                return stop.value

    assert line.run(meanwhile()) == 2
    assert phone.store.pending() == []
