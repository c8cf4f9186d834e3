"""What must hold after every fault: each acknowledged edit is on every device, once, and all have the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from tests.helpers.network import Device, Network, changes_by_contact


def check_agreement(net: Network, devices: Sequence[Device], acknowledged: Mapping[str, str | None]) -> None:
    """Devices sync until nothing moves; then each shows every contact with its note, or not if that is None."""
    net.settle(*devices)
    assert len({device.digest() for device in devices}) == 1
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
