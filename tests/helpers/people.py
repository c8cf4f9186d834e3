"""People with several devices, who share books over one relay: the network of `network.py`, more than one set deep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from e2esync.access.kit import RecoveryKit
from e2esync.access.pairing import Guest, Joined
from e2esync.crypto import Secret, SigningKey
from e2esync.crypto.sealing import SealingKey
from e2esync.epoch.record import Change, Remove, make_add
from e2esync.epoch.roles import Role
from e2esync.errors import DeviceRemoved, Refused
from e2esync.limits import KIT_HALVES, OPENINGS_INTERVAL
from e2esync.procedures.founding import arrive, create, hand_over
from e2esync.procedures.recovering import KitKeys, read_as_kit
from e2esync.procedures.syncing import sync
from e2esync.procedures.together import attend, follow
from e2esync.replica.core import Replica
from e2esync.replica.founding import found, seat_of
from e2esync.replica.home import keep_halves, read_home
from e2esync.replica.own_object import name_book, name_device, name_person
from e2esync.replica.together import ask_in, register, to_follow
from e2esync.stores.profile import ProfileStore
from tests.helpers.network import Device, Line, Network, Newcomer

RELAY = "wss://relay.example"


@dataclass
class Gadget:
    """One device of a person: its home set, and the books that it is in, by set id."""

    net: Network
    name: str
    home: Device
    books: dict[bytes, Device] = field(default_factory=dict)

    def book(self, set_id: bytes) -> Device:
        """Its copy of a book; the store may hold nothing but keys yet."""
        if set_id not in self.books:
            device = Device(self.net, self.home.profile, self.name)
            device.store = self.home.profile.book(len(self.books) + 1)
            self.books[set_id] = device
        return self.books[set_id]

    def is_in(self, set_id: bytes) -> bool:
        return set_id in self.books and self.books[set_id].store.get("identity") is not None

    def sync(self) -> None:
        """What a client does (SPEC 14.5): home first, then every book, then home again for what was learned."""
        _unless_removed(self.home.sync)
        home = self.home.replica
        listed = read_home(home)
        for further in to_follow(home, listed):
            ask_in(home, further, self.book(further.set_id).store, self.net.clock(), self.net.entropy)
        for set_id, further in listed.sets.items():
            device = self.book(set_id)
            if self.is_in(set_id):
                self._attend(home, device)
            elif not further.left:
                seat = listed.seats.get((set_id, home.member))
                if seat is not None:
                    line = Line(self.net, Newcomer(set_id, seat.member, SigningKey(device.store.secret("signing", 0))))
                    line.run(follow(home, device.store, further, line.link(), self.net.relay.key.verify_key))
        _unless_removed(self.home.sync)

    def _attend(self, home: Replica, device: Device) -> None:
        self.net.clock.time += OPENINGS_INTERVAL

        def work() -> None:
            replica, line, link = device.online()
            line.run(attend(home, replica, link, RELAY))

        _unless_removed(work)


def _unless_removed(work: Callable[[], object]) -> None:
    """Do something online that a device which was removed cannot do."""
    try:
        work()
    except DeviceRemoved:
        return
    except Refused as error:
        if error.reason != "NotMember":
            raise


class Person:
    """Somebody with a kit and devices; the first one makes the home set."""

    def __init__(self, net: Network, name: str) -> None:
        self.net = net
        self.name = name
        self.kit = RecoveryKit(Secret(net.entropy.draw("kit seed", 32)))
        home = Device(net, ProfileStore.memory(), f"{name}'s phone")
        founding = found(home.store, self.kit.signing_key(0), self.kit.sealing_key(0), net.relay.key.verify_key,
                         net.clock(), net.entropy)
        Line(net, None).run(create(founding))
        keep_halves(home.replica, {n: self.kit.half(n) for n in range(KIT_HALVES)}, net.clock(), net.entropy)
        self.gadgets = [Gadget(net, home.name, home)]

    @property
    def phone(self) -> Gadget:
        return self.gadgets[0]

    def add(self, name: str) -> Gadget:
        """One more device, paired by the phone."""
        device = self.net.add(self.phone.home, f"{self.name}'s {name}")
        self.net.devices.remove(device)
        name_device(self.phone.home.replica, device.replica.member, device.name, self.net.clock())
        self.gadgets.append(Gadget(self.net, device.name, device))
        return self.gadgets[-1]

    def lose(self, gadget: Gadget) -> None:
        """Remove a device from the home set, and from nothing else."""
        self.phone.home.remove(gadget.home)
        self.gadgets.remove(gadget)

    def make(self, name: str) -> bytes:
        """A further set, begun by a one-time root (SPEC 12.4)."""
        net, phone = self.net, self.phone
        number, half = read_home(phone.home.replica).free_half()
        device = Device(net, phone.home.profile, phone.name)
        device.store = phone.home.profile.book(len(phone.books) + 1)
        root, sealing = SigningKey(net.entropy.draw("signing key", 32)), SealingKey.generate(net.entropy)
        founding = found(device.store, root, sealing, net.relay.key.verify_key, net.clock(), net.entropy)
        Line(net, None).run(create(founding))
        keys = KitKeys(founding.set_id, 0, root, sealing)
        line = Line(net, Newcomer(keys.set_id, 0, root))
        root_replica = line.run(read_as_kit(ProfileStore.memory().book(0), line.link(), keys))
        line.run(hand_over(root_replica, line.link(), half))
        name_book(device.replica, name, net.clock())
        phone.books[founding.set_id] = device
        device.sync()
        register(phone.home.replica, device.replica, RELAY, net.clock())
        assert read_home(phone.home.replica).sets[founding.set_id].kit == number
        return founding.set_id

    def invite(self, set_id: bytes, guest: Person, role: Role = Role.WRITER) -> None:
        """What an invitation comes to once the words were confirmed (SPEC 12.3)."""
        net, host = self.net, self.phone.book(set_id)
        phone = guest.phone
        _number, half = read_home(phone.home.replica).free_half()
        person = net.entropy.draw("person", 16)
        signing, sealing = SigningKey(net.entropy.draw("signing key", 32)), SealingKey.generate(net.entropy)
        add = make_add(signing, set_id, person, role, sealing.public)
        inviter = host.replica.signing_key.verify_key
        host.open(add, half.add(person, Role.RECOVERY))
        seat = seat_of(host.replica, signing.verify_key)
        name_person(host.replica, person, guest.name, net.clock())
        at = seat.landing
        joined = Joined(
            set_id, person, int(role), net.relay.key.verify_key, at.record_before, at.epoch_before, at.record_hash,
            at.epoch, at.head_seq, at.log_hash, seat.member, Guest(guest.name, half), inviter,
        )
        host.sync()
        device = phone.book(set_id)
        line = Line(net, Newcomer(set_id, seat.member, signing))
        replica = line.run(arrive(device.store, line.link(), joined, signing, sealing))
        line.run(sync(replica, line.link()))
        register(phone.home.replica, replica, RELAY, net.clock())

    def person_in(self, set_id: bytes) -> bytes:
        return self.phone.book(set_id).replica.person

    def unshare(self, set_id: bytes, guest: Person) -> None:
        """Remove a person with all its devices and its kit."""
        person = guest.person_in(set_id)
        members = self.phone.book(set_id).replica.chain.members.values()
        changes: list[Change] = [Remove(member.index) for member in members if member.person == person]
        self.phone.book(set_id).open(*changes)

    def as_kit(self, set_id: bytes) -> tuple[Replica, Line]:
        """The kit in a book that this person is in, as a member of its own (SPEC 12.6)."""
        number = read_home(self.phone.home.replica).sets[set_id].kit
        signing, members = self.kit.signing_key(number), self.phone.book(set_id).replica.chain.members.values()
        (member,) = (each.index for each in members if each.verify_key == signing.verify_key)
        line = Line(self.net, Newcomer(set_id, member, signing))
        keys = KitKeys(set_id, member, signing, self.kit.sealing_key(number))
        return line.run(read_as_kit(ProfileStore.memory().book(0), line.link(), keys)), line


def sync_all(*people: Person, rounds: int = 4) -> None:
    """Everybody's devices, until what can be done is done."""
    for _round in range(rounds):
        for person in people:
            for gadget in person.gadgets:
                gadget.sync()

