"""The set's own object (SPEC 8.8): book name and device names, encrypted like any contact and never shown as one."""

from __future__ import annotations

from e2esync.contactset import set_ops, view
from e2esync.errors import BadCard
from e2esync.limits import DEVICE_NAME_MAX
from e2esync.replica.core import Replica
from e2esync.replica.port import OWN_OBJECT
from e2esync.replica.writing import shown_state, write
from e2esync.wire import Value


def own_registers(replica: Replica, which: bytes = OWN_OBJECT) -> dict[str, Value]:
    """The registers of the set's own object; empty before anything was written to it."""
    state = shown_state(replica.store, which)
    shown = view(state) if state else None
    return dict(shown.registers) if shown else {}


def device_names(replica: Replica) -> dict[int, str]:
    """Device names by member index, as far as they are written and readable."""
    names = {}
    for path, value in own_registers(replica).items():
        kind, _slash, index = path.partition("/")
        if kind == "devices" and index.isdecimal() and isinstance(value, dict) and isinstance(value.get("name"), str):
            names[int(index)] = value["name"]
    return names


def book_name(replica: Replica) -> str:
    """The book's name, or an empty string."""
    name = own_registers(replica).get("name")
    return name if isinstance(name, str) else ""


def people_names(replica: Replica) -> dict[bytes, str]:
    """The names that people chose, by person."""
    names = {}
    for path, value in own_registers(replica).items():
        kind, _slash, person = path.partition("/")
        if kind == "people" and isinstance(value, dict) and isinstance(value.get("name"), str):
            try:
                names[bytes.fromhex(person)] = value["name"]
            except ValueError:
                continue
    return names


def name_person(replica: Replica, person: bytes, name: str, now: int) -> None:
    """Name a person. Raises BadCard for an empty name or one above 64 bytes."""
    write_own(replica, {f"people/{person.hex()}": {"name": _checked(name)}}, now)


def name_device(replica: Replica, member: int, name: str, now: int) -> None:
    """Name a device. Raises BadCard for an empty name or one above 64 bytes."""
    write_own(replica, {f"devices/{member}": {"name": _checked(name)}}, now)


def name_book(replica: Replica, name: str, now: int) -> None:
    """Name the book. Raises BadCard for an empty name or one above 64 bytes."""
    write_own(replica, {"name": _checked(name)}, now)


def _checked(name: str) -> str:
    if not name.strip() or len(name.encode()) > DEVICE_NAME_MAX:
        raise BadCard(f"a name has to have 1 to {DEVICE_NAME_MAX} bytes", "choose a shorter one")
    return name


def write_own(replica: Replica, values: dict[str, Value], now: int, which: bytes = OWN_OBJECT) -> None:
    """Write registers of the set's own object; None removes one."""
    write(replica, list(set_ops(which, shown_state(replica.store, which), now, values)))
