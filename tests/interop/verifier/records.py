"""Epoch records and their chain (SPEC 9), announcements (SPEC 10.6): who is in, under which keys."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from . import suite
from .encoding import INDEX, TIME, ascending, decode, encode, fields, integer, items, raw
from .errors import Refusal, require

READER, WRITER, OWNER, RECOVERY, ROOT = 1, 2, 3, 4, 5
ADD, REMOVE, REKEY, ROLE = 1, 2, 3, 4
FORGET, NEWER, SEED = 1, 2, 4
ZEROS = bytes(32)
RECORD_MAX, SLOT_MAX = 65536, 16384
NUMBER = range(1, TIME.stop)


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it was read; nothing in it is verified yet."""

    raw: bytes
    body: bytes
    signature: bytes
    epoch: int
    prev: bytes
    relay: bytes
    closes_seq: int
    closes_hash: bytes
    time: int
    opener: int
    changes: list[list[Any]]
    numbers: list[list[int]]
    flags: int
    commit: bytes
    boxes: bytes
    manifest: bytes

    @property
    def hash(self) -> bytes:
        return suite.H("RECORD", self.raw)


@dataclass(frozen=True, slots=True)
class Member:
    person: bytes
    role: int
    verify_key: bytes
    sealing_key: bytes

    @property
    def device(self) -> bool:
        return self.role <= OWNER


@dataclass(frozen=True, slots=True)
class Chain:
    """What a chain comes to: the state behind its last record."""

    set_id: bytes
    record: Record
    relay_key: bytes
    members: dict[int, Member]
    next_index: int
    ranks: dict[bytes, int]
    relays: list[bytes]
    keys: list[tuple[int, bytes]] = field(default_factory=list)

    @property
    def epoch(self) -> int:
        return self.record.epoch

    @property
    def root_key(self) -> bytes:
        return next(member.verify_key for member in self.members.values() if member.role == ROOT)

    @property
    def numbers(self) -> dict[int, int]:
        return numbers_of(self.record)


def parse_record(data: bytes) -> Record:
    """SPEC 9.2; of SPEC 9.4 the bounds of step 7, and the suite of step 1."""
    require(len(data) <= RECORD_MAX, "LimitExceeded", "a record too long")
    body, signature = fields(decode(data), 2)
    raw(signature, 64)
    parts = items(decode(raw(body)))
    require(bool(parts), "NonCanonical", "an empty body")
    require(integer(parts[0], INDEX) == 1, "ChainInvalid", "another suite")
    parts = fields(parts, 14)
    changes, numbers = items(parts[8], most=16), items(parts[9], most=64)
    pairs = [fields(pair, 2) for pair in numbers]
    numbered = [[integer(index, INDEX), integer(number, NUMBER)] for index, number in pairs]
    ascending([index for index, _ in numbered])
    return Record(
        data, body, signature,
        integer(parts[1]), raw(parts[2], 32), raw(parts[3], 0, 32), integer(parts[4]), raw(parts[5], 32),
        integer(parts[6]), integer(parts[7], INDEX), [parse_change(change) for change in changes], numbered,
        integer(parts[10], range(8)), raw(parts[11], 32), raw(parts[12], 32), raw(parts[13], 32),
    )  # fmt: skip


def parse_change(value: Any) -> list[Any]:
    """One line of SPEC 9.3."""
    change = items(value)
    require(bool(change), "NonCanonical", "a change without elements")
    kind = integer(change[0], range(1, 5))
    fields(change, {ADD: 6, REMOVE: 2, REKEY: 4, ROLE: 3}[kind])
    if kind == ADD:
        _add_parts(change[1:], ROOT)
        return change
    integer(change[1], INDEX)
    if kind == REKEY:
        raw(change[2], 32), raw(change[3], 64)
    if kind == ROLE:
        integer(change[2], range(1, 6))
    return change


def _add_parts(parts: list[Any], highest_role: int) -> None:
    """person, role, verify key, sealing key, possession."""
    raw(parts[0], 16), integer(parts[1], range(1, highest_role + 1))
    raw(parts[2], 32), raw(parts[3], suite.SEAL_PUBLIC), raw(parts[4], 64)


