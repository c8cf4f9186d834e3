"""One whole sync: what it compacts, when it beats, which photos it fetches."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2esync.card.digests import media_digest
from e2esync.epoch.announcement import AskLeave, AskSeal
from e2esync.epoch.roles import Role
from e2esync.errors import Refused
from e2esync.limits import COMPACT_ENTRIES, COMPACT_INTERVAL, HEARTBEAT_INTERVAL, OPENINGS_INTERVAL
from e2esync.procedures import syncing
from e2esync.procedures.steps import ask
from e2esync.procedures.syncing import send_all
from e2esync.replica.announcing import announcement, next_number
from e2esync.replica.contacts import contact_id, media_blobs
from e2esync.replica.writing import write_batch
from e2esync.session import messages as m
from e2esync.session.kinds import Refusal
from e2esync.session.messages import Message, PutSlot, SlotStored
from e2esync.session.policy import Policy
from e2esync.stores.relay import RelayStore
from tests.helpers.liar import lying_sync
from tests.helpers.network import Device, Line, Network


def test_a_sync_with_nothing_new_asks_for_nothing_but_that(net: Network) -> None:
    phone = net.begin()
    phone.edit("ada", **{"notes/n": "x"})
    phone.sync()
    seen: list[Message] = []

    def look(message: Message) -> Message:
        seen.append(message)
        return message

    done = lying_sync(phone, look)
    assert (done.received, done.sent, done.opened, done.media) == (0, 0, False, 0)
    assert [type(message) for message in seen] == [m.Challenge, m.Welcome, m.SlotList]
    # And the one thing that it asks for, what has changed in the slots, is nothing.
    assert seen[-1].slots == ()  # type: ignore[union-attr]


def test_a_long_log_is_compacted_once_an_hour_by_who_wrote_last(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    assert COMPACT_ENTRIES == 512
    monkeypatch.setattr(syncing, "COMPACT_ENTRIES", 3)
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    net.settle()
    epoch = phone.replica.position.epoch
    for n in range(6):
        phone.edit("ada", **{"notes/n": str(n)})
        assert not phone.sync().opened
    net.clock.time += COMPACT_INTERVAL
    assert not laptop.sync().opened
    assert not phone.sync().opened
    phone.edit("ada", **{"notes/n": "last"})
    assert phone.sync().opened
    assert phone.replica.position.epoch == epoch + 1
    net.settle()
    assert laptop.digest() == phone.digest()


@pytest.mark.parametrize("whole_sync", [True, False])
def test_who_is_refused_by_a_log_at_its_limit_makes_room_once_an_hour(
    net: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole_sync: bool,
) -> None:
    monkeypatch.setattr(syncing, "COMPACT_ENTRIES", 3)
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    net.settle()
    net.relay.close()
    net.relay = RelayStore(tmp_path / "relay.sqlite3", policy=Policy(set_entries=4))
    for n in range(4):
        phone.edit("ada", **{"notes/n": str(n)})
        phone.sync()
    laptop.edit("bob", **{"notes/n": "waits"})
    before = laptop.replica.position.seq
    with pytest.raises(Refused, match="open log may hold 4 changes") as caught:
        laptop.sync()
    assert caught.value.reason == "QuotaExceeded"
    assert "ask who runs the relay" in caught.value.hint
    # What others wrote was read all the same, and what is to be sent is kept.
    assert laptop.replica.position.seq > before
    assert len(laptop.store.outbox()) == 1
    net.clock.time += COMPACT_INTERVAL
    if not whole_sync:
        line = Line(net, replica := laptop.replica)
        assert line.run(send_all(replica, line.link())) == (1, True)
    else:
        done = laptop.sync()
        assert (done.sent, done.opened) == (1, True)
    net.settle()
    assert (phone.registers("bob") or {})["notes/n"] == "waits"
    assert laptop.digest() == phone.digest()


def test_a_set_without_room_that_compacting_does_not_make_is_said(net: Network, tmp_path: Path) -> None:
    phone = net.begin()
    phone.sync()
    epoch = phone.replica.position.epoch
    net.relay.close()
    net.relay = RelayStore(tmp_path / "relay.sqlite3", policy=Policy(set_bytes=1))
    net.clock.time += COMPACT_INTERVAL
    phone.edit("ada", **{"notes/n": "x"})
    with pytest.raises(Refused, match="QuotaExceeded"):
        phone.sync()
    assert phone.replica.position.epoch == epoch


def test_it_beats_every_quarter_of_an_hour(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    net.settle()

    def beats() -> int:
        return phone.store.get("beat") is not None and int.from_bytes(phone.store.get("beat") or b"", "big")

    net.clock.time += HEARTBEAT_INTERVAL
    phone.sync()
    first = beats()
    phone.sync()
    assert beats() == first
    net.clock.time += HEARTBEAT_INTERVAL
    phone.sync()
    assert beats() > first
    net.clock.time += HEARTBEAT_INTERVAL
    laptop.sync()
    heard = {row.member: row.heard for row in laptop.store.slots()}
    assert heard[phone.replica.member] > 0


def test_an_epoch_that_is_opened_during_the_beat_stops_nothing(net: Network) -> None:
    phone = net.begin()
    net.settle()
    net.clock.time += HEARTBEAT_INTERVAL
    phone.edit("ada", **{"notes/n": "x"})
    refusal = m.RefusalAnswer(Refusal.EPOCH_CLOSED, "another epoch", 7)

    def refuse(message: Message) -> Message:
        return refusal if isinstance(message, m.SlotStored) and phone.replica.position.seq else message

    before = phone.store.get("beat")
    lying_sync(phone, refuse)
    assert phone.store.get("beat") == before
    phone.sync()
    assert phone.store.get("beat") != before


def _photo(device: Device, name: str, content: bytes) -> str:
    replica = device.replica
    digest = media_digest(replica.set_id, content)
    place, blobs = media_blobs(replica.set_id, content, device.net.entropy)
    values = {"uid": name, f"blobs/{digest}": place}
    write_batch(replica, [(contact_id(replica.set_id, name, 0), values)], device.net.clock(), device.net.entropy, blobs)
    device.store.put_media(digest, content)
    return digest


def test_photos_are_fetched_once(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    digests = {_photo(phone, f"c{n}", bytes([n]) * 700_000): bytes([n]) * 700_000 for n in range(2)}
    phone.sync()
    assert laptop.sync().media == 2
    assert {digest: laptop.store.media(digest) for digest in digests} == digests
    assert laptop.sync().media == 0
    assert laptop.store.get("media") is None


def test_a_photo_that_is_withheld_is_asked_for_again(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    net.settle()
    digest = _photo(phone, "ada", b"\xff\xd8 photo")
    phone.sync()
    refusal = m.RefusalAnswer(Refusal.NOT_FOUND, "no such blob")
    sizes: list[int] = []

    def withhold(message: Message) -> Message:
        if isinstance(message, m.BlobPart):
            sizes.append(message.size)
            # Index and chunk of the batch come first.
            return message if len(sizes) <= 2 else refusal
        return message

    assert lying_sync(laptop, withhold).media == 0
    assert len(sizes) == 3
    assert laptop.store.media(digest) is None
    assert laptop.registers("ada") is not None
    assert laptop.sync().media == 1


def test_a_reader_opens_nothing(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syncing, "COMPACT_ENTRIES", 0)
    phone = net.begin()
    reader = net.add(phone, "child", Role.READER)
    phone.edit("ada", **{"notes/n": "x"})
    phone.sync()
    net.clock.time += COMPACT_INTERVAL
    assert not reader.sync().opened
    assert reader.registers("ada") is not None




def test_what_was_replaced_a_month_ago_is_forgotten(net: Network) -> None:
    phone = net.begin()
    phone.edit("ada", **{"notes/n": "old"})
    phone.sync()
    phone.edit("ada", **{"notes/n": "new"})
    phone.sync()
    assert len(phone.profile.book(0).history.steps()) == 2
    net.clock.time += 31 * 86_400_000
    phone.sync()
    assert phone.profile.book(0).history.steps() == []
    assert phone.profile.book(0).history.reaches() == net.clock.time - 30 * 86_400_000


def _ask(device: Device, *requests: AskSeal | AskLeave) -> None:
    """Put an announcement with these requests into the device's slot."""
    replica = device.replica
    line = Line(device.net, replica)
    raw = announcement(replica, replica.signing_key, next_number(replica), device.net.entropy, requests)
    line.run(ask(PutSlot(raw, b""), SlotStored))


