"""Whoever has got hold of a code, and sits at both ends: sponsor for the newcomer, newcomer for the sponsor.

The newcomer's mailbox is taken `apart`, so each of the two real devices talks to somebody in between.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace

import trio

from e2esync.access import pairing
from e2esync.access.code import PairingCode
from e2esync.access.messages import seal_message, transcript_of
from e2esync.access.pairing import AskWords, Joiner, Offer, Outgoing, ShowWords, Sponsor
from e2esync.client.pairing import JOINS, SPONSORS, Mailbox
from e2esync.crypto import SigningKey
from e2esync.crypto.sealing import SealingKey
from e2esync.errors import E2esyncError
from e2esync.session import messages as m
from e2esync.testing import Hook, Network, SeededEntropy, mutate
from e2esync.wire import decode, encode

Words = tuple[str, ...]
GUESS = b"the nonce that it is hoped to be"


def apart(*devices: str) -> Hook:
    """Give these devices a mailbox of their own, whichever they ask for."""
    elsewhere = mutate(m.UseMailbox, lambda use: replace(use, mailbox=b"elsewher"))
    return lambda message, wire: elsewhere(message, wire) if wire.device in devices else message


async def quietly(task: Callable[[], Awaitable[None]]) -> None:
    """The other sides of an attempt that fails."""
    try:
        await task()
    except E2esyncError:
        return


async def sponsor_until_words(net: Network, url: str, code: PairingCode, offer: Offer,
                              told: Callable[[Words], None] = lambda _words: None) -> None:
    """A sponsor's side, up to the words that the newcomer shows, with the offer that somebody else has made."""
    sponsor = Sponsor(code, offer, net.entropy)
    with net.dialing("Between"):
        mailbox = await Mailbox.open(url, None, code, SPONSORS, net.entropy)
        sponsor.start()
        while True:
            mail = await mailbox.receive()
            events = sponsor.receive(mail.n, mail.message)
            await mailbox.send([event for event in events if isinstance(event, Outgoing)])
            if any(isinstance(event, AskWords) for event in events):
                told(sponsor.words)
                await trio.sleep_forever()


async def reveals_late(net: Network, url: str, code: PairingCode, told: Callable[[Offer], None],
                       wanted: Callable[[], Awaitable[Words]]) -> None:
    """A newcomer who reveals another nonce than it has committed to: one that makes the words the ones it wants."""
    entropy = net.entropy
    joiner = Joiner(code, SigningKey(entropy.draw("signing key", 32)), SealingKey.generate(entropy), "Tablet", entropy)
    with net.dialing("Mallory"):
        mailbox = await Mailbox.open(url, None, code, JOINS, entropy)
        (start,) = joiner.start()
        await mailbox.send([start])
        mail = await mailbox.receive()
        joiner.receive(mail.n, mail.message)
        assert joiner._offer is not None
        told(joiner._offer)
        words = await wanted()
        committed, offered, (_nonce, *claims) = joiner._bodies[0], joiner._bodies[1], decode(joiner._bodies[2])
        nonce = next(each for each in nonces() if words_of(committed, offered, each) == words)
        late = seal_message(code, 2, entropy.draw("pairing seal nonce", 24), encode([nonce, *claims]))
        await mailbox.send([Outgoing(2, late)])
        await trio.sleep_forever()


async def grinds(net: Network, url: str, code: PairingCode, offer: Offer, words: Words) -> None:
    """A newcomer who tries nonces until the words would be right, if the sponsor's nonce were the one it guesses."""
    signing, sealing = SigningKey(net.entropy.draw("signing key", 32)), SealingKey.generate(net.entropy)
    offered = encode([GUESS, *offer.value()])
    with net.dialing("Mallory"):
        mailbox = await Mailbox.open(url, None, code, JOINS, net.entropy)
        for nonce in nonces():
            joiner = Joiner(code, signing, sealing, "Tablet", _Ground(net.seed, nonce))
            start = joiner.start()
            if words_of(joiner._bodies[0], offered, nonce) == words:
                break
        await mailbox.send(start)
        mail = await mailbox.receive()
        events = joiner.receive(mail.n, mail.message)
        await mailbox.send([event for event in events if not isinstance(event, ShowWords)])
        await trio.sleep_forever()


class _Ground(SeededEntropy):
    """Randomness with one draw that was chosen."""

    def __init__(self, seed: str, nonce: bytes) -> None:
        super().__init__(seed)
        self._nonce = nonce

    def draw(self, name: str, length: int) -> bytes:
        return self._nonce if name == "pairing nonce" else super().draw(name, length)


def nonces() -> Iterator[bytes]:
    """All that there are, one after the other."""
    for number in itertools.count():
        yield number.to_bytes(32, "big")


def words_of(committed: bytes, offered: bytes, nonce: bytes) -> Words:
    """The words of a conversation, as a device finds them."""
    return pairing.transcript_words(transcript_of(committed, offered, nonce))