def numbers_of(record: Record) -> dict[int, int]:
    """device → number of the sealing key that the record is sealed to."""
    return {line[0]: line[1] for line in record.numbers}


def set_id_of(root_key: bytes) -> bytes:
    """SPEC 9.1."""
    return suite.H("SET_ID", b"\x01" + root_key)


def possession_message(person: bytes, role: int, verify_key: bytes, sealing_key: bytes) -> bytes:
    return encode([person, role, verify_key, sealing_key])


def check_kit_proof(verify_key: bytes, sealing_key: bytes, proof: bytes) -> None:
    """SPEC 12.4."""
    message = possession_message(bytes(16), RECOVERY, verify_key, sealing_key)
    suite.verify("SIGN_POSSESSION", ZEROS, message, proof, verify_key, "ChainInvalid")


def verify_chain(set_id: bytes, records: Sequence[bytes]) -> Chain:
    """SPEC 9.4, from record 0 on."""
    require(bool(records), "ChainInvalid", "no records")
    chain = _verify_first(set_id, parse_record(records[0]))
    for data in records[1:]:
        chain = verify_next(chain, parse_record(data))
    return chain


def _verify_first(set_id: bytes, record: Record) -> Chain:
    """Record 0 (the end of SPEC 9.4)."""
    _check_seed(record)
    require((record.epoch, record.opener) == (0, 0), "ChainInvalid", "not epoch 0, opened by member 0")
    nothing = (record.prev, record.closes_seq, record.closes_hash, record.manifest)
    require(nothing == (ZEROS, 0, ZEROS, ZEROS), "ChainInvalid", "record 0 follows something")
    require(len(record.relay) == 32, "ChainInvalid", "no relay")
    suite.check_verify_key(record.relay)
    roles = [change[2] if change[0] == ADD else None for change in record.changes]
    require(bool(roles) and roles == [ROOT] + [OWNER] * (len(roles) - 1), "ChainInvalid", "not a root and owners")
    root_key = record.changes[0][3]
    require(set_id_of(root_key) == set_id, "ChainInvalid", "the root of another set")
    suite.verify("SIGN_RECORD", set_id, record.body, record.signature, root_key, "ChainInvalid")
    before = Chain(set_id, replace(record, numbers=[]), record.relay, {}, 0, {}, [])
    after = before
    for change in record.changes:
        after = _applied(after, change, given_by=ROOT)
    return _finish(before, after, record)


def verify_next(chain: Chain, record: Record) -> Chain:
    """SPEC 9.4 steps 1 to 6, for the record after the chain's last."""
    _check_place(chain, record)
    opener = chain.members.get(record.opener)
    if opener is None:
        raise Refusal("ChainInvalid", "the opener is no member")
    suite.verify("SIGN_RECORD", chain.set_id, record.body, record.signature, opener.verify_key, "ChainInvalid")
    may_head = opener.role in (OWNER, ROOT)
    require(opener.role != READER, "RightMissing", "a reader opens nothing")
    require(may_head or record.flags in (0, SEED), "RightMissing", "a flag")
    after = chain
    for change in record.changes:
        _check_right(after, record.opener, change)
        after = _applied(after, change, given_by=after.members[record.opener].role)
    return _finish(chain, after, record)


def _check_seed(record: Record) -> None:
    """SPEC 9.4 step 1: what may have to give way changes nothing."""
    seeds = record.flags & SEED
    require(not seeds or (record.flags == SEED and not record.changes and not record.relay), "ChainInvalid", "no seed")


def _check_place(chain: Chain, record: Record) -> None:
    """SPEC 9.4 step 1."""
    _check_seed(record)
    require(record.epoch == chain.epoch + 1, "ChainInvalid", "not the next epoch")
    require(record.prev == chain.record.hash, "ChainInvalid", "it follows another record")
    if record.relay:
        suite.check_verify_key(record.relay)
        require(record.relay != chain.relay_key, "ChainInvalid", "the relay where the set is")
        opener = chain.members.get(record.opener)
        allowed = opener is None or opener.role in (OWNER, ROOT)
        require(allowed, "RightMissing", "only an owner or the root names a relay")


