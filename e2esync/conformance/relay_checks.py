"""The checks of `conformance relay`, by the sections of SPEC 13."""

from __future__ import annotations

from typing import Final

import trio

from e2esync.access.kit import RecoveryKit
from e2esync.client.connection import Connection
from e2esync.client.members import revoke
from e2esync.client.sync import Online, sync
from e2esync.conformance.relaying import ENTROPY, Check, RelayCheck, Visit, next_envelope, online, refused
from e2esync.conformance.stage import check
from e2esync.crypto import Label, SigningKey, blake2b
from e2esync.epoch.announcement import sign_announcement
from e2esync.epoch.chain import verify_chain
from e2esync.errors import E2esyncError, Refused
from e2esync.limits import BLOB_PART, MAILBOX_MESSAGES_MAX, PIPELINE_MAX, SPEC_VERSION
from e2esync.log.envelope import next_log_hash
from e2esync.log.head import ShortHead, from_short, verify_head
from e2esync.procedures.steps import Procedure
from e2esync.replica.announcing import next_number, sealing_key
from e2esync.replica.founding import found
from e2esync.session.messages import (
    Answer,
    Append,
    Appended,
    BlobPart,
    BlobStored,
    BoxAnswer,
    ChainPart,
    Create,
    Created,
    GetBlob,
    LogPart,
    LogPush,
    Mail,
    MailboxUsed,
    MailPush,
    MailStored,
    Ping,
    Pong,
    PutBlob,
    PutSlot,
    Read,
    ReadBox,
    ReadChain,
    Request,
    SlotStored,
    UseMailbox,
)

_BLOB: Final = bytes(range(256)) * 4


def _check_head(at: Online, head: ShortHead, log_hash: bytes) -> None:
    """A short head is the relay's, for this log."""
    chain = at.replica.chain
    assert at.connection.head is not None
    verify_head(from_short(head, chain.epoch, log_hash, chain.head.hash, at.connection.head.incarnation),
                at.replica.set_id, at.connection.relay_key)


def _at_once(requests: list[Request]) -> Procedure[list[Answer | Refused]]:
    """Requests in one go; their answers."""
    return list((yield requests))


# Handshake (13.2).

async def one_refusal(visit: Visit) -> None:
    """A stranger cannot tell a set that exists from one that does not."""
    device = await visit.device()
    async with online(device) as at:
        set_id, key = at.replica.set_id, SigningKey(ENTROPY.draw("signing key", 32))
    seen = []
    for asked, member in ((set_id, 1), (set_id, 9), (bytes(32), 1)):
        try:
            await Connection.as_member(visit.url, asked, member, key, None, ENTROPY)
        except Refused as error:
            seen.append((error.reason, error.message))
    check(len(seen) == 3, "a stranger was admitted")
    check(len(set(seen)) == 1 and seen[0][0] == "NotMember", f"a stranger is told different things: {seen}")


async def same_key(visit: Visit) -> None:
    """The relay shows one key to all."""
    keys = set()
    for _ in range(2):
        async with visit.visitor() as connection:
            keys.add(connection.relay_key)
    check(len(keys) == 1, "the relay shows different keys")


async def visitors_visit(visit: Visit) -> None:
    """A visitor may ask nothing of a set."""
    async with visit.visitor() as connection:
        await refused(connection, ReadChain(0), "NotAllowed")


async def pipelining(visit: Visit) -> None:
    """Answers come in the order of the requests."""
    async with online(await visit.device()) as at:
        answers = await at.connection.run(_at_once([Ping() if n % 2 else ReadChain(0) for n in range(PIPELINE_MAX)]))
        check(all(isinstance(each, Pong if n % 2 else ChainPart) for n, each in enumerate(answers)),
              "answers are not in the order of the requests")


# Append and read (13.4).

async def append_and_read(visit: Visit) -> None:
    """What is appended is served, verbatim and in order, under a head that signs it."""
    async with online(await visit.device()) as at:
        log_hash, sent = at.replica.chain.head.hash, []
        for number in range(1, 4):
            envelope = next_envelope(at)
            answer = await at.connection.request(Append(0, envelope), Appended)
            sent.append(envelope)
            log_hash = next_log_hash(log_hash, envelope)
            check(answer.seq == number, f"the envelope took position {answer.seq}, not {number}")
            _check_head(at, answer.head, log_hash)
        part = await at.connection.request(Read(0, 1), LogPart)
        check(list(part.envelopes) == sent, "the log is not what was appended")
        check(part.head is not None, "an answer that reaches the head does not carry it")
        later = await at.connection.request(Read(0, 3), LogPart)
        check(later.envelopes == (sent[2],), "reading from the third position does not give the third envelope")


