"""Looking over a book and its relay's copy, and over this machine; nothing is changed (SPEC 9.4, 10, 11).

    verify_local(book)                    chain, log, entries, state: everything that this device holds
    await verify_relay(profile, deep=…)   the relay's copy against it; with `deep` every blob of the snapshot too
"""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from e2esync.client.book import Book
from e2esync.client.profile import DATABASE, PROTECTION, Profile
from e2esync.contactset import check_packed, contact_hash
from e2esync.epoch.chain import Chain, verify_chain
from e2esync.errors import E2esyncError
from e2esync.log.entry import parse_entry
from e2esync.log.envelope import next_log_hash
from e2esync.log.head import verify_head
from e2esync.replica.core import Replica
from e2esync.replica.sightings import kept_head

ROOM = 64 << 20
"""Bytes of free disk below which `doctor` warns."""
YEAR = 365 * 86_400_000


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `problem` is empty where all is well."""

    name: str
    found: str
    problem: str = ""


def verify_local(book: Book) -> list[Check]:
    """The chain's signatures, the log's hashes, the relay's head, own entries and every contact of the shared state."""
    replica = book.replica
    return [_check("chain", lambda: _chain(replica)), _check("log", lambda: _log(replica)),
            _check("head", lambda: _head(replica)), _check("own changes", lambda: _own(replica)),
            _check("contacts", lambda: _contacts(replica))]


async def verify_relay(profile: Profile, book: int = 0, *, deep: bool = False) -> list[Check]:
    """The relay's chain and log against this device's; with `deep` the manifest and every chunk of the snapshot."""
    from e2esync.client.sync import go_online
    from e2esync.procedures.reading import read_records
    from e2esync.procedures.steps import fetch_blob, fetch_blobs
    from e2esync.replica.snapshots import chunk_items, run_chunks, run_ref

    checks: list[Check] = []
    async with go_online(profile, book) as online:
        replica, run = online.replica, online.connection.run
        raws = await run(read_records(0))
        own = replica.store.records()[: replica.position.epoch + 1]
        head = online.link.head
        checks.append(_check("relay's chain", lambda: _same_chain(replica, raws, own)))
        checks.append(_check("relay's head", lambda: _not_behind(replica, head.epoch, head.seq)))
        for row in replica.store.runs() if deep else ():
            try:
                chunks = run_chunks(replica.set_id, run_ref(row), await run(fetch_blob(row.index_id)))
                last, count = b"", 0
                for chunk in chunks:
                    items = chunk_items(replica.set_id, chunk, (await run(fetch_blobs([chunk.id])))[chunk.id], last)
                    last, count = items[-1][0], count + len(items)
                checks.append(Check(f"run {row.number}", f"{len(chunks)} chunks, {count:,} contacts"))
            except E2esyncError as error:
                checks.append(Check(f"run {row.number}", "", error.message))
    return checks


def examine(profile: Profile, now: int) -> list[Check]:
    """This machine: permissions, disk, clock, and how long ago this device was in step."""
    home = profile.home
    checks = [_check("folder", lambda: _private(home, 0o700)),
              _check("database", lambda: _private(home / DATABASE, 0o600)),
              _check("protection", lambda: _private(home / PROTECTION, 0o600))]
    free = shutil.disk_usage(home).free
    checks.append(Check("disk", f"{free // 1_000_000:,} MB free",
                        "nearly full: changes could not be stored" if free < ROOM else ""))
    checks.append(Check("protected by", profile.protection.kind,
                        "anybody who reads this disk reads the contacts" if profile.protection.kind == "plain" else ""))
    book = Book(profile)
    if book.exists():
        newest = book.replica.chain.head.time
        day = time.strftime("%Y-%m-%d", time.gmtime(now // 1000))
        checks.append(Check("clock", day, "" if now + 86_400_000 > newest else
                            "this clock is days behind another device's: set it right"))
        founded = verify_chain(book.set_id, book.replica.store.records()[:1]).head.time
        age = now - founded
        checks.append(Check("recovery kit", f"made {age // 86_400_000} days ago",
                            "it is over a year old: make sure that you still have it" if age > YEAR else ""))
    return checks


def _check(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, look())
    except (E2esyncError, _Wrong) as error:
        return Check(name, "", str(error))


class _Wrong(Exception):
    """A check that failed without an error of its own."""


def _chain(replica: Replica) -> str:
    chain: Chain = verify_chain(replica.set_id, replica.store.records()[: replica.position.epoch + 1])
    return f"{chain.epoch + 1} records, {len(chain.members)} members"


def _log(replica: Replica) -> str:
    log_hash = replica.chain.head.hash
    position = replica.position
    for seq in range(1, position.seq + 1):
        log_hash = next_log_hash(log_hash, replica.store.envelope(seq) or b"")
    if log_hash != position.log_hash:
        raise _Wrong("the stored log does not lead to the stored position")
    return f"{position.seq} envelopes of epoch {position.epoch}"


def _head(replica: Replica) -> str:
    head = kept_head(replica)
    if head is None:
        return "none yet"
    if head.epoch == replica.position.epoch:
        verify_head(head, replica.set_id, replica.chain.relay_key)
    return f"{head.epoch}/{head.seq}, signed by the relay"


def _own(replica: Replica) -> str:
    rows = replica.store.outbox()
    for row in rows:
        entry = parse_entry(row.entry)
        if (entry.author, entry.counter) != (replica.member, row.counter):
            raise _Wrong(f"change {row.counter} in the outbox is not this device's")
    return f"{len(rows)} wait or are not in a snapshot yet"


def _contacts(replica: Replica) -> str:
    count = 0
    for row in replica.store.contacts():
        if row.state:
            check_packed(row.state)
            if contact_hash(row.contact, row.state) != row.hash:
                raise _Wrong("a stored contact is not what was stored")
            count += 1
    return f"{count:,}"


def _same_chain(replica: Replica, raws: tuple[bytes, ...], own: list[bytes]) -> str:
    chain = verify_chain(replica.set_id, raws)
    if list(raws[: len(own)]) != own:
        raise _Wrong("the relay's chain is not the one that this device follows")
    return f"{chain.epoch + 1} records, the same"


def _not_behind(replica: Replica, epoch: int, seq: int) -> str:
    position = replica.position
    if (epoch, seq) < (position.epoch, position.seq):
        raise _Wrong(f"the relay is at {epoch}/{seq}, behind this device at {position.epoch}/{position.seq}")
    return f"{epoch}/{seq}"


def _private(path: Path, wanted: int) -> str:
    try:
        found = stat.S_IMODE(os.stat(path).st_mode)
    except OSError as error:
        raise _Wrong(f"cannot be looked at: {os.strerror(error.errno or 0).lower()}") from error
    if found & ~wanted:
        raise _Wrong(f"others may read it (mode {found:o}): chmod {wanted:o} {path}")
    return f"mode {found:o}"
