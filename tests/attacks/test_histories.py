"""A relay that shows another history than the true one: older, forked, with holes, or none at all (SPEC 14.1, 14.2)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import reduce

import pytest
import trio

from e2esync.access.pairing import Joined
from e2esync.client.connection import Connection
from e2esync.epoch.chain import Chain, verify_chain
from e2esync.epoch.record import parse_record
from e2esync.errors import ChainInvalid, E2esyncError, ForkDetected, PairingAborted, Refused, RollbackDetected
from e2esync.limits import HEARTBEAT_INTERVAL
from e2esync.replica.core import Replica
from e2esync.session import messages as m
from e2esync.testing import Device, Network, mutate
from tests.attacks.scene import (
    MOMENTS,
    ROTATION,
    Weak,
    attack,
    defences,
    heals,
    keeping_all_but,
    opens,
    refused,
    scene,
    sponsor,
    three,
    two,
)

WELCOME = Weak("replica.reading:check_welcome", late=True)
HEAD = Weak("replica.reading:verify_head", alone=True)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(WELCOME)
async def test_a07_snapshot_rollback(net: Network, moment: str) -> None:
    """The relay goes back to before what the laptop has seen."""
    phone, laptop = await scene(net, moment)
    older = net.relay.moment()
    phone.note("Ada", "four")
    await phone.sync()
    await laptop.sync()
    laptop.add("Carl")
    newest = net.relay.main
    net.relay.rollback(older)
    error = await refused(laptop, RollbackDetected)
    assert "has seen" in error.message
    net.relay.show(newest)
    await heals(net)
    assert phone.names() == ["Ada", "Bob", "Carl"]


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("replica.reading:check_welcome", also=("replica.reading:verify_head",), late=True))
async def test_a08_fork_of_the_log(net: Network, moment: str) -> None:
    """Two devices are shown two logs, and then the laptop is shown the phone's."""
    phone, laptop = await scene(net, moment)
    net.relay.fork("Laptop")
    phone.add("Zoe")
    laptop.add("Carl")
    await phone.sync()
    await laptop.sync()
    phone.add("Bert")
    await phone.sync()
    laptop.add("Dora")
    net.relay.honest()
    await refused(laptop, ForkDetected)
    assert laptop.names() == ["Ada", "Bob", "Carl", "Dora"]


@pytest.mark.parametrize("moment", MOMENTS)
@attack(HEAD)
async def test_a08_an_envelope_of_another_branch(net: Network, moment: str) -> None:
    """What the phone wrote on a branch of its own is leaked into the log that the laptop is shown."""
    phone, laptop = await scene(net, moment)
    branch = net.relay.fork("Phone")
    phone.add("Bert")
    await phone.sync()
    other = branch.journal[-1].change.request
    assert isinstance(other, m.Append)
    leaked = mutate(m.LogPart, lambda part: replace(part, envelopes=(*part.envelopes[:-1], other.envelope)))
    await refused(laptop, ForkDetected, leaked, entered=moment == ROTATION)
    assert "Bert" not in laptop.names()


def blindly(replica: Replica, raws: tuple[bytes, ...], **_options: object) -> object:
    """Take a chain further without looking at which branch it is of."""
    records = tuple(parse_record(raw) for raw in raws)
    return reduce(Chain.extend, records, replica.chain), records


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("replica.entering:extend", blindly, late=True))
async def test_a08_two_records_with_one_number(net: Network, moment: str) -> None:
    """Each device is shown another record of one epoch; then the laptop is shown what follows the phone's."""
    phone, laptop = await two(net, moment)
    net.relay.fork("Laptop")
    await opens(phone)
    await opens(laptop)
    await opens(phone)
    laptop.add("Bob")
    net.relay.honest()
    await refused(laptop, ForkDetected)
    assert laptop.names() == ["Ada", "Bob"]


@pytest.mark.parametrize("moment", MOMENTS)
@attack(WELCOME)
async def test_a10_chain_cut_before_a_revocation(net: Network, moment: str) -> None:
    """(a) An old device is shown the chain before the tablet was revoked, or with a record missing in the middle."""
    phone, laptop, tablet = await scene(net, moment, "Tablet")
    before, newest = net.relay.moment(), net.relay.main
    await phone.revoke(tablet)
    await laptop.sync()
    laptop.add("Carl")
    net.relay.rollback(before)
    await refused(laptop, RollbackDetected)
    net.relay.show(newest)
    await heals(net, phone, laptop)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("epoch.chain:check_follows", late=True, also=("replica.entering:_check_closing",
                                                         "epoch.chain:check_numbers")))
async def test_a10_chain_with_a_hole(net: Network, moment: str) -> None:
    """(a) A record in the middle is cut out."""
    phone, laptop = await scene(net, moment)
    # The same key signs all of them: nothing but the chain says that one is missing.
    await opens(phone)
    await opens(phone)
    hole = mutate(m.ChainPart, lambda part: m.ChainPart((*part.records[:-2], *part.records[-1:])))
    await refused(laptop, ChainInvalid, hole)
    await heals(net)


