"""Who is in, and who may write (SPEC 9, 10.4): the relay's word adds nobody, and who is out stays out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from e2esync.contactset import SetOp
from e2esync.crypto import Label, Secret, SigningKey, verify
from e2esync.crypto.sealing import SealingKey
from e2esync.epoch.announcement import sign_announcement
from e2esync.epoch.boxes import epoch_key, list_hash, seal_boxes
from e2esync.epoch.chain import Chain
from e2esync.epoch.record import Add, ChangeRole, Record, make_add, parse_record, sign_record
from e2esync.epoch.roles import Role
from e2esync.errors import BadKey, ChainInvalid, DeviceRemoved, ForkDetected, Refused, RightMissing, SnapshotInvalid
from e2esync.limits import SEAL_PUBLIC
from e2esync.log.entry import Entry
from e2esync.log.envelope import open_envelope, seal_envelope
from e2esync.session import messages as m
from e2esync.session.kinds import Refusal
from e2esync.testing import Device, Network, mutate, refuse
from e2esync.wire import decode, encode
from tests.attacks.scene import (
    MOMENTS,
    STEADY,
    Peer,
    Weak,
    attack,
    heals,
    ignored,
    opens,
    prepared,
    refused,
    requests,
    scene,
    show_record,
    two,
    verdict,
)

SIGNED = Weak("log.entry:verify", alone=True)


def stranger(net: Network, set_id: bytes, role: Role = Role.OWNER) -> tuple[SigningKey, Add]:
    """A device of Mallory's, with a good possession proof."""
    signing = SigningKey(net.entropy.draw("signing key", 32))
    sealing = SealingKey.generate(net.entropy)
    return signing, make_add(signing, set_id, b"m" * 16, role, sealing.public)


def forged(chain: Chain, signer: SigningKey, opener: int, change: Add, net: Network, **more: object) -> Record:
    """A record that adds somebody, signed by whoever."""
    numbers = {**chain.numbers, chain.next_index: 1}
    return sign_record(signer, chain.set_id, **{  # type: ignore[arg-type]
        "epoch": chain.epoch + 1, "prev": chain.head.hash, "closes_hash": chain.head.hash, "time": net.clock(),
        "opener": opener, "changes": (change,), "numbers": numbers, "commit": bytes(32), "boxes": bytes(32),
        "manifest": b"\7" * 32, **more,
    })


@pytest.mark.parametrize("by", ["nobody", "itself", "another account", "a revoked device"])
@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("epoch.chain:check_record_signature", late=True))
async def test_a02_ghost_device(net: Network, moment: str, by: str) -> None:
    """The relay serves a record that adds a device of its own, under a head that it has truly signed."""
    phone, laptop = await scene(net, moment)
    tablet = await net.pair(phone, "Tablet")
    old_key = tablet.replica.signing_key
    await phone.revoke(tablet)
    await net.settle(phone, laptop)
    laptop.add("Carl")
    chain = laptop.replica.chain
    ghost, add = stranger(net, chain.set_id)
    signers = {"nobody": SigningKey(bytes(32)), "itself": ghost, "another account": SigningKey(b"x" * 32),
               "a revoked device": old_key}
    record = forged(chain, signers[by], phone.replica.member, add, net)
    if by == "nobody":
        record = parse_record(encode([decode(record.raw)[0], bytes(64)]))
    await refused(laptop, ChainInvalid, *show_record(net.relay.key, chain.set_id, record))
    await heals(net, phone, laptop)
    await laptop.rotate()
    assert ghost.verify_key not in laptop.replica.chain.used_keys
    assert set(laptop.replica.chain.members) == set(chain.members)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("epoch.boxes:check_list_hash", also=("epoch.boxes:check_box_hash", "epoch.boxes:check_commit"), late=True))
async def test_a03_a_key_of_the_relays_own(net: Network, moment: str) -> None:
    """The relay seals a secret of its own to the victim, in the right place, with the right context."""
    phone, laptop = await scene(net, moment)
    await net.settle()
    await phone.rotate()
    laptop.add("Canary")
    chain = net.relay.main.chain(phone.replica.set_id)
    number, member = chain.numbers[laptop.replica.member], laptop.replica.member
    public = SealingKey.from_secret(laptop.store.secret("sealing", number).reveal()).public  # type: ignore[union-attr]
    own = Secret(b"K" * 32)
    box_list, (box,) = seal_boxes(chain.set_id, chain.epoch, own, [(member, number, public)], net.entropy)
    # It has asked to be sealed to again, under a key of its own: that is all that has changed.
    for answer in (lambda _own: m.BoxAnswer(box_list, box), lambda own: replace(own, box=box)):
        record, digest = laptop.replica.chain.head.hash, laptop.digest()
        await refused(laptop, SnapshotInvalid, mutate(m.BoxAnswer, answer), entered=True)
        assert (laptop.replica.chain.head.hash, laptop.digest()) == (record, digest)
    net.clock.time += 10**7
    await phone.sync()
    await heals(net)
    key = epoch_key(chain.set_id, phone.replica.chain.epoch, own)
    for envelope in envelopes(net):
        with pytest.raises(Exception, match=r"belong|altered|name"):
            open_envelope(key, chain.set_id, phone.replica.chain.epoch, envelope)


