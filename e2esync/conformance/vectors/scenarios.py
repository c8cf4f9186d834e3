"""Examples of whole lives (SPEC 14): a device, and what a relay serves it, stage after stage.

Three devices of one person write, open epochs and remove one another. The device of each case, the *follower*, is given
its keys, the draws that it makes, and for each stage all that a relay has for it; what it comes to must be the same in
every implementation. In an `invalid` case the last stage is a lie with one defect.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from e2esync.conformance.vectors.case import Inputs, Json, Layer, flipped, tagged, text
from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.conformance.vectors.following import Actor, follow
from e2esync.conformance.vectors.serving import Serving
from e2esync.conformance.vectors.world import ALICE, NOW, Party, party
from e2esync.crypto import SigningKey
from e2esync.epoch.record import Change, Remove, make_add, parse_record
from e2esync.epoch.roles import Role
from e2esync.errors import (
    ChainInvalid,
    DeviceRemoved,
    ForkDetected,
    RollbackDetected,
    SnapshotInvalid,
    WithheldDetected,
)
from e2esync.limits import HORIZON_AGE
from e2esync.procedures.opening import announce, open_epoch
from e2esync.replica.contacts import contact_id
from e2esync.replica.founding import found
from e2esync.replica.opening import rekey
from e2esync.replica.writing import write_batch

_FLAGS: Final = {
    "lie": "the relay serves something else than what was written",
    "removed": "a device is shut out",
    "sleep": "the follower was away for more than one epoch",
}
_RELAY_SEED: Final = NamedEntropy("scenarios::relay").draw("signing key", 32)
Story = Callable[["Telling"], None]


class Telling:
    """One scenario while it is made: a phone, the follower, a tablet, and what the relay has by now."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.stages: list[tuple[Serving, Json]] = []
        self._edits: Json = []
        root = party("root")
        self.phone = Actor(NamedEntropy(f"scenarios::{name}::phone"))
        relay_key = SigningKey(_RELAY_SEED)
        founding = found(self.phone.store, root.signing, root.sealing, relay_key.verify_key, NOW, self.phone.entropy)
        self.serving = Serving(founding.set_id, relay_key, [founding.record.raw])
        self.serving.boxes[0] = founding.box_list, dict(enumerate(founding.boxes))
        self.serving.logs[0] = []
        self.tablet = Actor(NamedEntropy(f"scenarios::{name}::tablet"))
        self.follower = Actor(NamedEntropy(f"scenarios::follow::{name}"))
        self.write(self.phone, "grace", name="Grace")

    # What people do.

    def write(self, actor: Actor, uid: str, **registers: str) -> None:
        """Write a contact and sync; the follower only writes, until its next stage."""
        values = {"uid": tagged(uid), **{path.replace("_", "/"): tagged(value) for path, value in registers.items()}}
        self._edit(actor, [text(uid), NOW + len(self.stages), values])

    def delete(self, actor: Actor, uid: str) -> None:
        """Delete a contact."""
        self._edit(actor, [text(uid), NOW + len(self.stages)])

    def _edit(self, actor: Actor, edit: Json) -> None:
        if actor is self.follower:
            self._edits.append(edit)
            return
        actor.edit([edit])
        actor.sync(self.serving)

    def open(self, actor: Actor, *changes: Change, rotate: bool = False, cut_after: int = 3, now: int = NOW) -> None:
        """Open an epoch."""
        actor.sync(self.serving)
        replica, link = actor.replica, actor.link(self.serving, now)
        wanted = (rekey(replica, actor.entropy), *changes) if rotate else changes

        def play() -> Any:
            yield from open_epoch(replica, link, lambda _replica: wanted, cut_after=cut_after)
            yield from announce(replica, link)
        self.serving.run(replica.member, play())

    def add(self, actor: Actor, keys: Party, role: Role = Role.OWNER) -> int:
        """The phone adds a device; its member index."""
        replica = self.phone.replica
        self.open(self.phone, make_add(keys.signing, replica.set_id, replica.person, role, keys.sealing.public))
        member = self.phone.replica.chain.next_index - 1
        if actor is not self.follower:
            actor.arrive(self.serving, replica.set_id, member, replica.person, keys.signing, keys.sealing)
        return member

    def import_many(self, count: int) -> None:
        """The phone imports contacts: one entry over chunks."""
        replica = self.phone.replica
        items = sorted((contact_id(replica.set_id, f"n{number}", 0), {"uid": f"n{number}", "name": f"Nora {number}"})
                       for number in range(count))
        write_batch(replica, items, NOW, self.phone.entropy)
        self.phone.sync(self.serving)

    # What the follower is served.

    def stage(self) -> Serving:
        """The follower syncs: first it joins. Returns what it was served, to be lied about in a copy."""
        before = self.serving.copy()
        edits, self._edits = self._edits, []
        if not self.stages:
            self.stages.append((before, []))
            replica = self.phone.replica
            keys = party("laptop")
            self.follower.arrive(self.serving, replica.set_id, 2, replica.person, keys.signing, keys.sealing)
        else:
            self.stages.append((before, edits))
            self.follower.edit(edits)
            self.follower.sync(self.serving)
        return before

    def serve(self, serving: Serving) -> None:
        """A last stage, which the follower refuses."""
        self.stages.append((serving, self._edits))

    def inputs(self, cases: Layer) -> Inputs:
        """The case's inputs; byte strings that stages share stand at the head of the file."""
        replica, keys = self.phone.replica, party("laptop")

        def give(value: bytes) -> Json:
            if len(value) < 200:
                return value.hex()
            for known, given in cases.given.items():
                if given == value.hex():
                    return {"given": known}
            return cases.give(f"{self.name}-{len(cases.given)}", value.hex())

        return {
            "device": {
                "set_id": replica.set_id.hex(), "member": 2, "person": replica.person.hex(),
                "signing_seed": keys.seed, "sealing_secret": keys.sealing_secret,
            },
            "relay_seed": _RELAY_SEED.hex(),
            "stages": [{"edits": edits} | serving.written(2, give) for serving, edits in self.stages],
        }


