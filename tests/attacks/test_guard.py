"""Bulk damage by a device that is still a member (SPEC 14.9): nobody else loses anything, not even from sight."""

from __future__ import annotations

from typing import Any

import pytest

from e2esync.replica.history import Step
from e2esync.testing import Device, Network
from tests.attacks.scene import FIRST, MOMENTS, ROTATION, Weak, attack, defences, heals

MANY = [f"Person {number:02}" for number in range(60)]
MOST = MANY[:54]


def unguarded(*_: Any) -> set[bytes]:
    """Whatever others did shows at once."""
    return set()


async def filled(net: Network, moment: str) -> tuple[Device, Device]:
    """Two devices with a book of sixty, at a moment as in `two`."""
    phone = await net.begin("Phone")
    with phone.book.step(Step("import", phone.now())):
        for name in MANY:
            phone.add(name)
    await phone.sync()
    laptop = await net.pair(phone, "Laptop")
    if moment != FIRST:
        laptop.note(MANY[-1], "seen")
        await net.settle()
    if moment == ROTATION:
        await phone.rotate()
    return phone, laptop


def steal(phone: Device, deed: str) -> None:
    """What a thief does with an unlocked phone."""
    with phone.book.step(Step(deed, phone.now())):
        for name in MOST:
            if deed == "delete":
                phone.remove(name)
            else:
                phone.book.write(phone.book.find(name).contact, {"name": {"full": "Pay me"}})


@pytest.mark.parametrize("way", ["log", "snapshot"])
@pytest.mark.parametrize("deed", ["delete", "edit"])
@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("replica.guarding:watch", unguarded))
async def test_a60_mass_delete_and_mass_edit(net: Network, moment: str, deed: str, way: str) -> None:
    """Nine of ten contacts go, or say something else, by a device with all rights; the owner of the laptop sees it."""
    phone, laptop = await filled(net, moment)
    steal(phone, deed)
    await phone.sync()
    if way == "snapshot":
        await phone.rotate()
    with defences():
        result = await laptop.sync()
    assert laptop.names() == MANY
    assert result.held == len(MOST)
    assert "Phone" in laptop.book.status().notices[0]
    # The thief is shut out, and everything is as it was, for every device.
    await laptop.revoke(phone, lost=True)
    assert laptop.names() == MANY
    laptop.book.refuse_guarded()
    tablet = await net.pair(laptop, "Tablet")
    await heals(net, laptop, tablet)
    assert laptop.names() == tablet.names() == MANY
    assert laptop.book.status().notices == []


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("replica.guarding:watch", unguarded))
async def test_a60_one_word_is_enough_for_what_was_meant(net: Network, moment: str) -> None:
    """The owner has truly cleared out: the laptop asks once, and then has the same."""
    phone, laptop = await filled(net, moment)
    steal(phone, "delete")
    await phone.sync()
    with defences():
        await laptop.sync()
    assert laptop.names() == MANY
    assert laptop.book.confirm_guarded() == len(MOST)
    await heals(net)
    assert laptop.names() == phone.names() == MANY[len(MOST):]
    assert laptop.book.status().notices == []
