"""Three people with two devices each, and the books they share: SPEC 12.3, 12.4, 14.5 and the scenarios around them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from e2esync.contactset import SetOp
from e2esync.epoch.announcement import AskRemove
from e2esync.epoch.record import Remove
from e2esync.epoch.roles import Role
from e2esync.errors import DeviceRemoved, PairingAborted, ReadOnly, Refused, RightMissing
from e2esync.limits import OPENINGS_INTERVAL
from e2esync.procedures.opening import announce, open_epoch
from e2esync.replica.asking import ask_for
from e2esync.replica.contacts import contact_id
from e2esync.replica.home import list_set, read_home, seat
from e2esync.replica.own_object import device_names, people_names
from e2esync.replica.together import changes_due
from e2esync.session import rules
from tests.helpers.forger import Forger
from tests.helpers.network import Line, Network, meanwhile
from tests.helpers.people import Gadget, Person, sync_all


def _trio(net: Network) -> tuple[Person, Person, Person, bytes]:
    """Ada, Bob and Cleo with two devices each, in Ada's book: Bob writes, Cleo reads."""
    people = Person(net, "Ada"), Person(net, "Bob"), Person(net, "Cleo")
    ada, bob, cleo = people
    for person in people:
        person.add("laptop")
    family = ada.make("Family")
    ada.invite(family, bob, Role.WRITER)
    ada.invite(family, cleo, Role.READER)
    sync_all(*people)
    return ada, bob, cleo, family


def _everywhere(set_id: bytes, *people: Person) -> list[Gadget]:
    return [gadget for person in people for gadget in person.gadgets if gadget.is_in(set_id)]


def test_a_further_set_begins_with_a_root_that_hands_over(net: Network) -> None:
    ada = Person(net, "Ada")
    family = ada.make("Family")
    replica = ada.phone.book(family).replica
    half = ada.kit.half(1)
    assert replica.chain.root.verify_key == half.verify_key
    # Epoch 1 was opened by a key that is gone; epoch 2 is the device's own, and can be written in.
    assert (replica.chain.epoch, replica.chain.head.opener, replica.writable) == (2, 1, True)
    assert [member.role for member in replica.chain.members.values()] == [Role.OWNER, Role.ROOT]
    ada.phone.book(family).edit("uid", **{"notes/n": "x"})
    ada.phone.sync()
    # The kit alone reads it, and may change everything.
    kit, line = ada.as_kit(family)
    assert kit.store.contact(contact_id(family, "uid", 0)) is not None
    line.run(open_epoch(kit, line.link(), lambda _kit: ()))
    ada.phone.sync()
    assert ada.phone.book(family).replica.chain.epoch == 3


def test_each_further_set_uses_up_one_recovery_key(net: Network) -> None:
    ada = Person(net, "Ada")
    sets = [ada.make(name) for name in ("Family", "Club")]
    listed = read_home(ada.phone.home.replica)
    assert [listed.sets[each].kit for each in sets] == [1, 2]
    assert listed.free_half() == (3, ada.kit.half(3))


def test_all_six_devices_have_the_book(net: Network) -> None:
    ada, bob, cleo, family = _trio(net)
    gadgets = _everywhere(family, ada, bob, cleo)
    assert len(gadgets) == 6
    ada.phone.book(family).edit("x", **{"notes/n": "from Ada"})
    bob.gadgets[1].book(family).edit("y", **{"notes/n": "from Bob's laptop"})
    sync_all(ada, bob, cleo)
    assert len({gadget.book(family).digest() for gadget in gadgets}) == 1
    chain = cleo.gadgets[1].book(family).replica.chain
    roles = sorted((member.role, member.person == ada.person_in(family)) for member in chain.members.values())
    assert roles == [(Role.READER, False)] * 2 + [(Role.WRITER, False)] * 2 + [(Role.OWNER, True)] * 2 + [
        (Role.RECOVERY, False)] * 2 + [(Role.ROOT, True)]
    # Everybody is called as they wish; the devices as at home.
    replica = bob.phone.book(family).replica
    assert sorted(people_names(replica).values()) == ["Bob", "Cleo"]
    assert "Bob's laptop" in device_names(replica).values()
    # And nothing of one book is in another: not a key, and not a person.
    homes = [person.phone.home.replica for person in (ada, bob, cleo)]
    assert not chain.used_keys & frozenset().union(*(home.chain.used_keys for home in homes))
    assert not {member.person for member in chain.members.values()} & {home.person for home in homes}


