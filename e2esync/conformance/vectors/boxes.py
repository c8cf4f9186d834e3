"""Examples of the epoch secret and its boxes (SPEC 9.5, 13.5 step 6), part of `epochs.json`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from e2esync.conformance.vectors.case import Inputs, Layer, Outcome, flipped, hexed
from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.conformance.vectors.world import World, party, world
from e2esync.crypto import Secret
from e2esync.crypto.sealing import SealingKey
from e2esync.epoch.boxes import (
    box_context,
    box_hash,
    check_boxes,
    epoch_commit,
    epoch_key,
    list_hash,
    open_own_box,
    parse_box_list,
    seal_boxes,
)
from e2esync.epoch.chain import verify_chain
from e2esync.epoch.record import parse_record
from e2esync.errors import AuthFailed, ChainInvalid, CommitMismatch, E2esyncError, LimitExceeded, NonCanonical
from e2esync.limits import KEM_CIPHERTEXT
from e2esync.wire import decode, encode

_OUTER: Final = (KEM_CIPHERTEXT + 32) * 8


def _epoch_secret(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    set_id, epoch, secret = bytes.fromhex(inputs["set_id"]), inputs["epoch"], Secret(bytes.fromhex(inputs["secret"]))
    commit, key = epoch_commit(set_id, epoch, secret), epoch_key(set_id, epoch, secret)
    return Outcome({"commit": commit.hex(), "key": key.reveal().hex()})


def _seal_boxes(inputs: Inputs, entropy: NamedEntropy) -> Outcome:
    set_id, secret = bytes.fromhex(inputs["set_id"]), Secret(bytes.fromhex(inputs["secret"]))
    recipients = [(member, number, bytes.fromhex(key)) for member, number, key in inputs["recipients"]]
    box_list, boxes = seal_boxes(set_id, inputs["epoch"], secret, recipients, entropy)
    contexts = [box_context(set_id, inputs["epoch"], member, number) for member, number, _ in sorted(recipients)]
    return Outcome(
        {"list": box_list.hex(), "boxes": hexed(boxes), "hash": list_hash(box_list).hex()},
        {"contexts": hexed(contexts), "box_hashes": [box_hash(box).hex() for box in boxes]},
    )


def _open_own_box(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    record, set_id = parse_record(bytes.fromhex(inputs["record"])), bytes.fromhex(inputs["set_id"])
    key = SealingKey.from_secret(bytes.fromhex(inputs["sealing_secret"]))
    box_list, box = bytes.fromhex(inputs["list"]), bytes.fromhex(inputs["box"])
    secret = open_own_box(record, set_id, inputs["member"], box_list, box, key, last_number=inputs["last_number"])
    number = next(ref.number for ref in parse_box_list(box_list) if ref.member == inputs["member"])
    context = box_context(set_id, record.epoch, inputs["member"], number)
    return Outcome(
        {"secret": secret.reveal().hex(), "key": epoch_key(set_id, record.epoch, secret).reveal().hex()},
        {"context": context.hex(), "commit": epoch_commit(set_id, record.epoch, secret).hex()},
    )


def _check_boxes(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    chain = verify_chain(bytes.fromhex(inputs["set_id"]), [bytes.fromhex(record) for record in inputs["records"]])
    boxes = [bytes.fromhex(box) for box in inputs["boxes"]]
    check_boxes(bytes.fromhex(inputs["list"]), boxes, chain.head, chain)
    return Outcome({})


OPERATIONS: Final = {
    "epoch_secret": _epoch_secret, "seal_boxes": _seal_boxes, "open_own_box": _open_own_box,
    "check_boxes": _check_boxes,
}


@dataclass(frozen=True, slots=True)
class _Sealed:
    """An opening of epoch 2 whose list and boxes a case may spoil before the record names them."""

    at: World
    secret: Secret
    lines: list[list[Any]]
    boxes: list[bytes]

    def enter(self, lines: Any = None, *, member: int = 1, box: bytes | None = None, **override: Any) -> Inputs:
        """What `member` opens its box with, if the record names these lines as they are."""
        box_list = encode(self.lines if lines is None else lines)
        fields: dict[str, Any] = {
            "boxes": list_hash(box_list), "commit": epoch_commit(self.at.set_id, 2, self.secret),
        }
        record = self.at.record(**(fields | override))
        return {
            "set_id": self.at.set_id.hex(), "record": record.raw.hex(), "member": member, "list": box_list.hex(),
            "box": (self.boxes[member] if box is None else box).hex(),
            "sealing_secret": self.at.parties[member].sealing_secret, "last_number": min(member % 6, 1),
        }

    def line(self, member: int, box: bytes) -> list[list[Any]]:
        """The lines with another box at one member."""
        return [[m, n, box_hash(box) if m == member else digest] for m, n, digest in self.lines]


def add_cases(cases: Layer) -> None:
    """Add the cases of 9.5 to the layer `epochs`."""
    at = world()
    first = at.openings[0]
    secret: Inputs = {"set_id": at.set_id.hex(), "secret": first.secret.reveal().hex()}
    for name, epoch in {"epoch-0": 0, "epoch-1": 1, "far-epoch": 2**53 - 1}.items():
        cases.valid("epoch_secret", name, "9.5", "commitment and key of one secret", secret | {"epoch": epoch})
    some = at.recipients([0, 1], {1: 3})
    cases.valid("seal_boxes", "kit-and-device", "9.5", "a kit's box has number 0",
                secret | {"epoch": 2, "recipients": hexed(some)})
    entropy = NamedEntropy("epochs::boxes")
    box_list, boxes = seal_boxes(
        at.set_id, 2, first.secret, at.recipients(range(7), dict(at.chain.numbers)), entropy)
    sealed = _Sealed(at, first.secret, decode(box_list), boxes)
    cases.valid("open_own_box", "device", "9.5", "a device's box, number 1", sealed.enter())
    cases.valid("open_own_box", "root", "9.5", "the root's box, number 0", sealed.enter(member=0))
    cases.valid("open_own_box", "kit", "9.5", "a kit's box, number 0", sealed.enter(member=6))
    _broken_lists(cases, sealed)
    _broken_boxes(cases, sealed)
    _at_the_relay(cases)


def _broken_lists(cases: Layer, sealed: _Sealed) -> None:
    good, lines = sealed.enter(), sealed.lines
    other = encode([*lines[:5], [5, 1, bytes(32)], lines[6]])
    for name, comment, inputs in (
        ("other-list", "a list that the record does not name", good | {"list": other.hex()}),
        ("no-line", "a list without the member", sealed.enter([line for line in lines if line[0] != 1])),
        ("number-rewound", "a number below the member's last", good | {"last_number": 2}),
        ("number-of-kit", "number 1 for a kit", sealed.enter([*lines[:6], [6, 1, lines[6][2]]], member=6)),
        ("other-box", "the box of another member", good | {"box": sealed.boxes[2].hex()}),
        ("box-altered", "a bit of the box", good | {"box": flipped(sealed.boxes[1], -1).hex()}),
        ("no-box", "no box at all", good | {"box": ""}),
    ):
        cases.invalid("open_own_box", name, "9.5", comment, inputs, CommitMismatch, flags=("boxes",))
    wrong: tuple[tuple[str, str, Any, type[E2esyncError]], ...] = (
        ("list-descending", "lines out of order", [lines[1], lines[0], *lines[2:]], NonCanonical),
        ("line-twice", "a member twice", [lines[0], lines[1], lines[1]], NonCanonical),
        ("line-of-two", "a line without a hash", [lines[0], lines[1][:2]], NonCanonical),
        ("short-box-hash", "a hash of 31 bytes", [[1, 1, lines[1][2][:-1]]], NonCanonical),
        ("member-below-0", "member −1", [[-1, 1, bytes(32)], lines[1]], NonCanonical),
        ("number-true", "a boolean is no number", [[1, True, lines[1][2]]], NonCanonical),
        ("list-is-a-map", "a map for the list", {}, NonCanonical),
        ("65-lines", "more lines than members may be", [[index, 1, lines[1][2]] for index in range(65)],
         LimitExceeded),
    )
    for name, comment, value, error in wrong:
        cases.invalid("open_own_box", name, "9.5", comment, sealed.enter(value), error, flags=("boxes",))


def _broken_boxes(cases: Layer, sealed: _Sealed) -> None:
    at = sealed.at

    def resealed(name: str, secret: Secret, epoch: int, member: int, number: int, key: bytes) -> bytes:
        entropy = NamedEntropy(f"epochs::open_own_box::{name}")
        return seal_boxes(at.set_id, epoch, secret, [(member, number, key)], entropy)[1][0]

    own, other = at.parties[1].sealing.public, Secret(b"\x0e" * 32)
    for name, comment, box, error in (
        ("sealed-for-another-epoch", "the context of epoch 3", resealed("epoch", sealed.secret, 3, 1, 1, own),
         CommitMismatch),
        ("sealed-for-another-member", "the context of member 2", resealed("member", sealed.secret, 2, 2, 1, own),
         CommitMismatch),
        ("sealed-under-another-number", "the context of number 2", resealed("number", sealed.secret, 2, 1, 2, own),
         CommitMismatch),
        ("sealed-to-another-key", "another device's sealing key",
         resealed("key", sealed.secret, 2, 1, 1, party("stranger").sealing.public), CommitMismatch),
        ("other-secret", "a box that opens, with a secret that the record does not commit to",
         resealed("secret", other, 2, 1, 1, own), CommitMismatch),
        ("outer-altered", "listed as it is, with a bit of its ciphertext changed", flipped(sealed.boxes[1], _OUTER),
         AuthFailed),
        ("listed-but-short", "listed as it is, with the last byte missing", sealed.boxes[1][:-1], AuthFailed),
    ):
        inputs = sealed.enter(sealed.line(1, box), box=box)
        cases.invalid("open_own_box", name, "9.5", comment, inputs, error, flags=("boxes",))
    under_two = resealed("number", sealed.secret, 2, 1, 2, own)
    lines = [sealed.lines[0], [1, 2, box_hash(under_two)], *sealed.lines[2:]]
    cases.invalid("open_own_box", "number-not-of-record", "9.5", "sealed and listed under 2 where the record has 1",
                  sealed.enter(lines, box=under_two), CommitMismatch, flags=("boxes",))
    cases.invalid("open_own_box", "other-commitment", "9.5", "a record that commits to another secret",
                  sealed.enter(commit=epoch_commit(at.set_id, 2, other)), CommitMismatch, flags=("boxes",))
    cases.invalid("open_own_box", "commitment-of-another-epoch", "9.5", "a record that commits as epoch 1 would",
                  sealed.enter(commit=epoch_commit(at.set_id, 1, sealed.secret)), CommitMismatch, flags=("boxes",))


def _at_the_relay(cases: Layer) -> None:
    at = world()
    first = at.openings[0]
    lines, boxes = decode(first.box_list), first.boxes

    def inputs(lines: Any, boxes: list[bytes]) -> Inputs:
        box_list = encode(lines)
        record = at.record_zero(boxes=list_hash(box_list))
        return {"set_id": at.set_id.hex(), "records": [record.raw.hex()], "list": box_list.hex(), "boxes": hexed(boxes)}

    good = inputs(lines, boxes)
    short, altered = boxes[1][:-1], flipped(boxes[1], 0)
    cases.valid("check_boxes", "record-0", "13.5 step 6", "a box for each member", good)
    for name, comment, wrong in (
        ("other-list", "a list and boxes that fit each other, and not the record",
         good | {"list": encode([lines[0], [1, 1, box_hash(altered)], lines[2]]).hex(),
                 "boxes": hexed([boxes[0], altered, boxes[2]])}),
        ("member-missing", "no box for a device", inputs(lines[:2], boxes[:2])),
        ("root-missing", "no box for the root", inputs(lines[1:], boxes[1:])),
        ("stranger", "a box for an index that was not given",
         inputs([*lines, [3, 1, lines[2][2]]], [*boxes, boxes[2]])),
        ("other-number", "number 2 where the record has 1", inputs([*lines[:2], [2, 2, lines[2][2]]], boxes)),
        ("number-of-root", "number 1 for the root", inputs([[0, 1, lines[0][2]], *lines[1:]], boxes)),
        ("box-missing", "a line without its box", good | {"boxes": hexed(boxes[:2])}),
        ("box-too-many", "a box without a line", good | {"boxes": hexed([*boxes, boxes[2]])}),
        ("boxes-swapped", "two boxes in each other's place",
         good | {"boxes": hexed([boxes[0], boxes[2], boxes[1]])}),
        ("box-altered", "a bit of a box", good | {"boxes": hexed([boxes[0], altered, boxes[2]])}),
        ("short-box", "listed as it is, with the last byte missing",
         inputs([lines[0], [1, 1, box_hash(short)], lines[2]], [boxes[0], short, boxes[2]])),
    ):
        cases.invalid("check_boxes", name, "13.5 step 6", comment, wrong, ChainInvalid, flags=("relay",))