def envelopes(net: Network) -> list[bytes]:
    """Every envelope that the relay ever took."""
    return [done.change.request.envelope for done in net.relay.main.journal
            if isinstance(done.change.request, m.Append)]


def note(device: Device, text: str = "framed") -> list[SetOp]:
    """A note in Ada's card."""
    return [SetOp(device.book.find("Ada").contact, 1, device.now(), {"notes/e": {"note": text}})]


@pytest.mark.parametrize("stolen", [False, True], ids=["random key", "real epoch key"])
@pytest.mark.parametrize("moment", MOMENTS[:2])
@attack(SIGNED)
async def test_a06_contact_injection(net: Network, moment: str, stolen: bool) -> None:
    """The relay writes in the phone's name, without its signing key; with the epoch's secret if somebody gave it."""
    phone, laptop = await scene(net, moment)
    await net.settle()
    peer = Peer(phone)
    entry = peer.entry(note(phone))
    fake = replace(entry, raw=encode([*decode(entry.raw)[:3], SigningKey(b"x" * 32).sign(
        Label.SIGN_ENTRY, phone.replica.set_id, entry.header + entry.ops_hash)]))
    key = phone.replica.key if stolen else Secret(b"r" * 32)
    assert key is not None
    position = phone.replica.position
    envelope = seal_envelope(key, phone.replica.set_id, position.epoch, fake.raw, bytes(24), ())
    assert verdict(laptop, envelope) == ("AuthFailed" if stolen else "CommitMismatch")
    peer.append_raw(envelope)
    if not stolen:
        # Without the key there is nothing to frame anybody with: the control is about who signs.
        position = phone.replica.position
        peer.append_raw(seal_envelope(phone.replica.key, phone.replica.set_id, position.epoch, fake.raw,  # type: ignore[arg-type]
                                      b"n" * 24, ()))
    await ignored(laptop, phone)
    await heals(net)


def everybody_ever(entry: Entry, chain: Chain, set_id: bytes) -> None:
    """An author that was a member once is good enough."""
    member = chain.all_members[entry.author]
    verify(Label.SIGN_ENTRY, set_id, entry.header + entry.ops_hash, entry.signature, member.verify_key)


ANYBODY = Weak("log.envelope:check_entry", everybody_ever)


@pytest.mark.parametrize("when", ["before", "after"])
@attack(ANYBODY)
async def test_a11_a_revoked_device_writes_on(net: Network, when: str) -> None:
    """With its real keys, an old wall time, even the new epoch's key, and into the log by the relay's favour."""
    phone, laptop = await two(net)
    tablet = await net.pair(phone, "Tablet")
    await net.settle()
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
    await ignored(phone)
    with_laptop = laptop.names()
    if when == "after":
        await ignored(laptop)
    else:
        await laptop.sync()
    assert laptop.names() == with_laptop
    assert laptop.digest() == phone.digest()
    with pytest.raises(DeviceRemoved):
        await tablet.sync()
    await heals(net, phone, laptop)


@attack()
async def test_a11_back_dated_into_a_closed_log(net: Network) -> None:
    """What a revoked device wrote late is slipped in before the position at which the log was closed."""
    phone, laptop = await two(net)
    tablet = await net.pair(phone, "Tablet")
    await net.settle()
    peer = Peer(tablet)
    for text in ("one", "two"):
        phone.note("Ada", text)
        await phone.sync()
    key = peer.replica.key
    assert key is not None
    entry = peer.entry(note(phone))
    late = seal_envelope(key, peer.replica.set_id, peer.replica.position.epoch, entry.raw, bytes(24), ())
    await phone.revoke(tablet)
    slipped = mutate(m.LogPart, lambda part: replace(part, envelopes=(late, *part.envelopes[1:])) if part.envelopes
                     else part)
    before = laptop.standing()
    with net.relay.lying(slipped), pytest.raises(ForkDetected):
        await laptop.sync()
    assert laptop.standing() == before
    await heals(net, phone, laptop)