def any_chain(joined: Joined, raws: tuple[bytes, ...], _verify_key: bytes) -> Chain:
    """A chain that need not hold what the sponsor has said of it."""
    return verify_chain(joined.set_id, raws)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("procedures.founding:_told_chain", any_chain, late=True))
async def test_a10_chain_cut_at_the_beginning_of_a_device(net: Network, moment: str) -> None:
    """(b) A pairing device is shown a chain that ends before it. It aborts, and its profile is as it was."""
    phone = await sponsor(net, moment)
    cut = mutate(m.ChainPart, lambda part: m.ChainPart(part.records[:-1]), device="Tablet")
    with net.relay.lying(cut), defences(), pytest.raises(PairingAborted):
        await net.pair(phone, "Tablet")
    assert not net.devices[-1].book.exists()
    # The control: the same pairing with an honest relay.
    await net.pair(phone, "Tablet 2")
    await heals(net, phone, net.devices[-1])


@pytest.mark.parametrize("moment", MOMENTS)
@attack(keeping_all_but("unverified"))
async def test_a10_recovery_that_may_be_stale(net: Network, moment: str) -> None:
    """(c) A kit cannot know whether what it is shown is the newest: it says so, until a person compares."""
    phone = await sponsor(net, moment)
    before, newest = net.relay.moment(), net.relay.main
    phone.add("Bob")
    await phone.sync()
    net.relay.rollback(before)
    with defences():
        stale = await net.recover("Rescued")
    assert stale.names() == ["Ada"]
    assert any("FreshnessUnverified" in notice for notice in stale.book.status().notices)
    assert stale.book.phrase() != phone.book.phrase()
    stale.book.confirm()
    assert not any("FreshnessUnverified" in notice for notice in stale.book.status().notices)
    net.relay.show(newest)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(WELCOME)
async def test_a42_a_relay_that_empties_the_log(net: Network, moment: str) -> None:
    """An empty log is not an empty book: nothing is deleted on the relay's word."""
    _phone, laptop = await scene(net, moment)
    await laptop.sync()
    laptop.add("Carl")
    newest, epoch = net.relay.main, laptop.replica.chain.epoch
    net.relay.withhold(lambda done: isinstance(done.change.request, m.Append) and done.change.request.epoch == epoch)
    await refused(laptop, RollbackDetected)
    net.relay.show(newest)
    await heals(net)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(why="no answer of a relay deletes anything on a device: there is no such code that could be let loose")
async def test_a42_a_relay_that_knows_nobody(net: Network, moment: str) -> None:
    """Everything is gone, the set with it. Nobody loses a contact, an edit or a key; who is ahead seeds the relay."""
    phone, laptop = await scene(net, moment)
    before = [(device.names(), device.replica.member) for device in (phone, laptop)]
    net.relay.rollback(0)
    for _round in range(3):
        for device in (phone, laptop):
            net.clock.time += 10**7
            with suppress(E2esyncError):
                await device.sync()
    assert [(device.names(), device.replica.member) for device in (phone, laptop)] >= before
    assert laptop.names() == ["Ada", "Bob"]
    await heals(net)
    assert phone.names() == ["Ada", "Bob"]


async def _plays_dead(net: Network, laptop: Device) -> None:
    """The relay shows the laptop that it has lost everything, and takes what the laptop brings."""
    net.relay.show(net.relay.view(until=0, life=7), "Laptop")
    net.clock.time += 10**7
    await laptop.sync()
    assert laptop.replica.chain.head.is_seed
    net.clock.time += 10**7


@attack(Weak("procedures.reading:first_seed", len, late=True))
async def test_a42_a_relay_that_plays_dead_for_one(net: Network) -> None:
    """Then it shows the laptop what the phone has done meanwhile: one history again, nobody frozen, nothing lost."""
    phone, laptop = await two(net)
    await phone.rotate()
    phone.add("Bob")
    await phone.sync()
    await _plays_dead(net, laptop)
    laptop.add("Carl")
    await laptop.sync()
    await phone.rotate()
    with defences():
        net.relay.honest()
        await heals(net)
    assert phone.names() == laptop.names() == ["Ada", "Bob", "Carl"]


@attack(Weak("replica.giving_way:check_gives_way"))
async def test_a42_a_relay_that_plays_dead_to_hide_what_it_took(net: Network) -> None:
    """It hides an acknowledged edit in a seed, and then shows a branch without it: that is no loss, but a fork."""
    phone, laptop = await two(net)
    net.relay.fork("Laptop")
    laptop.add("Bob")
    await laptop.sync()
    await _plays_dead(net, laptop)
    for _round in range(2):
        net.clock.time += 10**7
        await phone.rotate()
    net.relay.honest()
    await refused(laptop, ForkDetected)
    assert laptop.names() == ["Ada", "Bob"]


