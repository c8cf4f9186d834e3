"""Pairing, with trio: the conversation of SPEC 12.2 through a mailbox of the relay, then the epoch that adds it.

`pair` runs on a device that is in, `join` on the new one. A code is good for five minutes and one attempt.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

import trio

from e2esync.access.code import PairingCode, parse_code
from e2esync.access.pairing import Add as Proposal
from e2esync.access.pairing import AskWords, Event, Joined, Joiner, Offer, Outgoing, ShowWords, Sponsor
from e2esync.client.connection import Connection
from e2esync.client.profile import Profile
from e2esync.client.sync import (
    SYSTEM_ENTROPY,
    Online,
    Progress,
    go_online,
    make_link,
    no_progress,
    now_ms,
    relay_url,
)
from e2esync.crypto import Entropy, SigningKey
from e2esync.crypto.sealing import SealingKey
from e2esync.epoch.record import Add, Change
from e2esync.epoch.roles import Role
from e2esync.errors import BadCode, PairingAborted, ProfileExists, Refused, SessionError
from e2esync.limits import KEY, MAILBOX_TTL
from e2esync.procedures.founding import arrive
from e2esync.procedures.opening import announce, open_epoch
from e2esync.procedures.sending import send
from e2esync.procedures.syncing import sync as sync_procedure
from e2esync.replica.core import Replica
from e2esync.replica.own_object import name_device
from e2esync.session.messages import Mail, MailboxUsed, MailPush, MailStored, UseMailbox
from e2esync.stores.profile import BookInfo

ENDED = b"\0"
"""What a sponsor sends instead of its next message when it ends the attempt."""
JOINS, SPONSORS = 0, 1
"""Sides of a mailbox (SPEC 13.3)."""


class Mailbox:
    """One side of a pairing mailbox, over a visitor's connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    async def open(cls, url: str, relay_key: bytes | None, code: PairingCode, side: int, entropy: Entropy) -> Mailbox:
        """Take a side. Raises PairingAborted if somebody else has it."""
        connection = await Connection.as_visitor(url, relay_key, entropy)
        try:
            token = entropy.draw("mailbox token", 16)
            await connection.request(UseMailbox(code.mailbox_id, side, token), MailboxUsed)
        except Refused as error:
            await connection.aclose()
            raise PairingAborted("this pairing code was used already, or has expired") from error
        return cls(connection)

    @property
    def relay_key(self) -> bytes:
        """The key of the relay that the mailbox is at."""
        return self._connection.relay_key

    async def send(self, events: list[Event]) -> list[Event]:
        """Send the outgoing ones among a machine's events; returns the others."""
        for event in events:
            if isinstance(event, Outgoing):
                try:
                    await self._connection.request(Mail(event.n, event.data), MailStored)
                except Refused as error:
                    raise PairingAborted("the pairing's mailbox was closed") from error
        return [event for event in events if not isinstance(event, Outgoing)]

    async def receive(self) -> MailPush:
        """The other side's next message."""
        while True:
            push = await self._connection.next_push()
            if isinstance(push, MailPush):
                return push

    async def abort(self) -> None:
        """Sponsor: end the attempt on the other side too, by a message that opens for nobody (SPEC 12.2 step 4)."""
        with trio.CancelScope(deadline=trio.current_time() + 2, shield=True):
            for turn in (1, 3):
                with suppress(Refused, SessionError):
                    await self._connection.request(Mail(turn, ENDED), MailStored)

    async def aclose(self) -> None:
        """Leave the mailbox."""
        await self._connection.aclose()


async def pair(profile: Profile, *, show_code: Callable[[PairingCode], None],
               ask_words: Callable[[str], Awaitable[str]] | None, book: int = 0, progress: Progress = no_progress,
               entropy: Entropy = SYSTEM_ENTROPY, now: Callable[[], int] = now_ms) -> tuple[int, str]:
    """Add a device of this person: (its member index, its name).

    `show_code` gets the code for the other device; `ask_words` its name, and gives back the three words that it shows.
    Without `ask_words` they are not compared. Raises PairingAborted, and then nothing was added.
    """
    with profile.sync_lock():
        async with go_online(profile, book, progress=progress, entropy=entropy, now=now) as online:
            await online.connection.run(sync_procedure(online.replica, online.link))
        replica, url = online.replica, relay_url(profile, book)
        chain = replica.chain
        code = PairingCode.generate(url, entropy)
        offer = Offer(replica.set_id, replica.person, int(chain.members[replica.member].role), chain.relay_key,
                      chain.head.hash, chain.epoch)
        sponsor = Sponsor(code, offer, entropy)
        mailbox = await Mailbox.open(url, chain.relay_key, code, SPONSORS, entropy)
        try:
            with _five_minutes():
                await mailbox.send(sponsor.start())
                show_code(code)
                proposal = await _meet(sponsor, mailbox, ask_words)
            async with go_online(profile, book, progress=progress, entropy=entropy, now=now) as online:
                index = await _add(online, proposal, now())
                position = online.replica.position
                await mailbox.send(sponsor.finish(
                    online.replica.chain.head.hash, position.epoch, position.seq, position.log_hash, index,
                ))
        except BaseException:
            await mailbox.abort()
            raise
        finally:
            await mailbox.aclose()
        return index, proposal.device_name