@pytest.mark.parametrize("hidden", ["box", "chain"])
@attack()
async def test_a12_a_revocation_without_its_boxes(net: Network, hidden: str) -> None:
    """The relay tells of the revocation and keeps the new secret back: nothing is written under the old one."""
    phone, laptop = await two(net)
    tablet = await net.pair(phone, "Tablet")
    await net.settle()
    await phone.revoke(tablet)
    laptop.add("Secret")
    since = len(net.trace)
    kind = m.BoxAnswer if hidden == "box" else m.ChainPart
    await refused(laptop, Refused, refuse(kind, Refusal.NOT_FOUND))
    assert "Append" not in {name for name, _size in requests(net, laptop, since)}
    await heals(net, phone, laptop)
    # What the revoked device holds opens nothing of it; the same search with the laptop's keys does find it.
    later = [e for e in envelopes(net) if e[2:10] == phone.replica.chain.epoch.to_bytes(8, "big")]
    assert later
    assert not any(_opens(tablet, each, phone) for each in later)
    assert any(_opens(laptop, each, phone) for each in later)


def _opens(device: Device, envelope: bytes, at: Device) -> bool:
    """Whether any secret that a device holds opens an envelope of the epoch that `at` is in."""
    chain = at.replica.chain
    for number in device.store.secret_numbers("epoch"):
        secret = device.store.secret("epoch", number)
        assert secret is not None
        try:
            open_envelope(epoch_key(chain.set_id, chain.epoch, secret), chain.set_id, chain.epoch, envelope)
        except Exception:
            continue
        return True
    return False


SMALL_ORDER = [
    bytes(32), b"\1" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f",
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"),
    b"\1" + bytes(30) + b"\x80", b"\xee" + b"\xff" * 30 + b"\x7f", b"\xff" * 32,
]


@pytest.mark.parametrize("key", SMALL_ORDER, ids=range(len(SMALL_ORDER)))
@attack(Weak("epoch.roster:check_verify_key", alone=True, late=True))
async def test_a19_weak_verify_key(net: Network, key: bytes) -> None:
    """An owner enrols a key under which one signature is good for every message."""
    phone, laptop = await two(net)
    laptop.add("Bob")
    chain = phone.replica.chain
    _ghost, add = stranger(net, chain.set_id)
    record = forged(chain, phone.replica.signing_key, phone.replica.member, replace(add, verify_key=key), net,
                    closes_seq=phone.replica.position.seq, closes_hash=phone.replica.position.log_hash)
    await refused(laptop, BadKey, *show_record(net.relay.key, chain.set_id, record))
    # S + L, and the identity as a signature.
    good = phone.replica.signing_key.sign(Label.SIGN_ENTRY, chain.set_id, b"message")
    order = 2**252 + 27742317777372353535851937790883648493
    larger = good[:32] + (int.from_bytes(good[32:], "little") + order).to_bytes(32, "little")
    for signature in (larger, b"\1" + bytes(63), bytes(64)):
        with pytest.raises(Exception, match="signature") as raised:
            verify(Label.SIGN_ENTRY, chain.set_id, b"message", signature, phone.replica.signing_key.verify_key)
        assert raised.value.code == "AuthFailed"  # type: ignore[attr-defined]
    await heals(net)


def any_role(entry: Entry, chain: Chain, set_id: bytes) -> None:
    """Whoever is a member may write."""
    verify(Label.SIGN_ENTRY, set_id, entry.header + entry.ops_hash, entry.signature,
           chain.members[entry.author].verify_key)


@pytest.mark.parametrize("moment", MOMENTS[1:])
@attack(Weak("log.envelope:check_entry", any_role))
async def test_a38_a_reader_and_the_relay_write(net: Network, moment: str) -> None:
    """The right to write is not the relay's to give: a reader's entry has no effect for anybody."""
    phone, laptop = await two(net)
    reader = await net.pair(phone, "Reader")
    await net.settle()
    await opens(phone, ChangeRole(reader.replica.member, Role.READER))
    await net.settle(phone, reader)
    if moment == STEADY:
        await laptop.sync()
    peer = Peer(reader)
    key = reader.replica.key
    assert key is not None
    envelope = seal_envelope(key, peer.replica.set_id, peer.replica.position.epoch, peer.entry(note(phone)).raw,
                             bytes(24), ())
    append = m.Append(peer.replica.position.epoch, envelope)
    assert isinstance(peer.relay.inject(peer.replica.set_id, peer.member, append), m.RefusalAnswer)
    assert isinstance(peer.relay.inject(peer.replica.set_id, phone.replica.member, append), m.Appended)
    assert verdict(phone, envelope) == "EntryInvalid"
    before = phone.digest()
    with_defences = [phone, laptop]
    await ignored(phone)
    await laptop.sync()
    assert {each.digest() for each in with_defences} == {before}
    await heals(net, phone, laptop)


