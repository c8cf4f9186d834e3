"""Sealing keys and slots: stored before anybody hears of them, announced once, and heard only when truly heard."""

from __future__ import annotations

from dataclasses import replace

from e2esync.epoch.announcement import AskSeal, parse_announcement
from e2esync.replica.announcing import (
    announcement,
    ask_seal,
    hear,
    is_announced,
    mark_announced,
    newest_seal_key,
    next_number,
    sealing_key,
    valid_announcement,
)
from e2esync.replica.core import SEALING
from e2esync.replica.port import SlotRow
from tests.helpers.network import Device, Network


def test_a_sealing_key_is_made_once(net: Network) -> None:
    phone = net.begin()
    first = sealing_key(phone.replica, 5, net.entropy)
    assert sealing_key(phone.replica, 5, net.entropy).public == first.public
    assert phone.store.secret_numbers(SEALING) == [1, 5]
    assert sealing_key(phone.replica, 6, net.entropy).public != first.public


def test_revisions_rise(net: Network) -> None:
    replica = net.begin().replica
    made = [parse_announcement(announcement(replica, replica.signing_key, 2, net.entropy)) for _again in range(3)]
    assert [each.revision for each in made] == [1, 2, 3]
    assert len({each.seal_key for each in made}) == 1


def test_it_is_announced_until_the_next_epoch(net: Network) -> None:
    phone = net.begin()
    assert next_number(phone.replica) == 2
    assert not is_announced(phone.replica)
    mark_announced(phone.replica)
    assert is_announced(phone.replica)
    phone.sync()
    phone.open()
    assert is_announced(phone.replica)
    assert next_number(phone.replica) > 2


def _served(device: Device, of: Device) -> SlotRow:
    device.open()
    return next(row for row in device.store.slots() if row.member == of.replica.member)


def test_the_newest_key_served_is_sealed_to(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    net.settle()
    row = _served(phone, laptop)
    chain = laptop.replica.chain
    served = parse_announcement(row.announcement)
    member = laptop.replica.member
    assert newest_seal_key(chain, member, {member: row}) == (served.number, served.seal_key)
    # Without a valid announcement the key of the add, which is number 1.
    number, key = chain.numbers[member], chain.members[member].seal_key
    assert number == 1
    for broken in (None, replace(row, announcement=b""), replace(row, announcement=row.announcement[:-1] + b"x")):
        slots = {member: broken} if broken else {}
        assert newest_seal_key(chain, member, slots) == (1, key)
        assert valid_announcement(chain, broken) is None


def test_a_later_number_has_no_key_but_the_one_announced(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    for _epoch in range(2):
        net.settle()
        phone.open()
    chain, member = phone.replica.chain, laptop.replica.member
    assert chain.numbers[member] > 1
    assert newest_seal_key(chain, member, {}) is None


def test_asking_to_be_sealed_again(net: Network) -> None:
    replica = net.begin().replica
    asked = parse_announcement(ask_seal(replica, replica.chain, net.entropy))
    assert asked.requests == (AskSeal(0),)
    assert asked.number == replica.chain.numbers[replica.member] + 1
    assert sealing_key(replica, asked.number, net.entropy).public == asked.seal_key


def test_only_a_new_and_valid_heartbeat_is_heard(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    net.settle()
    beats = []
    for _quarter in range(2):
        net.clock.time += 10**7
        laptop.sync()
        net.clock.time += 10**7
        phone.sync()
        beats.append(next(row for row in phone.store.slots() if row.member == laptop.replica.member).heartbeat)
    old, new = beats
    assert old != new
    member = laptop.replica.member
    before = SlotRow(member, b"", old, 7)
    assert hear(phone.replica, before, b"", new, 99).heard == 99
    assert hear(phone.replica, before, b"", old, 99).heard == 7
    assert hear(phone.replica, before, b"", b"", 99).heard == 7
    assert hear(phone.replica, before, b"", new[:-1] + b"x", 99).heard == 7
    assert hear(phone.replica, replace(before, heartbeat=new), b"", old, 99).heard == 7
    assert hear(phone.replica, replace(before, member=phone.replica.member), b"", new, 99).heard == 7
