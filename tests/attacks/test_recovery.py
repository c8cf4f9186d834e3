"""What a kit may do, and what is gone when a book has forgotten it (SPEC 12.6, 12.8, 14.4)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from itertools import product

import pytest

from e2esync.access.kit import RecoveryKit
from e2esync.client.forgetting import forget
from e2esync.client.kits import replace_kit
from e2esync.client.recovery import open_kit
from e2esync.crypto import Secret, SigningKey
from e2esync.crypto.sealing import SealingKey
from e2esync.epoch.boxes import epoch_key
from e2esync.epoch.chain import Chain
from e2esync.epoch.record import Change, Remove, make_add, parse_record
from e2esync.errors import ChainInvalid, E2esyncError, HandshakeFailed
from e2esync.limits import BLOB_DEAD_RETENTION, OPENINGS_INTERVAL
from e2esync.log.envelope import open_envelope
from e2esync.replica.core import Replica
from e2esync.session import messages as m
from e2esync.session.commands import Reading
from e2esync.testing import Device, Network
from e2esync.testing.entropy import SeededEntropy
from tests.attacks.forging import ANY_GENESIS, forged, stranger
from tests.attacks.scene import (
    FIRST,
    MOMENTS,
    ROTATION,
    STEADY,
    Weak,
    attack,
    defences,
    heals,
    refused,
    scene,
    show_record,
    two,
)
from tests.laws.archive import Archive, Thief, on_disk

NEEDLE = "Wilhelmina Forgettable"


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("epoch.chain:check_record_signature", late=True))
async def test_a17_a_recovery_by_another_kit(net: Network, moment: str) -> None:
    """A device comes in "by the kit", which never signed it: the root's key is in the chain, and no other is."""
    phone, laptop = await scene(net, moment)
    chain = phone.replica.chain
    ghost, add = stranger(net, chain.set_id)
    other = RecoveryKit.generate(net.entropy)
    for signer in (other.signing_key(0), ghost, SigningKey(bytes(32))):
        record = forged(chain, signer, 0, add, net)
        await refused(laptop, ChainInvalid, *show_record(net.relay.key, chain.set_id, record))
    await heals(net, phone, laptop)
    assert set(laptop.replica.chain.members) == set(chain.members)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(ANY_GENESIS)
async def test_a17_a_new_beginning_under_the_old_id(net: Network, moment: str) -> None:
    """The relay says that the book was begun anew: another record 0 has another set id."""
    phone, laptop = await scene(net, moment)
    other = await net.begin("Mallory", RecoveryKit.generate(net.entropy))
    net.devices.remove(other)
    set_id = phone.replica.set_id
    begun = [parse_record(raw) for raw in other.store.records()]
    with defences(), pytest.raises(ChainInvalid):
        Chain.begin(begun[0], set_id)
    before = laptop.standing()
    with (net.relay.lying(*show_record(net.relay.key, set_id, *begun)), pytest.raises(E2esyncError) as raised):
        await laptop.sync()
    assert raised.value.code in {"RollbackDetected", "ForkDetected", "ChainInvalid"}
    assert laptop.standing() == before
    await heals(net, phone, laptop)
    other.profile.close()


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("client.book:Book._kit_uses", lambda _book: []))
async def test_a17_the_use_of_a_kit_is_said_on_every_device(net: Network, moment: str) -> None:
    """Whoever holds the kit comes in, and nobody else's device keeps quiet about it."""
    phone, laptop = await scene(net, moment)
    for device in (phone, laptop):
        assert not any("kit was used" in notice for notice in device.book.status().notices)
    await net.recover("Rescued")
    for device in (phone, laptop):
        await device.sync()
        with defences():
            assert any("kit was used" in notice for notice in device.book.status().notices)
    await heals(net)


async def really_delete(net: Network, device: Device) -> None:
    """The command `forget`, ten minutes later: the relay lets one member open no faster."""
    net.clock.time += OPENINGS_INTERVAL
    with device.online():
        await forget(device.profile, entropy=device.entropy, now=device.now)


