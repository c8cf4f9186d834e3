"""What the relay holds and sees (SPEC 4.1, 5.6), and what it lets strangers do (SPEC 13.2)."""

from __future__ import annotations

import base64
import hashlib
import itertools
import time
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from nacl.pwhash import argon2id

from e2esync.client.connection import Connection
from e2esync.client.sync import inspect
from e2esync.contactset import SetOp
from e2esync.crypto import SigningKey
from e2esync.crypto.padding import pad, padded_size
from e2esync.crypto.passphrase import key_from_passphrase
from e2esync.errors import E2esyncError, Refused, RemoteProtocolError
from e2esync.limits import WRITE_BACK_DELAY
from e2esync.session import messages as m
from e2esync.session.client import ClientSession
from e2esync.session.codec import decode_message
from e2esync.session.handshake import binding_of
from e2esync.session.messages import Side
from e2esync.testing import Device, Network, mutate, set_params, substitute
from e2esync.wire import decode, encode
from tests.attacks.scene import (
    MOMENTS,
    STEADY,
    Peer,
    Weak,
    attack,
    defences,
    heals,
    opens,
    refused,
    requests,
    scene,
    several,
    three,
    two,
)

CANARIES = {
    "name": "Zebedee Quagmire", "tel": "+49 170 5550199", "mail": "zq@canary.example", "note": "met at the harbour",
}


def disguises(text: str) -> list[bytes]:
    """A canary as it might be found: plain, in other encodings, as digits, hashed."""
    digits = "".join(letter for letter in text if letter.isdigit())
    found = [text.encode(), text.encode("utf-16-le"), text.encode("utf-16-be"), text.encode().hex().encode(),
             base64.b64encode(text.encode()).rstrip(b"=")[:-1], text.upper().encode(), text.lower().encode()]
    for name in ("md5", "sha1", "sha256", "blake2b"):
        hashed = hashlib.new(name, text.encode())
        found += [hashed.digest()[:12], hashed.hexdigest()[:24].encode()]
    return found + ([digits.encode()] if len(digits) > 6 else [])


@attack(Weak("crypto.aead:_encrypt", lambda plaintext, *_rest: plaintext + bytes(16), late=True),
        moments="all that the relay held and saw of them is searched, from the first sync over a pairing to a rotation")
async def test_a33_no_plaintext_at_the_relay(net: Network) -> None:
    """Canary contacts, then every byte of the relay's files and of all that crossed the wire."""
    with defences():
        phone = await net.begin("Phone")
        phone.add(CANARIES["name"], phones={"m": {"number": CANARIES["tel"]}},
                  emails={"e": {"address": CANARIES["mail"]}}, notes={"n": {"note": CANARIES["note"]}})
        await phone.sync()
        laptop = await net.pair(phone, "Laptop")
        laptop.note(CANARIES["name"], CANARIES["note"] + " again")
        await net.settle()
        await phone.rotate()
        await net.settle()
    held = b"".join(path.read_bytes() for path in sorted(net.folder.glob("relay-*")))
    seen = b"".join(each.frame for each in net.trace)
    assert len(held) > 10_000
    for canary in (*CANARIES.values(), "Laptop", "Contacts"):
        for disguise in disguises(canary):
            assert disguise not in held
            assert disguise not in seen
    assert CANARIES["name"] in laptop.names()


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("testing.entropy:SeededEntropy.draw", lambda _entropy, _name, length: bytes(length)))
async def test_a34_equal_contacts_look_unequal(net: Network, moment: str) -> None:
    """One contact saved on two devices, and once more: no 16 bytes in common; an update looks like an insert."""
    phone, laptop = await two(net, moment)
    with defences():
        for device in (phone, laptop):
            device.book.write(device.book.find("Ada").contact, {"notes/n": {"note": "the very same"}})
            await device.sync()
        phone.note("Ada", "the very same")
        await phone.sync()
    envelopes = [done.change.request.envelope for done in net.relay.main.journal
                 if isinstance(done.change.request, m.Append)][-3:]
    windows = [{raw[place:place + 16] for place in range(12, len(raw) - 16)} for raw in envelopes]
    assert not windows[0] & windows[1]
    assert not windows[1] & windows[2]
    assert len({len(raw) for raw in envelopes}) == 1


