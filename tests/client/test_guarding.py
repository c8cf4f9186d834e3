"""client.guarding: what a person decides about what the guard holds; S9, a mass deletion, from one end to the other."""

from __future__ import annotations

from pathlib import Path

from e2esync.client.forgetting import forget
from e2esync.client.guarding import Guarded, deeds
from e2esync.contactset import BatchOp, decode_ops
from e2esync.log.entry import parse_entry
from e2esync.replica.history import Step
from e2esync.replica.port import HELD
from e2esync.replica.writing import write_batch
from e2esync.testing import Device, Network
from tests.helpers.virtual import virtual_time

MANY = [f"Person {number:03}" for number in range(100)]
MOST = MANY[:90]


async def robbed(net: Network) -> tuple[Device, Device, Device]:
    """A phone, a laptop and a tablet in step; then the phone, which somebody else holds, deletes nine of ten."""
    phone = await net.begin("Phone")
    laptop, tablet = await net.pair(phone, "Laptop"), await net.pair(phone, "Tablet")
    with phone.book.step(Step("import", phone.now())):
        for name in MANY:
            phone.add(name)
    await net.settle()
    phone.remove(*MOST)
    await phone.sync()
    return phone, laptop, tablet


@virtual_time
async def test_s9_a_mass_deletion_is_seen_and_refused(tmp_path: Path) -> None:
    async with Network("S9", tmp_path) as net:
        phone, laptop, tablet = await robbed(net)
        result = await laptop.sync()
        assert result.held == len(MOST)
        assert laptop.names() == MANY
        assert [one.name for one in sorted(laptop.book.guarded(), key=lambda one: one.name)] == MOST
        assert {(one.author, one.deleted) for one in laptop.book.guarded()} == {(phone.replica.member, True)}
        (notice,) = laptop.book.status().notices
        assert notice.startswith("Phone deleted 90 contacts: they are shown here as they were")
        # The shared state is everybody's: digests are equal, and epochs go on.
        await laptop.rotate()
        await net.settle()
        assert len({device.digest() for device in net.devices}) == 1
        assert laptop.names() == tablet.names() == MANY
        assert phone.names() == MANY[90:]
        # The tablet's person agrees, the laptop's refuses: a refusal is one entry, and the last word.
        assert tablet.book.confirm_guarded() == len(MOST)
        assert tablet.names() == MANY[90:]
        counter = laptop.store.vector().get(laptop.replica.member, (0, b""))[0]
        assert laptop.book.refuse_guarded() == len(MOST)
        await net.settle()
        assert laptop.store.vector()[laptop.replica.member][0] == counter + 1
        assert phone.names() == laptop.names() == tablet.names() == MANY
        assert len({device.digest() for device in net.devices}) == 1
        assert not any(device.store.kept_keys(HELD) for device in net.devices)
        assert laptop.book.status().notices == []


@virtual_time
async def test_what_was_confirmed_can_still_be_undone(tmp_path: Path) -> None:
    async with Network("confirm", tmp_path) as net:
        phone, laptop, _tablet = await robbed(net)
        await laptop.sync()
        steps = len(laptop.store.history.steps())
        laptop.book.confirm_guarded()
        step = laptop.store.history.steps()[0]
        assert (len(laptop.store.history.steps()), step.author, step.contacts) == (
            steps + 1, phone.replica.member, len(MOST))
        laptop.book.carry_out(laptop.book.plan_undo(step.number))
        await net.settle()
        assert phone.names() == laptop.names() == MANY


@virtual_time
async def test_a_refusal_of_some_leaves_the_rest_to_be_decided(tmp_path: Path) -> None:
    async with Network("some", tmp_path) as net:
        phone, laptop, _tablet = await robbed(net)
        await laptop.sync()
        chosen = [one.contact for one in laptop.book.guarded()[:3]]
        steps = laptop.store.history.steps()
        assert laptop.book.refuse_guarded(chosen) == 3
        assert laptop.store.history.steps() == steps, "nothing changed in view: there is nothing to undo"
        assert laptop.book.confirm_guarded(chosen) == 0
        await net.settle()
        assert len(phone.names()) == 13
        assert laptop.names() == MANY
        assert len(laptop.book.guarded()) == len(MOST) - 3


@virtual_time
async def test_a_refusal_keeps_what_others_have_written_since(tmp_path: Path) -> None:
    async with Network("since", tmp_path) as net:
        phone, laptop, tablet = await robbed(net)
        await laptop.sync()
        await tablet.sync()
        # Who edits a held contact keeps it, and its edit is newer than both.
        tablet.note(MANY[0], "newer")
        await net.settle()
        assert MANY[0] in phone.names()
        laptop.book.refuse_guarded()
        await net.settle()
        row = laptop.book.find(MANY[0])
        assert "newer" in str(laptop.book.registers(row.contact))
        assert laptop.book.registers(row.contact) == phone.book.registers(row.contact)
        assert laptop.book.conflicts(row.contact) == {}


@virtual_time
async def test_an_import_over_what_is_held_brings_it_back(tmp_path: Path) -> None:
    async with Network("import", tmp_path) as net:
        phone, laptop, _tablet = await robbed(net)
        await laptop.sync()
        some = sorted(one.contact for one in laptop.book.guarded())[:30]
        write_batch(laptop.replica, [(contact, {"notes/n": {"note": "imported"}}) for contact in some],
                    laptop.now(), laptop.entropy)
        await net.settle()
        for contact in some:
            assert phone.book.registers(contact) == laptop.book.registers(contact)
            assert "name" in phone.book.registers(contact)
        assert len(laptop.book.guarded()) == len(MOST) - 30


@virtual_time
async def test_a_forget_waits_for_the_guard(tmp_path: Path) -> None:
    async with Network("forget", tmp_path) as net:
        phone, laptop, tablet = await robbed(net)
        await laptop.sync()
        with phone.online():
            await forget(phone.profile, entropy=phone.entropy, now=phone.now)
        await net.settle()
        assert laptop.names() == MANY
        assert laptop.store.history.steps() == []
        assert set(laptop.book.not_forgotten()) >= {laptop.replica.member}
        assert laptop.replica.member in phone.book.not_forgotten()
        # A thief's forget takes nothing from who refuses.
        assert laptop.book.refuse_guarded() == len(MOST)
        tablet.book.confirm_guarded()
        assert tablet.store.history.steps() == [], "agreed: then it goes without a trace"
        await net.settle()
        assert phone.names() == laptop.names() == tablet.names() == MANY
        assert laptop.replica.member not in phone.book.not_forgotten()


@virtual_time
async def test_a_refusal_of_many_goes_as_one_batch(tmp_path: Path) -> None:
    async with Network("batch", tmp_path) as net:
        _phone, laptop, _tablet = await robbed(net)
        await laptop.sync()
        laptop.book.refuse_guarded()
        (row,) = laptop.store.unsent()
        (op,) = decode_ops(parse_entry(row.entry).ops)
        assert isinstance(op, BatchOp)
        assert op.count == len(MOST)


def test_deeds_in_words() -> None:
    gone, changed = Guarded(b"", "", 1, True, 0), Guarded(b"", "", 1, False, 0)
    assert deeds([gone] * 9000) == "deleted 9,000 contacts"
    assert deeds([gone, changed, changed]) == "deleted 1 contact and changed 2"
    assert deeds([changed]) == "changed 1 contact"
