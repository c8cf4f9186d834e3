"""Bytes that were changed, moved, or made by somebody else (SPEC 5, 6, 10, 11): authentic in one place, or nowhere."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import msgpack
import pytest

from e2esync.contactset import Applied, ContactSet, Pending, SetOp, decode_ops
from e2esync.crypto import Label, Secret, verify
from e2esync.crypto.sealing import SealingKey, _outer_key, open_box
from e2esync.epoch.boxes import box_context
from e2esync.epoch.chain import Chain
from e2esync.epoch.record import parse_record
from e2esync.errors import (
    AuthFailed,
    ChainInvalid,
    E2esyncError,
    ForkDetected,
    HandshakeFailed,
    NonCanonical,
    Refused,
    SnapshotInvalid,
)
from e2esync.limits import INT_MAX
from e2esync.log.envelope import envelope_header, seal_envelope
from e2esync.session import messages as m
from e2esync.session.codec import decode_message
from e2esync.session.kinds import Refusal
from e2esync.testing import Network, Wire, flip, mutate, refuse, relabel
from e2esync.wire import decode, encode
from tests.attacks.forging import ANY_GENESIS, note
from tests.attacks.scene import (
    MOMENTS,
    ROTATION,
    Peer,
    Weak,
    attack,
    defences,
    first,
    heals,
    ignored,
    refused,
    requests,
    scene,
    three,
    two,
    verdict,
)
from tests.attacks.stored import code_of, populated

ANY_MEANING = Weak("crypto.signing:_to_be_signed", lambda _label, set_id, message: set_id + message)
SIGNING = [label for label in Label if label.name.startswith("SIGN_")]


@attack(ANY_MEANING)
async def test_a20_one_signature_one_meaning(net: Network) -> None:
    """Every signature in every other slot, and in another set: worth nothing anywhere else."""
    phone = await net.begin("Phone")
    key, set_id = phone.replica.signing_key, phone.replica.set_id
    assert len(SIGNING) >= 7
    for made, used in itertools.product(SIGNING, repeat=2):
        with defences():
            signature = key.sign(made, set_id, b"message")
            for where in (set_id, b"o" * 32):
                if (made, where) == (used, set_id):
                    verify(used, where, b"message", signature, key.verify_key)
                    continue
                with pytest.raises(AuthFailed):
                    verify(used, where, b"message", signature, key.verify_key)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(ANY_MEANING)
async def test_a20_a_login_signs_nothing_else(net: Network, moment: str) -> None:
    """The relay has the hash of a record signed as a challenge: what it gets is good for that login, and no more."""
    with defences():
        phone, laptop = await scene(net, moment)
        asked = mutate(m.Challenge, lambda challenge: replace(challenge, nonce=phone.replica.chain.head.hash))
        signed: list[tuple[bytes, bytes]] = []

        def keep(message: m.Message, wire: Wire) -> m.Message:
            if isinstance(message, m.Proof):
                signed.append((wire.binding, message.signature))
            return message
        # The honest rest of the relay does not take it for its own challenge.
        await refused(laptop, HandshakeFailed, asked, keep)
        (binding, signature), replica = signed[0], laptop.replica
        key = replica.signing_key.verify_key
        verify(Label.SIGN_SESSION, replica.set_id, binding, signature, key)
        for label, message in itertools.product(SIGNING, (binding, phone.replica.chain.head.hash)):
            if (label, message) != (Label.SIGN_SESSION, binding):
                with pytest.raises(AuthFailed):
                    verify(label, replica.set_id, message, signature, key)
        await heals(net)


PLACES = (None, 0, 30, 90, -1)
"""Where a bit of an envelope is turned over, from behind its header or from its end; nowhere, for the good one."""


async def _asked(net: Network, moment: str, place: int | None) -> list[tuple[str, int]]:
    """What the relay sees of the laptop while that reads an envelope of another member's."""
    phone, laptop, tablet = await scene(net, moment, "Tablet")
    peer, key, position = Peer(tablet), phone.replica.key, phone.replica.position
    assert key is not None
    raw = seal_envelope(key, phone.replica.set_id, position.epoch, peer.entry(note(phone)).raw,
                        net.entropy.draw("n", 24), ())
    if place is not None:
        raw = flip(raw, place if place < 0 else len(envelope_header(position.epoch, ())) + place)
    peer.append_raw(raw)
    since = len(net.trace)
    with defences():
        await laptop.sync()
    seen = requests(net, laptop, since)
    await heals(net, phone, laptop)
    assert ("notes/e" in laptop.book.registers(laptop.book.find("Ada").contact)) == (place is None)
    return seen


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("replica.reading:_open", lambda _replica, _envelope: (_ for _ in ()).throw(SnapshotInvalid("told")),
             late=True))