async def rounds(*devices: Device) -> None:
    """Three syncs of each, and the time that openings need between them."""
    for device in devices * 3:
        device.net.clock.time += OPENINGS_INTERVAL
        await device.sync()


def stolen(net: Network, *devices: Device) -> Thief:
    """All that the relay ever took, with the keys of these devices."""
    archive = Archive.of(done.change.request for done in net.relay.main.journal)
    thief = Thief(archive, net.devices[0].replica.set_id)
    for device in devices:
        thief.take(device.store)
    return thief


def found(net: Network, *devices: Device) -> bool:
    """Whether the deleted contact is still anywhere in what these devices, and the relay's whole past, hold."""
    needle = NEEDLE.encode()
    return needle in stolen(net, *devices).plaintext() or any(needle in on_disk(each.profile.store) for each in devices)


async def known_to_three(net: Network, moment: str) -> tuple[Device, Device, Device]:
    """A contact that three devices have: the sleeper from the past, or (first) from its pairing alone."""
    phone, laptop = await two(net)
    if moment == FIRST:
        phone.add(NEEDLE)
        await net.settle()
        return phone, laptop, await net.pair(phone, "Sleeper")
    sleeper = await net.pair(phone, "Sleeper")
    phone.add(NEEDLE)
    await net.settle()
    await phone.rotate()
    await rounds(phone, laptop, sleeper)
    laptop.note(NEEDLE, "changed")
    await rounds(laptop, phone, sleeper)
    return phone, laptop, sleeper


async def forgotten_by_two(net: Network, moment: str) -> tuple[Device, Device, Device]:
    """A contact was written and deleted, a forget was opened: two devices know, and the sleeper does not."""
    phone, laptop, sleeper = await known_to_three(net, moment)
    assert found(net, phone)
    phone.remove(NEEDLE)
    await rounds(phone, laptop)
    if moment == ROTATION:
        # Another epoch that the phone has not entered yet.
        await laptop.rotate()
    await really_delete(net, phone)
    await rounds(laptop, phone)
    return phone, laptop, sleeper


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("stores.state:SharedState.erase_secrets"))
async def test_a25_a_deleted_contact_after_every_device_was_stolen(net: Network, moment: str) -> None:
    """All relay bytes are kept, every key of every device is taken, everything is tried on everything: it is gone.

    The controls: one device has not acknowledged (N3), and the kit (N4); both still open it.
    """
    with defences():
        await _stolen_from(net, *await forgotten_by_two(net, moment))


async def _stolen_from(net: Network, phone: Device, laptop: Device, sleeper: Device) -> None:
    assert list(phone.book.not_forgotten().values()) == ["Sleeper"]
    assert not found(net, phone, laptop)
    assert found(net, phone, laptop, sleeper)
    await sleeper.sync()
    await rounds(phone, laptop, sleeper)
    assert not phone.book.not_forgotten()
    assert not found(net, phone, laptop, sleeper)
    assert phone.names() == sleeper.names() == ["Ada"]
    by_kit = stolen(net)
    by_kit.keys.append(net.kit.sealing_key(0))
    assert NEEDLE.encode() in by_kit.plaintext()
    await heals(net)