@attack(Weak("epoch.roster:check_may_change_role", also=("epoch.chain:check_opener_rights",), late=True))
async def test_a38_a_reader_promotes_itself(net: Network) -> None:
    """By the relay's word, with the reader's own signature: the chain says who may."""
    phone, laptop = await two(net)
    reader = await net.pair(phone, "Reader")
    await opens(phone, ChangeRole(reader.replica.member, Role.READER))
    await net.settle()
    laptop.add("Bob")
    chain, mine = laptop.replica.chain, reader.replica.member
    record = sign_record(
        reader.replica.signing_key, chain.set_id, epoch=chain.epoch + 1, prev=chain.head.hash,
        closes_hash=chain.head.hash, time=net.clock(), opener=mine, changes=(ChangeRole(mine, Role.OWNER),),
        numbers=dict(chain.numbers), commit=bytes(32), boxes=bytes(32), manifest=b"\7" * 32,
    )
    await refused(laptop, RightMissing, *show_record(net.relay.key, chain.set_id, record))
    await heals(net, phone, laptop)


LOW_ORDER = (1).to_bytes(32, "little")


@pytest.mark.parametrize("spoil", [
    lambda key: LOW_ORDER + key[32:], lambda key: bytes(32) + key[32:],
    lambda key: key[:32] + b"\xff" * (SEAL_PUBLIC - 32),
], ids=["low order", "zero", "all ones"])
@attack()
async def test_a41_a_poisoned_key_stops_nobody(net: Network, spoil: object) -> None:
    """A member announces a key that cannot be sealed to: refused at entry, and the others' rotation goes on."""
    phone, laptop = await two(net)
    evil = await net.pair(phone, "Evil")
    await net.settle()
    replica = evil.replica
    number = replica.chain.numbers[replica.member] + 1
    bad = spoil(SealingKey.generate(net.entropy).public)  # type: ignore[operator]
    own = sign_announcement(replica.signing_key, replica.set_id, member=replica.member, number=number, revision=9,
                            seal_key=bad, version=1)
    answer = net.relay.inject(replica.set_id, replica.member, m.PutSlot(own.raw, b""))
    assert isinstance(answer, m.RefusalAnswer)
    assert answer.code is Refusal.BAD_SLOT
    epoch = phone.replica.chain.epoch
    await phone.rotate()
    assert phone.replica.chain.epoch == epoch + 1
    await heals(net)
    assert laptop.replica.chain.epoch == epoch + 1


@pytest.mark.parametrize("key", [
    (2**255 - 19 + 9).to_bytes(32, "little"), (9 | 1 << 255).to_bytes(32, "little"),
], ids=["not reduced", "high bit"])
@attack(Weak("crypto.sealing:check_seal_public", late=True))
async def test_a54_a_second_spelling_of_a_key(net: Network, key: bytes) -> None:
    """One X25519 key in another encoding would have another fingerprint."""
    phone, laptop = await two(net)
    laptop.add("Bob")
    chain = phone.replica.chain
    signing = SigningKey(net.entropy.draw("signing key", 32))
    public = key + SealingKey.generate(net.entropy).public[32:]
    add = make_add(signing, chain.set_id, b"m" * 16, Role.OWNER, public)
    record = forged(chain, phone.replica.signing_key, phone.replica.member, add, net,
                    closes_seq=phone.replica.position.seq, closes_hash=phone.replica.position.log_hash)
    await refused(laptop, BadKey, *show_record(net.relay.key, chain.set_id, record))
    await heals(net)


@attack(Weak("epoch.boxes:check_commit", late=True))
async def test_a28_a_rotator_that_gives_members_different_keys(net: Network) -> None:
    """An owner seals another secret to the laptop: it sees that, stays readable, and says so."""
    await _deviates(net, "another secret")


@attack()
async def test_a28_a_rotator_that_skips_somebody(net: Network) -> None:
    """An owner seals nothing to the laptop, and a relay without rules takes it."""
    await _deviates(net, "skipped")


