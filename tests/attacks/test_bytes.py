"""Bytes that were changed, moved, or made by somebody else (SPEC 5, 6, 10, 11): authentic in one place, or nowhere."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgpack
import pytest

from e2esync.contactset import Applied, ContactSet, Pending, SetOp, decode_ops
from e2esync.crypto import Label, Secret, open_sealed, seal, verify
from e2esync.crypto.sealing import SealingKey, _outer_key, open_box
from e2esync.epoch.announcement import check_announcement
from e2esync.epoch.boxes import box_context, open_own_box
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
from e2esync.log.envelope import envelope_header, open_envelope, seal_envelope
from e2esync.log.heartbeat import open_heartbeat
from e2esync.session import messages as m
from e2esync.session.codec import decode_message
from e2esync.session.kinds import Refusal
from e2esync.snapshot.blob import BlobType, check_blob_id, open_blob, open_manifest
from e2esync.testing import Device, Network, flip, mutate, refuse, relabel
from e2esync.wire import decode, encode
from tests.attacks.forging import ANY_GENESIS
from tests.attacks.scene import (
    MOMENTS,
    ROTATION,
    STEADY,
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

Opener = Callable[[bytes], object]


def corpus(net: Network, device: Device) -> list[tuple[str, bytes, Opener]]:
    """What the relay holds on a device's set in the open epoch: (class, bytes, how a member opens it in its place)."""
    replica = device.replica
    chain, set_id, key = replica.chain, replica.set_id, replica.key
    assert key is not None
    found: list[tuple[str, bytes, Opener]] = []

    def add(kind: str, stored: bytes, opener: Opener) -> None:
        found.append((kind, stored, opener))
    blobs = {done.change.request.blob: done.change.request.part for done in net.relay.main.journal
             if isinstance(done.change.request, m.PutBlob)}
    for seq in range(1, replica.position.seq + 1):
        envelope = device.store.envelope(seq)
        assert envelope is not None
        add("envelope", envelope, lambda raw: open_envelope(key, set_id, chain.epoch, raw))
    answer = net.relay.main.read(set_id, replica.member, m.ReadBox(chain.epoch))
    assert isinstance(answer, m.BoxAnswer)
    number = chain.numbers[replica.member]
    secret = device.store.secret("sealing", number)
    assert secret is not None
    sealing = SealingKey.from_secret(secret.reveal())
    add("box", answer.box, lambda raw: open_own_box(chain.head, set_id, replica.member, answer.box_list, raw, sealing,
                                                    last_number=0))
    add("box list", answer.box_list, lambda raw: open_own_box(chain.head, set_id, replica.member, raw, answer.box,
                                                              sealing, last_number=0))
    name = chain.head.manifest
    add("manifest", blobs[name], lambda raw: (check_blob_id(name, raw), open_manifest(key, set_id, chain.epoch, raw)))
    for run in device.store.runs():
        add("index", blobs[run.index_id], lambda raw, run=run: (  # type: ignore[misc]
            check_blob_id(run.index_id, raw), open_blob(BlobType.INDEX, Secret(run.index_key), set_id, raw)))
    before = Chain.begin(parse_record(device.store.records()[0]), set_id)
    for raw_record in device.store.records()[1:-1]:
        before = before.extend(parse_record(raw_record))
    add("record", chain.head.raw, lambda raw: before.extend(parse_record(raw)))
    slots = net.relay.main.read(set_id, replica.member, m.ReadSlots())
    assert isinstance(slots, m.SlotList)
    for slot in slots.slots:
        if slot.heartbeat:
            add("heartbeat", slot.heartbeat, lambda raw, who=slot.member: open_heartbeat(  # type: ignore[misc]
                key, set_id, chain.epoch, who, raw))
        add("announcement", slot.announcement, lambda raw: check_announcement(chain, raw, None))
    return found


async def populated(net: Network, moment: str = STEADY) -> tuple[Device, Device]:
    """Two devices whose relay holds something of every kind."""
    phone, laptop = await two(net, moment)
    if moment != STEADY:
        return phone, laptop
    await phone.rotate()
    await net.settle()
    for number in range(3):
        phone.note("Ada", str(number))
        await phone.sync()
    await net.settle()
    return phone, laptop