def _check_right(chain: Chain, opener: int, change: list[Any]) -> None:
    """The table of SPEC 9.4 step 3, for one change."""
    actor = chain.members.get(opener)
    if actor is None:
        raise Refusal("RightMissing", "the opener has removed itself")
    if change[0] == ADD:
        allowed = _may_add(chain, actor, change[1], change[2])
    elif change[0] == REKEY:
        allowed = change[1] == opener and actor.role in (OWNER, WRITER)
    else:
        target = chain.members.get(change[1])
        if target is None:
            raise Refusal("ChainInvalid", "a change of nobody")
        if change[0] == REMOVE:
            allowed = _may_remove(actor, target)
        else:
            require(target.device and change[2] <= OWNER, "ChainInvalid", "between device and recovery member")
            allowed = actor.role in (OWNER, ROOT)
    require(allowed, "RightMissing", "the opener has no right to it")


def _may_add(chain: Chain, actor: Member, person: bytes, role: int) -> bool:
    if actor.role == ROOT:
        return True
    if actor.role == OWNER:
        return role <= RECOVERY
    own = person == actor.person
    if actor.role == WRITER:
        return own and role <= WRITER
    return actor.role == RECOVERY and own and (role == RECOVERY or role <= chain.ranks.get(person, 0))


def _may_remove(actor: Member, target: Member) -> bool:
    if actor.role in (ROOT, OWNER):
        return actor.role == ROOT or target.role != ROOT
    own = target.person == actor.person and target.role != ROOT
    return own and (actor.role == RECOVERY or (actor.role == WRITER and target.device))


def _applied(chain: Chain, change: list[Any], *, given_by: int) -> Chain:
    """The members behind one change; a role that an owner or the root gives counts for the person's rank."""
    members, ranks, following = dict(chain.members), dict(chain.ranks), chain.next_index
    if change[0] == ADD:
        members[following] = Member(*change[1:5])
        following += 1
    elif change[0] == REMOVE:
        del members[change[1]]
    elif change[0] == REKEY:
        members[change[1]] = replace(members[change[1]], verify_key=change[2])
    else:
        members[change[1]] = replace(members[change[1]], role=change[2])
    if change[0] in (ADD, ROLE) and given_by in (OWNER, ROOT):
        role = change[2]
        person = change[1] if change[0] == ADD else members[change[1]].person
        ranks[person] = max(ranks.get(person, 0), role if role <= OWNER else 0)
    return replace(chain, members=members, ranks=ranks, next_index=following)


def _finish(before: Chain, after: Chain, record: Record) -> Chain:
    """SPEC 9.4 steps 4 to 6, over all changes of the record."""
    keys, following = list(before.keys), before.next_index
    for change in record.changes:
        if change[0] == ADD:
            _check_key(keys, change[3])
            _check_add(before.set_id, *change[1:])
            keys.append((following, change[3]))
            following += 1
        elif change[0] == REKEY:
            _check_key(keys, change[2])
            member = before.members.get(change[1]) or after.members[change[1]]
            message = possession_message(member.person, _role_at_rekey(before, record, change), change[2], b"")
            suite.verify("SIGN_POSSESSION", before.set_id, message, change[3], change[2], "ChainInvalid")
            keys.append((change[1], change[2]))
    _check_roots(before, after, record)
    _check_numbers(before, after, record)
    relay = record.relay or before.relay_key
    return replace(after, record=record, relay_key=relay, relays=[*before.relays, relay], keys=keys)


def _role_at_rekey(before: Chain, record: Record, rekey: list[Any]) -> int:
    """The role that the opener has where its rekey stands among the changes."""
    role = before.members[rekey[1]].role
    for change in record.changes:
        if change is rekey:
            break
        if change[0] == ROLE and change[1] == rekey[1]:
            role = change[2]
    return role


def _check_key(keys: list[tuple[int, bytes]], key: bytes) -> None:
    require(all(key != known for _, known in keys), "ChainInvalid", "a verify key that stood in the chain before")
    suite.check_verify_key(key)


