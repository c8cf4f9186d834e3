"""Announcements (SPEC 10.6): a device's next sealing key and its wishes, signed, in clear, overwritten in place.

The relay and every opener check one in the same way. An opener seals to the newest that it is served; what the member
asks for in it is carried out by whoever opens next and has the right.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from e2esync.crypto import Label, SigningKey, verify
from e2esync.epoch import shape
from e2esync.epoch.chain import Chain, check_member_count
from e2esync.epoch.record import Add, Change, Remove, change_value, parse_add
from e2esync.epoch.roles import Role
from e2esync.epoch.roster import Member, apply_changes
from e2esync.errors import E2esyncError, NonCanonical, SlotInvalid
from e2esync.limits import CHANGES_MAX, REQUESTS_MAX, SEAL_PUBLIC, SIGNATURE, SLOT_MAX
from e2esync.wire import Value, decode, encode


@dataclass(frozen=True, slots=True)
class AskRemove:
    """Remove a device of my person, or its kit. The relay refuses that device from now on (SPEC 13.4 step 2)."""

    epoch: int
    member: int


@dataclass(frozen=True, slots=True)
class AskAdd:
    """Add a device of my person, which has proved its keys."""

    epoch: int
    add: Add


@dataclass(frozen=True, slots=True)
class AskSeal:
    """Seal to me again: my box did not open, or my key is older than a *forget*."""

    epoch: int


@dataclass(frozen=True, slots=True)
class AskLeave:
    """Remove me: nobody can make the secret that shuts itself out."""

    epoch: int


Request = AskRemove | AskAdd | AskSeal | AskLeave


@dataclass(frozen=True, slots=True)
class Announcement:
    """A member's newest sealing key, under a rising number, with its version and requests."""

    member: int
    number: int
    revision: int
    seal_key: bytes = field(repr=False)
    version: int
    requests: tuple[Request, ...]
    body: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    raw: bytes = field(repr=False)


def sign_announcement(
    signing_key: SigningKey, set_id: bytes, *, member: int, number: int, revision: int, seal_key: bytes, version: int,
    requests: tuple[Request, ...] = (),
) -> Announcement:
    """A signed announcement. `revision` is higher than that of every one that this member made before."""
    body = encode([member, number, revision, seal_key, version, [request_value(request) for request in requests]])
    return parse_announcement(encode([body, signing_key.sign(Label.SIGN_ANNOUNCEMENT, set_id, body)]))


def parse_announcement(raw: bytes) -> Announcement:
    """The announcement that `raw` spells, at most 16 KiB. Raises NonCanonical or LimitExceeded."""
    body, signature = shape.array(decode(raw, limit=SLOT_MAX), 2, "an announcement")
    shape.octets(signature, SIGNATURE, "an announcement's signature")
    fields = decode(shape.any_octets(body, "an announcement's body"), limit=SLOT_MAX)
    shape.array(fields, 6, "an announcement's body")
    return Announcement(
        member=shape.index(fields[0], "an announcement's member"),
        number=shape.integer(fields[1], "an announced key number", 1),
        revision=shape.integer(fields[2], "an announcement's revision"),
        seal_key=shape.octets(fields[3], SEAL_PUBLIC, "an announced sealing key"),
        version=shape.integer(fields[4], "an announced version", 1),
        requests=tuple(parse_request(value) for value in shape.items(fields[5], REQUESTS_MAX, "the requests")),
        body=body, signature=signature, raw=raw,
    )


def check_announcement(chain: Chain, raw: bytes, previous: Announcement | None) -> Announcement:
    """The announcement in `raw`, if the slot may hold it (SPEC 10.6). `previous` is what the slot holds now.

    The same bytes again are accepted and change nothing: a retry after a lost answer is no offence. Raises
    NonCanonical, LimitExceeded, SlotInvalid, AuthFailed or BadKey.
    """
    from e2esync.crypto.sealing import check_seal_public

    announcement = parse_announcement(raw)
    member = check_slot_owner(chain, announcement.member)
    # By the current key: what a replaced key signed is void, also what it signed before.
    verify(Label.SIGN_ANNOUNCEMENT, chain.set_id, announcement.body, announcement.signature, member.verify_key)
    check_announced_number(chain, announcement)
    check_request_epochs(chain, announcement)
    if previous is not None and previous.raw != raw:
        check_supersedes(announcement, previous)
    check_seal_public(announcement.seal_key)
    return announcement


def check_slot_owner(chain: Chain, index: int) -> Member:
    """The device whose slot it is; recovery members and strangers have none. Raises SlotInvalid."""
    member = chain.members.get(index)
    if member is None or not member.is_device:
        raise SlotInvalid(f"member {index} has no slot in epoch {chain.epoch}")
    return member


