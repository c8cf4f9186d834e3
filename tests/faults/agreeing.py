"""What must hold after every fault: each acknowledged edit is on every device, once, and all have the same; and the
relay's copy alone, its snapshot and its log, makes the same again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from e2esync.client.book import Book
from e2esync.client.checking import verify_local, verify_relay
from e2esync.client.profile import Profile
from e2esync.procedures.verifying import compare_chain, compare_log, read_own, rebuild
from e2esync.stores.profile import ProfileStore
from tests.helpers.network import Device, Line, Network, changes_by_contact


async def check_copies(profile: Profile) -> None:
    """Everything that a device holds fits, and so does everything that the relay holds for it."""
    wrong = [each for each in (*verify_local(Book(profile)), *await verify_relay(profile, deep=True)) if each.problem]
    assert wrong == []


def _check_relay(device: Device) -> None:
    replica, line = device.replica, Line(device.net, device.replica)
    link = line.link()
    line.run(compare_chain(replica))
    line.run(compare_log(replica, link))
    trial = ProfileStore.memory()
    line.run(rebuild(trial.book(0), replica, link, line.run(read_own(replica, link))))
    trial.close()


def check_agreement(net: Network, devices: Sequence[Device], acknowledged: Mapping[str, str | None]) -> None:
    """Devices sync until nothing moves; then each shows every contact with its note, or not if that is None."""
    net.settle(*devices)
    assert len({device.digest() for device in devices}) == 1
    _check_relay(devices[0])
    for device in devices:
        for name, note in acknowledged.items():
            registers = device.registers(name)
            assert (registers is None) == (note is None), f"{name} is lost, or there again"
            assert registers is None or registers["notes/n"] == note
        assert device.store.pending() == []
        assert not device.replica.frozen
        # An entry that was sent twice, or history that was folded twice, would show here.
        for rows in changes_by_contact(device.store):
            assert all(one.before != other.before for one, other in pairwise(rows))