def _check_add(set_id: bytes, person: bytes, role: int, key: bytes, sealing_key: bytes, possession: bytes) -> None:
    """SPEC 9.4 step 4: the sealing key, then possession, or for recovery members a kit proof."""
    suite.check_seal_public(sealing_key)
    message = possession_message(person, role, key, sealing_key)
    try:
        suite.verify("SIGN_POSSESSION", set_id, message, possession, key, "ChainInvalid")
    except Refusal:
        if role <= OWNER:
            raise
        check_kit_proof(key, sealing_key, possession)


def _check_roots(before: Chain, after: Chain, record: Record) -> None:
    """SPEC 9.4 step 5."""
    roots = [index for index, member in after.members.items() if member.role == ROOT]
    require(len(roots) == 1, "ChainInvalid", "not exactly one root")
    require(len(after.members) <= 64, "ChainInvalid", "more than 64 members")
    previous = [index for index, member in before.members.items() if member.role == ROOT]
    kept = not previous or previous == roots or record.opener == previous[0]
    require(kept, "ChainInvalid", "the root is removed by another")


def _check_numbers(before: Chain, after: Chain, record: Record) -> None:
    """SPEC 9.4 step 6."""
    numbers = numbers_of(record)
    devices = {index for index, member in after.members.items() if member.device}
    require(set(numbers) == devices, "ChainInvalid", "numbers of others than the devices")
    for index, number in numbers.items():
        old = before.numbers.get(index)
        allowed = number == 1 if old is None else old <= number <= old + 2
        require(allowed, "ChainInvalid", "a number that does not follow")


def preferred(set_id: bytes, common: list[bytes], left: list[bytes], right: list[bytes]) -> bytes:
    """Which of two branches wins (SPEC 9.6): the hash of its first record."""
    ends = [verify_chain(set_id, common + branch) for branch in (left, right)]
    base = verify_chain(set_id, common)
    require(ends[0].root_key == ends[1].root_key, "ForkDetected", "the branches end in different roots")
    firsts = [parse_record(branch[0]) for branch in (left, right)]
    by_root = [base.members[first.opener].verify_key == ends[0].root_key for first in firsts]
    require(by_root.count(True) == 1, "ForkDetected", "not just one of them is the root's")
    return firsts[by_root.index(True)].hash


# The epoch secret and its boxes (SPEC 9.5).


def u64(value: int) -> bytes:
    return value.to_bytes(8, "big")


def u32(value: int) -> bytes:
    return value.to_bytes(4, "big")


def secret_commit(set_id: bytes, epoch: int, secret: bytes) -> bytes:
    return suite.H("EPOCH_COMMIT", set_id + u64(epoch), key=secret)


def epoch_key(set_id: bytes, epoch: int, secret: bytes) -> bytes:
    return suite.H("EPOCH_KEY", set_id + u64(epoch), key=secret)


def box_context(set_id: bytes, epoch: int, member: int, number: int) -> bytes:
    return set_id + u64(epoch) + u32(member) + u64(number)


def parse_box_list(data: bytes) -> dict[int, tuple[int, bytes]]:
    """member → (number, hash of its box)."""
    lines = [fields(line, 3) for line in items(decode(data), most=64)]
    found = [(integer(member, INDEX), integer(number), raw(digest, 32)) for member, number, digest in lines]
    ascending([member for member, _, _ in found])
    return {member: (number, digest) for member, number, digest in found}


def open_own_box(
    set_id: bytes, record: Record, member: int, box_list: bytes, box: bytes, secret: bytes, last_number: int
) -> bytes:
    """The epoch secret E, or a refusal: every failed comparison is `CommitMismatch`."""
    require(suite.H("BOX_LIST", box_list) == record.boxes, "CommitMismatch", "a list that the record does not name")
    line = parse_box_list(box_list).get(member)
    if line is None:
        raise Refusal("CommitMismatch", "no line for this member")
    number, digest = line
    recorded = numbers_of(record).get(member, 0)
    require(number == recorded and number >= last_number, "CommitMismatch", "another number")
    require(suite.H("BOX", box) == digest, "CommitMismatch", "another box")
    found = suite.open_box(secret, box_context(set_id, record.epoch, member, number), box)
    require(secret_commit(set_id, record.epoch, found) == record.commit, "CommitMismatch", "another secret")
    return found


