"""client.naming: sentences name devices as their people do."""

from __future__ import annotations

from e2esync.client.naming import device_name, tell, with_names
from e2esync.errors import WithheldDetected
from e2esync.replica.own_object import name_device
from tests.helpers.network import Network


def test_members_have_names(net: Network) -> None:
    phone = net.begin()
    replica = phone.replica
    name_device(replica, replica.member, "Old phone", net.clock())
    kit = next(member.index for member in replica.chain.members.values() if not member.is_device)
    said = f"member {replica.member} and member {kit} and member 99, members all, remember 1"
    assert with_names(replica, said) == "Old phone and the recovery kit and device 99, members all, remember 1"
    detection = WithheldDetected(f"change 1 of member {replica.member} exists")
    tell(replica, [detection])
    assert detection.message == "change 1 of Old phone exists"
    assert device_name({1: ""}, 1) == "device 1"
