"""The epoch secret and the boxes that carry it to the members (SPEC 9.5).

A box is never trusted because it opens: anybody can seal to a public key. It is trusted because the list has its hash,
the signed record has the list's hash, and the secret inside gives the record's commitment, the same for all members.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from e2esync.crypto import Entropy, Label, Secret, blake2b, equal
from e2esync.epoch import shape
from e2esync.epoch.chain import Chain
from e2esync.epoch.record import Record
from e2esync.errors import ChainInvalid, CommitMismatch, NonCanonical
from e2esync.limits import FRAME_MAX, HASH, MEMBERS_MAX, SEALED_BOX
from e2esync.wire import decode, encode

if TYPE_CHECKING:
    from e2esync.crypto.sealing import SealingKey


class BoxRef(NamedTuple):
    """One line of a box list: whose box, sealed to which key number (0 for a recovery member), and its hash."""

    member: int
    number: int
    hash: bytes


def epoch_commit(set_id: bytes, epoch: int, secret: Secret) -> bytes:
    """What the record says of the secret (32 bytes), so that no two members can be given different ones."""
    return blake2b(Label.EPOCH_COMMIT, set_id, shape.u64(epoch), key=secret.reveal())


def epoch_key(set_id: bytes, epoch: int, secret: Secret) -> Secret:
    """K, the key of the epoch's envelopes, heartbeats and manifest."""
    return Secret(blake2b(Label.EPOCH_KEY, set_id, shape.u64(epoch), key=secret.reveal()))


def box_context(set_id: bytes, epoch: int, member: int, number: int) -> bytes:
    """Where a box belongs. It is not carried: a box moved to another epoch, member or number does not open."""
    return set_id + shape.u64(epoch) + shape.u32(member) + shape.u64(number)


def seal_boxes(
    set_id: bytes, epoch: int, secret: Secret, recipients: Iterable[tuple[int, int, bytes]], entropy: Entropy,
) -> tuple[bytes, list[bytes]]:
    """(box list, boxes) for (member, number, public sealing key) each, in ascending order of the members.

    Draws `sealed box ephemeral x25519` and one encapsulation per recipient, in that order.
    """
    from e2esync.crypto.sealing import seal_to

    refs: list[list[int | bytes]] = []
    boxes: list[bytes] = []
    for member, number, seal_key in sorted(recipients):
        box = seal_to(seal_key, box_context(set_id, epoch, member, number), secret, entropy)
        boxes.append(box)
        refs.append([member, number, box_hash(box)])
    return encode(refs), boxes


def box_hash(box: bytes) -> bytes:
    """The hash of a box, as its list has it."""
    return blake2b(Label.BOX, box)


def list_hash(box_list: bytes) -> bytes:
    """The hash of a box list, as its record has it in `boxes`."""
    return blake2b(Label.BOX_LIST, box_list)


def parse_box_list(box_list: bytes) -> list[BoxRef]:
    """The lines of a box list, ascending by member. Raises NonCanonical or LimitExceeded."""
    refs: list[BoxRef] = []
    for line in shape.items(decode(box_list, limit=FRAME_MAX), MEMBERS_MAX, "a box list"):
        member, number, digest = shape.array(line, 3, "a line of a box list")
        shape.index(member, "a member in a box list")
        if refs and member <= refs[-1].member:
            raise NonCanonical("a box list is not ascending by member")
        refs.append(BoxRef(
            member, shape.integer(number, "a key number in a box list"),
            shape.octets(digest, HASH, "a box hash"),
        ))
    return refs


def check_boxes(box_list: bytes, boxes: list[bytes], record: Record, chain: Chain) -> None:
    """The relay's check of an opening (SPEC 13.5 step 6); `chain` is the one that ends in `record`.

    The list has the record's hash, names exactly the members with the record's numbers, and each box has its hash.
    Raises ChainInvalid.
    """
    if list_hash(box_list) != record.boxes:
        raise ChainInvalid(f"the box list is not the one that record {record.epoch} names")
    refs = parse_box_list(box_list)
    if [(ref.member, ref.number) for ref in refs] != [
        (index, record.numbers.get(index, 0)) for index in sorted(chain.members)
    ]:
        raise ChainInvalid(f"the box list of epoch {record.epoch} names other members or key numbers than its record")
    if len(boxes) != len(refs):
        raise ChainInvalid(f"{len(boxes)} boxes come with a list of {len(refs)}")
    for ref, box in zip(refs, boxes, strict=True):
        if len(box) != SEALED_BOX or box_hash(box) != ref.hash:
            raise ChainInvalid(f"the box of member {ref.member} is not the one in the list")


def open_own_box(
    record: Record, set_id: bytes, member: int, box_list: bytes, box: bytes, sealing_key: SealingKey, *,
    last_number: int = 0,
) -> Secret:
    """The epoch secret, from this member's box (SPEC 9.5). `sealing_key` is its key of the number in the record.

    `last_number` is the number that the member's last box was sealed to. Raises CommitMismatch for whatever is not
    what the record commits to, AuthFailed for a box that does not open, NonCanonical for a malformed list.
    """
    from e2esync.crypto.sealing import open_box

    check_list_hash(record, box_list)
    ref = find_ref(record, member, box_list)
    check_number(record, ref, last_number)
    check_box_hash(ref, box)
    secret = open_box(sealing_key, box_context(set_id, record.epoch, member, ref.number), box)
    check_commit(record, set_id, secret)
    return secret


def check_list_hash(record: Record, box_list: bytes) -> None:
    """The list is the one whose hash is signed."""
    if list_hash(box_list) != record.boxes:
        raise CommitMismatch(f"the box list is not the one that record {record.epoch} names")


def find_ref(record: Record, member: int, box_list: bytes) -> BoxRef:
    """The member's line in the list."""
    for ref in parse_box_list(box_list):
        if ref.member == member:
            return ref
    raise CommitMismatch(f"epoch {record.epoch} has no box for member {member}", "ask to be sealed again")


def check_number(record: Record, ref: BoxRef, last_number: int) -> None:
    """The number is the signed one, and not one below the last, *so that no erased key comes back into use*."""
    if ref.number != record.numbers.get(ref.member, 0) or ref.number < last_number:
        raise CommitMismatch(f"the box of member {ref.member} is sealed to key number {ref.number}")


def check_box_hash(ref: BoxRef, box: bytes) -> None:
    """The box is the one in the list."""
    if box_hash(box) != ref.hash:
        raise CommitMismatch(f"the box of member {ref.member} is not the one in the list")


def check_commit(record: Record, set_id: bytes, secret: Secret) -> None:
    """All members hold one secret: the one that the record commits to. Constant time."""
    if not equal(epoch_commit(set_id, record.epoch, secret), record.commit):
        raise CommitMismatch(f"the box of epoch {record.epoch} holds another secret than its record commits to")