def test_a_readers_second_device_is_let_in_by_others(net: Network) -> None:
    """A reader opens nothing: what its first device is asked for, it asks the others for (SPEC 14.5 step 2)."""
    ada, cleo = Person(net, "Ada"), Person(net, "Cleo")
    family = ada.make("Family")
    ada.invite(family, cleo, Role.READER)
    tablet = cleo.add("tablet")
    tablet.sync()
    cleo.phone.sync()
    assert not tablet.is_in(family)
    tablet.sync()
    assert not tablet.is_in(family)
    ada.phone.sync()
    cleo.phone.sync()
    tablet.sync()
    assert tablet.is_in(family)
    assert tablet.book(family).replica.chain.members[tablet.book(family).replica.member].role is Role.READER


def test_a_reader_with_real_keys_and_a_colluding_relay_has_no_effect(
    net: Network, monkeypatch: pytest.MonkeyPatch,
) -> None:
    ada, bob, cleo, family = _trio(net)
    reader = cleo.phone.book(family)
    with pytest.raises(ReadOnly):
        reader.edit("z", **{"notes/n": "x"})
    assert (reader.store.pending(), reader.store.outbox()) == ([], [])
    forger = Forger(reader)
    entry = forger.entry([SetOp(contact_id(family, "z", 0), 1, 1, {"notes/n": "x"})])
    before = {gadget.name: gadget.book(family).digest() for gadget in _everywhere(family, ada, bob, cleo)}
    with pytest.raises(Refused, match="NotAllowed"):
        forger.append(entry)
    # The relay forgets its rule, and takes it for a writer's.
    monkeypatch.setattr(rules, "WRITERS", frozenset(Role))
    position = ada.phone.book(family).replica.position
    forger.append(entry)
    for person in (ada, bob):
        for gadget in person.gadgets:
            gadget.book(family).sync()
            assert gadget.book(family).registers("z") is None
            assert gadget.book(family).digest() == before[gadget.name]
    # It took its position, for everybody alike.
    assert ada.phone.book(family).replica.position.seq > position.seq


def test_a_device_that_is_removed_at_home_is_out_everywhere(net: Network) -> None:
    ada, bob, cleo, family = _trio(net)
    lost = bob.gadgets[1]
    bob.lose(lost)
    member = lost.book(family).replica.member
    assert changes_due(bob.phone.home.replica, bob.phone.book(family).replica) == (Remove(member),)
    sync_all(ada, bob, cleo)
    assert member not in ada.phone.book(family).replica.chain.members
    assert changes_due(bob.phone.home.replica, bob.phone.book(family).replica) == ()
    ada.phone.book(family).edit("x", **{"notes/n": "later"})
    sync_all(ada, cleo)
    lost.sync()
    assert lost.book(family).registers("x") is None
    with pytest.raises(DeviceRemoved):
        Line(net, lost.book(family).replica)


def test_a_readers_lost_device_is_removed_by_others(net: Network) -> None:
    ada, bob, cleo, family = _trio(net)
    lost = cleo.gadgets[1]
    cleo.lose(lost)
    cleo.phone.sync()
    member = lost.book(family).replica.member
    assert member in cleo.phone.book(family).replica.chain.members
    bob.phone.sync()
    ada.phone.sync()
    assert member not in ada.phone.book(family).replica.chain.members


def test_unsharing_removes_a_person_with_all_that_is_theirs(net: Network) -> None:
    ada, bob, cleo, family = _trio(net)
    person = bob.person_in(family)
    kit, _line = bob.as_kit(family)
    ada.unshare(family, bob)
    sync_all(ada, bob, cleo)
    for gadget in _everywhere(family, ada, cleo):
        assert person not in {member.person for member in gadget.book(family).replica.chain.members.values()}
    ada.phone.book(family).edit("x", **{"notes/n": "later"})
    sync_all(ada, bob, cleo)
    assert cleo.phone.book(family).registers("x") is not None
    for gadget in bob.gadgets:
        assert gadget.book(family).registers("x") is None
    with pytest.raises(DeviceRemoved):
        Line(net, kit)
    # Their own book is as it was.
    bob.phone.home.edit("own", **{"notes/n": "x"})
    sync_all(bob)
    assert bob.gadgets[1].home.registers("own") is not None


