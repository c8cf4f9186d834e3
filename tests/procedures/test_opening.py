"""Opening by compare-and-set: again after a lost race, with what others ask for, and never for a wish that is gone."""

from __future__ import annotations

import pytest

from e2esync.epoch.announcement import AskRemove, sign_announcement
from e2esync.epoch.record import Remove, parse_record
from e2esync.errors import CloneDetected, Refused
from e2esync.procedures.opening import announce, open_epoch, read_slots
from e2esync.procedures.steps import ask
from e2esync.procedures.syncing import sync
from e2esync.replica.announcing import is_announced, next_number, sealing_key
from e2esync.session import messages as m
from e2esync.session.kinds import Refusal
from e2esync.session.messages import PutSlot, SlotStored
from tests.helpers.liar import LyingLine
from tests.helpers.network import Network


def test_a_wish_that_is_gone_opens_nothing(net: Network) -> None:
    phone = net.begin()
    replica, line, link = phone.online()
    assert line.run(open_epoch(replica, link, lambda _replica: None)) is None
    assert replica.position.epoch == 0


def test_a_race_that_is_always_lost_ends(net: Network) -> None:
    phone = net.begin()
    phone.sync()
    refusal = m.RefusalAnswer(Refusal.HEAD_MOVED, "others wrote")
    replica = phone.replica
    line = LyingLine(net, replica, lambda message: refusal if isinstance(message, m.Opened) else message)
    link = line.link()
    line.run(sync(replica, link))
    # The relay has opened it; only the device is told otherwise.
    with pytest.raises(Refused):
        line.run(open_epoch(replica, link, lambda _replica: ()))
    # The truth afterwards: it is in the epoch that it opened itself.
    phone.sync()
    assert phone.replica.position.epoch >= 1


def test_other_refusals_are_raised(net: Network) -> None:
    phone = net.begin()
    for _epoch in range(5):
        replica, line, link = phone.online()
        line.run(open_epoch(replica, link, lambda _replica: ()))
    replica, line, link = phone.online()
    with pytest.raises(Refused, match="TooOften"):
        line.run(open_epoch(replica, link, lambda _replica: ()))


def test_who_has_opened_too_many_can_still_shut_a_device_out(net: Network) -> None:
    phone = net.begin()
    lost = net.add(phone, "lost")
    member = lost.replica.member
    replica, line, link = phone.online()
    for _epoch in range(4):
        line.run(open_epoch(replica, link, lambda _replica: ()))
    with pytest.raises(Refused, match="TooOften"):
        line.run(open_epoch(replica, link, lambda _replica: ()))
    replica, line, link = phone.online()
    record = line.run(open_epoch(replica, link, lambda _replica: (Remove(member),)))
    assert record is not None
    assert record.removes == {member}
    assert not record.flags


def test_what_a_device_asks_for_is_done_by_the_next_opener(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    lost = net.add(phone, "lost")
    net.settle()
    replica, line, _link = laptop.online()
    number = next_number(replica)
    key = sealing_key(replica, number, net.entropy)
    asked = sign_announcement(
        replica.signing_key, replica.set_id, member=replica.member, number=number, revision=99, seal_key=key.public,
        version=1, requests=(AskRemove(replica.position.epoch, lost.replica.member),),
    )
    line.run(ask(PutSlot(asked.raw, b""), SlotStored))
    phone.open()
    assert lost.replica.member not in phone.replica.chain.members
    records = [parse_record(raw) for raw in phone.store.records()]
    assert [record.opener for record in records if Remove(lost.replica.member) in record.changes] == [1]


def test_announcing_twice_is_announcing_once(net: Network) -> None:
    phone = net.begin()
    replica, line, link = phone.online()
    assert is_announced(replica)
    revision = phone.store.get("revision")
    line.run(announce(replica, link))
    assert phone.store.get("revision") == revision


def test_a_lost_answer_to_an_announcement_is_no_clone(net: Network) -> None:
    phone = net.begin()
    phone.sync()
    phone.store.drop("announced")
    phone.sync()
    assert is_announced(phone.replica)
    # Even when the revision was lost too: the key under the number is this device's own.
    phone.store.drop("announced")
    phone.store.drop("revision")
    phone.sync()
    assert is_announced(phone.replica)
    assert not phone.replica.frozen


def test_another_key_under_the_own_number_is_a_clone(net: Network) -> None:
    phone = net.begin()
    phone.sync()
    phone.store.drop("announced")
    phone.store.erase_secrets("sealing", 10**6)
    with pytest.raises(CloneDetected):
        phone.sync()
    assert phone.replica.frozen


def test_slots_are_kept_as_they_are_served(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    net.settle()
    replica, line, link = phone.online()
    slots = line.run(read_slots(replica, link))
    assert slots == {row.member: row for row in phone.store.slots()}
    assert slots[laptop.replica.member].announcement