def layer() -> Layer:
    """All cases of `scenarios.json`."""
    cases = Layer("scenarios", "14", {"follow": follow}, _FLAGS)
    for name, (story, spec, comment, *flags) in _VALID.items():
        telling = Telling(name)
        story(telling)
        cases.valid("follow", name, spec, comment, telling.inputs(cases), flags=tuple(flags))
    for name, (story, spec, comment, error, *flags) in _INVALID.items():
        telling = Telling(name)
        story(telling)
        cases.invalid("follow", name, spec, comment, telling.inputs(cases), error, flags=("lie", *flags))
    return cases


def _begin(at: Telling) -> None:
    """The follower and the tablet join."""
    at.add(at.follower, party("laptop"))
    at.stage()
    at.add(at.tablet, party("tablet", ALICE))
    at.stage()


# Valid lives.

def _join(at: Telling) -> None:
    at.add(at.follower, party("laptop"))
    at.stage()


def _three(at: Telling) -> None:
    _begin(at)
    at.write(at.follower, "mine", name="Mine")
    at.write(at.tablet, "theirs", name="Theirs")
    at.stage()
    at.write(at.phone, "grace", notes_n="from the phone")
    at.stage()


def _conflict(at: Telling) -> None:
    _begin(at)
    at.write(at.follower, "grace", name="Grace F.")
    at.write(at.tablet, "grace", name="Grace T.")
    at.stage()
    at.write(at.tablet, "grace", name="Grace")
    at.stage()


def _edit_beats_delete(at: Telling) -> None:
    _begin(at)
    at.write(at.follower, "grace", titles_t="Admiral")
    at.delete(at.tablet, "grace")
    at.stage()
    at.stage()