@attack(Weak("crypto.aead:check_commitment", late=True))
async def test_a04_every_stored_blob_is_authenticated(net: Network) -> None:
    """One bit of every byte of everything that is stored is turned over: nothing of it opens."""
    phone, _laptop = await populated(net)
    stored = corpus(net, phone)
    kinds = {kind for kind, _raw, _opener in stored}
    assert kinds >= {"envelope", "box", "manifest", "index", "record", "announcement"}
    for kind, raw, opener in {kind: (kind, raw, opener) for kind, raw, opener in stored}.values():
        opener(raw)
        step = max(1, len(raw) // 300)
        for place in range(0, len(raw), step):
            with defences(), pytest.raises(E2esyncError) as raised:
                opener(flip(raw, place))
            if kind in ("envelope", "heartbeat") and 12 <= place < 36:
                assert raised.value.code == "CommitMismatch", (kind, place)
    codes = {kind: _code(opener, flip(raw)) for kind, raw, opener in stored}
    assert codes["envelope"] == "AuthFailed"
    assert codes["box"] == "CommitMismatch"


def _code(opener: Opener, raw: bytes) -> str:
    try:
        opener(raw)
    except E2esyncError as error:
        return error.code
    return ""


async def _tampered(net: Network, kind: type[m.Message], error: type[E2esyncError]) -> None:
    """The same over the wire: the device says so, keeps everything, and is in step with an honest relay."""
    phone, laptop = await two(net)
    laptop.add("Bob")
    await phone.rotate()
    if kind is m.BlobPart:
        # Who has folded the log that was closed needs no snapshot.
        await phone.rotate()
    phone.note("Ada", "two")
    await phone.sync()
    await refused(laptop, error, mutate(kind, _spoiled), entered=True)
    await heals(net)


@attack(Weak("replica.reading:verify_head", alone=True, late=True))
async def test_a04_an_envelope_tampered_on_the_way(net: Network) -> None:
    """The log hash does not come out at the relay's signed head."""
    await _tampered(net, m.LogPart, ForkDetected)


@attack(Weak("replica.entering:open_secret", lambda *_: Secret(b"K" * 32), late=True))
async def test_a04_a_box_tampered_on_the_way(net: Network) -> None:
    """The epoch is not entered."""
    await _tampered(net, m.BoxAnswer, SnapshotInvalid)


@attack(Weak("snapshot.blob:check_blob_id", late=True))
async def test_a04_a_blob_tampered_on_the_way(net: Network) -> None:
    """A blob is named by its hash."""
    await _tampered(net, m.BlobPart, SnapshotInvalid)


@attack(Weak("epoch.chain:check_record_signature", late=True))
async def test_a04_a_record_tampered_on_the_way(net: Network) -> None:
    """The opener has not signed that."""
    await _tampered(net, m.ChainPart, ChainInvalid)


def _spoiled(message: m.Message) -> m.Message:
    if isinstance(message, m.LogPart):
        return replace(message, envelopes=tuple(flip(each) for each in message.envelopes))
    if isinstance(message, m.BoxAnswer):
        return replace(message, box=flip(message.box))
    if isinstance(message, m.BlobPart):
        return replace(message, part=flip(message.part))
    assert isinstance(message, m.ChainPart)
    return replace(message, records=tuple(flip(each) for each in message.records))


def seal_anywhere(key: Secret, nonce: bytes, _context: bytes, plaintext: bytes) -> bytes:
    """Sealed for no place in particular."""
    return seal(key, nonce, b"", plaintext)


def open_anywhere(key: Secret, _context: bytes, sealed: bytes) -> bytes:
    """Opened wherever it lies."""
    return open_sealed(key, b"", sealed)


@attack(Weak("crypto.aead:seal", seal_anywhere, also=(Weak("crypto.aead:open_sealed", open_anywhere),)))
async def test_a05_cut_and_paste(net: Network) -> None:
    """All pairs of a corpus of two books: what stands at i, put at j, opens nowhere but where it was made for."""
    with defences():
        await _cut_and_paste(net)


async def _cut_and_paste(net: Network) -> None:
    phone, _laptop = await populated(net)
    other = Network(seed=net.seed + "other", folder=net.folder / "other")
    (net.folder / "other").mkdir()
    async with other:
        stranger, _tablet = await populated(other)
        mine, others = corpus(net, phone), corpus(other, stranger)
        everything = [("mine", *each) for each in mine] + [("other", *each) for each in others]
        pairs = 0
        for here, there in itertools.product(everything, repeat=2):
            book, kind, _raw, opener = here
            _book, _kind, raw, _opener = there
            # Positions in one log are bound by the log hash (A09); an announcement names its member itself.
            if here is there or (there[:2] == (book, kind) and kind in ("envelope", "announcement")):
                continue
            pairs += 1
            with pytest.raises(E2esyncError):
                opener(raw)
        assert pairs > 200
        # The control: in its own place everything opens.
        for _book, _kind, raw, opener in everything:
            opener(raw)


@attack(Weak("crypto.signing:_to_be_signed", lambda _label, set_id, message: set_id + message))
async def test_a20_one_signature_one_meaning(net: Network) -> None:
    """Every signature in every other slot, in another set, and what a login signs: worth nothing anywhere else."""
    phone, laptop = await two(net)
    key, set_id = phone.replica.signing_key, phone.replica.set_id
    signing = [label for label in Label if label.name.startswith("SIGN_")]
    assert len(signing) >= 7
    for made, used in itertools.product(signing, repeat=2):
        with defences():
            signature = key.sign(made, set_id, b"message")
            for where in (set_id, b"o" * 32):
                if (made, where) == (used, set_id):
                    verify(used, where, b"message", signature, key.verify_key)
                    continue
                with pytest.raises(AuthFailed):
                    verify(used, where, b"message", signature, key.verify_key)
    # The relay chooses its nonce freely; the proof that it gets signs nothing that it could use as a record.
    proofs: list[bytes] = []
    bindings: list[bytes] = []

    def keep(message: m.Message, wire: object) -> m.Message:
        if isinstance(message, m.Proof):
            proofs.append(message.signature)
            bindings.append(wire.binding)  # type: ignore[attr-defined]
        return message
    with net.relay.lying(keep):
        await laptop.sync()
    verify(Label.SIGN_SESSION, set_id, bindings[0], proofs[0], laptop.replica.signing_key.verify_key)
    for label in signing:
        if label is not Label.SIGN_SESSION:
            with pytest.raises(E2esyncError):
                verify(label, set_id, bindings[0], proofs[0], laptop.replica.signing_key.verify_key)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("replica.reading:_open", lambda _replica, _envelope: (_ for _ in ()).throw(SnapshotInvalid("told")),
             late=True))
