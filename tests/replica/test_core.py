"""Who a device is and where it stands: read from the store each time, remembered only within an epoch."""

from __future__ import annotations

import pytest

from e2esync.epoch.boxes import epoch_key
from e2esync.errors import NoProfile
from e2esync.replica.core import EPOCH, SIGNING, Position, Replica, write_position
from e2esync.stores.profile import ProfileStore
from tests.helpers.network import Line, Network


def test_an_empty_store_is_no_replica() -> None:
    store = ProfileStore.memory().book(0)
    with pytest.raises(NoProfile):
        Replica(store)


def test_a_replica_without_a_position_says_so(net: Network) -> None:
    phone = net.begin()
    phone.store.drop("position")
    with pytest.raises(NoProfile, match="position"):
        _ = phone.replica.position


def test_a_position_is_what_was_written(net: Network) -> None:
    phone = net.begin()
    with phone.store.transaction():
        write_position(phone.store, Position(0, 7, b"h" * 32))
    assert phone.replica.position == Position(0, 7, b"h" * 32)


def test_a_new_set_stands_at_its_first_record(net: Network) -> None:
    replica = net.begin().replica
    assert replica.position == Position(0, 0, replica.chain.head.hash)
    assert (replica.member, replica.chain.epoch, replica.writable, replica.frozen) == (1, 0, True, "")
    assert replica.signing_key.verify_key == replica.chain.members[1].verify_key


def test_key_and_chain_follow_the_position_that_another_process_moves(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    long_lived = laptop.replica
    assert long_lived.key is not None
    before = long_lived.key.reveal(), long_lived.chain.epoch
    phone.open()
    laptop.sync()
    secret = laptop.store.secret(EPOCH, 2)
    assert secret is not None
    assert before[1] == 1
    assert long_lived.chain.epoch == 2
    assert long_lived.key is not None
    assert long_lived.key.reveal() == epoch_key(long_lived.set_id, 2, secret).reveal()
    assert long_lived.key.reveal() != before[0]


def test_a_device_without_the_epochs_secret_has_no_key(net: Network) -> None:
    phone = net.begin()
    phone.store.erase_secrets(EPOCH, 10)
    assert phone.replica.key is None


def test_a_profile_without_its_signing_key(net: Network) -> None:
    phone = net.begin()
    phone.store.erase_secrets(SIGNING, 10)
    with pytest.raises(NoProfile):
        _ = phone.replica.signing_key


def test_after_a_rotation_the_new_key_is_the_only_one(net: Network) -> None:
    phone = net.begin()
    before = phone.replica.signing_key.verify_key
    phone.rotate()
    replica = phone.replica
    assert replica.signing_key.verify_key == replica.chain.members[1].verify_key != before
    assert len(phone.store.secret_numbers(SIGNING)) == 1


def test_what_was_signed_and_not_sent_before_a_rotation_is_signed_anew(net: Network) -> None:
    from e2esync.procedures.opening import open_epoch
    from e2esync.replica.opening import rekey
    from e2esync.replica.writing import pack

    phone = net.begin()
    laptop = net.add(phone, "laptop")
    net.settle()
    long_lived = phone.replica
    before = long_lived.signing_key.verify_key
    for name in ("ada", "bob"):
        phone.edit(name, **{"notes/n": "x"})
        pack(phone.replica, net.entropy)
    change = rekey(phone.replica, net.entropy)
    replica = phone.replica
    line = Line(net, replica)
    link = line.link()
    line.run(open_epoch(replica, link, lambda _replica: (change,)))
    # A process that runs on through it signs with the new key too.
    assert long_lived.signing_key.verify_key == change.verify_key != before
    net.settle()
    assert phone.digest() == laptop.digest()
    assert laptop.registers("ada") == {"uid": "ada", "notes/n": "x"}
    assert laptop.registers("bob") == {"uid": "bob", "notes/n": "x"}


def test_a_rotation_that_is_lost_leaves_the_key_that_the_chain_names(net: Network) -> None:
    from e2esync.errors import Unreachable
    from e2esync.replica.opening import rekey

    phone = net.begin()
    phone.sync()
    before = phone.replica.signing_key.verify_key
    change = rekey(phone.replica, net.entropy)
    with pytest.raises(Unreachable):
        phone.open(change, frames=7)
    assert phone.replica.signing_key.verify_key == before
    phone.edit("ada", **{"notes/n": "x"})
    phone.sync()
    phone.rotate()
    phone.edit("ada", **{"notes/n": "y"})
    phone.sync()
    assert phone.replica.signing_key.verify_key != before


def test_frozen_is_remembered(net: Network) -> None:
    phone = net.begin()
    phone.replica.freeze("CloneDetected")
    assert phone.replica.frozen == "CloneDetected"
