"""Books that several people share (SPEC 12.3, 14.5): who gets in, and what one book says about another."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio

from e2esync.access.code import PairingCode, Purpose
from e2esync.access.pairing import Offer
from e2esync.client.books import create_book
from e2esync.client.pairing import read_code
from e2esync.crypto import Entropy, Secret
from e2esync.epoch.chain import Chain
from e2esync.epoch.record import parse_record
from e2esync.epoch.roles import Role
from e2esync.errors import ChainInvalid, E2esyncError, PairingAborted
from e2esync.limits import OPENINGS_INTERVAL
from e2esync.session import messages as m
from e2esync.session.codec import encode_message
from e2esync.testing import Network, flip, mutate
from e2esync.testing.entropy import SeededEntropy
from tests.attacks.between import apart, quietly, sponsor_until_words
from tests.attacks.forging import forged, stranger
from tests.attacks.scene import FORGEABLE, MOMENTS, Weak, attack, defences, heals, refused, scene, show_record
from tests.attacks.sharing import (
    accept_as,
    at,
    begin,
    everything,
    family,
    host,
    invite,
    opened,
    share_as,
    standing,
)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("access.pairing:equal", lambda *_: True, alone=True))
async def test_a01_a_key_in_the_place_of_the_guests(net: Network, moment: str) -> None:
    """The relay has got hold of the code, and sits between with a key and a kit of Mallory's, under Bob's name.

    Both conversations are in order; the words that Bob reads out are not those of the device that Ada would add.
    """
    ada, bob = await host(net, moment)
    mallory = await begin(net, "Mallory")
    before, since = standing(ada), len(net.trace)
    codes = trio.open_memory_channel[str](3)
    words, offers = trio.open_memory_channel[str](1), trio.open_memory_channel[Offer](1)
    raised: list[E2esyncError] = []

    def show(code: str) -> None:
        for _each in range(3):
            codes[0].send_nowait(code)

    async def keep(offer: Offer) -> bool:
        offers[0].send_nowait(offer)
        return True

    async def towards_ada() -> None:
        await accept_as(mallory, await codes[1].receive(), "Bob", lambda _words: None, keep)

    async def towards_bob() -> None:
        code, url = read_code(await codes[1].receive(), Purpose.INVITATION, None)
        await sponsor_until_words(net, url, code, await offers[1].receive())

    async def guest() -> None:
        await trio.sleep(1)
        await accept_as(bob, await codes[1].receive(), "Bob", lambda shown: words[0].send_nowait(" ".join(shown)))

    async def ask(_device: str, _person: str) -> str:
        return await words[1].receive()

    async with trio.open_nursery() as nursery:
        for task in (towards_ada, towards_bob, guest):
            nursery.start_soon(quietly, task)
        with net.relay.lying(apart("Bob", "Between")), defences():
            try:
                await share_as(ada, show, ask)
            except E2esyncError as error:
                raised.append(error)
        nursery.cancel_scope.cancel()
    assert [(type(each), "the words are not the ones" in each.message) for each in raised] == [(PairingAborted, True)]
    assert standing(ada) == before
    assert not opened(net, ada, since)
    assert [info.number for info in mallory.profile.store.books()] == [0]
    await invite(ada, bob)
    await everything(ada, bob)
    assert [row.name for row in family(bob).list()] == ["Grace"]


@pytest.mark.parametrize("side", ["Ada", pytest.param("Bob", marks=pytest.mark.slow)])
@pytest.mark.parametrize("moment", MOMENTS)
@attack(FORGEABLE)
async def test_a01_a_relay_without_the_code(net: Network, moment: str, side: str) -> None:
    """What passes the mailbox is changed: nobody is asked anything, and nothing is sealed."""
    ada, bob = await host(net, moment)
    before, since = standing(ada), len(net.trace)
    spoilt = mutate(m.MailPush, lambda mail: m.MailPush(mail.n, flip(mail.message)), device=side)
    with net.relay.lying(spoilt), defences(), pytest.raises(PairingAborted):
        await invite(ada, bob)
    assert standing(ada) == before
    assert not opened(net, ada, since)
    assert [info.number for info in bob.profile.store.books()] == [0]
    await invite(ada, bob)
    await everything(ada, bob)
    assert [row.name for row in family(bob).list()] == ["Grace"]


fresh_code = PairingCode.generate


def one_code(relay_url: str, _entropy: Entropy, purpose: Purpose) -> PairingCode:
    """Every invitation has the same code."""
    return fresh_code(relay_url, SeededEntropy("the code"), purpose)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("access.code:PairingCode.generate", one_code))
async def test_a61_an_invitation_again(net: Network, moment: str) -> None:
    """After it was used, after its time, and while the host invites somebody else: it opens nothing, for nobody."""
    ada, bob = await host(net)
    mallory = await begin(net, "Mallory")
    offers: list[Offer] = []
    inviting = trio.Event()

    async def see(offer: Offer) -> bool:
        offers.append(offer)
        return True

    async def again() -> None:
        with pytest.raises(PairingAborted):
            await accept_as(mallory, code, "Mallory", lambda _words: None, see)

    async def ask(_device: str, _person: str) -> str:
        return "not these words"

    with defences():
        (code,) = await invite(ada, bob)
        await at(net, moment, ada, bob)
        before = standing(ada)
        await again()
        net.clock.time += 400_000
        await again()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(quietly, lambda: share_as(ada, lambda _code: inviting.set(), ask))
            await inviting.wait()
            await again()
            nursery.cancel_scope.cancel()
    assert offers == []
    assert standing(ada) == before
    assert [info.number for info in mallory.profile.store.books()] == [0]


PLAYED_ANYWHERE = Weak("access.messages:message_key", lambda _code, _n: Secret(bytes(32)), late=True, also=(
    Weak("access.messages:message_context", lambda _code, n: bytes([n])), Weak("epoch.record:check_possession"),
    Weak("access.pairing:equal", lambda *_: True, alone=True)))
"""Messages of a pairing that belong to no code, a proof that belongs to no book, words that nobody compares."""


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
@attack(PLAYED_ANYWHERE)
async def test_a61_an_invitation_into_another_book(net: Network, moment: str) -> None:
    """What the guest sent for one book is played to the host who invites into another: it is for nobody there."""
    with defences():
        await _played_again(net, moment)


async def _played_again(net: Network, moment: str) -> None:
    ada, bob = await host(net)
    recorded: list[m.MailPush] = []

    def keep(message: m.Message, wire: object) -> m.Message:
        if isinstance(message, m.MailPush) and wire.device == "Ada":  # type: ignore[attr-defined]
            recorded.append(message)
        return message
    with net.relay.lying(keep):
        await invite(ada, bob)
    await at(net, moment, ada, bob)
    assert [each.n for each in recorded] == [0, 2]
    with ada.online():
        await create_book(ada.profile, "Club", entropy=ada.entropy, now=ada.now)
    net.clock.time += OPENINGS_INTERVAL
    before, since = standing(ada, 2), len(net.trace)
    again = {each.n: each for each in recorded}
    replayed = mutate(m.MailPush, lambda mail: again.get(mail.n, mail), device="Ada")
    with net.relay.lying(replayed), pytest.raises(PairingAborted):
        await invite(ada, bob, 2)
    assert standing(ada, 2) == before
    assert not opened(net, ada, since)
    await invite(ada, bob, 2)


@pytest.mark.parametrize("changed", ["role", *(pytest.param(each, marks=pytest.mark.slow) for each in (
    "person", "set", "sealing key"))])
@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("epoch.record:check_possession", late=True))
async def test_a61_a_newcomers_proof_for_something_else(net: Network, moment: str, changed: str) -> None:
    """An owner's device adds somebody by a proof that was given for another role, person, book or key."""
    phone, laptop = await scene(net, moment)
    await net.settle()
    laptop.add("Carl")
    chain = phone.replica.chain
    _key, add = stranger(net, b"o" * 32 if changed == "set" else chain.set_id, Role.WRITER)
    _other, another = stranger(net, chain.set_id, Role.WRITER)
    spoiled = {"role": replace(add, role=Role.OWNER), "person": replace(add, person=b"n" * 16), "set": add,
               "sealing key": replace(add, seal_key=another.seal_key)}[changed]
    record = forged(chain, phone.replica.signing_key, phone.replica.member, spoiled, net,
                    closes_seq=phone.replica.position.seq, closes_hash=phone.replica.position.log_hash)
    await refused(laptop, ChainInvalid, *show_record(net.relay.key, chain.set_id, record))
    await heals(net)