def test_who_leaves_is_let_go_by_an_owner_with_kit_and_devices(net: Network) -> None:
    ada, bob, cleo, family = _trio(net)
    person, home = bob.person_in(family), bob.phone.home.replica
    listed = read_home(home).sets[family]
    list_set(home, replace(listed, left=True), net.clock())
    sync_all(bob)
    members = ada.phone.book(family).replica.chain.members.values()
    assert person in {member.person for member in members}
    sync_all(ada, bob, cleo)
    members = ada.phone.book(family).replica.chain.members.values()
    assert person not in {member.person for member in members}
    assert len(list(members)) == 6


def test_a_new_device_does_not_follow_into_what_was_left(net: Network) -> None:
    ada, bob, cleo, family = _trio(net)
    home = bob.phone.home.replica
    list_set(home, replace(read_home(home).sets[family], left=True), net.clock())
    sync_all(bob)
    watch = bob.add("watch")
    sync_all(ada, bob, cleo)
    assert not watch.is_in(family)


def test_two_sponsors_let_two_devices_in_at_once(net: Network) -> None:
    """S10, by asks: both openers name one index; who loses the race renumbers, and no newcomer is asked again."""
    ada, bob = Person(net, "Ada"), Person(net, "Bob")
    family = ada.make("Family")
    ada.invite(family, bob, Role.WRITER)
    tablets = [ada.add("tablet"), bob.add("tablet")]
    for tablet in tablets:
        tablet.sync()
    for person in (ada, bob):
        person.phone.home.sync()
    host, guest = ada.phone.book(family), bob.phone.book(family)
    net.clock.time += OPENINGS_INTERVAL
    replica, line, link = guest.online()
    wish = changes_due(bob.phone.home.replica, replica)
    assert len(wish) == 1
    line.run(meanwhile(open_epoch(replica, link, lambda _now: wish), ada.phone.sync))
    line.run(announce(replica, link))
    sync_all(ada, bob)
    indices = sorted(tablet.book(family).replica.member for tablet in tablets)
    assert indices[1] == indices[0] + 1
    assert len({gadget.book(family).digest() for gadget in _everywhere(family, ada, bob)}) == 1
    assert host.replica.chain.epoch == guest.replica.chain.epoch


def test_s6_a_wish_outlives_the_race_and_the_device_that_made_it(net: Network) -> None:
    """B asks to have its phone removed while A opens; B's own opening is refused and B closes the lid."""
    ada, bob, cleo, family = _trio(net)
    laptop, phone = bob.gadgets[1].book(family), bob.phone.book(family)
    net.clock.time += OPENINGS_INTERVAL
    replica, line, link = laptop.online()
    ask_for(replica, AskRemove(replica.chain.epoch, phone.replica.member))
    line.run(announce(replica, link))
    # The relay refuses the phone at once; A's next contact closes the door.
    phone.edit("late", **{"notes/n": "x"})
    with pytest.raises(Refused, match="NotAllowed"):
        phone.sync()
    ada.phone.book(family).sync()
    assert phone.replica.member not in ada.phone.book(family).replica.chain.members
    sync_all(cleo)
    assert cleo.phone.book(family).registers("late") is None


def test_s6_who_lost_all_devices_has_the_kit(net: Network) -> None:
    ada, bob, cleo, family = _trio(net)
    lost = [gadget.book(family).replica.member for gadget in bob.gadgets]
    kit, line = bob.as_kit(family)
    net.clock.time += OPENINGS_INTERVAL
    line.run(open_epoch(kit, line.link(), lambda _kit: tuple(Remove(member) for member in lost)))
    sync_all(ada, cleo)
    members = ada.phone.book(family).replica.chain.members
    assert not set(lost) & members.keys()
    assert bob.person_in(family) in {member.person for member in members.values()}
    # And not a device of anybody else.
    with pytest.raises(RightMissing, match="another person"):
        line.run(open_epoch(kit, line.link(), lambda _kit: (Remove(ada.phone.book(family).replica.member),)))


def test_a_seat_of_another_chain_is_refused(net: Network) -> None:
    """A relay that shows the follower another branch, or no branch with its record, gets PairingAborted."""
    ada = Person(net, "Ada")
    family = ada.make("Family")
    tablet = ada.add("tablet")
    tablet.sync()
    ada.phone.sync()
    tablet.home.sync()
    home = tablet.home.replica
    taken = read_home(home).seats[family, home.member]
    assert taken.landing is not None
    seat(home, family, home.member, replace(taken, landing=replace(taken.landing, record_hash=bytes(32))), net.clock())
    with pytest.raises(PairingAborted):
        tablet.sync()
    assert not tablet.is_in(family)
