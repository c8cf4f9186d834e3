"""Checks of a relay from outside: what every relay must do, and what it must refuse (SPEC 13).

Each check makes a set of its own at the relay, with devices of the reference: a relay that is in use can be tested, at
the price of some small sets that hold nobody's contacts. The checks themselves are in `relay_checks`.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import trio

from e2esync.access.kit import RecoveryKit
from e2esync.client.connection import Connection
from e2esync.client.entropy import SystemEntropy
from e2esync.client.pairing import join, pair
from e2esync.client.profile import Profile
from e2esync.client.protection import Plain
from e2esync.client.sync import Online, create_set, go_online
from e2esync.conformance.process import PATIENCE
from e2esync.conformance.protocol import Judged, Level, Verdict
from e2esync.conformance.stage import Disagreement
from e2esync.errors import E2esyncError, Refused
from e2esync.replica.own_object import name_book
from e2esync.replica.writing import pack, seal_outbox
from e2esync.session.messages import Request

ENTROPY: Final = SystemEntropy()
Answered = TypeVar("Answered")


@dataclass(slots=True)
class Visit:
    """What a check has: the relay's address, a folder, and devices that it makes."""

    url: str
    folder: Path
    profiles: list[Profile] = field(default_factory=list)

    async def device(self) -> Profile:
        """A device in a new set."""
        profile = self.profile()
        await create_set(profile, self.url, "device", RecoveryKit.generate(ENTROPY))
        return profile

    async def second(self, first: Profile) -> Profile:
        """A further device in the set of another one."""
        profile = self.profile()
        codes, shown = trio.open_memory_channel[str](1)
        words, heard = trio.open_memory_channel[str](1)

        async def ask(_name: str) -> str:
            return await heard.receive()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: pair(
                first, show_code=lambda code: codes.send_nowait(code.text()), ask_words=ask))
            await join(profile, await shown.receive(), "second",
                       show_words=lambda three: words.send_nowait(" ".join(three)))
        return profile

    def profile(self) -> Profile:
        """A profile in no set yet."""
        profile = Profile.create(self.folder / f"profile-{len(self.profiles)}", Plain(), entropy=ENTROPY)
        self.profiles.append(profile)
        return profile

    @asynccontextmanager
    async def visitor(self) -> AsyncIterator[Connection]:
        """A connection as nobody."""
        connection = await Connection.as_visitor(self.url, None, ENTROPY)
        try:
            yield connection
        finally:
            await connection.aclose()


Check = Callable[[Visit], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class RelayCheck:
    """One check, with the step of SPEC that it is about."""

    id: str
    spec: str
    comment: str
    run: Check


def next_envelope(online: Online) -> bytes:
    """An envelope that this device would append next; nothing is sent."""
    replica = online.replica
    name_book(replica, hashlib.sha256(ENTROPY.draw("session nonce", 32)).hexdigest()[:12], 1)
    with replica.store.transaction():
        pack(replica, ENTROPY)
        return seal_outbox(replica, ENTROPY)[-1].envelope


async def refused(connection: Connection, request: Request, *codes: str) -> Refused:
    """A request that the relay must refuse with one of these codes. Raises Disagreement."""
    try:
        await connection.request(request, object)
    except Refused as error:
        if error.reason in codes:
            return error
        raise Disagreement(f"a {type(request).__name__} was refused with {error.reason}, not {codes[0]}") from error
    raise Disagreement(f"a {type(request).__name__} was accepted; it must be refused with {codes[0]}")


@asynccontextmanager
async def online(profile: Profile) -> AsyncIterator[Online]:
    """The device, connected."""
    async with go_online(profile) as connected:
        yield connected


async def check_relay(url: str, checks: tuple[RelayCheck, ...], *,
                     progress: Callable[[int, int], None] = lambda _done, _total: None) -> list[Judged]:
    """Run the checks; a verdict each. Nothing but a Disagreement or an error of the library is caught."""
    results = []
    for number, each in enumerate(checks):
        results.append(await _judged(each, url))
        progress(number + 1, len(checks))
    return results


async def _judged(each: RelayCheck, url: str) -> Judged:
    verdict, reason = Verdict.PASS, ""
    with tempfile.TemporaryDirectory(prefix="e2esync-relay-check-") as folder:
        visit = Visit(url, Path(folder))
        try:
            with trio.fail_after(PATIENCE):
                await each.run(visit)
        except trio.TooSlowError:
            verdict, reason = Verdict.HANG, f"not done after {PATIENCE:g} seconds"
        except Disagreement as wrong:
            verdict, reason = Verdict.FAIL, str(wrong)
        except E2esyncError as error:
            verdict, reason = Verdict.FAIL, f"{error.code}: {error.message}"
        finally:
            for profile in visit.profiles:
                profile.close()
    return Judged(each.id, Level.CONVERSE, each.spec, verdict, reason)