async def test_a21_no_oracle(net: Network, moment: str) -> None:
    """Whatever is wrong with an envelope, the relay sees the same requests as for a good one, in the same world."""
    seen = []
    for number, place in enumerate(PLACES):
        folder = net.folder / str(number)
        folder.mkdir()
        async with Network(seed=net.seed, folder=folder) as world:
            seen.append(await _asked(world, moment, place))
    assert len(seen[0]) > 3
    assert all(each == seen[0] for each in seen)


HEX = """
9090 c0 91c0 91cb0000000000000000 dc0000 91cc01 91cd0001 91d001 91d90161 91da000161 91c5000161 91d40161
91c70005 91d6ff00000000 91a1ff 91a2eda0 9182a16101a16102 9182a16201a16102 91810102 9181c4016101
91cf0020000000000000 91cfffffffffffffffff 91d38000000000000000 c1 91c1 9201 ddffffffff dfffffffff
91c6ffffffff 91de0000 91db0000000161 91c4 91ce00000001 91d10001 91d200000001
"""
MALFORMED = [b"", b"\x91" * 100, b"\x81\xa1a" * 50 + b"\x01", *map(bytes.fromhex, HEX.split())]


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("wire:_check_keys"))
async def test_a18_signed_bytes_in_a_second_spelling(net: Network, moment: str) -> None:
    """Every malformed encoding, validly signed by a real device: refused by all alike, and nobody is stopped."""
    phone, laptop, tablet = await scene(net, moment, "Tablet")
    peer = Peer(tablet)
    key = phone.replica.key
    assert key is not None
    contact = phone.book.find("Ada").contact
    before = phone.book.registers(contact)
    whole = encode([[1, contact, 1, 5, {"a": 1}]])
    assert decode_ops(whole)
    twice, unsorted = (whole[:-4] + b"\x82" + keys for keys in (b"\xa1a\x01\xa1a\x02", b"\xa1b\x01\xa1a\x02"))
    for bad in [*MALFORMED, twice, unsorted]:
        entry = peer.entry(bad)
        raw = seal_envelope(key, phone.replica.set_id, phone.replica.position.epoch, entry.raw,
                            net.entropy.draw("n", 24), ())
        # Below, the encoding's own code; here that of the object that is spoiled by it (SPEC 6.4, 10.4).
        with defences():
            assert verdict(phone, raw) == "EntryInvalid", bad
        low, high = code_of(decode, bad), code_of(decode_ops, bad)
        assert low in {"NonCanonical", "LimitExceeded"} or high == "EntryInvalid", bad
        peer.append_raw(raw)
        peer.counter, peer.prev = peer.counter - 1, entry.prev
    await ignored(phone)
    await heals(net, phone, laptop)
    assert laptop.book.registers(contact) == before
    assert laptop.names() == ["Ada", "Bob"]


@pytest.mark.parametrize("suite", [0, 2, 255])
@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("replica.reading:verify_head", alone=True, late=True, also=(
    Weak("epoch.record:check_suite"), Weak("epoch.record:check_record_signature"))))
async def test_a14_downgrade(net: Network, moment: str, suite: int) -> None:
    """Everything is relabelled as another suite: nobody has a second one, so nothing of it is taken."""
    phone, laptop = await scene(net, moment)
    error = ChainInvalid if moment == ROTATION else ForkDetected
    await refused(laptop, error, relabel(suite))
    await heals(net)
    await phone.rotate()
    laptop.add("Carl")
    await refused(laptop, ChainInvalid, relabel(suite))


@pytest.mark.parametrize("moment", MOMENTS)
@attack(why="there is no second version, and no half of a box, that any code could fall back to")
async def test_a14_another_version_and_a_stripped_half(net: Network, moment: str) -> None:
    """A relay that says it speaks an older version; a box without its post-quantum half."""
    phone, laptop = await scene(net, moment)
    raised = await refused(laptop, Refused, refuse(m.Challenge, Refusal.BAD_VERSION))
    assert raised.reason == "BadVersion"  # type: ignore[attr-defined]
    await refused(laptop, HandshakeFailed, mutate(m.Challenge, lambda shown: replace(shown, relay_key=bytes(32))))
    await phone.rotate()
    cut = mutate(m.BoxAnswer, lambda answer: m.BoxAnswer(answer.box_list, answer.box[1088:]))
    await refused(laptop, SnapshotInvalid, cut, entered=True)
    await heals(net)


def classical(_shared: Secret, ciphertext: bytes, context: bytes) -> tuple[bytes, bytes]:
    """A box that depends on X25519 alone."""
    return _outer_key(Secret(bytes(32)), ciphertext, context)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("crypto.sealing:_outer_key", classical))
async def test_a24_harvest_now_decrypt_later(net: Network, moment: str) -> None:
    """With only the X25519 halves of every key, or only the ML-KEM halves, no box that the relay has kept opens."""
    with defences():
        await _harvest(net, moment)