async def _sent(device: Device) -> list[tuple[str, int]]:
    since = len(device.net.trace)
    await device.sync()
    return requests(device.net, device, since)


def squeezed(plaintext: bytes, overhead: int) -> bytes:
    """Compressed, then padded."""
    return pad(zlib.compress(plaintext), overhead)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("log.envelope:pad", squeezed, alone=True, late=True))
async def test_a35_nothing_is_compressed(net: Network, moment: str) -> None:
    """A thousand equal letters and a thousand random ones are as long as each other, wherever they are seen."""
    _phone, laptop = await two(net, moment)
    dull, random = "a" * 1000, base64.b64encode(hashlib.shake_256(b"x").digest(750)).decode()
    assert len(random) == len(dull)
    sent = []
    for text in (dull, random, dull):
        laptop.note("Ada", text)
        with defences():
            sent.append([each for each in await _sent(laptop) if each[0] == "Append"])
    # Heartbeats are due now and then; what is written is what could be compressed.
    assert sent[0] == sent[1] == sent[2]
    assert len(sent[0]) == 1


@attack(Weak("log.envelope:pad", lambda plaintext, _overhead: plaintext, late=True),
        moments="all that the relay ever took is measured, from the first sync over a pairing to a rotation")
async def test_a49_sizes_lie_on_the_ladder(net: Network) -> None:
    """Every envelope and blob has one of the allowed sizes, and an edit of another length looks the same."""
    with defences():
        phone, _laptop = await two(net)
        sizes = []
        for text in ("", "x", "x" * 60):
            phone.note("Ada", text)
            sizes.append(await _sent(phone))
        assert sizes[0] == sizes[1] == sizes[2]
        await phone.rotate()
    for done in net.relay.main.journal:
        request = done.change.request
        stored = request.envelope if isinstance(request, m.Append) else getattr(request, "part", b"")
        assert not stored or padded_size(len(stored)) == len(stored)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("session.handshake:check_proof"))
async def test_a43_a_login_proves_the_key(net: Network, moment: str) -> None:
    """A proof that was recorded, one for another member, and none of a revoked device's: all the same refusal.

    The revoked one itself proves its key, and is told no more than that it was removed.
    """
    phone, laptop, tablet = await three(net, moment)
    recorded: list[bytes] = []

    def keep(message: m.Message, _wire: object) -> m.Message:
        recorded.extend([message.signature] if isinstance(message, m.Proof) else [])
        return message
    with net.relay.lying(keep):
        await laptop.sync()
    await phone.revoke(tablet)
    set_id, journal, refusals = phone.replica.set_id, len(net.relay.main.journal), []
    attempts = [(set_id, laptop.replica.member, recorded[0]), (set_id, 99, recorded[0]), (b"o" * 32, 1, recorded[0]),
                (set_id, tablet.replica.member, recorded[0]), (set_id, laptop.replica.member, bytes(64))]
    for where, member, proof in attempts:
        session = ClientSession(where, member, tablet.replica.signing_key, None, net.entropy.draw("session nonce", 32))
        with net.dialing("Stranger"):
            line = Connection(await net.dial("Stranger", net.url), session)
            if proof is not None:
                session.proof = lambda proof=proof, own=session: (  # type: ignore[method-assign, misc]
                    ClientSession.proof(own), encode([3, proof]))[1]
            with defences(), pytest.raises(Refused) as raised:
                await line.shake_hands()
            await line.aclose()
        refusals.append((raised.value.reason, raised.value.message))
    session = ClientSession(set_id, tablet.replica.member, tablet.replica.signing_key, None, bytes(32))
    with net.dialing("Stranger"):
        line = Connection(await net.dial("Stranger", net.url), session)
        await line.shake_hands()
        assert (line.head, line.removed) == (None, phone.replica.chain.epoch)
        with pytest.raises(Refused, match="NotAllowed"):
            await line.request(m.ReadSlots(), m.SlotList)
        await line.aclose()
    assert set(refusals) == {refusals[0]}
    assert refusals[0][0] == "NotMember"
    assert len(net.relay.main.journal) == journal
    await heals(net, phone, laptop)