async def _deviates(net: Network, deviation: str) -> None:
    phone, laptop = await two(net)
    tablet = await net.pair(phone, "Tablet")
    await net.settle()
    opening = await prepared(tablet)
    number, boxes = opening.record.epoch, list(opening.boxes)
    refs = decode(opening.box_list)
    place = next(i for i, ref in enumerate(refs) if ref[0] == laptop.replica.member)
    chain = tablet.replica.chain
    sealing = laptop.store.secret("sealing", refs[place][1])
    assert sealing is not None
    public = SealingKey.from_secret(sealing.reveal()).public
    _list, (other,) = seal_boxes(chain.set_id, number, Secret(b"K" * 32),
                                 [(laptop.replica.member, refs[place][1], public)], net.entropy)
    boxes[place] = other
    refs[place][2] = decode(_list)[0][2]
    box_list = encode(refs if deviation == "another secret" else [ref for ref in refs if ref is not refs[place]])
    if deviation == "skipped":
        del boxes[place]
    old = opening.record
    record = sign_record(
        tablet.replica.signing_key, chain.set_id, epoch=old.epoch, prev=old.prev, closes_seq=old.closes_seq,
        closes_hash=old.closes_hash, time=old.time, opener=old.opener, numbers=dict(old.numbers), commit=old.commit,
        boxes=list_hash(box_list), manifest=old.manifest,
    )
    for name, blob in opening.blobs:
        net.relay.inject(chain.set_id, tablet.replica.member, m.PutBlob(name, len(blob), 0, blob))
    answer = net.relay.inject(chain.set_id, tablet.replica.member, m.Open(
        record.raw, box_list, tuple(boxes), opening.announcement, tuple(n for n, _b in opening.blobs), ()))
    if deviation == "skipped":
        # An honest relay refuses such a record; one that does not gives the laptop a list without it.
        assert isinstance(answer, m.RefusalAnswer)
        assert answer.code is Refusal.BAD_RECORD
        hooks = [*show_record(net.relay.key, chain.set_id, record),
                 mutate((m.BoxAnswer, m.RefusalAnswer), lambda _answer: m.BoxAnswer(box_list, bytes(1216)),
                        times=1)]
    else:
        assert isinstance(answer, m.Opened), answer
        hooks = []
    laptop.add("Bob")
    since = len(net.trace)
    record_before = laptop.replica.chain.head.hash
    await refused(laptop, SnapshotInvalid, *hooks, entered=True)
    assert laptop.replica.chain.head.hash == record_before
    assert laptop.names() == ["Ada", "Bob"]
    assert "Append" not in {name for name, _size in requests(net, laptop, since)}
    assert ("PutSlot" in {name for name, _size in requests(net, laptop, since)})
    await phone.sync()
    await heals(net, phone, laptop, tablet)


@attack()
async def test_a30_copied_keys_heal(net: Network) -> None:
    """A thief has copied everything. After `rotate` on the device nothing later opens, and nothing is accepted."""
    phone, laptop = await two(net)
    thief = phone.clone("Thief")
    await phone.rotate()
    phone.add("After")
    await net.settle(phone, laptop)
    later = [e for e in envelopes(net) if e[2:10] == phone.replica.chain.epoch.to_bytes(8, "big")]
    assert later
    assert not any(_opens(thief, each, phone) for each in later)
    assert any(_opens(laptop, each, phone) for each in later)
    peer = Peer(thief)
    key = phone.replica.key
    assert key is not None
    envelope = seal_envelope(key, phone.replica.set_id, phone.replica.chain.epoch, peer.entry(note(phone)).raw,
                             bytes(24), ())
    assert verdict(laptop, envelope) == "AuthFailed"
    with pytest.raises(DeviceRemoved):
        await thief.sync()


@attack()
async def test_a30_a_thief_who_heals_first_shows(net: Network) -> None:
    """The thief renews the keys before the owner does: the owner's device is shut out, and says so."""
    phone, laptop = await two(net)
    thief = phone.clone("Thief")
    await thief.rotate()
    phone.add("Unsent")
    before = phone.standing()
    with pytest.raises(DeviceRemoved):
        await phone.sync()
    assert phone.standing() == before
    assert any("does not know this device" in notice for notice in phone.book.status().notices)
    await laptop.revoke(thief)
    await laptop.sync()
    assert phone.replica.member not in laptop.replica.chain.members


@attack()
async def test_a32_duelling_revocations(net: Network) -> None:
    """A thief revokes the owner's device first. Its data stay readable, and the kit evicts the thief."""
    phone, laptop = await two(net)
    thief = await net.pair(phone, "Thief")
    await net.settle()
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
    assert any("kit was used" in notice for notice in laptop.book.status().notices)