async def join(profile: Profile, code_text: str, device_name: str, *, show_words: Callable[[tuple[str, ...]], None],
               relay: str | None = None, book: int = 0, progress: Progress = no_progress,
               entropy: Entropy = SYSTEM_ENTROPY, now: Callable[[], int] = now_ms) -> Replica:
    """Make this device a member by another one's code: chain, snapshot and contacts are here when it returns.

    Raises BadCode before the network is used, PairingAborted after; the profile is then as it was.
    """
    store = profile.store.book(book)
    if store.get("identity") is not None:
        raise ProfileExists("this profile is in a contact set already")
    code = parse_code(code_text)
    url = relay or code.relay_url
    if url is None:
        raise BadCode("the code does not say which relay to use", "add --relay URL")
    signing, sealing = SigningKey(entropy.draw("signing key", KEY)), SealingKey.generate(entropy)
    with profile.sync_lock():
        joined = await _converse(Joiner(code, signing, sealing, device_name, entropy), url, code, show_words, entropy)
        try:
            return await _arrive(profile, book, url, joined, signing, sealing, progress, entropy, now)
        except BaseException:
            profile.store.delete_book(book)
            raise


async def _meet(sponsor: Sponsor, mailbox: Mailbox, ask_words: Callable[[str], Awaitable[str]] | None) -> Proposal:
    """The conversation up to the confirmed words."""
    while True:
        mail = await mailbox.receive()
        for event in await mailbox.send(sponsor.receive(mail.n, mail.message)):
            if isinstance(event, AskWords):
                if ask_words is None:
                    return sponsor.skip_verification()
                return sponsor.confirm(await ask_words(event.device_name))


async def _add(online: Online, proposal: Proposal, now: int) -> int:
    """Open the epoch that adds the newcomer; returns its index."""
    replica = online.replica
    add = Add(proposal.person, Role(proposal.role), proposal.verify_key, proposal.seal_key, proposal.possession)

    def wish(current: Replica) -> tuple[Change, ...] | None:
        return None if add.verify_key in current.chain.used_keys else (add,)

    await online.connection.run(sync_procedure(replica, online.link))
    await online.connection.run(open_epoch(replica, online.link, wish))
    await online.connection.run(announce(replica, online.link))
    index = next(m.index for m in replica.chain.members.values() if m.verify_key == add.verify_key)
    # The name goes first, so that the newcomer finds it in the log that it is told of.
    name_device(replica, index, proposal.device_name, now)
    await online.connection.run(send(replica, online.link))
    return index


async def _converse(joiner: Joiner, url: str, code: PairingCode, show_words: Callable[[tuple[str, ...]], None],
                    entropy: Entropy) -> Joined:
    """The newcomer's side of the conversation."""
    mailbox = await Mailbox.open(url, None, code, JOINS, entropy)
    try:
        with _five_minutes():
            events = await mailbox.send(joiner.start())
            while True:
                for event in events:
                    if isinstance(event, ShowWords):
                        show_words(event.words)
                    if isinstance(event, Joined):
                        if event.relay_key != mailbox.relay_key:
                            raise PairingAborted("the relay at this address is not the one that the book is at")
                        return event
                mail = await mailbox.receive()
                if mail.message == ENDED:
                    raise PairingAborted("the other device has ended the pairing; the words may have been wrong")
                events = await mailbox.send(joiner.receive(mail.n, mail.message))
    finally:
        await mailbox.aclose()


async def _arrive(profile: Profile, book: int, url: str, joined: Joined, signing: SigningKey, sealing: SealingKey,
                  progress: Progress, entropy: Entropy, now: Callable[[], int]) -> Replica:
    connection = await Connection.as_member(url, joined.set_id, joined.index, signing, joined.relay_key, entropy)
    try:
        assert connection.head is not None
        link = make_link(connection.head, progress, entropy, now)
        store = profile.store.book(book)
        # Before the keys: a device that is killed while it arrives finds its relay, and goes on with the next sync.
        profile.store.put_book(BookInfo(book, joined.set_id, "", url))
        replica = await connection.run(arrive(store, link, joined, signing, sealing))
        await connection.run(sync_procedure(replica, link))
        return replica
    finally:
        await connection.aclose()


@contextmanager
def _five_minutes() -> Iterator[None]:
    """What a code is good for."""
    try:
        with trio.fail_after(MAILBOX_TTL / 1000):
            yield
    except trio.TooSlowError:
        raise PairingAborted("nobody came within five minutes") from None
