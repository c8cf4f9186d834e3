"""Looking over a book and its relay's copy, and over this machine; nothing is changed (SPEC 9.4, 10, 11).

    verify_local(book)                    chain, log, entries, state: everything that this device holds
    await verify_relay(profile, deep=…)   the relay's copy against it; with `deep` all of it, down to the photos
"""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from e2esync.client.book import Book
from e2esync.client.profile import DATABASE, PROTECTION, Profile
from e2esync.contactset import check_packed, contact_hash
from e2esync.epoch.chain import Chain, verify_chain
from e2esync.epoch.record import parse_record
from e2esync.errors import DeviceRemoved, E2esyncError, RelayRestored, SetDeleted, StaleView, Unreachable
from e2esync.log.entry import parse_entry
from e2esync.log.envelope import next_log_hash
from e2esync.log.head import verify_head
from e2esync.replica.core import Replica
from e2esync.replica.findings import findings
from e2esync.replica.sightings import kept_head

if TYPE_CHECKING:
    from e2esync.client.sync import Online
    from e2esync.procedures.steps import Link, Procedure

ROOM = 64 << 20
"""Bytes of free disk below which `doctor` warns."""
DAY = 86_400_000
YEAR = 365 * DAY
SKEW = 15 * 60_000
"""Milliseconds by which two clocks may differ: conflicts are decided by clocks, and promises kept by them."""


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
            _check("contacts", lambda: _contacts(replica)), _check("found before", lambda: _found(replica))]


async def verify_relay(profile: Profile, book: int = 0, *, deep: bool = False) -> list[Check]:
    """The relay's chain and log against this device's; with `deep` the book made anew from the relay's copy alone.

    Raises Unreachable, and what a relay proves: that this device was removed, or the book deleted.
    """
    from e2esync.client.naming import tell
    from e2esync.client.sync import go_online

    try:
        async with go_online(profile, book) as online:
            checks = [await _look(name, online, work) for name, work in _looks(online, deep=deep)]
            if not online.link.notices:
                return checks
            tell(online.replica, online.link.notices)
            return checks + [Check("relay", "", notice.message) for notice in online.link.notices]
    except (Unreachable, SetDeleted):
        raise
    except E2esyncError as error:
        if isinstance(error, DeviceRemoved) and error.removal is not None:
            raise
        return [Check("relay", "", f"{error.message}: {error.hint}" if error.hint else error.message)]


def _looks(online: Online, *, deep: bool) -> Iterator[tuple[str, Callable[[], Procedure[str]]]]:
    """What there is to be looked at in the relay's copy, and how."""
    from e2esync.procedures import verifying

    replica, link = online.replica, online.link
    yield "relay's chain", lambda: verifying.compare_chain(replica)
    yield "relay's log", lambda: verifying.compare_log(replica, link)
    if deep and link.head.epoch == replica.position.epoch:
        yield "relay's copy", lambda: _rebuilt(replica, link)
    if deep:
        yield "photos", lambda: _photos(replica)


async def _look(name: str, online: Online, work: Callable[[], Procedure[str]]) -> Check:
    from e2esync.client.naming import with_names

    try:
        return Check(name, await online.connection.run(work()))
    except Unreachable:
        raise
    except (E2esyncError, _Wrong) as error:
        return Check(name, "", with_names(online.replica, str(error)))


def _rebuilt(replica: Replica, link: Link) -> Procedure[str]:
    from e2esync.procedures.verifying import read_own, rebuild
    from e2esync.stores.profile import ProfileStore

    envelopes = yield from read_own(replica, link)
    trial = ProfileStore.memory()
    try:
        return (yield from rebuild(trial.book(0), replica, link, envelopes))
    finally:
        trial.close()


def _photos(replica: Replica) -> Procedure[str]:
    from e2esync.procedures.verifying import missing_photos

    named, lacking = yield from missing_photos(replica)
    if lacking:
        raise _Wrong(f"the relay lacks {lacking} of {named}; `e2esync relay move URL` brings them to another one")
    return f"{named} at the relay"


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
        checks.append(Check("clock", day, "" if now + DAY > newest else
                            "this clock is days behind another device's: set it right"))
        checks += _kit(book.replica, now)
    return checks


async def examine_relay(profile: Profile, book: int, now: int) -> list[Check]:
    """That the book's relay answers, is not behind this device, and what its clock says (ms)."""
    from e2esync.client.naming import with_names
    from e2esync.client.sync import go_online, relay_url
    from e2esync.replica.reading import judge_head

    async with go_online(profile, book) as online:
        head, url = online.link.head, relay_url(profile, book)
        try:
            judge_head(online.replica, head)
            told = Check("relay", f"{url} answers, at {head.epoch}/{head.seq}")
        except E2esyncError as error:
            told = Check("relay", "", f"{url}: {with_names(online.replica, error.message)}: `e2esync sync`")
        apart = abs(now - head.time)
        return [told, Check("relay's clock", "tells the same time", "" if apart < SKEW else (
            f"this clock and the relay's are {apart // 60_000:,} minutes apart: set the one right that is wrong"))]


def _kit(replica: Replica, now: int) -> list[Check]:
    """How old the person's own kit is: one that was replaced counts from then."""
    records = replica.store.records()
    added = [member.added for member in replica.chain.members.values()
             if not member.is_device and member.person == replica.person]
    if not added:
        return [Check("recovery kit", "", "this book has none: with the last device the contacts would be lost")]
    age = now - parse_record(records[max(added)]).time
    return [Check("recovery kit", f"made {age // DAY} days ago",
                  "it is over a year old: see that you still have it, with `e2esync kit check`" if age > YEAR else "")]


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
    from e2esync.procedures.verifying import lives

    count = 0
    for row in replica.store.contacts():
        if row.state:
            check_packed(row.state)
            if contact_hash(row.contact, row.state) != row.hash:
                raise _Wrong("a stored contact is not what was stored")
            count += lives(row)
    return f"{count:,}"


def _found(replica: Replica) -> str:
    """What syncs have found, and is not over: nothing of it may be forgotten because something else is in order."""
    from e2esync.client.naming import with_names

    told = [each for each in findings(replica.store) if not each.healed]
    alarming = [each for each in told if each.code not in (RelayRestored.code, StaleView.code)]
    if alarming:
        more = f", and {len(alarming) - 1} more: `e2esync status`" if len(alarming) > 1 else ""
        raise _Wrong(with_names(replica, alarming[0].message) + more)
    return with_names(replica, told[0].message) if told else "nothing"


def _private(path: Path, wanted: int) -> str:
    try:
        found = stat.S_IMODE(os.stat(path).st_mode)
    except OSError as error:
        raise _Wrong(f"cannot be looked at: {os.strerror(error.errno or 0).lower()}") from error
    if found & ~wanted:
        raise _Wrong(f"others may read it (mode {found:o}): chmod {wanted:o} {path}")
    return f"mode {found:o}"