def for_any_relay(hello: m.Hello, nonce: bytes, _relay_key: bytes) -> bytes:
    """What is signed names no relay."""
    return binding_of(hello, nonce, bytes(32))


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("session.handshake:binding_of", for_any_relay, late=True))
async def test_a43_a_proof_for_one_relay_at_another(net: Network, moment: str) -> None:
    """A member proves itself to Mallory's relay, which hands all of it on to the book's own: it is worth nothing there.

    Who knows the book's relay does not even come so far (A15).
    """
    _phone, laptop = await two(net, moment)
    replica, journal = laptop.replica, len(net.relay.main.journal)
    session = ClientSession(replica.set_id, replica.member, replica.signing_key, None, bytes(32))
    own_key = SigningKey(b"m" * 32).verify_key
    with net.relay.lying(substitute(own_key, device="Laptop")) as lies, net.dialing("Laptop"), defences():
        line = Connection(await net.dial("Laptop", net.url), session)
        with pytest.raises(Refused) as raised:
            await line.shake_hands()
        await line.aclose()
    assert (lies.told, raised.value.reason) == (1, "NotMember")
    assert len(net.relay.main.journal) == journal
    await heals(net)


def bombs() -> list[bytes]:
    """Frames that would cost much to whoever believes them."""
    return [
        b"\x91" * 100_000, b"\x81\xa1a" * 50_000, b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", encode([11, 1, 2**53 - 1])[:-1] + b"\xff" * 9,
        encode([23, [b"x" * 32] * 40_000]),
        encode([12, 0]) + b"\0" * 500_000, bytes([0x9F]) + b"\x9f" * 200_000, b"\xdc\xff\xff" + b"\xc0" * 65_535,
        encode([10, 1, b"x" * 262_145]), encode([20, b"r" * 70_000, b"", [], []]), b"\xc1" * 1000, b"",
        b"\xde\xff\xff" + b"\xa1a\x01" * 65_535, encode([17, b"a" * 20_000, b""]), encode([1, 1, b"s" * 99, 0, b"n"]),
        encode(list(range(60_000))), b"\x9b" + encode("x" * 900_000),
    ]


@attack(Weak("wire:_check"))
def test_a45_parser_bombs() -> None:
    """Twenty bombs: each a typed error, in time and memory that do not grow with what they claim."""
    deep, wide = b"\x91" * 500 + b"\x01", b"\xdd\x00\x0f\xff\xff" * 10
    with defences():
        for bomb, code in ((deep, "LimitExceeded"), (wide, "NonCanonical")):
            tracemalloc.start()
            try:
                with pytest.raises(E2esyncError) as refused:
                    decode(bomb)
                assert refused.value.code == code
                assert tracemalloc.get_traced_memory()[1] < 8 << 20
            finally:
                tracemalloc.stop()
    for bomb in bombs():
        begun = time.process_time()
        for side in Side:
            with pytest.raises(E2esyncError) as raised:
                decode_message(bomb, side)
            assert raised.value.code in {"NonCanonical", "LimitExceeded"}
        # A ceiling twenty times above what is claimed for one of them.
        assert time.process_time() - begun < 2.0
    with pytest.raises(E2esyncError) as raised:
        decode(bytes((1 << 20) + 1))
    assert raised.value.code == "LimitExceeded"


@pytest.mark.parametrize("moment", MOMENTS)
@attack(why="what the decoder refuses has its controls above; here one connection ends, and no other")
async def test_a45_bombs_over_the_wire(net: Network, moment: str) -> None:
    """A client and a relay that are sent such frames hang up, and go on with everybody else."""
    phone, laptop = await two(net, moment)
    laptop.add("Carl")
    for bomb in bombs()[:6]:
        await refused(laptop, RemoteProtocolError, mutate(m.Welcome, lambda _welcome, own=bomb: own))
        line = await net.dial("Stranger", net.url)
        await line.send(bomb)
        assert isinstance(decode_message(await line.receive(), Side.RELAY), m.RefusalAnswer)
        await line.aclose()
    phone.add("Bob")
    await heals(net)
    assert laptop.names() == ["Ada", "Bob", "Carl"]


