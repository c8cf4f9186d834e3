"""Names that are meant to be taken for others (SPEC 8.8): marked wherever a person chooses by them, and not refused."""

from __future__ import annotations

import json
import unicodedata

import pytest

from e2esync.cli import marks
from e2esync.client.profile import Profile
from e2esync.replica.own_object import name_device, name_person
from e2esync.testing import Device, Network
from tests.attacks.scene import MOMENTS, Weak, attack, defences, heals, three
from tests.attacks.sharing import at, everything, family, host, invite
from tests.cli.driving import run_here

DISGUISES = {
    "homoglyphs": "Lарtор", "zero width": "Lap\u200btop", "NFD": unicodedata.normalize("NFD", "Läptop"),
    "direction": "\u202eLaptop", "digits": "Lapt0p", "bold": "𝐋𝐚𝐩𝐭𝐨𝐩",
}


def seen(device: Device, command: str, *more: str) -> tuple[list[dict[str, object]], str]:
    """What a device's owner is shown of names: as JSON, and as text with what is said below it."""
    device.profile.close()
    home = ("--home", str(device.net.folder / device.name))
    found = json.loads(run_here(*home, command, *more, "--json")[1])[command]
    code, out, err = run_here(*home, command, *more)
    assert code == 0
    device.profile = Profile.open(device.net.folder / device.name)
    return found, out + err


@pytest.mark.parametrize("name", DISGUISES.values(), ids=DISGUISES)
@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("access.lookalike:skeleton", str), Weak("access.lookalike:alike", lambda *_: ()))
async def test_a63_a_device_named_like_another(net: Network, moment: str, name: str) -> None:
    """Somebody's device bears the name of the laptop, as far as an eye can see: both are marked, and it is in."""
    phone, laptop, evil = await three(net, moment)
    name_device(evil.replica, evil.replica.member, unicodedata.normalize("NFC", name), net.clock())
    await evil.sync()
    # Who has just been paired, or has not entered the epoch yet, is shown it as well.
    await laptop.sync()
    await phone.sync()
    with defences():
        for device in (phone, laptop):
            found, text = seen(device, "devices")
            alike = {each["member"]: each["alike"] for each in found if each["alike"]}
            assert alike == {evil.replica.member: [laptop.replica.member], laptop.replica.member: [evil.replica.member]}
            assert text.count("(!)") == 4
            assert "looks like Laptop" in text
        assert "CAREFUL" in marks.question(name, {each.member: each.name for each in phone.book.devices()})
    assert not [char for char in text if unicodedata.category(char) == "Cf"]
    await heals(net)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("access.lookalike:skeleton", str), Weak("access.lookalike:alike", lambda *_: ()))
async def test_a63_a_guest_named_like_the_host(net: Network, moment: str) -> None:
    """Who was invited takes the host's name, in Cyrillic: the list of people marks both, and nobody is shut out."""
    ada, bob = await host(net)
    await invite(ada, bob)
    await at(net, moment, ada, bob)
    book = family(bob)
    name_person(book.replica, book.replica.person, "Аdа", net.clock())
    await everything(bob, ada)
    with defences():
        found, text = seen(ada, "people", "--book", "Family")
        own, other = sorted(found, key=lambda each: not each["this"])
        assert (own["alike"], other["alike"], other["disguised"]) == ([other["person"]], [own["person"]], True)
        assert "looks like Ada, and holds letters of several alphabets" in text
    await everything(bob, ada)
    assert [row.name for row in family(bob).list()] == [row.name for row in family(ada).list()] == ["Grace"]


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("access.lookalike:is_disguised", lambda _name: False, also=("cli.marks:is_disguised",)))
async def test_a63_a_name_like_nobodys_that_hides_something(net: Network, moment: str) -> None:
    """Directions, what is not seen, and letters of two alphabets in one word are told of by themselves."""
    phone, _laptop, evil = await three(net, moment)
    for name in ("\u202etelbaT", "Ta\u200bblet", "Tаblet"):
        name_device(evil.replica, evil.replica.member, name, net.clock())
        await evil.sync()
        await phone.sync()
        with defences():
            found, _text = seen(phone, "devices")
            assert [each["member"] for each in found if each["disguised"]] == [evil.replica.member]
            assert "CAREFUL" in marks.question(name, {})
    await heals(net)