def _made_again(at: Telling) -> None:
    _begin(at)
    at.delete(at.phone, "grace")
    at.stage()
    at.write(at.phone, "grace", name="Grace again")
    at.stage()


def _rotation(at: Telling) -> None:
    _begin(at)
    at.write(at.follower, "mine", name="Mine")
    at.open(at.phone, rotate=True)
    at.write(at.phone, "late", name="Late")
    at.stage()
    at.stage()


def _revocation(at: Telling) -> None:
    _begin(at)
    at.write(at.tablet, "last", name="Last words")
    at.open(at.phone, Remove(3))
    at.write(at.follower, "mine", name="Mine")
    at.stage()


def _cut(at: Telling) -> None:
    _begin(at)
    at.write(at.tablet, "last", name="Last words")
    at.stage()
    at.open(at.phone, Remove(3), cut_after=0)
    at.stage()


def _sleep(at: Telling) -> None:
    _begin(at)
    at.write(at.follower, "grace", titles_t="Admiral")
    at.write(at.follower, "asleep", name="Asleep")
    for number in range(3):
        at.write(at.phone, f"awake {number}", name="Awake")
        at.open(at.phone, rotate=True)
    at.stage()
    at.stage()


def _dropped_life(at: Telling) -> None:
    _begin(at)
    at.write(at.follower, "grace", titles_t="Admiral")
    at.delete(at.phone, "grace")
    at.open(at.phone)
    at.open(at.phone, now=NOW + HORIZON_AGE)
    at.stage()


def _imported(at: Telling) -> None:
    _begin(at)
    at.import_many(40)
    at.stage()
    at.open(at.phone)
    at.stage()


def _joined_late(at: Telling) -> None:
    at.import_many(40)
    at.open(at.phone)
    at.write(at.phone, "later", name="Later")
    at.add(at.follower, party("laptop"))
    at.stage()


_VALID: Final[dict[str, tuple[Any, ...]]] = {
    "join": (_join, "12.2", "a device joins: chain, snapshot, log"),
    "joined-late": (_joined_late, "14.2 step 5", "it joins a book whose snapshot has two runs"),
    "three-write": (_three, "14.1", "three devices write, one of them offline"),
    "conflict": (_conflict, "8.6", "two devices set one field; then one of them settles it"),
    "edit-beats-delete": (_edit_beats_delete, "8.5", "a delete that had not seen an edit undoes itself"),
    "made-again": (_made_again, "8.5", "a contact is deleted, and made again"),
    "rotation": (_rotation, "14.2", "an epoch is opened while the follower has something to send"),
    "revocation": (_revocation, "14.2", "another device is removed; what it wrote before stays", "removed"),
    "cut": (_cut, "14.3 step 6", "what a lost device wrote last is dropped, by who has read it too", "removed"),
    "sleep": (_sleep, "14.2", "three epochs pass; two edits from before land once", "sleep"),
    "dropped-life": (_dropped_life, "14.2 step 6", "an edit of a contact that is beyond the horizon sends all of it",
                     "sleep"),
    "imported": (_imported, "11.4", "an entry over chunks, which the next snapshot takes over"),
}


# Lies.

def _lie(change: Callable[[Serving], None], *, news: bool = True, epoch: bool = False) -> Story:
    """The follower is in step, something new is written, and the relay spoils what it serves of it."""
    def story(at: Telling) -> None:
        _begin(at)
        if news:
            at.write(at.phone, "news", name="News")
        if epoch:
            at.open(at.phone, rotate=True)
        serving = at.serving.copy()
        change(serving)
        at.serve(serving)
    return story


def _rollback(at: Telling) -> None:
    _begin(at)
    older = at.serving.copy()
    at.write(at.phone, "news", name="News")
    at.stage()
    at.serve(older)


def _chain_rollback(at: Telling) -> None:
    _begin(at)
    older = at.serving.copy()
    at.open(at.phone, rotate=True)
    at.stage()
    at.serve(older)