async def retry(visit: Visit) -> None:
    """The same envelope again gets the same answer, and no second position."""
    async with online(await visit.device()) as at:
        envelope = next_envelope(at)
        first = await at.connection.request(Append(0, envelope), Appended)
        again = await at.connection.request(Append(0, envelope), Appended)
        part = await at.connection.request(Read(0, 1), LogPart)
        check(again.seq == first.seq and len(part.envelopes) == 1, "a retry took a second position")


async def bad_appends(visit: Visit) -> None:
    """Another epoch, another size and a blob that is not there are refused, and take no position."""
    async with online(await visit.device()) as at:
        envelope = next_envelope(at)
        await refused(at.connection, Append(1, envelope), "EpochClosed")
        await refused(at.connection, Append(0, envelope + b"\0"), "BadEnvelope", "BadFrame")
    async with online(visit.profiles[0]) as at:
        part = await at.connection.request(Read(0, 1), LogPart)
        check(not part.envelopes, "a refused envelope took a position")


async def push(visit: Visit) -> None:
    """What one device appends is pushed to the other."""
    first = await visit.device()
    second = await visit.second(first)
    await sync(first)
    async with online(first) as writer, online(second) as reader:
        envelope = next_envelope(writer)
        answer = await writer.connection.request(Append(writer.replica.position.epoch, envelope), Appended)
        while True:
            pushed = await reader.connection.next_push()
            if isinstance(pushed, LogPush):
                break
        check(pushed.envelopes[-1:] == (envelope,) and pushed.start + len(pushed.envelopes) - 1 == answer.seq,
              "the push is not what was appended")


# Chain, boxes, members (13.5).

async def chain_and_box(visit: Visit) -> None:
    """A member is served the whole chain and its own box."""
    first = await visit.device()
    await visit.second(first)
    async with online(first) as at:
        part = await at.connection.request(ReadChain(0), ChainPart)
        chain = verify_chain(at.replica.set_id, part.records)
        check(chain.epoch == len(part.records) - 1 > 0, "the chain is not whole")
        box = await at.connection.request(ReadBox(chain.epoch), BoxAnswer)
        check(bool(box.box) and bool(box.box_list), "a member is not served its box")
        await refused(at.connection, ReadBox(chain.epoch + 1), "NotFound")


async def removed_is_out(visit: Visit) -> None:
    """A removed member is refused like a stranger."""
    first = await visit.device()
    second = await visit.second(first)
    async with online(second) as at:
        member, key, set_id = at.replica.member, at.replica.signing_key, at.replica.set_id
    await revoke(first, {member})
    try:
        connection = await Connection.as_member(visit.url, set_id, member, key, None, ENTROPY)
    except Refused as error:
        check(error.reason == "NotMember", f"a removed member was refused with {error.reason}")
        return
    try:
        await refused(connection, Read(0, 1), "NotMember", "NotAllowed")
    finally:
        await connection.aclose()


async def taken_set(visit: Visit) -> None:
    """A set is made once: its record 0 again is a retry, another one is refused."""
    kit = RecoveryKit.generate(ENTROPY)
    async with visit.visitor() as connection:
        first, other = (
            found(profile.store.book(0), kit.signing_key(0), kit.sealing_key(0), connection.relay_key, 1, ENTROPY)
            for profile in (visit.profile(), visit.profile())
        )
        made = Create(first.record.raw, first.box_list, first.boxes, ())
        await connection.request(made, Created)
        await connection.request(made, Created)
        await refused(connection, Create(other.record.raw, other.box_list, other.boxes, ()), "BadRecord")
        await refused(connection, Create(other.record.raw, first.box_list, first.boxes, ()), "BadRecord")


# Blobs and slots (10.6, 11.1).