async def test_a21_no_oracle(net: Network, moment: str) -> None:
    """Whatever is wrong with an envelope, the relay sees the same requests as for a good one."""
    phone, laptop = await scene(net, moment)
    tablet = await net.pair(phone, "Tablet")
    await net.settle()
    peer = Peer(tablet)
    key = phone.replica.key
    assert key is not None
    seen = []
    for variant in range(8):
        good = peer.entry([SetOp(phone.book.find("Ada").contact, 1, phone.now(), {"notes/n": {"note": "x"}})])
        position = phone.replica.position
        raw = seal_envelope(key, phone.replica.set_id, position.epoch, good.raw, net.entropy.draw("n", 24), ())
        header = len(envelope_header(position.epoch, ()))
        if variant:
            raw = flip(raw, [header, header + 30, header + 60, -1, header + 90, -100, header + 25][variant - 1])
            peer.counter, peer.prev = peer.counter - 1, good.prev
        peer.append_raw(raw)
        since = len(net.trace)
        with defences():
            await laptop.sync()
        seen.append(requests(net, laptop, since))
        await phone.sync()
    assert all(each == seen[0] for each in seen)
    await heals(net, phone, laptop)


HEX = """
9090 c0 91c0 91cb0000000000000000 dc0000 91cc01 91cd0001 91d001 91d90161 91da000161 91c5000161 91d40161
91c70005 91d6ff00000000 91a1ff 91a2eda0 9182a16101a16102 9182a16201a16102 91810102 9181c4016101
91cf0020000000000000 91cfffffffffffffffff 91d38000000000000000 c1 91c1 9201 ddffffffff dfffffffff
91c6ffffffff 91de0000 91db0000000161 91c4 91ce00000001 91d10001 91d200000001
"""
MALFORMED = [b"", b"\x91" * 100, b"\x81\xa1a" * 50 + b"\x01", *map(bytes.fromhex, HEX.split())]


@pytest.mark.parametrize("moment", MOMENTS[1:])
@attack(Weak("wire:_check_keys"))
async def test_a18_signed_bytes_in_a_second_spelling(net: Network, moment: str) -> None:
    """Every malformed encoding, validly signed by a real device: refused by all alike, and nobody is stopped."""
    phone, laptop = await scene(net, moment)
    tablet = await net.pair(phone, "Tablet")
    await net.settle()
    peer = Peer(tablet)
    key = laptop.replica.key
    assert key is not None
    contact = phone.book.find("Ada").contact
    whole = encode([[1, contact, 1, 5, {"a": 1}]])
    assert decode_ops(whole)
    twice, unsorted = (whole[:-4] + b"\x82" + keys for keys in (b"\xa1a\x01\xa1a\x02", b"\xa1b\x01\xa1a\x02"))
    for bad in [*MALFORMED, twice, unsorted]:
        entry = peer.entry(bad)
        raw = seal_envelope(key, laptop.replica.set_id, laptop.replica.position.epoch, entry.raw,
                            net.entropy.draw("n", 24), ())
        # Below, the encoding's own code; here that of the object that is spoiled by it (SPEC 6.4, 10.4).
        with defences():
            assert verdict(phone, raw) == "EntryInvalid", bad
        assert _code(decode, bad) in {"NonCanonical", "LimitExceeded"} or _code(decode_ops, bad) == "EntryInvalid", bad
        peer.append_raw(raw)
        peer.counter, peer.prev = peer.counter - 1, entry.prev
    await ignored(phone, laptop)
    await heals(net, phone, laptop)


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


@attack(why="there is no second version, and no half of a box, that any code could fall back to")
async def test_a14_another_version_and_a_stripped_half(net: Network) -> None:
    """A relay that says it speaks an older version; a box without its post-quantum half."""
    phone, laptop = await two(net)
    laptop.add("Bob")
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

