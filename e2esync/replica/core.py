"""Who this device is in a set, and where it stands (SPEC 14): the part of a replica that all rooms share.

Everything is read from the store when it is asked for, because another process may have written meanwhile; only what
cannot change within an epoch (chain, epoch key) is remembered, under the epoch that it belongs to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from e2esync.crypto import Secret, SigningKey
from e2esync.epoch.boxes import epoch_key
from e2esync.epoch.chain import Chain, replay_chain
from e2esync.errors import NoProfile
from e2esync.replica.port import ReplicaStore
from e2esync.wire import decode, encode

if TYPE_CHECKING:
    from e2esync.replica.history import Step

SIGNING = "signing"
SEALING = "sealing"
EPOCH = "epoch"
"""Kinds of secrets: signing seeds by the number of the rotation, sealing keys by key number, epoch secrets by epoch."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a replica has folded: `seq` envelopes of `epoch`, whose log hash is `log_hash` (32 bytes)."""

    epoch: int
    seq: int
    log_hash: bytes


class Replica:
    """One device in one contact set, over its store. Raises NoProfile if the store holds no set yet."""

    def __init__(self, store: ReplicaStore) -> None:
        identity = store.get("identity")
        if identity is None:
            raise NoProfile("this profile is in no contact set yet")
        self.store = store
        self.set_id: bytes
        self.member: int
        self.person: bytes
        self.set_id, self.member, self.person = decode(identity)
        # Asked for dozens of times an edit: as long as the stored bytes are these, the position is this.
        self._position = b"", Position(0, 0, b"")
        self._chain: Chain | None = None
        self._key: tuple[int, Secret] | None = None
        self._signing_key: SigningKey | None = None
        self.step: Step | None = None
        """What a person does just now, if it is more than one write: one step of the local history."""

    @property
    def position(self) -> Position:
        """Where the shared state stands. (0, 0, record 0) for a device that has only just joined epoch 0."""
        stored = self.store.get("position")
        if stored is None:
            raise NoProfile("the profile has no position in its set")
        if stored != self._position[0]:
            self._position = stored, Position(*decode(stored))
        return self._position[1]

    @property
    def chain(self) -> Chain:
        """The verified chain up to the epoch that this replica is in."""
        epoch = self.position.epoch
        if self._chain is None or self._chain.epoch != epoch:
            self._chain = replay_chain(self.set_id, self.store.records()[: epoch + 1])
        return self._chain

    def adopt_chain(self, chain: Chain) -> None:
        """Remember a chain that was verified already, when the position moves to its epoch."""
        self._chain = chain

    @property
    def key(self) -> Secret | None:
        """The AEAD key K of the open epoch, or None where this device was never sealed to."""
        epoch = self.position.epoch
        if self._key is None or self._key[0] != epoch:
            secret = self.store.secret(EPOCH, epoch)
            if secret is None:
                return None
            self._key = (epoch, epoch_key(self.set_id, epoch, secret))
        return self._key[1]

    @property
    def signing_key(self) -> SigningKey:
        """This device's signing key: of those it has made, the one that the chain names (a rotation makes another)."""
        named = self.chain.all_members[self.member].verify_key
        if self._signing_key is None or self._signing_key.verify_key != named:
            numbers = self.store.secret_numbers(SIGNING)
            seeds = [seed for number in reversed(numbers) if (seed := self.store.secret(SIGNING, number)) is not None]
            self._signing_key = next((key for key in map(SigningKey, seeds) if key.verify_key == named), None)
        if self._signing_key is None:
            raise NoProfile("the profile lacks its signing key")
        return self._signing_key

    @property
    def writable(self) -> bool:
        """Whether envelopes of the open epoch have an effect: its opener, who made its key, is in it (SPEC 9.6)."""
        return self.chain.head.opener in self.chain.members

    @property
    def frozen(self) -> str:
        """Why this device has stopped writing, or an empty string."""
        return (self.store.get("frozen") or b"").decode()

    def freeze(self, why: str) -> None:
        """Stop writing: nothing is sent or opened any more (CloneDetected, ForkDetected)."""
        self.store.put("frozen", why.encode())


def begin(store: ReplicaStore, set_id: bytes, member: int, person: bytes, signing_key: SigningKey,
          chain: Chain, records: list[bytes]) -> Replica:
    """A replica that stands at the beginning of the chain's newest epoch, with an empty state."""
    store.put("identity", encode([set_id, member, person]))
    store.keep_secret(SIGNING, 0, signing_key.seed)
    for epoch, record in enumerate(records):
        store.add_record(epoch, record)
    write_position(store, Position(chain.epoch, 0, chain.head.hash))
    return Replica(store)


def write_position(store: ReplicaStore, position: Position) -> None:
    """Store the position; in the same transaction as what moved it."""
    store.put("position", encode([position.epoch, position.seq, position.log_hash]))