def test_whoever_syncs_next_closes_the_door_behind_a_device_that_leaves(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    net.settle()
    _ask(laptop, AskLeave(laptop.replica.position.epoch))
    net.clock.time += HEARTBEAT_INTERVAL + OPENINGS_INTERVAL
    assert phone.sync().opened
    assert laptop.replica.member not in phone.replica.chain.members
    # Once: the request is fulfilled, and nothing is left to ask for.
    net.clock.time += HEARTBEAT_INTERVAL
    assert not phone.sync().opened


def test_whoever_syncs_next_seals_again_for_a_device_that_asks(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    net.settle()
    epoch = phone.replica.position.epoch
    _ask(laptop, AskSeal(epoch))
    net.clock.time += HEARTBEAT_INTERVAL + OPENINGS_INTERVAL
    assert phone.sync().opened
    assert phone.replica.position.epoch == epoch + 1
    net.clock.time += HEARTBEAT_INTERVAL
    assert not phone.sync().opened


def test_a_reader_is_asked_in_vain(net: Network) -> None:
    phone = net.begin()
    child = net.add(phone, "child", Role.READER)
    net.settle()
    _ask(phone, AskSeal(phone.replica.position.epoch))
    net.clock.time += HEARTBEAT_INTERVAL + OPENINGS_INTERVAL
    assert not child.sync().opened


def test_a_device_that_was_never_heard_is_looked_for_at_every_sync(net: Network) -> None:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    phone.sync()
    heard = {slot.member: slot.heard for slot in phone.store.slots()}
    assert heard[laptop.replica.member] > 0


def test_who_is_behind_a_heartbeat_reads_on_before_it_says_so(net: Network) -> None:
    """SPEC 14.6 step 3: the relay has only moved on since this device has read, and withholds nothing."""
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    net.settle()
    replica, line, link = laptop.online()
    link.notices.clear()
    phone.edit("ada", **{"notes/n": "new"})
    net.clock.time += HEARTBEAT_INTERVAL
    phone.sync()
    line.run(syncing.listen(replica, link))
    assert link.notices == []
    assert laptop.registers("ada") == {"uid": "ada", "notes/n": "new"}
