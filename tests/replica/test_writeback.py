"""A snapshot that differs from this device's own fold (SPEC 14.8): said, kept aside, written back once."""

from __future__ import annotations

from e2esync.epoch.roles import Role
from e2esync.limits import WRITE_BACK_DELAY
from e2esync.replica.contacts import contact_id
from e2esync.replica.findings import findings
from e2esync.replica.writeback import ASIDE
from tests.helpers.network import Device, Network


def _lying_opener(net: Network, *, role: Role = Role.OWNER) -> tuple[Device, Device, Device]:
    """The phone opens an epoch from another state than the one that the log makes; nobody downloads what agrees."""
    phone = net.begin()
    laptop = net.add(phone, "laptop", role)
    tablet = net.add(phone, "tablet")
    for name in ("ada", "bob", "eve", "joe"):
        phone.edit(name, **{"notes/n": "true"})
    net.settle()
    _, line, link = phone.online()
    from e2esync.procedures.opening import open_epoch
    from e2esync.replica.snapshots import contact_row

    key = {name: contact_id(phone.replica.set_id, name, 0) for name in ("ada", "bob", "joe")}
    rows = {row.contact: row for row in phone.store.contacts()}
    altered = rows[key["ada"]].state.replace(b"true", b"lies")
    phone.store.put_contacts([contact_row(key["ada"], altered, 0)])
    phone.store.delete_contacts([key["bob"]])
    phone.store.put_contacts([contact_row(b"x" * 16, rows[key["joe"]].state.replace(b"joe", b"mal"), 0)])
    line.run(open_epoch(phone.replica, link, lambda _replica: ()))
    return phone, laptop, tablet


def _codes(device: Device) -> list[str]:
    return [finding.code for finding in findings(device.store)]


def test_it_is_said_with_the_openers_number_and_written_back_once(net: Network) -> None:
    phone, laptop, tablet = _lying_opener(net)
    laptop.sync()
    tablet.sync()
    assert laptop.digest() == tablet.digest() == phone.digest()
    assert _codes(laptop) == _codes(tablet) == ["SnapshotMismatch"]
    assert f"member {phone.replica.member}" in findings(laptop.store)[0].message
    assert laptop.registers("ada") == {"uid": "ada", "notes/n": "lies"}
    assert len(laptop.store.kept(ASIDE)) == 3
    seq = phone.replica.position.seq
    net.clock.time += WRITE_BACK_DELAY
    net.settle(laptop, tablet, phone)
    for device in (laptop, tablet, phone):
        assert device.registers("ada") == {"uid": "ada", "notes/n": "true"}
        assert device.registers("bob") == {"uid": "bob", "notes/n": "true"}
        assert not device.store.kept(ASIDE)
    assert len({device.digest() for device in (phone, laptop, tablet)}) == 1
    # What only the snapshot had is gone, and the second device found nothing left to write.
    assert phone.replica.position.seq == seq + 1


def test_nothing_is_written_before_its_time_and_an_edit_made_meanwhile_stands(net: Network) -> None:
    _phone, laptop, tablet = _lying_opener(net)
    laptop.sync()
    tablet.sync()
    laptop.sync()
    assert laptop.store.kept(ASIDE)
    tablet.edit("ada", **{"notes/n": "newer than both"})
    tablet.sync()
    net.clock.time += WRITE_BACK_DELAY
    net.settle()
    assert laptop.registers("ada") == {"uid": "ada", "notes/n": "newer than both"}
    assert laptop.registers("bob") == {"uid": "bob", "notes/n": "true"}


def test_a_reader_keeps_it_aside(net: Network) -> None:
    _phone, laptop, _tablet = _lying_opener(net, role=Role.READER)
    laptop.sync()
    net.clock.time += WRITE_BACK_DELAY
    laptop.sync()
    assert len(laptop.store.kept(ASIDE)) == 3
    assert not laptop.store.pending()


def test_an_honest_opening_keeps_nothing_aside(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    phone.edit("ada", **{"notes/n": "x"})
    net.settle()
    phone.open()
    laptop.sync()
    assert not laptop.store.kept(ASIDE)
    assert _codes(laptop) == []
