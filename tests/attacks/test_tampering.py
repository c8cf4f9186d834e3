"""What a relay has changed, or has put into another place (SPEC 5, 9, 10, 11): each byte is authentic, in one place."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from e2esync.crypto import Secret, open_sealed, seal
from e2esync.epoch.record import parse_record
from e2esync.errors import ChainInvalid, E2esyncError, ForkDetected, SnapshotInvalid
from e2esync.session import messages as m
from e2esync.testing import Device, Network, flip, mutate
from tests.attacks.scene import MOMENTS, Weak, attack, defences, heals, opens, refused, scene
from tests.attacks.stored import code_of, corpus

ANY_HEAD = Weak("replica.reading:verify_head", alone=True, late=True)
ANY_SECRET = Weak("replica.entering:open_secret", lambda *_: Secret(b"K" * 32), late=True)
ANY_BLOB = Weak("snapshot.blob:check_blob_id", late=True)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("crypto.aead:check_commitment", late=True))
async def test_a04_every_stored_blob_is_authenticated(net: Network, moment: str) -> None:
    """One bit of every byte of everything that is stored is turned over: nothing of it opens."""
    phone, _laptop = await scene(net, moment)
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
    codes = {kind: code_of(opener, flip(raw)) for kind, raw, opener in stored}
    assert codes["envelope"] == "AuthFailed"
    assert codes["box"] == "CommitMismatch"


async def _on_the_way(net: Network, moment: str, kind: type[m.Message], error: type[E2esyncError],
                      change: Callable[[Device, Any], m.Message]) -> None:
    """A lie on its way: the device says so, keeps everything, and is in step with an honest relay."""
    phone, laptop = await scene(net, moment)
    # Who has folded the log that was closed needs no snapshot, and one record has nothing to change places with.
    for _epoch in range({m.LogPart: 0, m.BoxAnswer: 1}.get(kind, 2)):
        await opens(phone)
    await refused(laptop, error, mutate(kind, partial(change, phone)), entered=True)
    await heals(net)


def spoiled(_phone: Device, message: Any) -> m.Message:
    """The last bit of everything in it is turned over."""
    if isinstance(message, m.LogPart):
        return replace(message, envelopes=tuple(flip(each) for each in message.envelopes))
    if isinstance(message, m.BoxAnswer):
        return replace(message, box=flip(message.box))
    if isinstance(message, m.BlobPart):
        return replace(message, part=flip(message.part))
    return m.ChainPart(tuple(flip(each) for each in message.records))


def moved(phone: Device, message: Any) -> m.Message:
    """In its place stands what is authentic in another: another position, member, epoch, or blob."""
    relay, replica = phone.net.relay.main, phone.replica
    if isinstance(message, m.LogPart):
        return replace(message, envelopes=tuple(reversed(message.envelopes)))
    if isinstance(message, m.BoxAnswer):
        theirs = relay.read(replica.set_id, replica.member, m.ReadBox(replica.chain.epoch))
        assert isinstance(theirs, m.BoxAnswer)
        return replace(message, box=theirs.box)
    if isinstance(message, m.BlobPart):
        name = parse_record(phone.store.records()[1]).manifest
        older = relay.read(replica.set_id, replica.member, m.GetBlob(name, 0))
        assert isinstance(older, m.BlobPart)
        return older
    return m.ChainPart((*message.records[:-2], *reversed(message.records[-2:])))


@pytest.mark.parametrize("moment", MOMENTS)
@attack(ANY_HEAD)
async def test_a04_an_envelope_tampered_on_the_way(net: Network, moment: str) -> None:
    """The log hash does not come out at the relay's signed head."""
    await _on_the_way(net, moment, m.LogPart, ForkDetected, spoiled)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(ANY_SECRET)
async def test_a04_a_box_tampered_on_the_way(net: Network, moment: str) -> None:
    """The epoch is not entered."""
    await _on_the_way(net, moment, m.BoxAnswer, SnapshotInvalid, spoiled)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(ANY_BLOB)
async def test_a04_a_blob_tampered_on_the_way(net: Network, moment: str) -> None:
    """A blob is named by its hash."""
    await _on_the_way(net, moment, m.BlobPart, SnapshotInvalid, spoiled)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("epoch.chain:check_record_signature", late=True))
async def test_a04_a_record_tampered_on_the_way(net: Network, moment: str) -> None:
    """The opener has not signed that."""
    await _on_the_way(net, moment, m.ChainPart, ChainInvalid, spoiled)


def seal_anywhere(key: Secret, nonce: bytes, _context: bytes, plaintext: bytes) -> bytes:
    """Sealed for no place in particular."""
    return seal(key, nonce, b"", plaintext)


def open_anywhere(key: Secret, _context: bytes, sealed: bytes) -> bytes:
    """Opened wherever it lies."""
    return open_sealed(key, b"", sealed)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("crypto.aead:seal", seal_anywhere, also=(Weak("crypto.aead:open_sealed", open_anywhere),)))
async def test_a05_cut_and_paste(net: Network, moment: str) -> None:
    """All pairs of a corpus of two books: what stands at i, put at j, opens nowhere but where it was made for."""
    with defences():
        await _cut_and_paste(net, moment)


async def _cut_and_paste(net: Network, moment: str) -> None:
    phone, *_others = await scene(net, moment, "Tablet")
    other = Network(seed=net.seed + "other", folder=net.folder / "other")
    (net.folder / "other").mkdir()
    async with other:
        stranger, _tablet = await scene(other, moment)
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


@pytest.mark.parametrize("moment", MOMENTS)
@attack(ANY_HEAD)
async def test_a05_envelopes_in_another_order(net: Network, moment: str) -> None:
    """Each stands where another was."""
    await _on_the_way(net, moment, m.LogPart, ForkDetected, moved)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(ANY_SECRET)
async def test_a05_the_box_of_another_member(net: Network, moment: str) -> None:
    """The laptop is given what was sealed to the phone."""
    await _on_the_way(net, moment, m.BoxAnswer, SnapshotInvalid, moved)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(ANY_BLOB)
async def test_a05_the_manifest_of_another_epoch(net: Network, moment: str) -> None:
    """The relay goes back to an older snapshot, under the newest record."""
    await _on_the_way(net, moment, m.BlobPart, SnapshotInvalid, moved)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("epoch.chain:check_follows", late=True, also=("replica.entering:_check_closing",
                                                         "epoch.chain:check_numbers")))
async def test_a05_records_in_another_order(net: Network, moment: str) -> None:
    """The same key has signed both: nothing but the chain says which comes first."""
    await _on_the_way(net, moment, m.ChainPart, ChainInvalid, moved)
