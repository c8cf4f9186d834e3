"""What the two devices do to the book while they are offline, and what must have become of it.

Four acts, on contacts that the book itself offers: edits that do not meet, edits that do, a deletion against an edit,
and an addition and a deletion that nobody disputes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from e2esync.card import display_name
from e2esync.demo.devices import Device
from e2esync.errors import E2esyncError
from e2esync.wire import Value

_LOOK_AT: Final = 2_000
_ACTORS: Final = 4
NEWCOMER: Final = "Wilhelmina Newbridge"
_INVENTED: Final = ("Octavia Placeholder", "Rufus Understudy", "Petronella Standin", "Casimir Extra")


class BookTooSmall(E2esyncError):
    """Nothing in the file can play a part."""


@dataclass(frozen=True, slots=True)
class Act:
    """A contact, what each device does to it, and what has to come of it."""

    name: str
    on_phone: str
    on_laptop: str
    outcome: str
    before: dict[str, Any]
    """The contact as it was."""
    holds: Callable[[], bool]


def play(phone: Device, laptop: Device) -> list[Act]:
    """Carry out all edits, on both devices, offline. `holds` of each act is for after the syncs."""
    met, whole, apart, gone = _cast(phone)
    return [_apart(phone, laptop, apart), _met(phone, laptop, met), _whole(phone, laptop, whole),
            _undisputed(phone, laptop, gone)]


def unsent(device: Device) -> int:
    """How many changes of a device the relay has not got."""
    return len(device.profile.store.book(0).pending())


def fill_up(device: Device) -> int:
    """Add invented people to a book that is too small for the acts; returns how many."""
    people = _people(device)
    reachable = any(_has(registers, "phones") for _contact, registers in people)
    missing = max(_ACTORS - len(people), 0 if reachable else 1)
    for number, name in enumerate(_INVENTED[:missing]):
        device.book.add(_card(name, f"+44 7700 90098{number}"))
    return missing


def card_of(device: Device, contact: bytes) -> dict[str, Any]:
    """A contact as a JSContact card."""
    return device.book.card(contact)


def _apart(phone: Device, laptop: Device, contact: bytes) -> Act:
    before = card_of(phone, contact)
    number, note = "+44 7700 900961", "Met again at the lighthouse; takes the early ferry."
    _change(phone, contact, "phones", "demo", {"number": number, "features": {"mobile": True}})
    _change(laptop, contact, "notes", "demo", {"note": note})

    def holds() -> bool:
        return all(
            _entry(device, contact, "phones/demo").get("number") == number
            and _entry(device, contact, "notes/demo").get("note") == note for device in (phone, laptop)
        )
    return Act(_name(phone, contact), f"adds {number}", "adds a note", "both are there", before, holds)


def _met(phone: Device, laptop: Device, contact: bytes) -> Act:
    before = card_of(phone, contact)
    entry = next(path for path in sorted(phone.book.registers(contact)) if path.startswith("phones/"))
    _, key = entry.split("/")
    ours, theirs = "+44 7700 900962", "+44 7700 900963"
    for device, number in ((phone, ours), (laptop, theirs)):
        _change(device, contact, "phones", key, {**_entry(device, contact, entry), "number": number})

    def holds() -> bool:
        for device in (phone, laptop):
            lost = device.book.conflicts(contact).get(entry, [])
            numbers = [_entry(device, contact, entry).get("number"), *(_number(each.value) for each in lost)]
            if sorted(map(str, numbers)) != [ours, theirs]:
                return False
        return _entry(phone, contact, entry) == _entry(laptop, contact, entry)
    return Act(_name(phone, contact), f"corrects the number to …{ours[-3:]}",
               f"corrects the number to …{theirs[-3:]}",
               "one is shown, both are kept", before, holds)


def _whole(phone: Device, laptop: Device, contact: bytes) -> Act:
    before = card_of(phone, contact)
    name, email = _name(phone, contact), "back.again@lighthouse.example"
    registers = dict(phone.book.registers(contact))
    photo = ", with its photo" if _has(registers, "media") else ""
    phone.book.remove([contact])
    _change(laptop, contact, "emails", "demo", {"address": email})

    def holds() -> bool:
        return all(
            registers.items() <= device.book.registers(contact).items()
            and _entry(device, contact, "emails/demo").get("address") == email for device in (phone, laptop)
        )
    return Act(name, "deletes the contact", "adds an e-mail", f"the contact is back, whole{photo}", before, holds)


def _undisputed(phone: Device, laptop: Device, contact: bytes) -> Act:
    before = card_of(phone, contact)
    name = _name(phone, contact)
    phone.book.remove([contact])
    newcomer = laptop.book.add(_card(NEWCOMER, "+44 7700 900964"))

    def holds() -> bool:
        shown = [{row.contact for row in device.book.list()} for device in (phone, laptop)]
        return all(contact not in rows and newcomer in rows for rows in shown)
    return Act(name, "deletes the contact", f"adds {NEWCOMER}", "both devices have done both", before, holds)


def _cast(device: Device) -> list[bytes]:
    """Four people: one with a number, one to come back (with a photo, if anybody has one), and two more."""
    people = _people(device)
    if len(people) < _ACTORS:
        raise BookTooSmall("the book has too few contacts for the demo")
    met = next(contact for contact, registers in people if _has(registers, "phones"))
    others = [(contact, registers) for contact, registers in people if contact != met]
    whole = next((contact for contact, registers in others if _has(registers, "media")), others[0][0])
    return [met, whole, *[contact for contact, _registers in others if contact != whole][:2]]


def _people(device: Device) -> list[tuple[bytes, dict[str, Value]]]:
    """Contacts that are no groups; those with a number first."""
    seen = [(row.contact, device.book.registers(row.contact)) for row in device.book.list()[:_LOOK_AT]]
    people = [each for each in seen if each[1].get("kind", "individual") == "individual"]
    return sorted(people, key=lambda item: not _has(item[1], "phones"))


def _has(registers: dict[str, Value], head: str) -> bool:
    return any(path.startswith(head + "/") for path in registers)


def _name(device: Device, contact: bytes) -> str:
    return display_name(device.book.registers(contact))


def _entry(device: Device, contact: bytes, path: str) -> dict[str, Any]:
    value = device.book.registers(contact).get(path)
    return value if isinstance(value, dict) else {}


def _number(value: object) -> object:
    return value.get("number") if isinstance(value, dict) else None


def _change(device: Device, contact: bytes, member: str, key: str, entry: dict[str, Any]) -> None:
    """Put one entry into a contact's card, as a program that embeds the library would."""
    card = card_of(device, contact)
    card.setdefault(member, {})[key] = entry
    device.book.update(contact, card)


def _card(name: str, number: str) -> dict[str, Any]:
    return {"@type": "Card", "version": "1.0", "name": {"full": name}, "phones": {"m": {"number": number}}}
