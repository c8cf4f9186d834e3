"""Who has a book deleted, and who only says so (SPEC 10.9, 13.14, 14.15): relays that lie, words replayed, thieves."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from e2esync.access.kit import RecoveryKit
from e2esync.client.deleting import delete, delete_by_kit
from e2esync.epoch.deletion import Act, Deletion, parse_deletion, sign_deletion
from e2esync.epoch.record import ChangeRole
from e2esync.epoch.roles import Role
from e2esync.errors import (
    AuthFailed,
    DeletionInvalid,
    E2esyncError,
    HandshakeFailed,
    RightMissing,
    RollbackDetected,
    SetDeleted,
)
from e2esync.limits import DELETION_DELAY
from e2esync.session import messages as m
from e2esync.session.handshake import tell_deleted
from e2esync.session.kinds import Refusal
from e2esync.session.messages import Message
from e2esync.testing import Device, Hook, Network, Wire, mutate
from tests.attacks.scene import MOMENTS, Weak, attack, defences, heals, opens, refused, three, two

DAY = 86_400_000


def word(net: Network, by: Device, act: Act = Act.DELETE, revision: int = 1, **override: Any) -> Deletion:
    """A word of a device, with its real key unless a field is replaced."""
    chain = by.replica.chain
    fields: dict[str, Any] = {
        "member": by.replica.member, "epoch": chain.epoch, "record_hash": chain.head.hash,
        "relay": chain.relay_key, "time": net.clock(),
    } | override
    signer = fields.pop("signer", None) or by.replica.signing_key
    return sign_deletion(signer, fields.pop("set_id", chain.set_id), act, revision=revision, **fields)


def says_deleted(net: Network, victim: Device, said: Deletion) -> Hook:
    """The relay tells a member that the set was deleted by this word."""
    def hook(message: Message, wire: Wire) -> Message:
        if not isinstance(message, m.Welcome) or not message.head:
            return message
        return tell_deleted(net.relay.key, victim.replica.set_id, wire.binding, said.raw)
    return hook


async def disbelieved(victim: Device, error: type[E2esyncError], hook: Hook) -> None:
    """The victim does not take the relay's word for it, and nothing changes."""
    try:
        await refused(victim, error, hook)
    except SetDeleted:
        pytest.fail("it believes that the set was deleted")


async def say(device: Device, act: Act = Act.DELETE) -> None:
    with device.online():
        await delete(device.profile, act=act, entropy=device.entropy, now=device.now)


def days(net: Network, count: int) -> None:
    net.clock.time += count * DAY
    net.relay.main.store.sweep(net.clock())


@attack(Weak("epoch.deletion:check_place"),
        Weak("epoch.deletion:check_speaker", also=("epoch.deletion:check_in_force",)),
        Weak("epoch.deletion:verify", alone=True), Weak("epoch.deletion:check_in_force"))
async def test_a42_a_deletion_that_nobody_may_have_signed(net: Network) -> None:
    """The relay says that the book was deleted, with all the words it can come by: none of them does it."""
    phone, laptop = await two(net)
    kiosk = await net.pair(phone, "Kiosk")
    await opens(phone, ChangeRole(kiosk.replica.member, Role.WRITER))
    await net.settle()
    laptop.add("Bob")
    long_ago = net.clock() - 2 * DELETION_DELAY
    for said, error in (
        (word(net, phone, time=long_ago, relay=bytes(32)), DeletionInvalid),
        (word(net, phone, time=long_ago, record_hash=bytes(32)), DeletionInvalid),
        (word(net, kiosk, time=long_ago), DeletionInvalid),
        (word(net, phone, time=long_ago, signer=kiosk.replica.signing_key), AuthFailed),
        (word(net, kiosk, time=long_ago, member=0), AuthFailed),
        (word(net, phone, time=long_ago, set_id=bytes(32)), AuthFailed),
        (word(net, phone, Act.KEEP, time=long_ago), DeletionInvalid),
    ):
        await disbelieved(laptop, error, says_deleted(net, laptop, said))
    await heals(net)


@attack(Weak("epoch.deletion:check_day"))
async def test_a42_a_relay_that_does_not_wait(net: Network) -> None:
    """A phone has asked for it, truly; the relay deletes at once, before anybody could say no."""
    phone, laptop = await two(net)
    await say(phone)
    await laptop.sync()
    laptop.add("Bob")
    said = parse_deletion(laptop.store.get("word") or b"")
    await disbelieved(laptop, DeletionInvalid, says_deleted(net, laptop, said))
    days(net, 20)
    await disbelieved(laptop, DeletionInvalid, says_deleted(net, laptop, said))
    await say(phone, Act.KEEP)
    await heals(net)


@attack(Weak("epoch.deletion:check_supersedes"))
async def test_a42_a_word_that_was_taken_back(net: Network) -> None:
    """Somebody asked for it, somebody else cancelled; the relay shows the first word to who has seen the second."""
    phone, laptop = await two(net)
    await say(phone)
    await laptop.sync()
    first = parse_deletion(laptop.store.get("word") or b"")
    await say(laptop, Act.KEEP)
    await phone.sync()
    laptop.add("Bob")
    days(net, 60)
    await disbelieved(laptop, RollbackDetected, says_deleted(net, laptop, first))
    # As news it is none either.
    with net.relay.lying(mutate(m.DeletionPush, lambda _push: m.DeletionPush(first.raw))), defences():
        with pytest.raises(RollbackDetected):
            await laptop.sync()
        assert not any("wants this book deleted" in notice for notice in laptop.book.status().notices)
    await heals(net)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("session.deleting:due_of", lambda _view, _word, now: now))
async def test_a60_a_stolen_phone_has_the_book_deleted(net: Network, moment: str) -> None:
    """Every device says so for 30 days, and the kit takes it back by shutting the phone out: nothing was lost."""
    phone, laptop = await two(net, moment)
    with defences():
        await say(phone)
    with suppress(DeletionInvalid):
        await laptop.sync()
    assert any("Phone wants this book deleted" in notice for notice in laptop.book.status().notices)
    tablet = await net.recover("Tablet", phone)
    net.devices.remove(phone)
    days(net, 60)
    tablet.add("Bob")
    await heals(net, laptop, tablet)
    assert laptop.names() == ["Ada", "Bob"]
    assert not any("deleted" in notice for notice in laptop.book.status().notices)
    phone.profile.close()


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("session.deleting:check_own_word"))
async def test_a43_a_word_brought_by_somebody_else(net: Network, moment: str) -> None:
    """A writer, a device that was shut out, a stranger: with words of their own, and with those of an owner."""
    phone, _laptop, kiosk = await three(net, moment, "Kiosk", Role.WRITER)
    member = kiosk.replica.member
    for said in (word(net, kiosk), word(net, phone), word(net, phone, member=member)):
        with defences():
            answer = net.relay.inject(phone.replica.set_id, member, m.Delete(said.raw))
        assert isinstance(answer, m.RefusalAnswer)
        assert answer.code in (Refusal.BAD_DELETION, Refusal.NOT_ALLOWED)
    with pytest.raises(RightMissing):
        await say(kiosk)
    with net.dialing("Stranger"), pytest.raises(HandshakeFailed):
        await delete_by_kit(RecoveryKit.generate(net.entropy), net.url, entropy=net.entropy, now=net.clock)
    await heals(net)