async def blobs(visit: Visit) -> None:
    """A blob is stored in parts, served whole, and only under its own hash."""
    async with online(await visit.device()) as at:
        name = blake2b(Label.BLOB, _BLOB)
        half = len(_BLOB) // 2
        stored = await at.connection.request(PutBlob(name, len(_BLOB), 0, _BLOB[:half]), BlobStored)
        check(stored.received == half, "the relay does not say how much of a blob has arrived")
        await at.connection.request(PutBlob(name, len(_BLOB), half, _BLOB[half:]), BlobStored)
        part = await at.connection.request(GetBlob(name, 0), BlobPart)
        check((part.size, part.part) == (len(_BLOB), _BLOB), "a blob is not served as it was stored")
        rest = await at.connection.request(GetBlob(name, half), BlobPart)
        check(rest.part == _BLOB[half:], "a blob is not served from an offset")
        await refused(at.connection, GetBlob(bytes(32), 0), "NotFound")
        await refused(at.connection, PutBlob(bytes(32), len(_BLOB), 0, _BLOB), "BadBlob")
        await refused(at.connection, PutBlob(bytes(31) + b"\1", 8, 4, bytes(8)), "BadBlob")
        check(len(part.part) <= BLOB_PART, "an answer holds more of a blob than it may")


async def slots(visit: Visit) -> None:
    """A slot takes its member's announcement, in order, one key to a number."""
    async with online(await visit.device()) as at:
        replica = at.replica
        number = next_number(replica)

        def announced(revision: int, key: bytes, as_number: int = number, member: int = replica.member) -> PutSlot:
            return PutSlot(sign_announcement(
                replica.signing_key, replica.set_id, member=member, number=as_number, revision=revision,
                seal_key=key, version=SPEC_VERSION).raw, b"")

        key = sealing_key(replica, number, ENTROPY).public
        other = sealing_key(replica, number + 1, ENTROPY).public
        await at.connection.request(announced(5, key), SlotStored)
        await at.connection.request(announced(5, key), SlotStored)
        await refused(at.connection, announced(4, key), "BadSlot")
        await refused(at.connection, announced(6, other), "BadSlot")
        await refused(at.connection, announced(7, other, number + 1), "BadSlot")
        await refused(at.connection, announced(8, key, member=0), "BadSlot")
        await refused(at.connection, PutSlot(b"", bytes(600)), "EpochClosed", "BadSlot")


# Mailboxes (13.7).

async def mailboxes(visit: Visit) -> None:
    """Two sides, in turn; a third is refused, and so is what comes out of turn."""
    box, first, second = ENTROPY.draw("mailbox id", 8), bytes(16), b"\1" * 16
    async with visit.visitor() as joins, visit.visitor() as sponsors, visit.visitor() as third:
        await joins.request(UseMailbox(box, 0, first), MailboxUsed)
        await joins.request(Mail(0, b"early"), MailStored)
        await sponsors.request(UseMailbox(box, 1, second), MailboxUsed)
        mail = await sponsors.next_push()
        check(isinstance(mail, MailPush) and mail.message == b"early", "a message sent too early is lost")
        await refused(third, UseMailbox(box, 0, b"\2" * 16), "MailboxTaken")
        await refused(joins, Mail(1, b"out of turn"), "NotAllowed")
        for number in range(1, MAILBOX_MESSAGES_MAX):
            side = sponsors if number % 2 else joins
            await side.request(Mail(number, b"x"), MailStored)
        await refused(joins, Mail(MAILBOX_MESSAGES_MAX, b"x"), "MailboxFull")


# Frames (13.1).

async def garbage(visit: Visit) -> None:
    """A malformed frame ends the connection, and nothing but it."""
    async with online(await visit.device()) as at, online(visit.profiles[0]) as bystander:
        await at.connection.transport.send(b"\xc1")
        with trio.move_on_after(10) as waited:
            try:
                while True:
                    await at.connection.transport.receive()
            except E2esyncError:
                pass
        check(not waited.cancelled_caught, "a connection goes on after a malformed frame")
        await bystander.connection.request(Ping(), Pong)


def _of(name: str, run: Check, spec: str) -> RelayCheck:
    return RelayCheck(f"relay::{name}", spec, (run.__doc__ or "").strip(), run)


CHECKS: Final = (
    _of("one-refusal", one_refusal, "13.2 step 2"),
    _of("same-key", same_key, "13.2"),
    _of("visitors-visit", visitors_visit, "13.2"),
    _of("pipelining", pipelining, "13.3"),
    _of("append-and-read", append_and_read, "13.4"),
    _of("retry", retry, "13.4 step 5"),
    _of("bad-appends", bad_appends, "13.4"),
    _of("push", push, "13.3"),
    _of("chain-and-box", chain_and_box, "13.3"),
    _of("removed-is-out", removed_is_out, "13.2 step 2"),
    _of("taken-set", taken_set, "13.3"),
    _of("blobs", blobs, "11.1"),
    _of("slots", slots, "10.6"),
    _of("mailboxes", mailboxes, "13.7"),
    _of("garbage", garbage, "13.1"),
)
