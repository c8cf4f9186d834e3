"""Pairing, with trio: the conversation of SPEC 12.2 through a mailbox of the relay, then the epoch that adds it.

`pair` runs on a device that is in, `join` on the new one. A code is good for five minutes and one attempt.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import trio

from e2esync.access.code import PairingCode, Purpose, parse_code
from e2esync.access.messages import Inviter
from e2esync.access.pairing import Add as Proposal
from e2esync.access.pairing import AskWords, Event, Invited, Joined, Joiner, Offer, Outgoing, ShowWords, Sponsor
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
from e2esync.errors import BadCode, E2esyncError, PairingAborted, ProfileExists, Refused, SessionError
from e2esync.limits import KEY, MAILBOX_TTL
from e2esync.procedures.founding import arrive
from e2esync.procedures.opening import announce, open_epoch
from e2esync.procedures.sending import send
from e2esync.procedures.syncing import sync as sync_procedure
from e2esync.replica.core import Replica
from e2esync.replica.founding import seat_of
from e2esync.replica.home import Landing
from e2esync.replica.own_object import name_device, name_person
from e2esync.session.kinds import Refusal
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
            if error.reason != Refusal.MAILBOX_TAKEN.value:
                raise
            again = "share" if code.purpose is Purpose.INVITATION else "pair"
            raise PairingAborted("this code was used already, and is good for one attempt",
                                 f"`e2esync {again}` on the other device shows a new one") from error
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
    def offer(replica: Replica) -> Offer:
        return offer_of(replica, replica.person, replica.chain.members[replica.member].role)

    async def ask_device(device: str, _person: str) -> str:
        assert ask_words is not None
        return await ask_words(device)

    sponsorship = Sponsorship(Purpose.PAIRING, offer, show_code, ask_device if ask_words else None)
    index, proposal = await sponsor_newcomer(profile, book, sponsorship, progress, entropy, now)
    return index, proposal.device_name


@dataclass(frozen=True, slots=True)
class Sponsorship:
    """How a member lets somebody in: what it offers, and how its owner is asked."""

    purpose: Purpose
    offer: Callable[[Replica], Offer]
    """What is offered, for a replica that is caught up. Raises where it may not be."""
    show_code: Callable[[PairingCode], None]
    ask_words: Callable[[str, str], Awaitable[str]] | None
    """(device name, a guest's name) → the words that it shows; None: they are not compared."""


def offer_of(replica: Replica, person: bytes, role: Role, inviter: Inviter | None = None) -> Offer:
    """A place in the set as it stands now."""
    chain = replica.chain
    return Offer(replica.set_id, person, int(role), chain.relay_key, chain.head.hash, chain.epoch, inviter)


async def sponsor_newcomer(profile: Profile, book: int, how: Sponsorship, progress: Progress, entropy: Entropy,
                           now: Callable[[], int]) -> tuple[int, Proposal]:
    """The sponsor's side of a pairing or an invitation, to its end: (member index, what was added)."""
    with profile.sync_lock():
        async with go_online(profile, book, progress=progress, entropy=entropy, now=now) as online:
            await online.connection.run(sync_procedure(online.replica, online.link))
        offer, url = how.offer(online.replica), relay_url(profile, book)
        code = PairingCode.generate(url, entropy, how.purpose)
        sponsor = Sponsor(code, offer, entropy)
        mailbox = await Mailbox.open(url, offer.relay_key, code, SPONSORS, entropy)
        try:
            with _five_minutes():
                await mailbox.send(sponsor.start())
                how.show_code(code)
                proposal = await _meet(sponsor, mailbox, how.ask_words)
            async with go_online(profile, book, progress=progress, entropy=entropy, now=now) as online:
                index, landing = await _add(online, proposal, now())
                await mailbox.send(sponsor.finish(
                    landing.record_hash, landing.epoch, landing.head_seq, landing.log_hash, index,
                ))
        except BaseException:
            await mailbox.abort()
            raise
        finally:
            await mailbox.aclose()
        return index, proposal


async def join(profile: Profile, code_text: str, device_name: str, *, show_words: Callable[[tuple[str, ...]], None],
               relay: str | None = None, book: int = 0, progress: Progress = no_progress,
               entropy: Entropy = SYSTEM_ENTROPY, now: Callable[[], int] = now_ms) -> Replica:
    """Make this device a member by another one's code: chain, snapshot and contacts are here when it returns.

    Raises BadCode before the network is used, PairingAborted after; the profile is then as it was.
    """
    store = profile.store.book(book)
    if store.get("identity") is not None:
        raise ProfileExists("this profile is in a contact set already")
    code, url = read_code(code_text, Purpose.PAIRING, relay)
    signing, sealing = SigningKey(entropy.draw("signing key", KEY)), SealingKey.generate(entropy)
    with profile.sync_lock():
        joiner = Joiner(code, signing, sealing, device_name, entropy)
        joined = await converse(joiner, url, code, show_words, entropy)
        try:
            return await arrive_as(profile, book, url, joined, signing, sealing, progress, entropy, now)
        except BaseException:
            profile.store.delete_book(book)
            raise


def read_code(text: str, purpose: Purpose, relay: str | None) -> tuple[PairingCode, str]:
    """(the code, the relay's URL). Raises BadCode for a code of the other purpose, or without any address."""
    code = parse_code(text)
    if code.purpose is not purpose:
        raise BadCode("this is the code of an invitation", "take `e2esync accept`") if code.purpose else BadCode(
            "this is the code of a pairing, for a device of one's own", "take `e2esync join`")
    url = relay or code.relay_url
    if url is None:
        raise BadCode("the code does not say which relay to use", "add --relay URL")
    return code, url


async def _meet(sponsor: Sponsor, mailbox: Mailbox,
                ask_words: Callable[[str, str], Awaitable[str]] | None) -> Proposal:
    """The conversation up to the confirmed words."""
    while True:
        mail = await mailbox.receive()
        for event in await mailbox.send(sponsor.receive(mail.n, mail.message)):
            if isinstance(event, AskWords):
                if ask_words is None:
                    return sponsor.skip_verification()
                return sponsor.confirm(await ask_words(event.device_name, event.person))


async def _add(online: Online, proposal: Proposal, now: int) -> tuple[int, Landing]:
    """Open the epoch that adds the newcomer, and a guest's kit with it; its index, and what it must find."""
    replica = online.replica
    add = Add(proposal.person, Role(proposal.role), proposal.verify_key, proposal.seal_key, proposal.possession)

    guest = proposal.guest
    kit = (guest.kit.add(proposal.person, Role.RECOVERY),) if guest else ()

    def wish(current: Replica) -> tuple[Change, ...] | None:
        return None if add.verify_key in current.chain.used_keys else (add, *kit)

    await online.connection.run(sync_procedure(replica, online.link))
    await online.connection.run(open_epoch(replica, online.link, wish))
    await online.connection.run(announce(replica, online.link))
    # The names go first, so that the newcomer finds them in the log that it is told of.
    name_device(replica, seat_of(replica, add.verify_key).member, proposal.device_name, now)
    if guest is not None:
        name_person(replica, proposal.person, guest.name, now)
    await online.connection.run(send(replica, online.link))
    seat = seat_of(replica, add.verify_key)
    assert seat.landing is not None
    return seat.member, seat.landing


async def converse(joiner: Joiner, url: str, code: PairingCode, show_words: Callable[[tuple[str, ...]], None],
                   entropy: Entropy, decide: Callable[[Offer], Awaitable[bool]] | None = None) -> Joined:
    """The newcomer's side of the conversation; `decide` answers an invitation. Raises PairingAborted."""
    mailbox = await Mailbox.open(url, None, code, JOINS, entropy)
    try:
        with _five_minutes():
            events = await mailbox.send(joiner.start())
            while True:
                for event in events:
                    if isinstance(event, Invited):
                        events += await mailbox.send(await _decide(joiner, event.offer, mailbox, decide))
                    if isinstance(event, ShowWords):
                        show_words(event.words)
                    if isinstance(event, Joined):
                        if event.relay_key != mailbox.relay_key:
                            raise PairingAborted("the relay at this address is not the one that the book is at")
                        return event
                mail = await mailbox.receive()
                if mail.message == ENDED:
                    raise PairingAborted("the other device has ended the pairing, and its screen says why")
                events = await mailbox.send(joiner.receive(mail.n, mail.message))
    finally:
        await mailbox.aclose()


async def _decide(joiner: Joiner, offer: Offer, mailbox: Mailbox,
                  decide: Callable[[Offer], Awaitable[bool]] | None) -> list[Event]:
    """What follows from the person's decision on an invitation. Raises PairingAborted if it is declined."""
    try:
        if decide is not None and await decide(offer):
            return joiner.accept()
    except E2esyncError:
        await mailbox.send(joiner.decline())
        raise
    await mailbox.send(joiner.decline())
    raise PairingAborted("the invitation was declined", "nothing was changed")


async def arrive_as(profile: Profile, book: int, url: str, joined: Joined, signing: SigningKey, sealing: SealingKey,
                    progress: Progress, entropy: Entropy, now: Callable[[], int]) -> Replica:
    """Bring in the book that a record has just added this device to."""
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
