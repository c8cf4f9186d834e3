"""A device that follows a relay, stage after stage: the operation of the scenarios, and the actors in them."""

from __future__ import annotations

from typing import Any

from e2esync.conformance.vectors.case import Inputs, Json, Outcome, hexed, untagged
from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.conformance.vectors.serving import Serving, served
from e2esync.conformance.vectors.states import view_json
from e2esync.conformance.vectors.world import NOW
from e2esync.contactset import delete_ops, set_ops, view
from e2esync.crypto import Entropy, SigningKey
from e2esync.crypto.sealing import SealingKey
from e2esync.epoch.boxes import open_own_box
from e2esync.epoch.chain import verify_chain
from e2esync.errors import DeviceRemoved
from e2esync.procedures.opening import announce
from e2esync.procedures.reading import adopt_whole, catch_up, read_on
from e2esync.procedures.sending import send
from e2esync.procedures.steps import Link, Procedure, ask
from e2esync.replica.contacts import contact_id
from e2esync.replica.core import Replica
from e2esync.replica.founding import join
from e2esync.replica.reading import check_welcome
from e2esync.replica.snapshots import digest
from e2esync.replica.writing import shown_state, write
from e2esync.session.messages import BoxAnswer, ReadBox
from e2esync.stores.profile import ProfileStore


class Actor:
    """A device over a store in memory; all that it draws is named."""

    def __init__(self, entropy: Entropy) -> None:
        self.entropy = entropy
        self.store = ProfileStore.memory().book(0)

    @property
    def replica(self) -> Replica:
        """Its replica, as a process that has just started has it."""
        return Replica(self.store)

    def link(self, serving: Serving, now: int = NOW) -> Link:
        """What its procedures need."""
        return Link(serving.head(), self.entropy, lambda: now)

    def arrive(self, serving: Serving, set_id: bytes, member: int, person: bytes, signing: SigningKey,
               sealing: SealingKey) -> None:
        """Become a member that the served chain's newest record has added."""
        link = self.link(serving)
        serving.run(member, self._arrive(serving, link, set_id, member, person, signing, sealing))

    def _arrive(self, serving: Serving, link: Link, set_id: bytes, member: int, person: bytes, signing: SigningKey,
                sealing: SealingKey) -> Procedure[None]:
        chain = verify_chain(set_id, serving.records)
        box = yield from ask(ReadBox(chain.epoch), BoxAnswer)
        secret = open_own_box(chain.head, set_id, member, box.box_list, box.box, sealing)
        replica = join(self.store, set_id, member, person, signing, sealing, chain, list(serving.records))
        yield from adopt_whole(replica, link, secret)
        yield from read_on(replica, link)
        yield from announce(replica, link)

    def edit(self, edits: Json) -> None:
        """Write offline: `[uid, time, registers]` sets, `[uid, time]` deletes."""
        replica = self.replica
        for uid, time, *registers in edits:
            contact = contact_id(replica.set_id, uid["text"], 0)
            state = shown_state(self.store, contact)
            if registers:
                values = {path: untagged(value) for path, value in registers[0].items()}
                write(replica, list(set_ops(contact, state, time, values)))
            else:
                write(replica, list(delete_ops(contact, state, time)))

    def sync(self, serving: Serving) -> list[str]:
        """Judge the head, catch up, announce, send; the codes of what was noticed. Raises what stops it."""
        replica, link = self.replica, self.link(serving)
        check_welcome(replica, link.head)
        serving.run(replica.member, self._sync(replica, link))
        return [notice.code for notice in link.notices]

    @staticmethod
    def _sync(replica: Replica, link: Link) -> Procedure[None]:
        yield from catch_up(replica, link)
        if replica.member not in replica.chain.members:
            raise DeviceRemoved("this device was removed from the contact set")
        yield from announce(replica, link)
        yield from send(replica, link)

    def stands(self) -> Inputs:
        """What it has come to."""
        replica = self.replica
        states = sorted((row.contact, row.state) for row in self.store.contacts() if row.state)
        return {
            "epoch": replica.position.epoch, "position": replica.position.seq, "digest": digest(self.store).hex(),
            "vector": hexed([[member, *last] for member, last in sorted(self.store.vector().items())]),
            "views": [[contact.hex(), view_json(state)] for contact, state in states if view(state) is not None],
        }


def follow(inputs: Inputs, entropy: NamedEntropy) -> Outcome:
    """The operation: a device through all stages."""
    device = inputs["device"]
    member, set_id = device["member"], bytes.fromhex(device["set_id"])
    relay_key = SigningKey(bytes.fromhex(inputs["relay_seed"]))
    actor = Actor(entropy)
    stages: list[Any] = []
    for stage in inputs["stages"]:
        serving = served(set_id, relay_key, stage, member)
        if not stages:
            signing = SigningKey(bytes.fromhex(device["signing_seed"]))
            sealing = SealingKey.from_secret(bytes.fromhex(device["sealing_secret"]))
            actor.arrive(serving, set_id, member, bytes.fromhex(device["person"]), signing, sealing)
            notices: list[str] = []
        else:
            actor.edit(stage["edits"])
            notices = actor.sync(serving)
        stages.append(actor.stands() | {"notices": [_shouted(code) for code in notices]})
    return Outcome({"stages": stages})


def _shouted(code: str) -> str:
    """A code as vectors write names: SNAPSHOT_MISMATCH."""
    return "".join(f"_{letter}" if letter.isupper() else letter.upper() for letter in code).removeprefix("_")