def held(net: Network, set_id: bytes) -> list[tuple[str, bytes]]:
    """(kind, bytes) of all that the relay took for a set."""
    return [(type(done.change.request).__name__, encode_message(done.change.request))
            for done in net.relay.main.journal if done.change.set_id == set_id or begins(done.change.request, set_id)]


def begins(request: object, set_id: bytes) -> bool:
    """Whether a visitor's request makes this set."""
    if not isinstance(request, m.Create):
        return False
    try:
        Chain.begin(parse_record(request.record), set_id)
    except ChainInvalid:
        return False
    return True


def pieces(net: Network, set_id: bytes, size: int = 16) -> set[bytes]:
    """All that is so long, 16 as the shortest id is, in what the relay took for a set.

    Its own key, which every chain names, is left out.
    """
    raws = [raw.replace(net.relay.key.verify_key, bytes(32)) for _kind, raw in held(net, set_id)]
    assert sum(map(len, raws)) > 2_000
    return {raw[at:at + size] for raw in raws for at in range(len(raw) - size + 1)}


draw = SeededEntropy.draw


def one_tag(entropy: SeededEntropy, name: str, length: int) -> bytes:
    """A person has the same tag in every set."""
    return b"one and the same"[:length] if name == "person" else draw(entropy, name, length)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("testing.entropy:SeededEntropy.draw", one_tag))
