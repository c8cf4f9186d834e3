"""A copied or restored profile comes back under fresh keys, with trio (SPEC 14.11): nothing that is in it is lost.

    await rejoin(profile, code, name, …)      with a code of `pair` on another device

Both branches are kept: the one that landed in the log comes back with the book; what this device had not landed is
written again under its new index, each write with the causal context that it had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

from e2esync.client.members import revoke
from e2esync.client.pairing import join
from e2esync.client.profile import Profile
from e2esync.client.sync import SYSTEM_ENTROPY, Progress, go_online, no_progress, now_ms, sync
from e2esync.contactset import BatchOp, Op, SetOp, decode_ops, encode_ops, unpack
from e2esync.contactset.ops import DeleteOp
from e2esync.crypto import Entropy
from e2esync.errors import ProfileError, RightMissing
from e2esync.log.entry import parse_entry
from e2esync.procedures.seeding import seed_media
from e2esync.procedures.sending import send
from e2esync.replica.core import Replica
from e2esync.replica.writing import OwnBatches, lay_over
from e2esync.wire import encode

Unsent = list[tuple[bytes, bytes, bytes]]
"""(encoded operation, contact, causal context) of writes that the book has not got."""


async def rejoin(profile: Profile, code: str, device_name: str, *, show_words: Callable[[tuple[str, ...]], None],
                 relay: str | None = None, book: int = 0, progress: Progress = no_progress,
                 entropy: Entropy = SYSTEM_ENTROPY, now: Callable[[], int] = now_ms) -> int:
    """Bring a device that has stopped writing back into its book; returns how many unsent writes went along.

    Raises ProfileError for one that has not stopped, BadCode or PairingAborted, and then the profile is as it was.
    """
    before = Replica(profile.store.book(book))
    if not before.frozen:
        raise ProfileError("this device is in its book and writes", "`e2esync sync` is all that it needs")
    old, unsent, media = before.member, list(unsent_writes(before)), _media(profile, book)
    spare = max(info.number for info in profile.store.books()) + 1
    replica = await join(profile, code, device_name, show_words=show_words, relay=relay, book=spare,
                         progress=progress, entropy=entropy, now=now)
    if replica.set_id != before.set_id:
        profile.store.delete_book(spare)
        raise ProfileError("the code is for another book", "run `e2esync pair` on a device of this one")
    with profile.store.transaction():
        profile.store.renumber_book(spare, book)
        _write_again(Replica(profile.store.book(book)), unsent, media)
    await sync(profile, book, progress=progress, entropy=entropy, now=now)
    async with go_online(profile, book, entropy=entropy, now=now) as online:
        await online.connection.run(seed_media(online.replica, online.link))
        await online.connection.run(send(online.replica, online.link))
    # Unless somebody has removed it meanwhile, or only an owner may.
    with suppress(ProfileError, RightMissing):
        await revoke(profile, {old}, book=book, entropy=entropy, now=now)
    return len(unsent)


def unsent_writes(replica: Replica) -> Iterator[tuple[bytes, bytes, bytes]]:
    """What this device wrote and the shared state, as it knows it, lacks, in order and with its contexts."""
    store = replica.store
    landed = store.vector().get(replica.member, (0, b""))[0]
    batches = OwnBatches(replica)
    for row in store.outbox():
        if row.counter <= landed:
            continue
        entry = parse_entry(row.entry)
        # What its author had seen of its own landed with the log; what did not is in the same order here.
        seen = {**entry.vector, **({replica.member: landed} if landed else {})}
        context = encode([sorted([member, count] for member, count in seen.items()), list(entry.seen_head)])
        for op in decode_ops(entry.ops):
            yield from ((encode_ops([each]), each.contact, context) for each in _plain(op, batches))
    for pending in store.pending():
        yield pending.op, pending.contact, pending.context


def _plain(op: Op, batches: OwnBatches) -> Iterator[SetOp | DeleteOp]:
    """An operation, or the sets that a batch stands for: its dots are those of the index that is given up."""
    if isinstance(op, BatchOp):
        for contact, state in batches.items(op).items():
            for life in unpack(state).lives:
                yield from (SetOp(contact, life.number, group.time, group.values) for group in life.groups)
    elif isinstance(op, SetOp | DeleteOp):
        yield op


def _media(profile: Profile, book: int) -> dict[str, bytes]:
    store = profile.store.book(book)
    return {digest: content for digest in store.media_digests() if (content := store.media(digest)) is not None}


def _write_again(replica: Replica, unsent: Unsent, media: dict[str, bytes]) -> None:
    store = replica.store
    for raw, contact, context in unsent:
        store.add_pending(raw, contact, context)
    store.mark_shown(lay_over(replica, {contact for _raw, contact, _context in unsent}))
    for digest, content in media.items():
        if store.media(digest) is None:
            store.put_media(digest, content)
