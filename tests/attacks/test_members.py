"""Who is in (SPEC 9): the relay's word adds nobody, and what a member seals or announces is checked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from e2esync.crypto import Label, Secret, SigningKey, verify
from e2esync.crypto.sealing import SealingKey
from e2esync.epoch.announcement import sign_announcement
from e2esync.epoch.boxes import epoch_key, list_hash, seal_boxes
from e2esync.epoch.record import make_add, parse_record, sign_record
from e2esync.epoch.roles import Role
from e2esync.errors import BadKey, ChainInvalid, SnapshotInvalid
from e2esync.limits import OPENINGS_INTERVAL, SEAL_PUBLIC
from e2esync.log.envelope import open_envelope
from e2esync.session import messages as m
from e2esync.session.kinds import Refusal
from e2esync.testing import Network, mutate
from e2esync.wire import decode, encode
from tests.attacks.forging import envelopes, forged, stranger
from tests.attacks.scene import (
    MOMENTS,
    STEADY,
    Weak,
    attack,
    defences,
    heals,
    prepared,
    refused,
    requests,
    scene,
    show_record,
    three,
    two,
)


@pytest.mark.parametrize("by", ["nobody", "itself", "another account", "a revoked device"])
@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("epoch.chain:check_record_signature", late=True))
async def test_a02_ghost_device(net: Network, moment: str, by: str) -> None:
    """The relay serves a record that adds a device of its own, under a head that it has truly signed."""
    phone, laptop, tablet = await scene(net, moment, "Tablet")
    old_key = tablet.replica.signing_key
    await phone.revoke(tablet)
    if moment == STEADY:
        await laptop.sync()
        laptop.add("Carl")
    chain = phone.replica.chain
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
    phone, laptop = await two(net, moment)
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


SMALL_ORDER = [
    bytes(32), b"\1" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f",
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"),
    b"\1" + bytes(30) + b"\x80", b"\xee" + b"\xff" * 30 + b"\x7f", b"\xff" * 32,
]


@pytest.mark.parametrize("key", SMALL_ORDER, ids=range(len(SMALL_ORDER)))
@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("epoch.roster:check_verify_key", alone=True, late=True))
async def test_a19_weak_verify_key(net: Network, moment: str, key: bytes) -> None:
    """An owner enrols a key under which one signature is good for every message."""
    phone, laptop = await scene(net, moment)
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


LOW_ORDER = (1).to_bytes(32, "little")


@pytest.mark.parametrize("spoil", [
    lambda key: LOW_ORDER + key[32:], lambda key: bytes(32) + key[32:],
    lambda key: key[:32] + b"\xff" * (SEAL_PUBLIC - 32),
], ids=["low order", "zero", "all ones"])
@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("crypto.sealing:check_seal_public"))
async def test_a41_a_poisoned_key_stops_nobody(net: Network, moment: str, spoil: object) -> None:
    """A member announces a key that cannot be sealed to: refused at entry, and the others' rotation goes on."""
    phone, laptop, evil = await three(net, moment, "Evil")
    # In the new epoch it has not announced anything yet: a second key under one number is refused in any case.
    await phone.rotate()
    replica = evil.replica
    number = phone.replica.chain.numbers[replica.member] + 1
    bad = spoil(SealingKey.generate(net.entropy).public)  # type: ignore[operator]
    own = sign_announcement(replica.signing_key, replica.set_id, member=replica.member, number=number, revision=9,
                            seal_key=bad, version=1)
    with defences():
        answer = net.relay.inject(replica.set_id, replica.member, m.PutSlot(own.raw, b""))
    assert isinstance(answer, m.RefusalAnswer)
    assert answer.code is Refusal.BAD_SLOT
    epoch = phone.replica.chain.epoch
    net.clock.time += OPENINGS_INTERVAL
    await phone.rotate()
    assert phone.replica.chain.epoch == epoch + 1
    await heals(net)
    assert laptop.replica.chain.epoch == epoch + 1


@pytest.mark.parametrize("key", [
    (2**255 - 19 + 9).to_bytes(32, "little"), (9 | 1 << 255).to_bytes(32, "little"),
], ids=["not reduced", "high bit"])
@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("crypto.sealing:check_seal_public", late=True))
async def test_a54_a_second_spelling_of_a_key(net: Network, moment: str, key: bytes) -> None:
    """One X25519 key in another encoding would have another fingerprint."""
    phone, laptop = await two(net, moment)
    laptop.add("Bob")
    chain = phone.replica.chain
    signing = SigningKey(net.entropy.draw("signing key", 32))
    public = key + SealingKey.generate(net.entropy).public[32:]
    add = make_add(signing, chain.set_id, b"m" * 16, Role.OWNER, public)
    record = forged(chain, phone.replica.signing_key, phone.replica.member, add, net,
                    closes_seq=phone.replica.position.seq, closes_hash=phone.replica.position.log_hash)
    await refused(laptop, BadKey, *show_record(net.relay.key, chain.set_id, record))
    await heals(net)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("epoch.boxes:check_commit", late=True))
async def test_a28_a_rotator_that_gives_members_different_keys(net: Network, moment: str) -> None:
    """An owner seals another secret to the laptop: it sees that, stays readable, and says so."""
    await _deviates(net, moment, "another secret")


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("replica.entering:open_secret", lambda *_: Secret(b"K" * 32), late=True))
async def test_a28_a_rotator_that_skips_somebody(net: Network, moment: str) -> None:
    """An owner seals nothing to the laptop, and a relay without rules takes it."""
    await _deviates(net, moment, "skipped")


async def _deviates(net: Network, moment: str, deviation: str) -> None:
    phone, laptop, tablet = await three(net, moment)
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