@attack(Weak("session.relay:VISITORS", (m.Message,), alone=True))
async def test_a42_empty_slots_and_unsigned_deletes(net: Network) -> None:
    """No heartbeats, no announcements: nobody is forgotten. And a request without a member's proof is refused."""
    phone, laptop = await two(net)
    with net.relay.lying(mutate(m.SlotList, lambda _slots: m.SlotList(0, ()))):
        await laptop.sync()
    assert laptop.names() == ["Ada"]
    assert len(laptop.book.devices()) == 2
    before = len(net.relay.main.journal)
    with net.dialing("Stranger"):
        visit = await Connection.as_visitor(net.url, None, net.entropy)
        with defences(), pytest.raises(Refused) as raised:
            await visit.request(m.Append(1, b"x" * 512), m.Appended)
        await visit.aclose()
    assert raised.value.reason == "NotAllowed"
    assert len(net.relay.main.journal) == before
    await heals(net, phone, laptop)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("procedures.sending:seal_outbox", lambda *_: []))
async def test_a31_two_openings_at_once(net: Network, moment: str) -> None:
    """An honest relay lets one win, and the other's edits are not lost. The loser's set never opens anything."""
    phone, laptop = await two(net, moment)
    epoch = phone.replica.chain.epoch
    phone.add("Bob")
    laptop.add("Carl")
    with defences():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(phone.rotate)
            nursery.start_soon(laptop.rotate)
        await heals(net)
    assert phone.names() == laptop.names() == ["Ada", "Bob", "Carl"]
    assert phone.replica.chain.epoch == epoch + 2


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("replica.entering:extend", blindly, late=True))
async def test_a31_a_relay_that_takes_both(net: Network, moment: str) -> None:
    """It answers both openings, and later shows the loser the winner's chain: the loser sees two branches."""
    phone, laptop = await two(net, moment)
    phone.add("Bob")
    laptop.add("Carl")
    net.relay.fork("Laptop")
    await opens(phone)
    await opens(laptop)
    await opens(phone)
    net.relay.honest()
    await refused(laptop, ForkDetected)
    assert laptop.names() == ["Ada", "Carl"]


@pytest.mark.parametrize("moment", MOMENTS)
@attack(HEAD)
async def test_a09_an_envelope_dropped(net: Network, moment: str) -> None:
    """Entry k is dropped and k + 1 delivered, under the head of the true log."""
    _phone, laptop = await scene(net, moment)
    dropped = mutate(m.LogPart, lambda part: replace(part, envelopes=part.envelopes[1:])
                     if len(part.envelopes) > 1 else part)
    await refused(laptop, ForkDetected, dropped, entered=moment == ROTATION)
    await heals(net)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("replica.sightings:check_entry", lambda *_: [], late=True, also=("replica.sightings:compare_beats",)))
async def test_a09_a_hidden_envelope_that_another_has_seen(net: Network, moment: str) -> None:
    """The phone's edit is left out of the laptop's log, with heads to match: the tablet's next entry gives it away."""
    phone, laptop, tablet = await three(net, moment)
    phone.note("Ada", "hidden")
    await phone.sync()
    hidden = next(done for done in reversed(net.relay.main.journal) if isinstance(done.change.request, m.Append))
    await tablet.sync()
    tablet.note("Ada", "seen")
    await tablet.sync()
    laptop.add("Bob")
    net.relay.withhold(lambda done: done is hidden, "Laptop")
    with defences():
        done = await laptop.sync()
    codes = {notice.code for notice in done.notices}
    assert codes & {"WithheldDetected", "ForkDetected"}
    assert laptop.names() == ["Ada", "Bob"]


@attack(Weak("replica.announcing:stale", lambda *_: []))
async def test_a09_a_device_that_is_held_back_altogether(net: Network) -> None:
    """The laptop said that it would stay, and nothing of it comes any more: the phone says so, and not "in step"."""
    phone, laptop = await two(net)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(laptop.watch)
        await trio.sleep(2 * HEARTBEAT_INTERVAL / 1000)
        await phone.sync()
        nursery.cancel_scope.cancel()
    net.relay.withhold(lambda done: done.change.member == laptop.replica.member, "Phone")
    laptop.add("Bob")
    await laptop.sync()
    net.clock.time += 10**8
    before = phone.names()
    with defences():
        done = await phone.sync()
    stale = [notice for notice in done.notices if notice.code == "StaleView"]
    assert [notice.about for notice in stale] == [str(laptop.replica.member)]
    assert phone.names() == before
    assert not [device for device in phone.book.devices() if device.in_step and not device.this]
    phone.add("Carl")
    await heals(net)
    assert phone.names() == ["Ada", "Bob", "Carl"]
