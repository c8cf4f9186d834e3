"""Somebody in the middle of a pairing who has the code (SPEC 12.2): he may search, guess and wait, and is found out."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio

from e2esync.access import messages, pairing
from e2esync.access.code import Purpose
from e2esync.access.messages import transcript_words
from e2esync.access.pairing import Offer
from e2esync.client.pairing import offer_of, read_code
from e2esync.epoch.roles import Role
from e2esync.errors import PairingAborted
from e2esync.testing import Device, Network, SeededEntropy
from tests.attacks.between import GUESS, Words, apart, grinds, quietly, reveals_late, sponsor_until_words
from tests.attacks.scene import MOMENTS, Weak, attack, defences, heals, sponsor


def first_word(transcript: bytes) -> tuple[str, ...]:
    """Eleven bits are compared, and not thirty-three."""
    return transcript_words(transcript)[:1]


async def met_in_between(net: Network, phone: Device, tablet: Device, man: Callable[[str], Awaitable[None]]) -> None:
    """A pairing whose code somebody else has too; both sides say that it was aborted, or it is none that failed."""
    codes = trio.open_memory_channel[str](1)

    def keep(code: str) -> str:
        codes[0].send_nowait(code)
        return code

    async def in_between() -> None:
        await man(await codes[1].receive())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(quietly, in_between)
        with net.relay.lying(apart(tablet.name, "Between")), defences(), pytest.raises(PairingAborted):
            await net.meet(phone, tablet, change_code=keep)
        nursery.cancel_scope.cancel()
    assert all(type(error) is PairingAborted for error in net.raised)
    assert not tablet.book.exists()


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("access.messages:check_keys"))
async def test_a39_a_man_in_the_middle_who_reveals_late(net: Network, moment: str,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    """He waits until the newcomer has shown its words, and then searches for a nonce that gives the sponsor the same.

    Of words of eleven bits he finds it at once: what stops him is that he has committed to another.
    """
    monkeypatch.setattr(pairing, "transcript_words", first_word)
    phone = await sponsor(net, moment)
    before, tablet = phone.standing(), net.device("Tablet")
    offers, words = trio.open_memory_channel[Offer](1), trio.open_memory_channel[Words](1)

    async def man(text: str) -> None:
        code, url = read_code(text, Purpose.PAIRING, None)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(quietly, partial(reveals_late, net, url, code, offers[0].send_nowait, words[1].receive))
            await sponsor_until_words(net, url, code, await offers[1].receive(), words[0].send_nowait)
    await met_in_between(net, phone, tablet, man)
    assert any("committed to" in error.message for error in net.raised)
    assert phone.standing() == before
    await net.meet(phone, tablet)
    await heals(net)


def foreseen(entropy: SeededEntropy, name: str, length: int) -> bytes:
    """The sponsor's nonce can be guessed."""
    return GUESS if name == "pairing nonce" else draw(entropy, name, length)


draw = SeededEntropy.draw


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("testing.entropy:SeededEntropy.draw", foreseen))
async def test_a39_a_man_in_the_middle_who_grinds(net: Network, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """He knows the newcomer's words first, and searches for keys that give the sponsor the same: for one nonce of it.

    The sponsor draws another. With words of eleven bits one in 2048 is right by chance; nobody has that luck twice.
    """
    monkeypatch.setattr(pairing, "transcript_words", first_word)
    phone = await sponsor(net, moment)
    before = phone.standing()

    async def man(text: str) -> None:
        code, url = read_code(text, Purpose.PAIRING, None)
        words = trio.open_memory_channel[Words](1)
        offer = offer_of(phone.replica, phone.replica.person, Role.OWNER)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sponsor_until_words, net, url, code, offer, words[0].send_nowait)
            await grinds(net, url, code, offer, await words[1].receive())
    for name in ("Tablet", "Tablet again"):
        tablet, before = net.device(name), phone.standing()
        await met_in_between(net, phone, tablet, man)
        if phone.standing() == before:
            break
    assert any("the words are not the ones" in error.message for error in net.raised)
    assert phone.standing() == before
    await net.meet(phone, tablet)
    await heals(net, phone, tablet)


@attack(Weak("access.messages:transcript_words", first_word))
def test_a39_a_hundred_thousand_runs_in_between() -> None:
    """Whoever sits in between has committed before the other nonce is known: a guess each, and none is right."""
    def words(leg: bytes, run: int) -> tuple[str, ...]:
        nonce = hashlib.blake2b(leg + run.to_bytes(4), digest_size=32).digest()
        return messages.transcript_words(messages.transcript_of(leg, nonce, nonce))

    with defences():
        accepted = sum(words(b"towards the sponsor", run) == words(b"towards the guest", run) for run in range(100_000))
    assert accepted == 0


@attack(Weak("access.pairing:equal", lambda *_: True, alone=True))
async def test_a39_words_that_are_not_the_ones_shown(net: Network) -> None:
    """A wrong word ends the attempt, on both sides; there is no second one with the same code."""
    phone = await net.begin("Phone")
    await phone.sync()
    laptop = net.device("Laptop")
    before = phone.standing()
    for wrong in ("zoo zoo zoo", "", "abandon abandon"):
        with defences(), pytest.raises(PairingAborted):
            await net.meet(phone, laptop, type_words=lambda _words, wrong=wrong: wrong)
        assert not laptop.book.exists()
    assert phone.standing() == before
