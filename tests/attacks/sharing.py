"""Two people and a book that one of them made: the scene of attacks on sharing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from e2esync.access.kit import RecoveryKit
from e2esync.access.pairing import Offer
from e2esync.client.book import Book
from e2esync.client.books import accept, create_book, share
from e2esync.client.members import rotate
from e2esync.client.together import sync_all
from e2esync.epoch.roles import Role
from e2esync.errors import E2esyncError
from e2esync.limits import OPENINGS_INTERVAL
from e2esync.testing import Device, Network
from tests.attacks.scene import FIRST, ROTATION, STEADY, requests

FAMILY = 1
Ask = Callable[[str, str], Awaitable[str]]


async def yes(_offer: Offer) -> bool:
    """Who is invited trusts whoever it is."""
    return True


async def begin(net: Network, name: str) -> Device:
    """A person with a kit of its own, and one device."""
    return await net.begin(name, RecoveryKit.generate(net.entropy))


async def everything(*devices: Device) -> None:
    """All books of these devices, until they are in step."""
    for device in devices * 2:
        device.net.clock.time += OPENINGS_INTERVAL
        with device.online():
            for each in await sync_all(device.profile, entropy=device.entropy, now=device.now):
                assert each.error is None


async def host(net: Network, moment: str = STEADY) -> tuple[Device, Device]:
    """Ada, who has made the book Family with one contact, and Bob, who has nothing to do with it yet.

    first: Bob's device has never synced, and Ada's only once. steady: both are in step. rotation: Ada has just opened
    an epoch of Family.
    """
    ada, bob = await begin(net, "Ada"), await begin(net, "Bob")
    with ada.online():
        await create_book(ada.profile, "Family", entropy=ada.entropy, now=ada.now)
    family(ada).add({"@type": "Card", "version": "1.0", "uid": "urn:g", "name": {"full": "Grace"}})
    await everything(*((ada,) if moment == FIRST else (ada, bob)))
    net.clock.time += OPENINGS_INTERVAL
    if moment == ROTATION:
        with ada.online():
            await rotate(ada.profile, book=FAMILY, entropy=ada.entropy, now=ada.now)
    return ada, bob


def family(device: Device, number: int = FAMILY) -> Book:
    """The shared book on a device."""
    return Book(device.profile, number, entropy=device.entropy, now=device.now)


async def share_as(device: Device, show: Callable[[str], None], ask: Ask, number: int = FAMILY) -> None:
    """`share` on a device."""
    with device.online():
        await share(device.profile, number, Role.WRITER, device.name, show_code=lambda code: show(code.text()),
                    ask_words=ask, entropy=device.entropy, now=device.now)


async def accept_as(device: Device, code: str, name: str, show: Callable[[tuple[str, ...]], None],
                    decide: Callable[[Offer], Awaitable[bool]] = yes) -> None:
    """`accept` on a device."""
    with device.online():
        await accept(device.profile, code, name, "Phone", decide=decide, show_words=show, entropy=device.entropy,
                     now=device.now)


async def invite(ada: Device, bob: Device, number: int = FAMILY) -> list[str]:
    """Both sides, with the words typed as shown; the code. Raises what Ada's side does, or else Bob's."""
    codes, words = trio.open_memory_channel[str](1), trio.open_memory_channel[str](1)
    seen: list[str] = []
    raised: list[E2esyncError] = []

    async def guest() -> None:
        seen.append(await codes[1].receive())
        try:
            await accept_as(bob, seen[0], bob.name, lambda shown: words[0].send_nowait(" ".join(shown)))
        except E2esyncError as error:
            raised.append(error)

    async def ask(_device: str, _person: str) -> str:
        return await words[1].receive()

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(guest)
            try:
                await share_as(ada, codes[0].send_nowait, ask, number)
            except E2esyncError as error:
                raised.insert(0, error)
    finally:
        ada.net.raised = list(raised)
    if raised:
        raise raised[0]
    return seen


async def at(net: Network, moment: str, ada: Device, bob: Device, number: int = FAMILY) -> None:
    """The moment of a book that Bob has just been let into, and has not synced since (first).

    steady: all books of both are in step. rotation: Ada has then opened an epoch, which Bob has not heard of.
    """
    if moment != FIRST:
        await everything(ada, bob)
    if moment == ROTATION:
        net.clock.time += OPENINGS_INTERVAL
        with ada.online():
            await rotate(ada.profile, book=number, entropy=ada.entropy, now=ada.now)


def standing(device: Device, number: int = FAMILY) -> tuple[bytes, bytes, int]:
    """What a refusal leaves as it is."""
    book = family(device, number)
    return book.replica.chain.head.hash, book.replica.position.log_hash, len(book.replica.chain.members)


def opened(net: Network, device: Device, since: int) -> bool:
    """Whether a device has sealed anything to anybody."""
    return "Open" in {kind for kind, _size in requests(net, device, since)}
