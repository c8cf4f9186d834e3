"""Who may write, and until when (SPEC 9.3, 10.4): not the relay, not who was removed, not who only reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from e2esync.client.profile import Profile
from e2esync.client.sync import go_online
from e2esync.contactset import SetOp
from e2esync.crypto import Entropy, Label, Secret, SigningKey, verify
from e2esync.epoch.chain import Chain
from e2esync.epoch.record import ChangeRole, sign_record
from e2esync.epoch.roles import Role
from e2esync.errors import DeviceRemoved, ForkDetected, Refused, RightMissing
from e2esync.log.entry import Entry
from e2esync.log.envelope import seal_envelope
from e2esync.procedures.opening import open_epoch
from e2esync.procedures.reading import catch_up
from e2esync.procedures.steps import Link, Procedure
from e2esync.replica.core import Replica
from e2esync.session import messages as m
from e2esync.session.kinds import Refusal
from e2esync.testing import Network, mutate, refuse
from e2esync.wire import decode, encode
from tests.attacks.forging import envelopes, key_opens, note, unframed
from tests.attacks.scene import (
    MOMENTS,
    ROTATION,
    Peer,
    Weak,
    attack,
    defences,
    heals,
    ignored,
    keeping_all_but,
    refused,
    requests,
    scene,
    show_record,
    three,
    two,
    verdict,
)

SIGNED = Weak("log.entry:verify", alone=True)


@pytest.mark.parametrize("stolen", [False, True], ids=["random key", "real epoch key"])
@pytest.mark.parametrize("moment", MOMENTS)
@attack(SIGNED)
async def test_a06_contact_injection(net: Network, moment: str, stolen: bool) -> None:
    """The relay writes in the phone's name, without its signing key; with the epoch's secret if somebody gave it."""
    phone, laptop = await scene(net, moment)
    peer = Peer(phone)
    entry = peer.entry(note(phone))
    fake = replace(entry, raw=encode([*decode(entry.raw)[:3], SigningKey(b"x" * 32).sign(
        Label.SIGN_ENTRY, phone.replica.set_id, entry.header + entry.ops_hash)]))
    key = phone.replica.key if stolen else Secret(b"r" * 32)
    assert key is not None
    position = phone.replica.position
    envelope = seal_envelope(key, phone.replica.set_id, position.epoch, fake.raw, bytes(24), ())
    assert verdict(phone, envelope) == ("AuthFailed" if stolen else "CommitMismatch")
    peer.append_raw(envelope)
    if not stolen:
        # Without the key there is nothing to frame anybody with: the control is about who signs.
        position = phone.replica.position
        peer.append_raw(seal_envelope(phone.replica.key, phone.replica.set_id, position.epoch, fake.raw,  # type: ignore[arg-type]
                                      b"n" * 24, ()))
    await unframed(laptop, phone)
    await heals(net)


def everybody_ever(entry: Entry, chain: Chain, set_id: bytes) -> None:
    """An author that was a member once is good enough."""
    member = chain.all_members[entry.author]
    verify(Label.SIGN_ENTRY, set_id, entry.header + entry.ops_hash, entry.signature, member.verify_key)


ANYBODY = Weak("log.envelope:check_entry", everybody_ever)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("moment", MOMENTS)
@attack(ANYBODY)
async def test_a11_a_revoked_device_writes_on(net: Network, moment: str, when: str) -> None:
    """With its real keys, an old wall time, even the new epoch's key, and into the log by the relay's favour."""
    phone, laptop, tablet = await scene(net, moment, "Tablet")
    peer = Peer(tablet)
    late = [SetOp(phone.book.find("Ada").contact, 1, 5, {"notes/e": {"note": "late"}})]
    await phone.revoke(tablet)
    if when == "after":
        await laptop.sync()
    entry = peer.entry(late)
    position = phone.replica.position
    for key in (peer.replica.key, phone.replica.key):
        assert key is not None
        envelope = seal_envelope(key, phone.replica.set_id, position.epoch, entry.raw, net.entropy.draw("n", 24), ())
        answer = net.relay.inject(phone.replica.set_id, phone.replica.member, m.Append(position.epoch, envelope))
        assert isinstance(answer, m.Appended)
    assert verdict(phone, envelope) == "EntryInvalid"
    await unframed(laptop, phone, laptop)
    assert laptop.digest() == phone.digest()
    assert laptop.names() == ["Ada", "Bob"]
    with pytest.raises(DeviceRemoved):
        await tablet.sync()
    await heals(net, phone, laptop)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("procedures.reading:check_closed"))
async def test_a11_back_dated_into_a_closed_log(net: Network, moment: str) -> None:
    """What a revoked device wrote late is slipped in before the position at which the log was closed."""
    phone, laptop, tablet = await scene(net, moment, "Tablet")
    peer = Peer(tablet)
    if moment == ROTATION:
        # The laptop has entered the epoch whose log is closed now: of one that it skips it reads no log.
        await laptop.sync()
        laptop.add("Carl")
    for text in ("four", "five"):
        phone.note("Ada", text)
        await phone.sync()
    key = peer.replica.key
    assert key is not None
    entry = peer.entry(note(phone))
    late = seal_envelope(key, peer.replica.set_id, peer.replica.position.epoch, entry.raw, bytes(24), ())
    await phone.revoke(tablet)
    slipped = mutate(m.LogPart, lambda part: replace(part, envelopes=(late, *part.envelopes[1:])) if part.envelopes
                     else part)
    await refused(laptop, ForkDetected, slipped)
    await heals(net, phone, laptop)


def regardless(replica: Replica, link: Link) -> Procedure[int]:
    """Whatever could not be read, the sync goes on in the epoch that the device is in."""
    try:
        return (yield from catch_up(replica, link))
    except Refused:
        return 0


@pytest.mark.parametrize("hidden", ["box", "chain"])
@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("procedures.reading:catch_up", regardless))
async def test_a12_a_revocation_without_its_boxes(net: Network, moment: str, hidden: str) -> None:
    """The relay tells of the revocation and keeps the new secret back: nothing is written under the old one."""
    phone, laptop, tablet = await scene(net, moment, "Tablet")
    await phone.revoke(tablet)
    laptop.add("Secret")
    since, record = len(net.trace), laptop.replica.chain.head.hash
    kind = m.BoxAnswer if hidden == "box" else m.ChainPart
    # What the log held when it was closed is the truth.
    await refused(laptop, Refused, refuse(kind, Refusal.NOT_FOUND), entered=hidden == "box")
    assert laptop.replica.chain.head.hash == record
    assert "Append" not in {name for name, _size in requests(net, laptop, since)}
    await heals(net, phone, laptop)
    # What the revoked device holds opens nothing of it; the same search with the laptop's keys does find it.
    later = [e for e in envelopes(net) if e[2:10] == phone.replica.chain.epoch.to_bytes(8, "big")]
    assert later
    assert not any(key_opens(tablet, each, phone) for each in later)
    assert any(key_opens(laptop, each, phone) for each in later)


def any_role(entry: Entry, chain: Chain, set_id: bytes) -> None:
    """Whoever is a member may write."""
    verify(Label.SIGN_ENTRY, set_id, entry.header + entry.ops_hash, entry.signature,
           chain.members[entry.author].verify_key)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("log.envelope:check_entry", any_role))
async def test_a38_a_reader_and_the_relay_write(net: Network, moment: str) -> None:
    """The right to write is not the relay's to give: a reader's entry has no effect for anybody."""
    phone, laptop, reader = await three(net, moment, "Reader", Role.READER)
    peer = Peer(reader)
    key = reader.replica.key
    assert key is not None
    envelope = seal_envelope(key, peer.replica.set_id, peer.replica.position.epoch, peer.entry(note(phone)).raw,
                             bytes(24), ())
    append = m.Append(peer.replica.position.epoch, envelope)
    assert isinstance(peer.relay.inject(peer.replica.set_id, peer.member, append), m.RefusalAnswer)
    assert isinstance(peer.relay.inject(peer.replica.set_id, phone.replica.member, append), m.Appended)
    assert verdict(phone, envelope) == "EntryInvalid"
    await ignored(phone, behind=laptop)
    await heals(net, phone, laptop)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("epoch.roster:check_may_change_role", also=("epoch.chain:check_opener_rights",), late=True))
async def test_a38_a_reader_promotes_itself(net: Network, moment: str) -> None:
    """By the relay's word, with the reader's own signature: the chain says who may."""
    phone, laptop, reader = await three(net, moment, "Reader", Role.READER)
    laptop.add("Bob")
    chain, mine = phone.replica.chain, reader.replica.member
    record = sign_record(
        reader.replica.signing_key, chain.set_id, epoch=chain.epoch + 1, prev=chain.head.hash,
        closes_hash=chain.head.hash, time=net.clock(), opener=mine, changes=(ChangeRole(mine, Role.OWNER),),
        numbers=dict(chain.numbers), commit=bytes(32), boxes=bytes(32), manifest=b"\7" * 32,
    )
    await refused(laptop, RightMissing, *show_record(net.relay.key, chain.set_id, record))
    await heals(net, phone, laptop)


async def new_epoch(profile: Profile, *, entropy: Entropy, now: Callable[[], int]) -> None:
    """A rotation that leaves the device its keys."""
    async with go_online(profile, entropy=entropy, now=now) as online:
        await online.connection.run(open_epoch(online.replica, online.link, lambda _replica: ()))


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("client.members:rotate", new_epoch))
async def test_a30_copied_keys_heal(net: Network, moment: str) -> None:
    """A thief has copied everything. After `rotate` on the device nothing later opens, and nothing is accepted."""
    phone, laptop = await two(net, moment)
    thief = phone.clone("Thief")
    with defences():
        await phone.rotate()
    phone.add("After")
    await net.settle(phone, laptop)
    later = [e for e in envelopes(net) if e[2:10] == phone.replica.chain.epoch.to_bytes(8, "big")]
    assert later
    assert not any(key_opens(thief, each, phone) for each in later)
    assert any(key_opens(laptop, each, phone) for each in later)
    peer = Peer(thief)
    key = phone.replica.key
    assert key is not None
    envelope = seal_envelope(key, phone.replica.set_id, phone.replica.chain.epoch, peer.entry(note(phone)).raw,
                             bytes(24), ())
    assert verdict(laptop, envelope) == "AuthFailed"
    with pytest.raises(DeviceRemoved):
        await thief.sync()


@pytest.mark.parametrize("moment", MOMENTS)
@attack(keeping_all_but("notices"))
async def test_a30_a_thief_who_heals_first_shows(net: Network, moment: str) -> None:
    """The thief renews the keys before the owner does: the owner's device is shut out, and says so."""
    phone, laptop = await two(net, moment)
    thief = phone.clone("Thief")
    await thief.rotate()
    phone.add("Unsent")
    before = phone.standing()
    with defences(), pytest.raises(DeviceRemoved):
        await phone.sync()
    assert phone.standing() == before
    assert any("does not know this device" in notice for notice in phone.book.status().notices)
    await laptop.revoke(thief)
    await laptop.sync()
    assert phone.replica.member not in laptop.replica.chain.members


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("client.book:Book._kit_uses", lambda _book: []))
async def test_a32_duelling_revocations(net: Network, moment: str) -> None:
    """A thief revokes the owner's device first. Its data stay readable, and the kit evicts the thief."""
    phone, laptop, thief = await three(net, moment, "Thief")
    phone.add("Unsent")
    await thief.revoke(phone)
    with pytest.raises(DeviceRemoved, match="sealed for your recovery kit") as out:
        await phone.sync()
    assert "add-rescue" in out.value.hint
    # Its copy is locked, not erased: `tests/cli/test_leaving.py` opens such a file with the kit.
    assert len(list(phone.profile.home.glob("rescue-*"))) == 1
    rescued = await net.recover("Rescued", thief)
    await laptop.sync()
    await heals(net, rescued, laptop)
    with pytest.raises(DeviceRemoved):
        await thief.sync()
    with defences():
        assert any("kit was used" in notice for notice in laptop.book.status().notices)
