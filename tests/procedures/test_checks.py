"""Checks that an honest world never meets, each by itself: what they refuse, and what they let pass."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from e2esync.errors import ChainInvalid, CloneDetected, ForkDetected, PairingAborted, RemoteProtocolError
from e2esync.procedures.founding import _check_guest, _check_told_head
from e2esync.procedures.opening import check_not_frozen
from e2esync.procedures.recovering import check_is_kit, kit_keys
from e2esync.procedures.sending import _check_landed
from tests.helpers.network import Network


def test_what_was_acknowledged_is_in_the_log() -> None:
    rows: Any = [SimpleNamespace(counter=1)]
    places = {1: SimpleNamespace(seq=7)}
    replica: Any = SimpleNamespace(store=SimpleNamespace(outbox_row=places.get))
    _check_landed(replica, rows)
    places[1] = SimpleNamespace(seq=0)
    with pytest.raises(RemoteProtocolError, match="acknowledged an entry"):
        _check_landed(replica, rows)
    # What has come back has left the outbox.
    del places[1]
    _check_landed(replica, rows)


def test_a_guest_comes_with_its_kit(net: Network) -> None:
    chain = net.begin().replica.chain
    kit: Any = SimpleNamespace(verify_key=bytes(32))
    joined: Any = SimpleNamespace(guest=SimpleNamespace(kit=kit), person=bytes(16), inviter_key=bytes(32))
    with pytest.raises(PairingAborted, match="does not bring in"):
        _check_guest(joined, chain.head.raw, chain)
    joined.guest = None
    _check_guest(joined, chain.head.raw, chain)


def test_the_log_holds_the_head_that_was_told_of(net: Network) -> None:
    chain = net.begin().replica.chain
    told: Any = SimpleNamespace(epoch=chain.epoch, record_hash=chain.head.hash, head_seq=0, log_hash=chain.head.hash)
    with pytest.raises(StopIteration):
        next(_check_told_head(told, chain, (chain.head.raw,)))
    told.log_hash = bytes(32)
    with pytest.raises(PairingAborted, match="another log"):
        next(_check_told_head(told, chain, (chain.head.raw,)))


def test_a_devices_keys_are_no_kit(net: Network) -> None:
    replica = net.begin().replica
    assert check_is_kit(replica.chain, kit_keys(net.kit)) == replica.chain.members[0].person
    keys: Any = SimpleNamespace(member=replica.member, signing=replica.signing_key)
    with pytest.raises(ChainInvalid, match="no member of its book"):
        check_is_kit(replica.chain, keys)


@pytest.mark.parametrize("error", [ForkDetected, CloneDetected])
def test_a_device_that_has_stopped_opens_nothing(error: type[ForkDetected | CloneDetected]) -> None:
    replica: Any = SimpleNamespace(frozen="")
    check_not_frozen(replica)
    replica.frozen = error.code
    with pytest.raises(error):
        check_not_frozen(replica)