async def _harvest(net: Network, moment: str) -> None:
    phone, laptop = await populated(net, moment)
    chain = net.relay.main.chain(phone.replica.set_id)
    opened = 0
    for device in (phone, laptop):
        replica = device.replica
        answer = net.relay.main.read(replica.set_id, replica.member, m.ReadBox(chain.epoch))
        assert isinstance(answer, m.BoxAnswer)
        number = chain.numbers[replica.member]
        whole = device.store.secret("sealing", number)
        assert whole is not None
        context = box_context(replica.set_id, chain.epoch, replica.member, number)
        secret = whole.reveal()
        for half in (secret[:32] + b"q" * 64, b"c" * 32 + secret[32:]):
            with pytest.raises(E2esyncError) as raised:
                open_box(SealingKey.from_secret(half), context, answer.box)
            assert raised.value.code in {"CommitMismatch", "AuthFailed"}
        open_box(SealingKey.from_secret(secret), context, answer.box)
        opened += 1
    assert opened == 2


def in_any_order(self: ContactSet, author: int, counter: int, entry_id: bytes, claimed: Any, ops: Any, size: int,
                 epoch: int, batch: Any, *, prev: bytes | None = None) -> Applied:
    """Whatever number an entry has, it counts."""
    return self._fold_with_parked(Pending(author, counter, entry_id, prev, claimed, ops, size), epoch, batch)


@pytest.mark.parametrize("counter", [INT_MAX, 7, 1], ids=["huge", "gap", "again"])
@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("contactset.replay:ContactSet.apply", in_any_order))
async def test_a62_counter_jumps(net: Network, moment: str, counter: int) -> None:
    """A member jumps ahead, leaves gaps, counts again: no effect, and the others are not stopped."""
    phone, laptop, tablet = await three(net, moment)
    tablet.add("Tina")
    await tablet.sync()
    await phone.sync()
    peer = Peer(tablet)
    note = [SetOp(phone.book.find("Ada").contact, 1, 5, {"notes/e": {"note": "jump"}})]
    peer.append(peer.entry(note, counter=peer.counter + 7 if counter == 7 else counter,
                           prev=bytes(32) if counter == 1 else b"p" * 32))
    await ignored(phone, behind=laptop)
    await heals(net, phone, laptop)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("epoch.shape:integer", first, also=("epoch.shape:index", Weak("wire:_check_number"))))
async def test_a62_counters_that_are_none(net: Network, moment: str) -> None:
    """True is 1 in Python, and no counter in the protocol: the entry's code, and no effect."""
    phone, laptop, tablet = await three(net, moment)
    peer = Peer(tablet)
    good = peer.entry([SetOp(phone.book.find("Ada").contact, 1, 5, {"notes/e": {"note": "x"}})])
    header, salt, ops, _signature = decode(good.raw)
    key = tablet.replica.key
    assert key is not None
    raws = []
    for field, value in itertools.product((0, 1), (True, -1, 0, INT_MAX + 1, "1", 1.0)):
        fields = decode(header)
        fields[field] = value
        spoiled = msgpack.packb(fields)
        signature = tablet.replica.signing_key.sign(Label.SIGN_ENTRY, tablet.replica.set_id, spoiled + good.ops_hash)
        raws.append(seal_envelope(key, tablet.replica.set_id, tablet.replica.position.epoch,
                                  msgpack.packb([spoiled, salt, ops, signature]), net.entropy.draw("n", 24), ()))
    for raw in raws:
        with defences():
            assert verdict(phone, raw) in {"NonCanonical", "EntryInvalid"}
        peer.append_raw(raw)
    await ignored(phone, behind=laptop)
    await heals(net, phone, laptop)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(ANY_GENESIS)
async def test_a40_another_books_chain_under_this_id(net: Network, moment: str) -> None:
    """The relay gives one id to two books: a set id follows from its root, so the other chain is not this book's."""
    phone, laptop = await two(net, moment)
    other = Network(seed=net.seed + "other", folder=net.folder / "other")
    (net.folder / "other").mkdir()
    laptop.add("Bob")
    async with other:
        stranger, _tablet = await populated(other)
        records = stranger.store.records()
    await phone.rotate()
    swapped = mutate(m.ChainPart, lambda part: m.ChainPart(tuple(records[2:3])) if part.records else part)
    await refused(laptop, ForkDetected, swapped)
    genesis = parse_record(records[0])
    with defences(), pytest.raises(ChainInvalid):
        Chain.begin(genesis, phone.replica.set_id)
    # Ids of other kinds are byte strings of other lengths, or hashes under other labels: each parser has its own.
    for wrong in (b"", b"x" * 31, b"x" * 33, "text", 7, True):
        with pytest.raises(NonCanonical):
            decode_message(encode([16, wrong, 0]), m.Side.CLIENT)  # type: ignore[list-item]
    await heals(net)

