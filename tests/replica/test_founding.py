"""Record 0, and a device that a later record adds."""

from __future__ import annotations

import pytest

from e2esync.crypto import SigningKey
from e2esync.crypto.sealing import SealingKey
from e2esync.epoch.boxes import open_own_box, parse_box_list
from e2esync.epoch.chain import verify_chain
from e2esync.epoch.record import set_id_of
from e2esync.epoch.roles import Role
from e2esync.replica.core import EPOCH, SEALING, Replica
from e2esync.replica.founding import FIRST_DEVICE, ROOT, found, join
from e2esync.stores.profile import ProfileStore
from tests.helpers.network import Network


def test_a_set_is_its_roots(net: Network) -> None:
    store = ProfileStore.memory().book(0)
    made = found(store, net.kit.signing_key(0), net.kit.sealing_key(0), net.relay.key.verify_key, 5, net.entropy)
    assert made.set_id == set_id_of(net.kit.signing_key(0).verify_key)
    chain = verify_chain(made.set_id, (made.record.raw,))
    roles = {index: member.role for index, member in chain.members.items()}
    assert roles == {ROOT: Role.ROOT, FIRST_DEVICE: Role.OWNER}
    assert chain.relay_key == net.relay.key.verify_key
    assert len({member.person for member in chain.members.values()}) == 1
    assert [(ref.member, ref.number) for ref in parse_box_list(made.box_list)] == [(ROOT, 0), (FIRST_DEVICE, 1)]
    # The kit opens its own box, and gets the secret that the device keeps.
    secret = open_own_box(made.record, made.set_id, ROOT, made.box_list, made.boxes[ROOT], net.kit.sealing_key(0))
    kept = store.secret(EPOCH, 0)
    assert kept is not None
    assert secret.reveal() == kept.reveal()


def test_nothing_of_the_root_stays(net: Network) -> None:
    profile = ProfileStore.memory()
    store = profile.book(0)
    found(store, net.kit.signing_key(0), net.kit.sealing_key(0), net.relay.key.verify_key, 5, net.entropy)
    stored = [row[0] for row in profile._db.all("SELECT secret FROM secrets")]
    assert net.kit.signing_key(0).seed.reveal() not in stored
    assert net.kit.sealing_key(0).secret.reveal() not in stored
    assert len(stored) == 3


def test_a_founding_that_fails_leaves_nothing(net: Network) -> None:
    from e2esync.errors import BadKey

    store = ProfileStore.memory().book(0)
    with pytest.raises(BadKey):
        found(store, net.kit.signing_key(0), net.kit.sealing_key(0), bytes(32), 5, net.entropy)
    assert store.get("identity") is None
    assert store.secret_numbers(EPOCH) == store.secret_numbers(SEALING) == []


def test_a_joined_device_has_keys_and_no_state(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    chain = laptop.replica.chain
    store = ProfileStore.memory().book(0)
    signing, sealing = SigningKey(b"k" * 32), SealingKey.generate(net.entropy)
    replica = join(store, chain.set_id, 2, b"p" * 16, signing, sealing, chain, laptop.store.records())
    assert (replica.member, replica.person, replica.key) == (2, b"p" * 16, None)
    assert replica.position.log_hash == chain.head.hash
    assert list(store.contacts()) == []
    assert Replica(store).set_id == chain.set_id
