"""All books of a profile in step, with trio (SPEC 14.5): home first, then the others, each over its own connection.

    for each in await sync_all(profile): ...       once; what fails in one book stops no other
    await watch_all(profile, on_event=print)       until cancelled
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import trio

from e2esync.client.book import Book
from e2esync.client.carrying import bring_late
from e2esync.client.connection import Connection
from e2esync.client.profile import HOME, Profile
from e2esync.client.relocating import follow_list
from e2esync.client.sync import (
    SYSTEM_ENTROPY,
    Online,
    Progress,
    SyncResult,
    make_link,
    no_progress,
    now_ms,
    relay_url,
    sync_locked,
)
from e2esync.client.watching import watch_locked
from e2esync.crypto import Entropy
from e2esync.epoch.record import change_value
from e2esync.errors import DeviceRemoved, E2esyncError
from e2esync.procedures.leaving import leave
from e2esync.procedures.together import attend, follow
from e2esync.replica.core import Replica
from e2esync.replica.home import FurtherSet, read_home
from e2esync.replica.moving import Notice, successor
from e2esync.replica.own_object import book_name
from e2esync.replica.together import ask_in, asked_keys, changes_due, register, to_follow, waiting_in
from e2esync.stores.profile import BookInfo
from e2esync.wire import Value, encode


@dataclass(frozen=True, slots=True)
class BookSync:
    """What a sync did for one book: a result, or why there is none. Both are None where nobody has let it in yet."""

    number: int
    name: str
    result: SyncResult | None
    error: E2esyncError | None


async def sync_all(profile: Profile, *, progress: Progress = no_progress, entropy: Entropy = SYSTEM_ENTROPY,
                   now: Callable[[], int] = now_ms) -> list[BookSync]:
    """Bring every book of the profile and its relay to the same state, once; books that this person has joined or left
    on another device come and go. Raises ProfileBusy, NoProfile; what goes wrong in one book stands in its result.
    """
    with profile.sync_lock():
        return await _All(profile, progress, entropy, now).run()


async def watch_all(profile: Profile, *, on_event: Callable[[str, str], None], progress: Progress = no_progress,
                    entropy: Entropy = SYSTEM_ENTROPY, now: Callable[[], int] = now_ms) -> None:
    """Stay in sync with all books until cancelled; `on_event` is told (what happened, the book's name).

    When something happens that is to be carried from one book to another, all begin anew: a connection is cheap.
    """
    with profile.sync_lock():
        while True:
            await _All(profile, progress, entropy, now).run()
            waits = _due(profile)
            async with trio.open_nursery() as nursery:
                for info in profile.store.books():
                    if profile.store.book(info.number).get("identity") is not None:
                        nursery.start_soon(_watch_one, profile, info, waits, nursery.cancel_scope, on_event,
                                           progress, entropy, now)


async def _watch_one(profile: Profile, info: BookInfo, waits: frozenset[bytes], scope: trio.CancelScope,
                     on_event: Callable[[str, str], None], progress: Progress, entropy: Entropy,
                     now: Callable[[], int]) -> None:
    def tell(event: str) -> None:
        on_event(event, info.name)
        # What this device could not do a moment ago, and still waits, is no reason to begin again.
        if event in ("connected", "received", "epoch") and not _due(profile) <= waits:
            scope.cancel()

    try:
        await watch_locked(profile, info.number, on_event=tell, progress=progress, entropy=entropy, now=now)
    except E2esyncError as error:
        if info.number == HOME:
            raise
        # One book that cannot be watched any more is no reason to leave the others.
        profile.store.book(info.number).put("notices", _notice(error))
        on_event("stopped", info.name)


def numbers_of(profile: Profile) -> dict[bytes, int]:
    """Book numbers of the profile by set id."""
    return {info.set_id: info.number for info in profile.store.books()}


def free_number(profile: Profile) -> int:
    """The number that the next book of the profile gets."""
    return max((info.number for info in profile.store.books()), default=HOME) + 1


class _All:
    """One round over all books."""

    def __init__(self, profile: Profile, progress: Progress, entropy: Entropy, now: Callable[[], int]) -> None:
        self._profile = profile
        self._progress = progress
        self._entropy = entropy
        self._now = now

    async def run(self) -> list[BookSync]:
        home = Replica(self._profile.store.book(HOME))
        done = [await self._home()]
        for further in to_follow(home, read_home(home)):
            self._ask(home, further)
        left = {set_id for set_id, further in read_home(home).sets.items() if further.left}
        # Those that were left come last: what moves from one of them has by then a place to go to.
        for info in sorted(self._profile.store.books(), key=lambda each: (each.set_id in left, each.number)):
            if info.number != HOME:
                done.append(await self._further(home, info))
        # What was learned in the others, and what this device asks for, is the home set's to pass on.
        if home.store.pending() and done[0].error is None:
            done[0] = _both(done[0], await self._home())
        return done

    async def _home(self) -> BookSync:
        (info,) = (each for each in self._profile.store.books() if each.number == HOME)
        return await self._sync(info, None)

    def _ask(self, home: Replica, further: FurtherSet) -> None:
        """A set that another device of this person has joined: a place for it, keys, and the ask.

        A device that is in it already, as after a move of the home book, has keys that others know: it says its seat.
        """
        number = numbers_of(self._profile).get(further.set_id) or free_number(self._profile)
        store = self._profile.store.book(number)
        if store.get("identity") is not None:
            replica = Replica(store)
            if replica.person == further.person:
                register(home, replica, relay_url(self._profile, number), self._now())
            return
        with self._profile.store.transaction():
            self._profile.store.put_book(BookInfo(number, further.set_id, further.name, further.relay))
            ask_in(home, further, self._profile.store.book(number), self._now(), self._entropy)

    async def _further(self, home: Replica, info: BookInfo) -> BookSync:
        store = self._profile.store.book(info.number)
        further = read_home(home).sets.get(info.set_id)
        left = further is not None and further.left
        if further is not None and store.get("identity") is not None and Replica(store).person != further.person:
            # Its person has left the book and is in it again, by another device's invitation.
            self._profile.store.delete_book(info.number)
            self._profile.store.put_book(info)
            store = self._profile.store.book(info.number)
            if not left:
                ask_in(home, further, store, self._now(), self._entropy)
        if store.get("identity") is None:
            if left or further is None:
                self._profile.store.delete_book(info.number)
                return BookSync(info.number, info.name, None, None)
            return await self._arrive(home, info, further)

        async def then(online: Online) -> None:
            if left and successor(read_home(home), online.replica):
                return
            relay = relay_url(self._profile, info.number)
            await online.connection.run(attend(home, online.replica, online.link, relay))

        if further is not None and further.relay != info.relay:
            await follow_list(self._profile, info.number, further.relay, entropy=self._entropy, now=self._now)
        done = await self._sync(info, then)
        if left and isinstance(done.error, DeviceRemoved):
            # Its person has left, and somebody has closed the door: nothing of it is to stay here.
            self._profile.store.delete_book(info.number)
            self._profile.store.purge()
            return replace(done, error=None)
        notice = successor(read_home(home), Replica(store)) if left and done.error is None else None
        return done if notice is None else await self._go_along(info, notice, done)

    async def _go_along(self, info: BookInfo, notice: Notice, done: BookSync) -> BookSync:
        """SPEC 12.9 step 4: what was written here since the book moved goes along, and then this device leaves."""
        infos = [each for each in self._profile.store.books() if each.set_id == notice.set_id]
        if not infos or self._profile.store.book(infos[0].number).get("identity") is None:
            return done
        old, new = (Book(self._profile, each.number, entropy=self._entropy, now=self._now) for each in (info, infos[0]))
        bring_late(old, new, notice)
        sent = await self._sync(infos[0], None)
        if sent.error is not None:
            return sent

        async def then(online: Online) -> None:
            await online.connection.run(leave(online.replica, online.link))

        # That it can be asked is not needed: nobody is left who reads there.
        await self._sync(info, then)
        self._profile.store.renumber_book(infos[0].number, info.number)
        self._profile.store.purge()
        return replace(sent, number=info.number)

    async def _sync(self, info: BookInfo, then: Callable[[Online], Awaitable[None]] | None) -> BookSync:
        try:
            result = await sync_locked(self._profile, info.number, progress=self._progress, entropy=self._entropy,
                                       now=self._now, then=then)
        except E2esyncError as error:
            if info.number == HOME and isinstance(error, DeviceRemoved) and error.removal is not None:
                # The whole profile is erased or locked by now (SPEC 14.12).
                raise
            return BookSync(info.number, info.name, None, error)
        return BookSync(info.number, self._named(info), result, None)

    async def _arrive(self, home: Replica, info: BookInfo, further: FurtherSet) -> BookSync:
        """SPEC 14.5 step 3, if somebody has written this device's seat."""
        seat = read_home(home).seats.get((info.set_id, home.member))
        if seat is None or seat.landing is None:
            return BookSync(info.number, info.name, None, None)
        store = self._profile.store.book(info.number)
        try:
            signing, _sealing = asked_keys(store)
            connection = await Connection.as_member(further.relay, info.set_id, seat.member, signing, None,
                                                    self._entropy)
            try:
                assert connection.head is not None
                link = make_link(connection.head, self._progress, self._entropy, self._now)
                await connection.run(follow(home, store, further, link, connection.relay_key))
                self._profile.store.put_book(info._replace(relay=further.relay))
            finally:
                await connection.aclose()
        except E2esyncError as error:
            return BookSync(info.number, info.name, None, error)
        return await self._sync(info, None)

    def _named(self, info: BookInfo) -> str:
        """The book's name, which the profile's list follows."""
        name = book_name(Replica(self._profile.store.book(info.number))) or info.name
        if name != info.name:
            self._profile.store.put_book(info._replace(name=name))
        return name


def _both(first: BookSync, second: BookSync) -> BookSync:
    """Two syncs of one book as one."""
    if first.result is None or second.result is None:
        return second
    one, two = first.result, second.result
    return replace(second, result=SyncResult(
        one.received + two.received, one.sent + two.sent, one.opened or two.opened, one.media + two.media,
        one.bytes_sent + two.bytes_sent, one.bytes_received + two.bytes_received, one.notices + two.notices,
        one.left + two.left, two.held, two.deleting,
    ))


def _due(profile: Profile) -> frozenset[bytes]:
    """What is to be carried from one book to another, as far as this device sees it: each with a mark of its own."""
    home = Replica(profile.store.book(HOME))
    listed, numbers = read_home(home), numbers_of(profile)
    marks: list[list[Value]] = [[each.set_id, "follow"] for each in to_follow(home, listed)]
    for set_id, further in listed.sets.items():
        store = profile.store.book(numbers[set_id]) if set_id in numbers else None
        if store is None:
            continue
        if store.get("identity") is None:
            seat = listed.seats.get((set_id, home.member))
            if seat is not None and seat.landing is not None and not further.left:
                marks.append([set_id, "arrive", seat.landing.record_hash])
        elif further.left:
            marks.append([set_id, "leave"])
        else:
            replica = Replica(store)
            if further.relay != relay_url(profile, numbers[set_id]):
                marks.append([set_id, "relay", further.relay])
            marks += [[set_id, change_value(change)] for change in changes_due(home, replica)]
            marks += [[set_id, "seat", member] for member in waiting_in(home, listed, replica)]
    return frozenset(encode(mark) for mark in marks)


def _notice(error: E2esyncError) -> bytes:
    return encode([error.message])