def check_announced_number(chain: Chain, announcement: Announcement) -> None:
    """The number is the one that the open epoch was sealed to, or the next. Raises SlotInvalid.

    A device that sleeps goes on being sealed to the number of the record; one that has entered announces the next.
    """
    number = chain.numbers[announcement.member]
    if announcement.number not in (number, number + 1):
        raise SlotInvalid(f"member {announcement.member} announces key number {announcement.number} after {number}")


def check_request_epochs(chain: Chain, announcement: Announcement) -> None:
    """A request is made in an epoch that there is. Raises SlotInvalid."""
    if any(request.epoch > chain.epoch for request in announcement.requests):
        raise SlotInvalid(f"member {announcement.member} asks for something in an epoch that does not exist yet")


def check_supersedes(announcement: Announcement, previous: Announcement) -> None:
    """It comes after `previous`, and gives no number a second key. Raises SlotInvalid."""
    who = f"member {announcement.member}"
    if announcement.member != previous.member:
        raise SlotInvalid(f"{who} announces in the slot of member {previous.member}")
    if announcement.revision <= previous.revision:
        raise SlotInvalid(f"{who} announces revision {announcement.revision} after {previous.revision}")
    if announcement.number < previous.number:
        raise SlotInvalid(f"{who} announces key number {announcement.number} after {previous.number}")
    if announcement.number == previous.number and announcement.seal_key != previous.seal_key:
        raise SlotInvalid(f"{who} announces a second key under number {announcement.number}")


def requested_changes(chain: Chain, announcement: Announcement) -> tuple[Change, ...]:
    """The changes that a checked announcement asks for and may ask for, in its order.

    A member asks for members of its own person only, for no role above its own, and never to remove the root.
    """
    member = chain.members.get(announcement.member)
    if member is None:
        return ()
    changes: list[Change] = []
    for request in announcement.requests:
        match request:
            case AskRemove(_, index) if _same_person(chain, index, member):
                changes.append(Remove(index))
            case AskAdd(_, add) if add.person == member.person and add.role <= member.role:
                changes.append(add)
            case AskLeave(_):
                changes.append(Remove(member.index))
            case _:
                pass
    return tuple(changes)


def removals_asked(chain: Chain, announcements: Iterable[Announcement]) -> frozenset[int]:
    """Members whose removal they or their own person ask for: the relay takes nothing more of them (SPEC 13.4)."""
    return frozenset(
        change.member
        for announcement in announcements
        for change in requested_changes(chain, announcement)
        if isinstance(change, Remove)
    )


def with_requests(
    chain: Chain, opener: int, changes: tuple[Change, ...], announcements: Iterable[Announcement],
) -> tuple[Change, ...]:
    """`changes` and every request that `opener` may fulfil beside them, at most 16 in all (SPEC 14.3 step 2).

    The opener never removes itself on request: it would make, and know, the secret that is to shut it out. Raises
    what VERIFY says of `changes` themselves.
    """
    roster = chain.after(opener, changes)
    for announcement in sorted(announcements, key=lambda each: each.member):
        for change in requested_changes(chain, announcement):
            if change in changes or change == Remove(opener) or len(changes) >= CHANGES_MAX:
                continue
            try:
                grown = apply_changes(roster, opener, (change,), chain.epoch + 1)
                check_member_count(grown)
            except E2esyncError:
                # Not this opener's to fulfil, or overtaken by another change: it waits in its slot.
                continue
            roster, changes = grown, (*changes, change)
    return changes


def _same_person(chain: Chain, index: int, member: Member) -> bool:
    other = chain.members.get(index)
    return other is not None and other.role is not Role.ROOT and other.person == member.person


def request_value(request: Request) -> list[Value]:
    """The array of a request."""
    match request:
        case AskRemove(epoch, member):
            return [1, epoch, member]
        case AskAdd(epoch, add):
            return [2, epoch, *change_value(add)[1:]]
        case AskSeal(epoch):
            return [3, epoch]
        case AskLeave(epoch):
            return [4, epoch]


_LENGTHS: Final = {1: 3, 2: 7, 3: 2, 4: 2}


def parse_request(value: Value) -> Request:
    """A request from its array. Raises NonCanonical."""
    kind = value[0] if type(value) is list and value else None
    if type(kind) is not int or kind not in _LENGTHS:
        raise NonCanonical("a request is of no known kind")
    shape.array(value, _LENGTHS[kind], "a request")
    epoch = shape.integer(value[1], "a request's epoch")
    if kind == 1:
        return AskRemove(epoch, shape.index(value[2], "a member to remove"))
    if kind == 2:
        return AskAdd(epoch, _parse_device(value[1:]))
    return AskSeal(epoch) if kind == 3 else AskLeave(epoch)


def _parse_device(value: list[Value]) -> Add:
    add = parse_add(value)
    if add.role > Role.OWNER:
        raise NonCanonical("a request asks to add a member that is no device")
    return add
