"""Staying in sync with the relay until cancelled, with trio: live, both ways, reconnecting (SPEC 14).

    await watch(profile, on_event=print)

What a sync does in a while is done here as it comes: an epoch that is opened, a relay that was restored from a backup,
a set that has moved to another relay. Only what needs a person ends it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import trio

from e2esync.client.profile import Profile
from e2esync.client.relocating import follow
from e2esync.client.sync import (
    SYSTEM_ENTROPY,
    Online,
    Progress,
    came_back,
    forget_secrets,
    give_back,
    go_online,
    hear_deletion,
    no_progress,
    now_ms,
)
from e2esync.crypto import Entropy
from e2esync.epoch.record import parse_record
from e2esync.errors import DeviceRemoved, E2esyncError, Refused, RelayRestored, Unreachable
from e2esync.limits import HEARTBEAT_INTERVAL
from e2esync.procedures.opening import announce
from e2esync.procedures.reading import read_on, take
from e2esync.procedures.syncing import be_heard, fetch_media, keep_house, listen, send_all
from e2esync.procedures.syncing import sync as sync_procedure
from e2esync.replica.announcing import hear
from e2esync.replica.findings import note
from e2esync.replica.port import HELD, SlotRow
from e2esync.replica.writeback import write_back
from e2esync.replica.writing import last_own
from e2esync.session.messages import DeletionPush, LogPush, RecordPush, SlotPush

LOCAL_POLL = 0.25
"""Seconds between two looks for edits that another process of this profile has made."""
FAREWELL = 2.0
"""Seconds that the last heartbeat may take when this device leaves."""
RECONNECT_FIRST, RECONNECT_MOST = 1.0, 60.0
"""Seconds before a lost connection is tried again: doubled each time, with jitter."""
_PASSING = ("Busy", "EpochClosed", "HeadMoved", "TooOften")
"""Refusals that end by themselves."""


async def watch(profile: Profile, book: int = 0, *, on_event: Callable[[str], None], progress: Progress = no_progress,
                entropy: Entropy = SYSTEM_ENTROPY, now: Callable[[], int] = now_ms) -> None:
    """Stay in sync until cancelled: others' edits as they come, own ones as they are made; reconnects by itself.

    `on_event` is told in a word what happened: `connected`, `received`, `sent`, `epoch`, `unreachable`; `restored`: the
    relay came back from a backup, and this device has given it back what it lacked; `moved`: the book is at another
    relay, and so is this device; `deletion`: somebody wants the book deleted at its relay, or kept; or `held`: too much
    was deleted or overwritten at once, and a person is to decide (`Book.guarded`).
    """
    with profile.sync_lock():
        await watch_locked(profile, book, on_event=on_event, progress=progress, entropy=entropy, now=now)


async def watch_locked(profile: Profile, book: int, *, on_event: Callable[[str], None],
                       progress: Progress = no_progress, entropy: Entropy = SYSTEM_ENTROPY,
                       now: Callable[[], int] = now_ms) -> None:
    """`watch` by a caller who holds the lock."""
    await _Watch(profile, book, on_event, progress, entropy, now, RECONNECT_FIRST).run()


@dataclass(slots=True)
class _Watch:
    """One book that is watched. `given_back`: what the relay had lost and has again, while nothing was synced since."""

    profile: Profile
    book: int
    on_event: Callable[[str], None]
    progress: Progress
    entropy: Entropy
    now: Callable[[], int]
    delay: float
    given_back: RelayRestored | None = None

    async def run(self) -> None:
        """One connection after the other."""
        while True:
            try:
                if await self._connect():
                    continue
            except Unreachable:
                self.on_event("unreachable")
            except Refused as error:
                if error.reason not in _PASSING:
                    raise
                self.on_event("unreachable")
            # Jitter, so that the devices of a relay that was restarted do not all come back in one moment.
            await trio.sleep(self.delay * random.uniform(0.5, 1.0))
            self.delay = min(2 * self.delay, RECONNECT_MOST)

    async def _connect(self) -> bool:
        """One connection, to its end. Whether the next one is to follow at once, perhaps to another relay."""
        try:
            moved = await self._stay_online()
        except (RelayRestored, DeviceRemoved) as error:
            if self.given_back or not await give_back(self.profile, self.book, error, self.entropy, self.now):
                raise
            self.given_back = came_back(error)
            self.on_event("restored")
            return True
        if not moved or not follow(self.profile, self.book, now=self.now):
            return False
        self.on_event("moved")
        return True

    async def _stay_online(self) -> bool:
        """Sync, and go on until the connection ends; True if that is because the set has moved."""
        async with go_online(self.profile, self.book, progress=self.progress, entropy=self.entropy,
                             now=self.now) as online:
            try:
                epoch = online.replica.position.epoch
                online.link.stay = HEARTBEAT_INTERVAL
                online.link.notices += [self.given_back] if self.given_back else []
                await online.connection.run(sync_procedure(online.replica, online.link))
                online.link.notices.clear()
                forget_secrets(self.profile, online.replica, epoch)
                hear_deletion(online)
                if not online.moved:
                    self.on_event("connected")
                    self.delay, self.given_back = RECONNECT_FIRST, None
                    await self._stay_connected(online)
            except Refused:
                # In the middle of something it entered an epoch of another relay: what is left is to be done there.
                if not online.moved:
                    raise
        return True

    async def _stay_connected(self, online: Online) -> None:
        try:
            await self._stay(online)
        finally:
            if not online.moved:
                await _take_leave(online)

    async def _stay(self, online: Online) -> None:
        """Alternate between what others push and what this profile's other processes have written, until it moves."""
        replica, link, run = online.replica, online.link, online.connection.run
        sent = last_own(replica)
        while not online.moved:
            push = None
            with trio.move_on_after(LOCAL_POLL):
                # Only the waiting may be broken off: a procedure that has asked must hear its answers.
                push = await online.connection.next_push()
            epoch = replica.position.epoch
            if push is not None:
                await take_push(online, push, self.on_event)
                if online.moved:
                    return
            write_back(replica, link.now())
            if replica.store.pending() or last_own(replica) != sent:
                sent_some, made_room = await run(send_all(replica, link))
                if made_room:
                    self.on_event("epoch")
                if sent_some:
                    self.on_event("sent")
                await run(keep_house(replica, link, compact=True))
                sent = last_own(replica)
            if await run(be_heard(replica, link)):
                await run(listen(replica, link))
            if link.notices:
                note(replica, link.notices, link.now())
                link.notices.clear()
            forget_secrets(self.profile, replica, epoch)