def check_boxes(chain: Chain, box_list: bytes, boxes: list[bytes]) -> None:
    """What a relay checks of an opening (SPEC 13.5 step 6)."""
    require(suite.H("BOX_LIST", box_list) == chain.record.boxes, "ChainInvalid", "another list")
    lines = parse_box_list(box_list)
    wanted = {index: chain.numbers.get(index, 0) for index in chain.members}
    require({index: number for index, (number, _) in lines.items()} == wanted, "ChainInvalid", "other members")
    fits = len(boxes) == len(lines) and all(len(box) == suite.BOX_SIZE for box in boxes)
    require(fits, "ChainInvalid", "not a box for each line")
    hashes = [digest for _, digest in lines.values()]
    require([suite.H("BOX", box) for box in boxes] == hashes, "ChainInvalid", "another box")


# Announcements (SPEC 10.6).


@dataclass(frozen=True, slots=True)
class Announcement:
    body: bytes
    signature: bytes
    member: int
    number: int
    revision: int
    sealing_key: bytes
    version: int
    requests: list[list[Any]]


def parse_announcement(data: bytes) -> Announcement:
    require(len(data) <= SLOT_MAX, "LimitExceeded", "an announcement too long")
    body, signature = fields(decode(data), 2)
    parts = fields(decode(raw(body)), 6)
    return Announcement(
        body, raw(signature, 64),
        integer(parts[0], INDEX), integer(parts[1], NUMBER), integer(parts[2]), raw(parts[3], suite.SEAL_PUBLIC),
        integer(parts[4], NUMBER), [_parse_request(request) for request in items(parts[5], most=16)],
    )  # fmt: skip


def _parse_request(value: Any) -> list[Any]:
    request = items(value)
    require(bool(request), "NonCanonical", "an empty request")
    kind = integer(request[0], range(1, 5))
    fields(request, {1: 3, 2: 7, 3: 2, 4: 2}[kind])
    integer(request[1])
    if kind == 1:
        integer(request[2], INDEX)
    if kind == 2:
        _add_parts(request[2:], OWNER)
    return request


def check_announcement(chain: Chain, data: bytes, held: bytes) -> Announcement:
    """In the order that SPEC 10.6 gives: signature, number, epochs of requests, succession, sealing key."""
    found = parse_announcement(data)
    member = chain.members.get(found.member)
    if member is None or not member.device:
        raise Refusal("SlotInvalid", "no device, so no slot")
    suite.verify("SIGN_ANNOUNCEMENT", chain.set_id, found.body, found.signature, member.verify_key)
    recorded = chain.numbers[found.member]
    require(recorded <= found.number <= recorded + 1, "SlotInvalid", "a number that is not the record's or the next")
    require(all(request[1] <= chain.epoch for request in found.requests), "SlotInvalid", "an epoch to come")
    if held and held != data:
        _check_succession(parse_announcement(held), found)
    suite.check_seal_public(found.sealing_key)
    return found


def _check_succession(old: Announcement, new: Announcement) -> None:
    require(old.member == new.member, "SlotInvalid", "the slot of another member")
    require(new.number >= old.number and new.revision > old.revision, "SlotInvalid", "older than what is there")
    same = new.number != old.number or new.sealing_key == old.sealing_key
    require(same, "SlotInvalid", "a second key under one number")


def requested_changes(chain: Chain, announcement: Announcement) -> list[list[Any]]:
    """The changes that its requests come to: those that the member may ask for, and that are still to be made."""
    asker, changes = chain.members[announcement.member], []
    for request in announcement.requests:
        if request[0] == 1:
            target = chain.members.get(request[2])
            if target and target.person == asker.person and target.role != ROOT:
                changes.append([REMOVE, request[2]])
        elif request[0] == 2 and request[2] == asker.person and request[3] <= asker.role:
            changes.append([ADD, *request[2:]])
        elif request[0] == 4:
            changes.append([REMOVE, announcement.member])
    return changes