async def test_a65_who_is_in_which_books(net: Network, moment: str) -> None:
    """Nothing that the relay holds for one book, 16 bytes long, is there for another: no id, no key, no token."""
    with defences():
        ada, bob = await host(net)
        await invite(ada, bob)
        await at(net, moment, ada, bob)
    sets = {"Ada's": ada.replica.set_id, "Bob's": bob.replica.set_id, "Family": family(ada).set_id}
    windows = {name: pieces(net, set_id) for name, set_id in sets.items()}
    (net.folder / "other").mkdir()
    async with Network(seed=net.seed + "other", folder=net.folder / "other") as other:
        zoe = await begin(other, "Zoe")
        await zoe.sync()
        strangers = pieces(other, zoe.replica.set_id, 12)
    # What somebody's book at another relay has as well is only how things are spelt.
    for one, further in (("Ada's", "Bob's"), ("Ada's", "Family"), ("Bob's", "Family")):
        for piece in windows[one] & windows[further]:
            assert any(piece[at:at + 12] in strangers for at in range(5)), (one, further, piece.hex())
    # The control: what one book holds twice is found.
    keys = [member.verify_key for member in family(ada).replica.chain.members.values()]
    assert all(key[:16] in windows["Family"] for key in keys)


async def private_traffic(net: Network, pushed: int) -> list[tuple[str, int]]:
    """What the relay sees of Bob's own book while Mallory writes so many chosen contacts into the one they share."""
    mallory, bob = await begin(net, "Mallory"), await begin(net, "Bob")
    with mallory.online():
        await create_book(mallory.profile, "Family", entropy=mallory.entropy, now=mallory.now)
    await everything(mallory, bob)
    net.clock.time += OPENINGS_INTERVAL
    await invite(mallory, bob)
    for number in range(3):
        bob.add(f"Secret {number}", notes={"n": {"note": f"the plan {number}"}})
    for number in range(pushed):
        family(mallory).add({"@type": "Card", "version": "1.0", "uid": f"urn:Secret {number % 5}/{number}",
                             "name": {"full": f"Secret {number % 5}"},
                             "notes": {"n": {"note": f"the plan {number % 7}"}}})
    await everything(mallory, bob)
    bob.note("Secret 1", "changed")
    await everything(bob)
    await bob.rotate()
    await everything(bob, mallory)
    assert len(family(bob).list()) == pushed
    return [(kind, len(raw)) for kind, raw in held(net, bob.replica.set_id)]


@pytest.mark.slow
@attack(why="two books have no code in common that knows of both: there is nothing between them to remove",
        moments="the traffic that is compared begins with the first sync and ends with a rotation")
async def test_a36_chosen_contacts_pushed_into_a_shared_book(net: Network) -> None:
    """Guesses of Bob's own contacts, by the hundred: his own book's requests and their sizes are the same."""
    quiet = await private_traffic(net, 0)
    (net.folder / "loud").mkdir()
    async with Network(seed=net.seed, folder=net.folder / "loud") as loud:
        pushed = await private_traffic(loud, 200)
    assert len(quiet) > 8
    assert pushed == quiet