async def _take_leave(online: Online) -> None:
    """Take the promise of the last heartbeat back, if the line is still good: nobody is to wait for this device."""
    if online.connection.session.unanswered:
        return
    online.link.stay = 0
    online.replica.store.drop("beat")
    with trio.CancelScope(deadline=trio.current_time() + FAREWELL, shield=True), suppress(E2esyncError):
        await online.connection.run(be_heard(online.replica, online.link))


async def take_push(online: Online, push: object, on_event: Callable[[str], None]) -> None:
    """Do what a push asks for, and say what it was."""
    replica, link, run = online.replica, online.link, online.connection.run
    position, waiting = replica.position, len(replica.store.kept_keys(HELD))
    if isinstance(push, LogPush):
        end = push.start + len(push.envelopes) - 1
        if (push.epoch, end) <= (position.epoch, position.seq):
            return
        if (push.epoch, push.start, push.head.seq) == (position.epoch, position.seq + 1, end):
            await run(take(replica, link, push))
        else:
            await run(read_on(replica, link))
        await run(fetch_media(replica, link))
        on_event("received")
    elif isinstance(push, RecordPush):
        epoch = parse_record(push.record).epoch
        if epoch <= position.epoch:
            return
        link.epoch = max(link.epoch, epoch)
        await run(read_on(replica, link))
        if online.moved:
            return
        await run(announce(replica, link))
        await run(keep_house(replica, link, compact=False))
        await run(send_all(replica, link))
        on_event("epoch")
    elif isinstance(push, SlotPush):
        known = {row.member: row for row in replica.store.slots()}
        before = known.get(push.member, SlotRow(push.member, b"", b"", 0))
        hear(replica, before, push.announcement, push.heartbeat, link.now())
        # Somebody asks to leave, say: whoever is there just now closes the door.
        if await run(keep_house(replica, link, compact=False)):
            on_event("epoch")
    elif isinstance(push, DeletionPush):
        hear_deletion(online)
        on_event("deletion")
    if len(replica.store.kept_keys(HELD)) > waiting:
        on_event("held")