def _fork(at: Telling) -> None:
    _begin(at)
    other = at.serving.copy()
    at.write(at.phone, "news", name="News")
    at.stage()
    epoch = other.epoch
    other.logs[epoch] = [*other.logs[epoch], at.serving.logs[epoch][-1][:-1] + b"\0"]
    other.logs[epoch] += [bytes(len(envelope)) for envelope in at.serving.logs[epoch][len(other.logs[epoch]):]]
    at.serve(other)


def _removed(at: Telling) -> None:
    _begin(at)
    at.open(at.phone, Remove(2))
    at.serve(at.serving.copy())


def _false_start(change: Callable[[Serving], None]) -> Story:
    """The follower joins, and what it is served is spoilt."""
    def story(at: Telling) -> None:
        at.import_many(8)
        at.open(at.phone)
        at.add(at.follower, party("laptop"))
        serving = at.serving.copy()
        change(serving)
        at.serve(serving)
    return story


def _altered_record(at: Serving) -> None:
    at.records[-1] = flipped(at.records[-1], -1)


def _no_record_before(at: Serving) -> None:
    del at.records[-2]


def _other_set(at: Serving) -> None:
    at.records[0] = flipped(at.records[0], -1)


def _other_box(at: Serving) -> None:
    box_list, boxes = at.boxes[at.epoch]
    at.boxes[at.epoch] = box_list, boxes | {2: flipped(boxes[2], 9)}


def _box_of_another(at: Serving) -> None:
    box_list, boxes = at.boxes[at.epoch]
    at.boxes[at.epoch] = box_list, boxes | {2: boxes[1]}


def _other_list(at: Serving) -> None:
    _box_list, boxes = at.boxes[at.epoch]
    at.boxes[at.epoch] = at.boxes[at.epoch - 1][0], boxes


def _no_manifest(at: Serving) -> None:
    del at.blobs[parse_record(at.records[-1]).manifest]


def _no_chunks(at: Serving) -> None:
    manifest = parse_record(at.records[-1]).manifest
    at.blobs = {name: blob for name, blob in at.blobs.items() if name == manifest}


def _closed_elsewhere(at: Serving) -> None:
    at.logs[at.epoch - 1][-1] = flipped(at.logs[at.epoch - 1][-1], -1)


_INVALID: Final[dict[str, tuple[Any, ...]]] = {
    "rollback": (_rollback, "14.1", "the log as it was before", RollbackDetected),
    "chain-rollback": (_chain_rollback, "14.1", "the epoch before", RollbackDetected),
    "fork": (_fork, "14.1", "another envelope in a place that was read", ForkDetected),
    "altered-record": (_lie(_altered_record, epoch=True), "9.4 step 2", "a record's signature is spoilt", ChainInvalid),
    "chain-with-a-gap": (_lie(_no_record_before, epoch=True), "9.4 step 1", "a record is left out", ForkDetected),
    "closed-elsewhere": (_lie(_closed_elsewhere, epoch=True), "14.2 step 2",
                         "the closed log ends in another envelope", ForkDetected),
    "other-box": (_lie(_other_box, epoch=True), "9.5", "another box than the one listed", SnapshotInvalid),
    "box-of-another": (_lie(_box_of_another, epoch=True), "9.5", "another member's box", SnapshotInvalid),
    "other-list": (_lie(_other_list, epoch=True), "9.5", "the list of another epoch", SnapshotInvalid),
    "removed": (_removed, "14.2 step 1", "the follower is removed", DeviceRemoved, "removed"),
    "joins-another-set": (_false_start(_other_set), "9.1", "record 0 is spoilt", ChainInvalid),
    "joins-with-a-gap": (_false_start(_no_record_before), "9.4 step 1", "a record is left out", ChainInvalid),
    "joins-without-manifest": (_false_start(_no_manifest), "11.2", "the manifest is not served", WithheldDetected),
    "joins-without-chunks": (_false_start(_no_chunks), "11.3", "the runs are not served", WithheldDetected),
}
