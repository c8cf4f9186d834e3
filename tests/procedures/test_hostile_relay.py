"""What a relay may do to its answers (SPEC 4, 14.1): each lie has its error, and nothing on the device moves for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from e2esync.access.pairing import Joined
from e2esync.epoch.chain import verify_chain
from e2esync.errors import (
    AuthFailed,
    ChainInvalid,
    E2esyncError,
    ForkDetected,
    HandshakeFailed,
    PairingAborted,
    RemoteProtocolError,
    RollbackDetected,
    SnapshotInvalid,
    WireError,
    WithheldDetected,
)
from e2esync.log.head import ShortHead
from e2esync.procedures.founding import arrive
from e2esync.session import messages as m
from e2esync.session.kinds import Refusal
from e2esync.session.messages import Message
from e2esync.testing import flip
from tests.helpers.liar import LyingLine, lying_sync
from tests.helpers.network import Device, Network, Newcomer


def _two(net: Network) -> tuple[Device, Device]:
    """A phone that has written three entries which the laptop has not read; the laptop has an edit of its own."""
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    phone.edit("ada", **{"phones/a": "0"})
    net.settle()
    for n in range(3):
        phone.edit("ada", **{"phones/a": str(n)})
        phone.sync()
    laptop.edit("bob", **{"notes/n": "mine"})
    return phone, laptop


def _standing(device: Device) -> tuple[object, ...]:
    """Everything that a lie must not move."""
    return (device.digest(), device.replica.position, device.store.vector(), device.store.pending(),
            [row.entry for row in device.store.outbox()], device.store.runs(), device.replica.frozen)


def _refuses(device: Device, spoil: Callable[[Message], Message | None], error: type[E2esyncError]) -> None:
    """The lie raises this error and moves nothing; the truth afterwards is taken, and the own edit goes out."""
    before = _standing(device)
    with pytest.raises(error):
        lying_sync(device, spoil)
    assert _standing(device) == before
    device.net.settle()
    assert len({each.digest() for each in device.net.devices}) == 1
    assert not device.store.pending()


def _on(kind: type[Message], change: Callable[..., Message | None], times: int = 10**9) -> Callable:
    left = times

    def spoil(message: Message) -> Message | None:
        nonlocal left
        if not isinstance(message, kind) or left <= 0:
            return message
        left -= 1
        return change(message)

    return spoil


# The log.

@pytest.mark.parametrize(("change", "error"), [
    (lambda p: replace(p, envelopes=(flip(p.envelopes[0]), *p.envelopes[1:])), ForkDetected),
    (lambda p: replace(p, envelopes=p.envelopes[::-1]), ForkDetected),
    (lambda p: replace(p, envelopes=(p.envelopes[0], *p.envelopes)), RemoteProtocolError),
    (lambda p: replace(p, envelopes=(p.envelopes[0], p.envelopes[0], p.envelopes[2])), ForkDetected),
    (lambda p: replace(p, envelopes=p.envelopes[1:]), ForkDetected),
    (lambda p: replace(p, envelopes=()), RemoteProtocolError),
    (lambda p: replace(p, envelopes=(p.envelopes[0][:-1], *p.envelopes[1:])), ForkDetected),
    (lambda p: replace(p, envelopes=(b"", *p.envelopes)), RemoteProtocolError),
    (lambda p: replace(p, start=p.start + 1), RemoteProtocolError),
    (lambda p: replace(p, epoch=p.epoch + 1), RemoteProtocolError),
    (lambda p: replace(p, head=replace(p.head, signature=flip(p.head.signature))), ForkDetected),
    (lambda p: replace(p, head=replace(p.head, time=p.head.time + 1)), ForkDetected),
    (lambda p: replace(p, head=replace(p.head, seq=p.head.seq - 1)), RemoteProtocolError),
    (lambda p: replace(p, head=None, envelopes=(flip(p.envelopes[0]), *p.envelopes[1:])), ForkDetected),
    (lambda p: replace(p, head=None, envelopes=()), RemoteProtocolError),
], ids=["altered", "reordered", "repeated", "replaced", "dropped", "emptied", "truncated", "inserted", "misplaced",
        "other epoch", "head forged", "head of another time", "older head", "headless", "closed"])
def test_a_log_that_is_not_the_one(net: Network, change: Callable, error: type[E2esyncError]) -> None:
    _phone, laptop = _two(net)

    def altered(part: m.LogPart) -> m.LogPart:
        return change(part) if len(part.envelopes) == 3 else part

    _refuses(laptop, _on(m.LogPart, altered), error)


def test_a_truncated_answer_is_only_read_on(net: Network) -> None:
    phone, laptop = _two(net)
    lying_sync(laptop, _on(m.LogPart, lambda part: replace(part, envelopes=part.envelopes[:1]), times=1))
    net.settle()
    assert laptop.digest() == phone.digest()


def test_a_head_beyond_the_log_is_asked_for_again(net: Network) -> None:
    phone, laptop = _two(net)
    beyond = ShortHead(10**9, 0, bytes(64))
    lying_sync(laptop, _on(m.LogPart, lambda part: replace(part, head=beyond), times=1))
    net.settle()
    assert laptop.digest() == phone.digest()
    phone.edit("ada", **{"phones/a": "new"})
    phone.sync()
    _refuses(laptop, _on(m.LogPart, lambda part: replace(part, head=beyond)), RemoteProtocolError)


def test_an_older_head_than_the_one_seen(net: Network) -> None:
    phone, laptop = _two(net)
    before = laptop.digest()
    # A relay cannot sign two bindings at once, so this one speaks the truth about an older store.
    from e2esync.replica.reading import check_welcome
    from tests.helpers.network import Line

    replica = phone.replica
    head = Line(net, replica).head
    assert head is not None
    for older in (replace(head, seq=head.seq - 1), replace(head, epoch=0)):
        with pytest.raises(RollbackDetected):
            check_welcome(replica, older)
    for other in (replace(head, log_hash=b"x" * 32), replace(head, record_hash=b"x" * 32)):
        with pytest.raises(ForkDetected):
            check_welcome(replica, other)
    assert laptop.digest() == before


def test_another_relay_key(net: Network) -> None:
    _phone, laptop = _two(net)
    _refuses(laptop, _on(m.Challenge, lambda c: replace(c, relay_key=flip(c.relay_key, 0))), HandshakeFailed)


def test_a_welcome_for_another_connection(net: Network) -> None:
    _phone, laptop = _two(net)
    kept: list[m.Welcome] = []

    def keep(welcome: m.Welcome) -> m.Welcome:
        kept.append(welcome)
        return kept[0]

    net.settle(laptop)
    laptop.edit("bob", **{"notes/n": "again"})
    lying_sync(laptop, _on(m.Welcome, keep))
    laptop.edit("bob", **{"notes/n": "and again"})
    _refuses(laptop, _on(m.Welcome, keep), HandshakeFailed)


@pytest.mark.parametrize("other", [
    m.Pong(), m.SlotStored(), m.ChainPart(()), m.HaveAnswer(()), m.Challenge(bytes(32), bytes(32)),
])
def test_an_answer_of_the_wrong_type(net: Network, other: Message) -> None:
    _phone, laptop = _two(net)
    _refuses(laptop, _on(m.LogPart, lambda _part: other), RemoteProtocolError)


@pytest.mark.parametrize("seq", [0, 7, 10**9])
def test_an_acknowledgement_that_is_not_true(net: Network, seq: int) -> None:
    """The relay says that it has an entry, and drops it."""
    phone = net.begin()
    net.settle()
    phone.edit("ada", **{"notes/n": "x"})

    def swallow(message: Message) -> Message:
        if isinstance(message, m.Appended):
            return replace(message, seq=seq, head=replace(message.head, seq=seq))
        if isinstance(message, m.LogPart):
            return replace(message, envelopes=())
        return message

    before = phone.digest(), phone.replica.position
    with pytest.raises((RemoteProtocolError, ForkDetected)):
        lying_sync(phone, swallow)
    assert (phone.digest(), phone.replica.position) == before
    phone.sync()
    assert phone.replica.position.seq == 1
    assert phone.registers("ada") == {"uid": "ada", "notes/n": "x"}


# Blobs that an entry needs.

def test_a_withheld_batch_is_waited_for(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    net.settle()
    _import(phone, 3)
    laptop.edit("bob", **{"notes/n": "mine"})
    refusal = m.RefusalAnswer(Refusal.NOT_FOUND, "no such blob")
    _refuses(laptop, _on(m.BlobPart, lambda _part: refusal), WithheldDetected)
    assert laptop.registers("c2") is not None


@pytest.mark.parametrize(("change", "error"), [
    (lambda p: replace(p, part=flip(p.part)), SnapshotInvalid),
    (lambda p: replace(p, part=b""), SnapshotInvalid),
    (lambda p: replace(p, size=1 << 30), RemoteProtocolError),
    (lambda p: replace(p, size=p.size - 1, part=p.part[:-1]), SnapshotInvalid),
], ids=["altered", "empty", "endless", "truncated"])
def test_a_blob_that_is_not_the_one(net: Network, change: Callable, error: type[E2esyncError]) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    net.settle()
    _import(phone, 3)
    laptop.edit("bob", **{"notes/n": "mine"})
    _refuses(laptop, _on(m.BlobPart, change), error)


def test_a_wrong_number_of_upload_states(net: Network) -> None:
    phone = net.begin()
    net.settle()
    _import(phone, 3, sync=False)
    for change in (lambda a: replace(a, received=()), lambda a: replace(a, received=(*a.received, 0))):
        with pytest.raises(RemoteProtocolError):
            lying_sync(phone, _on(m.HaveAnswer, change))
    phone.sync()
    assert phone.replica.position.seq == 1


def _import(device: Device, count: int, *, sync: bool = True) -> None:
    from e2esync.replica.contacts import contact_id
    from e2esync.replica.writing import write_batch

    set_id = device.replica.set_id
    cards = sorted((contact_id(set_id, f"c{n}", 0), {"uid": f"c{n}", "notes/n": "x"}) for n in range(count))
    write_batch(device.replica, cards, device.net.clock(), device.net.entropy)
    if sync:
        device.sync()


# The next epoch.

def _closed(net: Network) -> tuple[Device, Device]:
    phone, laptop = _two(net)
    phone.open()
    return phone, laptop


@pytest.mark.parametrize(("kind", "change", "error"), [
    (m.ChainPart, lambda c: replace(c, records=tuple(flip(r) for r in c.records)),
     (ChainInvalid, AuthFailed, WireError)),
    (m.ChainPart, lambda c: replace(c, records=tuple(flip(r, 60) for r in c.records)),
     (ChainInvalid, AuthFailed, WireError, ForkDetected)),
    (m.ChainPart, lambda c: replace(c, records=c.records * 2), ChainInvalid),
    (m.ChainPart, lambda c: replace(c, records=()), RemoteProtocolError),
    (m.BoxAnswer, lambda b: replace(b, box=flip(b.box)), SnapshotInvalid),
    (m.BoxAnswer, lambda b: replace(b, box_list=flip(b.box_list)), (SnapshotInvalid, WireError)),
    (m.BoxAnswer, lambda b: replace(b, box=b.box[:-1]), (SnapshotInvalid, RemoteProtocolError)),
    (m.BlobPart, lambda p: replace(p, part=flip(p.part)), SnapshotInvalid),
    (m.LogPart, lambda p: replace(p, envelopes=tuple(flip(e) for e in p.envelopes)), ForkDetected),
], ids=["record forged", "record altered", "records twice", "no records", "box altered", "list altered",
        "box cut", "manifest altered", "closed log altered"])
def test_an_epoch_that_is_not_the_one(
    net: Network, kind: type[Message], change: Callable, error: type[E2esyncError],
) -> None:
    _phone, laptop = _closed(net)
    before = laptop.digest(), laptop.replica.position.epoch, laptop.store.pending()
    with pytest.raises(error):
        lying_sync(laptop, _on(kind, change))
    # What it folded of the log that was truly closed may stay; the epoch is not entered.
    assert (laptop.replica.position.epoch, laptop.store.pending()) == before[1:]
    net.settle()
    assert len({each.digest() for each in net.devices}) == 1
    assert laptop.registers("bob") == {"uid": "bob", "notes/n": "mine"}


def test_a_box_for_another_member_and_a_manifest_of_another_epoch(net: Network) -> None:
    phone, laptop = _closed(net)
    boxes: list[m.BoxAnswer] = []
    manifests: list[m.BlobPart] = []
    phone.open()
    tablet = net.add(phone, "tablet")
    phone.open()

    def keep(message: Message) -> Message:
        if isinstance(message, m.BoxAnswer):
            boxes.append(message)
        if isinstance(message, m.BlobPart):
            manifests.append(message)
        return message

    lying_sync(tablet, keep)
    assert boxes
    assert manifests
    position = laptop.replica.position.epoch
    for spoil in (_on(m.BoxAnswer, lambda box: replace(box, box=boxes[0].box)),
                  _on(m.BlobPart, lambda _part: replace(manifests[0], part=flip(manifests[0].part)))):
        with pytest.raises(SnapshotInvalid):
            lying_sync(laptop, spoil)
        assert laptop.replica.position.epoch == position
    net.settle()
    assert len({each.digest() for each in net.devices}) == 1


@pytest.mark.parametrize("which", range(6))
def test_a_snapshot_whose_blobs_are_spoiled(net: Network, which: int) -> None:
    """Long asleep: the laptop enters by manifest, index and chunks, and one of them is altered."""
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    net.settle()
    for n in range(4):
        _import(phone, 5 + n)
        phone.edit(f"x{n}", **{"notes/n": "x"})
        phone.open()
    laptop.edit("bob", **{"notes/n": "mine"})
    seen = 0

    def nth(part: m.BlobPart) -> m.BlobPart:
        nonlocal seen
        seen += 1
        return replace(part, part=flip(part.part, len(part.part) // 2)) if seen == which + 1 else part

    before = _standing(laptop)
    try:
        lying_sync(laptop, _on(m.BlobPart, nth))
    except SnapshotInvalid:
        assert laptop.replica.position == before[1] or laptop.replica.position.epoch == 1
    else:
        assert seen <= which
    net.settle()
    assert len({each.digest() for each in net.devices}) == 1


# Slots.

def test_a_forged_announcement_is_not_sealed_to(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    net.settle()
    position = phone.replica.position.epoch

    def forge(slots: m.SlotList) -> m.SlotList:
        return replace(slots, slots=tuple(replace(slot, announcement=flip(slot.announcement)) if slot.announcement
                                          else slot for slot in slots.slots))

    from e2esync.procedures.opening import open_epoch
    from e2esync.procedures.syncing import sync

    net.clock.time += 10**7
    phone.open()
    net.settle()
    # A valid one that it knows already would do.
    phone.profile._db.run("DELETE FROM slots")
    replica = phone.replica
    line = LyingLine(net, replica, _on(m.SlotList, forge))
    link = line.link()
    line.run(sync(replica, link))
    with pytest.raises(ChainInvalid):
        line.run(open_epoch(replica, link, lambda _replica: ()))
    assert phone.replica.position.epoch == position + 1
    phone.open()
    net.settle()
    assert laptop.replica.position.epoch == position + 2


def test_a_forged_or_old_heartbeat_makes_nobody_heard(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    net.settle()
    net.clock.time += 10**7
    laptop.sync()
    net.clock.time += 10**7

    def heard() -> int:
        return next((row.heard for row in phone.store.slots() if row.member == laptop.replica.member), 0)

    def forge(slots: m.SlotList) -> m.SlotList:
        return replace(slots, slots=tuple(replace(slot, heartbeat=flip(slot.heartbeat)) if slot.heartbeat else slot
                                          for slot in slots.slots))

    before = heard()
    lying_sync(phone, _on(m.SlotList, forge))
    assert heard() == before
    net.clock.time += 10**7
    laptop.sync()
    phone.sync()
    assert heard() > before


# First contact.

def _newcomer(net: Network, phone: Device) -> tuple[Joined, object, object, Device]:
    from e2esync.crypto import SigningKey
    from e2esync.crypto.sealing import SealingKey
    from e2esync.epoch.record import make_add
    from e2esync.epoch.roles import Role
    from e2esync.stores.profile import ProfileStore

    signing = SigningKey(net.entropy.draw("signing key", 32))
    sealing = SealingKey.generate(net.entropy)
    before = phone.replica
    chain = before.chain
    phone.open(make_add(signing, before.set_id, before.person, Role.OWNER, sealing.public))
    after = phone.replica
    (index,) = (member.index for member in after.chain.members.values() if member.verify_key == signing.verify_key)
    told = Joined(before.set_id, before.person, int(Role.OWNER), chain.relay_key, chain.head.hash,
                  chain.epoch, after.chain.head.hash, after.chain.epoch, 0, after.chain.head.hash, index)
    return told, signing, sealing, Device(net, ProfileStore.memory(), "new")


@pytest.mark.parametrize("change", [
    lambda told: replace(told, record_hash=b"x" * 32),
    lambda told: replace(told, record_hash_before=b"x" * 32),
    lambda told: replace(told, epoch=told.epoch + 1),
    lambda told: replace(told, log_hash=b"x" * 32),
    lambda told: replace(told, head_seq=1, log_hash=b"x" * 32),
    lambda told: replace(told, head_seq=2),
    lambda told: replace(told, index=1),
    lambda told: replace(told, index=99),
], ids=["other record", "other record before", "record missing", "other head", "other log", "log too short",
        "somebody else's index", "no index"])
def test_s8_a_relay_that_shows_a_newcomer_another_chain(net: Network, change: Callable[[Joined], Joined]) -> None:
    phone = net.begin()
    phone.edit("ada", **{"phones/a": "1"})
    phone.sync()
    told, signing, sealing, device = _newcomer(net, phone)
    phone.edit("ada", **{"phones/a": "2"})
    phone.sync()
    line = LyingLine(net, Newcomer(told.set_id, told.index, signing), lambda message: message)
    with pytest.raises(PairingAborted):
        line.run(arrive(device.store, line.link(), change(told), signing, sealing))
    assert device.store.get("identity") is None
    assert device.store.records() == []


@pytest.mark.parametrize("change", [
    lambda part: replace(part, records=part.records[:-1]),
    lambda part: replace(part, records=()),
    lambda part: replace(part, records=tuple(flip(raw) for raw in part.records)),
    lambda part: replace(part, records=part.records[1:]),
], ids=["ends before", "nothing", "forged", "without beginning"])
def test_s8_a_relay_that_ends_the_chain_before_the_newcomer(net: Network, change: Callable) -> None:
    phone = net.begin()
    told, signing, sealing, device = _newcomer(net, phone)
    line = LyingLine(net, Newcomer(told.set_id, told.index, signing), _on(m.ChainPart, change))
    with pytest.raises(PairingAborted):
        line.run(arrive(device.store, line.link(), told, signing, sealing))
    assert device.store.get("identity") is None


def test_a_head_further_on_in_the_log_is_found_there(net: Network) -> None:
    phone = net.begin()
    told, signing, sealing, device = _newcomer(net, phone)
    phone.edit("ada", **{"phones/a": "2"})
    phone.sync()
    position = phone.replica.position
    told = replace(told, head_seq=position.seq, log_hash=position.log_hash)
    line = LyingLine(net, Newcomer(told.set_id, told.index, signing), lambda message: message)
    line.run(arrive(device.store, line.link(), told, signing, sealing))
    device.sync()
    assert device.digest() == phone.digest()
    assert verify_chain(told.set_id, device.store.records()).epoch == told.epoch