def sealed_as_before(old: int, signing: SigningKey, _sealing: SealingKey,
                     ) -> Callable[[Replica], tuple[Change, ...] | None]:
    """The new kit signs with keys of its own, and what is for it is sealed to the old one's."""
    def wish(current: Replica) -> tuple[Change, ...] | None:
        member = current.chain.members.get(old)
        if member is None:
            return None
        return make_add(signing, current.set_id, member.person, member.role, member.seal_key), Remove(old)
    return wish


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("procedures.recovering:succession", sealed_as_before))
async def test_a66_an_old_kit_after_its_replacement(net: Network, moment: str) -> None:
    """The kit gives way to another, then the book forgets: of what is written from then on, the old kit opens nothing.

    What it could open before is the stated exception (N4), as long as somebody has kept it.
    """
    phone, laptop = await two(net, moment)
    phone.add("Before")
    await net.settle(*([phone] if moment != STEADY else []))
    new = RecoveryKit.generate(net.entropy)
    net.clock.time += OPENINGS_INTERVAL
    with phone.online(), defences():
        (done,) = await replace_kit(phone.profile, net.kit, new, entropy=phone.entropy, now=phone.now)
    assert (done.done, done.root) == (True, True)
    phone.add(NEEDLE)
    await rounds(phone, laptop)
    await really_delete(net, phone)
    await rounds(laptop, phone)
    read = {}
    for name, kit in (("old", net.kit), ("new", new)):
        thief = stolen(net)
        thief.keys.append(kit.sealing_key(0))
        read[name] = thief.plaintext()
    assert NEEDLE.encode() not in read["old"]
    assert NEEDLE.encode() in read["new"]
    assert b"Before" in read["old"]
    with pytest.raises(HandshakeFailed), net.dialing("Thief"):
        async with open_kit(net.kit, net.url, entropy=net.entropy, now=net.clock):
            pytest.fail("opened with the old kit")
    # An honest relay drops what its retention does not hold any more: then nothing that it stores opens for that kit.
    net.clock.time += BLOB_DEAD_RETENTION + 1
    net.relay.main.store.sweep(net.clock())
    for kit, reads in ((net.kit, False), (new, True)):
        thief = Thief(still_held(net, phone), phone.replica.set_id)
        thief.keys.append(kit.sealing_key(0))
        plaintext = thief.plaintext()
        assert (bool(thief.epochs), b"Before" in plaintext, NEEDLE.encode() in plaintext) == (reads,) * 3
    await heals(net)


def still_held(net: Network, member: Device) -> Archive:
    """Of all that the relay ever took, what it still gives to a member."""
    archive, main = stolen(net).archive, net.relay.main

    def gives(request: Reading) -> bool:
        answer = main.read(member.replica.set_id, member.replica.member, request)
        return not isinstance(answer, m.RefusalAnswer) and not (isinstance(answer, m.LogPart) and not answer.envelopes)
    archive.blobs = {blob: raw for blob, raw in archive.blobs.items() if gives(m.GetBlob(blob, 0))}
    archive.envelopes = [each for each in archive.envelopes if gives(m.Read(each[0], 1))]
    archive.openings = [each for each in archive.openings if gives(m.ReadBox(each[0].epoch))]
    return archive


WORDS = (b"", b"password", b"Ada", b"Phone", b"Contacts", b"abandon", *(b"%04d" % pin for pin in range(40)))
GUESSES = [*(bytes([byte]) * 32 for byte in range(8)), *(hashlib.sha256(word).digest() for word in WORDS),
           *(word.ljust(32, b"\0") for word in WORDS)]
"""What somebody would try who believes that a secret was chosen, or drawn badly."""

draw = SeededEntropy.draw


def drawn_badly(entropy: SeededEntropy, name: str, length: int) -> bytes:
    """An epoch's secret that comes out of a list."""
    return GUESSES[-1] if name == "epoch secret" else draw(entropy, name, length)


def guessed(net: Network) -> int:
    """How much of what the relay has ever taken opens by a guess: as a kit's seed, a sealing key, an epoch's secret."""
    thief = stolen(net)
    for guess in GUESSES:
        thief.keys += [RecoveryKit(Secret(guess)).sealing_key(0), SealingKey.from_secret(guess * 3)]
    opened = len(thief.open_boxes())
    for (epoch, envelope), guess in product(thief.archive.envelopes, GUESSES):
        with suppress(E2esyncError):
            open_envelope(epoch_key(thief.set_id, epoch, Secret(guess)), thief.set_id, epoch, envelope)
            opened += 1
    return opened


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("testing.entropy:SeededEntropy.draw", drawn_badly))
async def test_a16_guesses_at_all_that_the_relay_holds(net: Network, moment: str) -> None:
    """A hundred weak secrets, each tried on every box and envelope: no secret that a person would choose opens any."""
    with defences():
        phone, laptop = await scene(net, moment)
        await laptop.sync()
    assert guessed(net) == 0
    # The same search finds what a true key opens.
    assert b"three" in stolen(net, phone).plaintext()
    await heals(net)
