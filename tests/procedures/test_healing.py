"""What a relay's lies come to (SPEC 14.6, 14.7): found out, said, proved, and healed when it is honest again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2esync.errors import ForkDetected, RelayRestored, RollbackDetected, StaleView, WithheldDetected
from e2esync.limits import HEARTBEAT_INTERVAL
from e2esync.log.evidence import Kind, verify_evidence
from e2esync.procedures import healing
from e2esync.procedures.syncing import sync
from e2esync.replica import reading, sightings
from e2esync.replica.findings import EVIDENCE, findings
from e2esync.session import messages as m
from e2esync.session.messages import Message
from e2esync.wire import decode
from tests.helpers.liar import LyingLine, copy_of, lying_sync, served_by
from tests.helpers.network import Device, Line, Network

QUARTER = 10**7


def standing(device: Device) -> tuple[object, ...]:
    """What no lie may move."""
    return (device.digest(), device.replica.position, device.store.vector(), device.store.pending(),
            [row.entry for row in device.store.outbox()], device.replica.chain.head.hash, device.replica.frozen)


def open_codes(device: Device) -> set[str]:
    """The codes of what is wrong now, as a device has kept it."""
    return {finding.code for finding in findings(device.store) if not finding.healed}


def proofs(device: Device) -> list[Kind]:
    """What the evidence that a device keeps proves, to somebody who has nothing but the file and the chain."""
    files = [decode(row.value)[2] for row in device.store.kept(EVIDENCE)]
    return [verify_evidence(raw, device.store.records()).kind for raw in files]


def together(*devices: Device) -> None:
    """All have the same, nothing waits, and nothing is wrong any more."""
    net = devices[0].net
    net.clock.time += QUARTER
    net.settle(*devices)
    net.clock.time += QUARTER
    net.settle(*devices)
    assert len({device.digest() for device in devices}) == 1
    assert not any(device.store.pending() or device.store.unsent() for device in devices)


@pytest.fixture
def three(net: Network) -> tuple[Device, Device, Device]:
    phone = net.begin()
    laptop = net.add(phone, "laptop")
    tablet = net.add(phone, "tablet")
    phone.edit("ada", **{"phones/a": "0"})
    net.clock.time += QUARTER
    net.settle()
    return phone, laptop, tablet


class TestFork:
    @contextmanager
    def split(self, three: tuple[Device, Device, Device], folder: Path) -> Iterator[None]:
        """The laptop is kept in a private branch; both sides write and beat."""
        phone, laptop, tablet = three
        net = phone.net
        private = copy_of(net, folder / "private.sqlite3")
        net.clock.time += QUARTER
        phone.edit("ada", **{"phones/a": "true"})
        tablet.edit("bob", **{"notes/n": "true"})
        net.settle(phone, tablet)
        with served_by(net, private):
            laptop.edit("eve", **{"notes/n": "private"})
            laptop.sync()
            laptop.sync()
        yield
        private.close()

    def test_s8_the_true_log_is_refused_once_and_taken_up_then(
        self, three: tuple[Device, Device, Device], tmp_path: Path,
    ) -> None:
        phone, laptop, tablet = three
        with self.split(three, tmp_path):
            before = standing(laptop)
            with pytest.raises(ForkDetected):
                laptop.sync()
            assert standing(laptop) == before
            assert open_codes(laptop) == {"ForkDetected"}
            laptop.sync()
            assert Kind.TWO_LOGS in proofs(laptop)
            together(phone, laptop, tablet)
            assert phone.registers("eve") == {"uid": "eve", "notes/n": "private"}
            assert laptop.registers("ada") == phone.registers("ada") == {"uid": "ada", "phones/a": "true"}
            together(phone, laptop, tablet)
            assert open_codes(laptop) == set()

    def test_an_entry_that_leaks_names_the_other_log(
        self, three: tuple[Device, Device, Device], tmp_path: Path,
    ) -> None:
        """Its author had seen a head that this device's log contradicts (A08)."""
        phone, laptop, _tablet = three
        with self.split(three, tmp_path):
            phone.net.clock.time += QUARTER
            laptop.edit("eve", **{"notes/n": "written behind the private branch"})
            envelope = self._next_envelope(laptop)
            self._append(phone, envelope)
            phone.sync()
            assert open_codes(phone) == {"ForkDetected", "WithheldDetected"}
            assert [f.counter for f in findings(phone.store) if f.code == "WithheldDetected"] == [1]

    def _next_envelope(self, device: Device) -> bytes:
        from e2esync.replica.writing import pack, seal_outbox

        pack(device.replica, device.net.entropy)
        return seal_outbox(device.replica, device.net.entropy)[-1].envelope

    def _append(self, device: Device, envelope: bytes) -> None:
        from e2esync.procedures.steps import ask
        from e2esync.session.messages import Append, Appended

        Line(device.net, device.replica).run(ask(Append(device.replica.position.epoch, envelope), Appended))

    def test_a_heartbeat_that_leaks_is_evidence(
        self, three: tuple[Device, Device, Device], tmp_path: Path,
    ) -> None:
        phone, laptop, _tablet = three
        with self.split(three, tmp_path):
            beat = self._beat(laptop)
            phone.net.clock.time += QUARTER
            member = laptop.replica.member

            def leak(message: Message) -> Message:
                if not isinstance(message, m.SlotList):
                    return message
                return m.SlotList(message.version, tuple(
                    m.Slot(s.member, s.announcement, beat if s.member == member else s.heartbeat, s.time)
                    for s in message.slots))

            # Whatever it has heard before, it asks for all of them.
            phone.store.drop("slots")
            before = standing(phone)
            lying_sync(phone, leak)
            assert standing(phone) == before
            assert "ForkDetected" in open_codes(phone)
            assert proofs(phone) == [Kind.TWO_LOGS]

    def _beat(self, device: Device) -> bytes:
        from e2esync.log.head import parse_head
        from e2esync.log.heartbeat import seal_heartbeat

        replica, net, key = device.replica, device.net, device.replica.key
        assert key is not None
        head = parse_head(*decode(device.store.get("head") or b""))
        return seal_heartbeat(
            key, replica.signing_key, replica.set_id, member=replica.member, epoch=replica.position.epoch,
            time=net.clock(), until=net.clock(), vector={}, head=head, entropy=net.entropy)

    def test_without_the_comparison_a_leak_is_not_noticed(
        self, three: tuple[Device, Device, Device], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The control."""
        monkeypatch.setattr(reading, "check_entry", lambda *_: [])
        phone, laptop, _tablet = three
        with self.split(three, tmp_path):
            laptop.edit("eve", **{"notes/n": "written behind the private branch"})
            self._append(phone, self._next_envelope(laptop))
            phone.sync()
            assert "ForkDetected" not in open_codes(phone)

    def test_an_epoch_opened_meanwhile_is_entered_by_its_snapshot(
        self, three: tuple[Device, Device, Device], tmp_path: Path,
    ) -> None:
        phone, laptop, tablet = three
        with self.split(three, tmp_path):
            phone.open()
            before = standing(laptop)
            with pytest.raises(ForkDetected):
                laptop.sync()
            assert standing(laptop) == before
            together(phone, laptop, tablet)
            assert phone.registers("eve") == {"uid": "eve", "notes/n": "private"}


class TestRollback:
    def test_a07_an_older_state_is_refused_and_what_it_lacks_given_back(
        self, three: tuple[Device, Device, Device], tmp_path: Path,
    ) -> None:
        """The relay was set back without a word: the same incarnation signs a lower position."""
        phone, laptop, tablet = three
        net = phone.net
        old = copy_of(net, tmp_path / "old.sqlite3")
        for number in range(3):
            phone.edit("ada", **{"phones/a": str(number)})
            tablet.edit("bob", **{"notes/n": str(number)})
            net.settle()
        laptop.edit("eve", **{"notes/n": "mine"})
        with served_by(net, old):
            before = standing(laptop)
            with pytest.raises(RollbackDetected):
                laptop.sync()
            assert standing(laptop) == before
            assert open_codes(laptop) == {"RollbackDetected"}
            assert proofs(laptop) == [Kind.ROLLED_BACK]
            laptop.sync()
            for device in (phone, tablet):
                device.sync()
            together(phone, laptop, tablet)
            assert open_codes(laptop) == set()
            assert tablet.registers("eve") == {"uid": "eve", "notes/n": "mine"}
            assert phone.registers("bob") == {"uid": "bob", "notes/n": "2"}
        old.close()

    def test_a_moment_of_an_older_state_costs_nothing(
        self, three: tuple[Device, Device, Device], tmp_path: Path,
    ) -> None:
        phone, laptop, tablet = three
        net = phone.net
        old = copy_of(net, tmp_path / "old.sqlite3")
        phone.edit("ada", **{"phones/a": "1"})
        net.settle()
        with served_by(net, old), pytest.raises(RollbackDetected):
            laptop.sync()
        old.close()
        together(phone, laptop, tablet)
        assert open_codes(laptop) == set()

    def test_s7_a_relay_restored_within_the_epoch_gets_back_what_it_lacks(
        self, three: tuple[Device, Device, Device], tmp_path: Path,
    ) -> None:
        """Somebody else writes first, so positions differ; entries do not, and nobody cries fork."""
        phone, laptop, tablet = three
        net = phone.net
        backup = copy_of(net, tmp_path / "backup.sqlite3", restored=True)
        phone.edit("ada", **{"phones/a": "1"})
        phone.sync()
        laptop.sync()
        laptop.edit("bob", **{"notes/n": "1"})
        laptop.sync()
        phone.sync()
        with served_by(net, backup):
            tablet.edit("eve", **{"notes/n": "first"})
            tablet.sync()
            assert phone.sync().received
            assert open_codes(phone) == {"RelayRestored"}
            laptop.sync()
            together(phone, laptop, tablet)
            assert phone.registers("bob") == {"uid": "bob", "notes/n": "1"}
            assert phone.registers("eve") == {"uid": "eve", "notes/n": "first"}
            assert [open_codes(device) for device in (phone, laptop, tablet)] == [set()] * 3
            assert not phone.store.kept(EVIDENCE)
        backup.close()

    def test_without_memory_of_the_position_a_rollback_is_not_noticed(
        self, three: tuple[Device, Device, Device], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The control."""
        phone, laptop, _tablet = three
        old = copy_of(phone.net, tmp_path / "old.sqlite3")
        phone.edit("ada", **{"phones/a": "1"})
        phone.net.settle()
        monkeypatch.setattr(healing, "check_welcome", lambda *_: None)
        with served_by(phone.net, old), pytest.raises(Exception, match=r"head|position") as raised:
            laptop.sync()
        assert not isinstance(raised.value, RollbackDetected)
        old.close()


class TestWithheld:
    def test_a09_what_another_device_has_seen_is_named(self, three: tuple[Device, Device, Device], tmp_path: Path,
                                                        ) -> None:
        """The relay keeps the phone's change from the laptop, and lets the tablet's heartbeat through."""
        phone, laptop, tablet = three
        net = phone.net
        stale_copy = copy_of(net, tmp_path / "held.sqlite3")
        phone.edit("ada", **{"phones/a": "secret"})
        phone.sync()
        net.clock.time += QUARTER
        tablet.sync()
        slots = Line(net, tablet.replica).run(_ask_slots())

        def leak(message: Message) -> Message:
            return slots if isinstance(message, m.SlotList) else message

        with served_by(net, stale_copy):
            before = standing(laptop)
            lying_sync(laptop, leak)
            assert standing(laptop) == before
        found = {(f.code, f.about, f.counter) for f in findings(laptop.store) if f.code == "WithheldDetected"}
        assert ("WithheldDetected", str(phone.replica.member), 2) in found
        stale_copy.close()
        together(phone, laptop, tablet)
        assert open_codes(laptop) == set()

    def test_a_gap_in_an_authors_numbers(self, three: tuple[Device, Device, Device]) -> None:
        """One device's change is dropped by the relay, the next one delivered."""
        from tests.helpers.forger import Forger

        phone, laptop, tablet = three
        forger = Forger(tablet)
        dropped, delivered = forger.entry(b"\x90"), forger.entry(b"\x90")
        forger.append(delivered)
        laptop.sync()
        assert {(f.about, f.counter) for f in findings(laptop.store)} == {(str(tablet.replica.member), dropped.counter)}
        assert open_codes(laptop) == {"WithheldDetected"}
        forger.append(dropped)
        laptop.sync()
        assert open_codes(laptop) == set()
        assert phone.sync().received

    def test_without_the_vectors_nothing_is_noticed(
        self, three: tuple[Device, Device, Device], monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The control."""
        from tests.helpers.forger import Forger

        monkeypatch.setattr(sightings, "withheld", lambda *_: [])
        monkeypatch.setattr(reading, "missing", lambda *_: WithheldDetected("", about="nobody"))
        _phone, laptop, tablet = three
        forger = Forger(tablet)
        forger.append(forger.entry(b"\x90", vector={laptop.replica.member + 1: 9, 1: 99}))
        laptop.sync()
        assert open_codes(laptop) == set()


def _ask_slots():  # type: ignore[no-untyped-def]
    from e2esync.procedures.steps import ask

    return ask(m.ReadSlots(), m.SlotList)


class TestStale:
    def _stay(self, device: Device) -> None:
        """One sync of a device that means to stay."""
        replica = device.replica
        line = Line(device.net, replica)
        link = line.link()
        link.stay = HEARTBEAT_INTERVAL
        line.run(sync(replica, link))

    def test_a_promise_that_is_kept_and_one_that_is_broken(self, three: tuple[Device, Device, Device]) -> None:
        phone, laptop, _tablet = three
        net = phone.net
        net.clock.time += QUARTER
        self._stay(laptop)
        phone.sync()
        net.clock.time += HEARTBEAT_INTERVAL + 1000
        assert not [n for n in self._notices(phone) if isinstance(n, StaleView)]
        net.clock.time += HEARTBEAT_INTERVAL + 1000
        before = standing(phone)
        assert [n.about for n in self._notices(phone) if isinstance(n, StaleView)] == [str(laptop.replica.member)]
        assert standing(phone) == before
        assert "StaleView" in open_codes(phone)
        net.clock.time += HEARTBEAT_INTERVAL
        laptop.sync()
        phone.sync()
        net.clock.time += QUARTER
        phone.sync()
        assert "StaleView" not in open_codes(phone)

    def test_a_device_that_promised_nothing_is_never_stale(self, three: tuple[Device, Device, Device]) -> None:
        phone, laptop, _tablet = three
        laptop.sync()
        phone.net.clock.time += 100 * HEARTBEAT_INTERVAL
        assert not self._notices(phone)

    def _notices(self, device: Device) -> list[object]:
        replica = device.replica
        line = Line(device.net, replica)
        link = line.link()
        line.run(sync(replica, link))
        return list(link.notices)


def test_a_finding_is_kept_once_and_limited(three: tuple[Device, Device, Device]) -> None:
    from e2esync.replica.findings import note

    phone, *_ = three
    for number in range(300):
        note(phone.replica, [RelayRestored("again"), WithheldDetected("x", about=f"m{number}")], 1000 + number)
    kept = findings(phone.store)
    assert len(kept) <= 256
    assert next(f for f in kept if f.code == "RelayRestored").first == 1000


def test_lines_are_lying_only_where_told(three: tuple[Device, Device, Device]) -> None:
    phone, *_ = three
    line = LyingLine(phone.net, phone.replica, lambda message: message)
    assert line.run(sync(phone.replica, line.link())).received == 0