@pytest.mark.parametrize("counts", [{"memory": 8192, "passes": 1}, {"memory": 2**40, "passes": 2**31}])
@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("crypto.passphrase:ARGON2_PASSES", 1, alone=True, also=(
    Weak("crypto.passphrase:ARGON2_MEMORY", 8192, alone=True),)))
async def test_a13_parameters_of_the_relays_choice(net: Network, moment: str, counts: dict[str, int]) -> None:
    """No answer of a relay holds a parameter: what it names in INSPECT is shown, and a key costs what it always did."""
    phone, laptop = await scene(net, moment)
    with net.relay.lying(set_params(counts)), defences():
        for device in (laptop, phone):
            await device.sync()
        with phone.online():
            assert await inspect(phone.profile, entropy=phone.entropy) == counts
        key = key_from_passphrase("correct horse", b"s" * 16)
    assert key.reveal() == argon2id.kdf(32, b"correct horse", b"s" * 16, opslimit=3, memlimit=64 << 20)
    await heals(net)
    assert laptop.names() == ["Ada", "Bob"]


def drifting() -> Callable[..., dict[int, int]]:
    """What an entry has seen depends on what the device has folded so far."""
    folded = itertools.count()
    return lambda _claimed, _vector, author, counter: {
        **(dict.fromkeys(range(9), 2**53 - 1) if next(folded) % 4 else {}), author: counter - 1}


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("contactset.replay:clamp", drifting(), alone=True))
async def test_a26_byzantine_entries_in_any_order(net: Network, moment: str) -> None:
    """Two liars, any claims: devices that read the same log one by one, or at once, have the same state."""
    phone, laptop, liars = await several(net, moment, "Tablet", "Watch")
    ada = phone.book.find("Ada").contact
    peers = [Peer(liar) for liar in liars]
    for number in range(6):
        peer = peers[number % 2]
        claims = [{}, dict.fromkeys(range(1, 6), 2**53 - 1), {99: 7}, {peer.member: 10**6}][number % 4]
        entry = peer.entry([SetOp(ada, 1 + number % 3, number, {"notes/e": {"note": str(number)}})], vector=claims)
        peer.append(entry)
        if number % 3 == 0:
            peer.append(entry)
        with defences():
            await phone.sync()
    with defences():
        await laptop.sync()
    assert phone.digest() == laptop.digest()
    laptop.add("Bob")
    await heals(net, phone, laptop)
    assert phone.names() == laptop.names()


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("replica.entering:keep_aside", lambda *_: 0))
async def test_a37_a_snapshot_that_leaves_somebody_out(net: Network, moment: str) -> None:
    """A member opens an epoch whose snapshot lacks a contact: old devices say so, and put it back.

    Who has nothing but that snapshot cannot know, and says that.
    """
    phone, laptop, evil = await three(net, moment, "Evil")
    phone.add("Victim")
    await phone.sync()
    await evil.sync()
    if moment == STEADY:
        await laptop.sync()
    victim = phone.book.find("Victim").contact
    evil.store.delete_contacts([victim])
    await opens(evil)
    net.relay.fork("Fresh")
    fresh = await net.recover("Fresh")
    assert fresh.names() == ["Ada"]
    assert any("FreshnessUnverified" in notice for notice in fresh.book.status().notices)
    net.relay.honest()
    with defences():
        done = [await phone.sync(), await laptop.sync()]
    notices = {notice.code for each in done for notice in each.notices}
    assert "SnapshotMismatch" in notices
    net.clock.time += WRITE_BACK_DELAY
    await net.settle(phone, laptop)
    assert "Victim" in phone.names()
    assert "Victim" in laptop.names()
    assert phone.digest() == laptop.digest()
