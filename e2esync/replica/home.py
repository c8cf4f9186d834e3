"""What a home set's own object says of the person's further sets (SPEC 8.8): kit halves, sets, asks and seats.

Every register is written by any device of the person, of any version, so what does not have the form is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from e2esync.crypto import Entropy
from e2esync.epoch.record import Add, KitHalf
from e2esync.epoch.roles import DEVICES, Role
from e2esync.limits import HASH, KIT_HALVES, PERSON, SEAL_PUBLIC, SIGNATURE, VERIFY_KEY
from e2esync.replica.core import Replica
from e2esync.replica.own_object import own_registers, write_own
from e2esync.replica.port import KIT_OBJECT
from e2esync.replica.writing import write_batch
from e2esync.wire import Value

Place = tuple[bytes, int]
"""(id of a further set, member index in the home set)."""


@dataclass(frozen=True, slots=True)
class FurtherSet:
    """A set that the person is in besides the home set."""

    set_id: bytes
    name: str
    relay: str
    person: bytes
    role: Role
    kit: int
    """Number of the person's recovery key in it."""
    left: bool = False


@dataclass(frozen=True, slots=True)
class Landing:
    """What a device that was added by another one must find (SPEC 12.2 step 3)."""

    epoch_before: int
    record_before: bytes
    record_hash: bytes
    epoch: int
    head_seq: int
    log_hash: bytes


@dataclass(frozen=True, slots=True)
class Seat:
    """A device's member index in a further set; `landing` if another device of the person has had it added."""

    member: int
    landing: Landing | None = None


@dataclass(frozen=True, slots=True)
class Home:
    """Everything that a home set says of further sets, as it is shown now."""

    kit: Mapping[int, KitHalf] = field(repr=False)
    sets: Mapping[bytes, FurtherSet]
    asks: Mapping[Place, Add]
    seats: Mapping[Place, Seat]

    def free_half(self) -> tuple[int, KitHalf] | None:
        """The lowest recovery key that no set has, which a further set uses up; None if there is none left."""
        used = {0} | {each.kit for each in self.sets.values()}
        return next(((n, half) for n, half in sorted(self.kit.items()) if n not in used), None)


def read_home(replica: Replica) -> Home:
    """What the home set says."""
    home = Home({}, {}, {}, {})
    for path, value in [*own_registers(replica).items(), *own_registers(replica, KIT_OBJECT).items()]:
        kind, _slash, name = path.partition("/")
        if kind in _READERS and type(value) is dict:
            table, key, read = _READERS[kind]
            place = key(name)
            found = read(value, place) if place is not None else None
            if found is not None:
                getattr(home, table)[place] = found
    return home


def keep_halves(replica: Replica, halves: Mapping[int, KitHalf], now: int, entropy: Entropy) -> None:
    """Keep the public halves of a kit's recovery keys, so that the kit is not needed to be in further sets.

    As a batch: the next snapshot takes its run over as it is, and nobody uploads these 20 KiB a second time.
    """
    values: dict[str, Value] = {
        f"kit/{number}": {"verify": half.verify_key, "seal": half.seal_key, "proof": half.proof}
        for number, half in halves.items()
    }
    write_batch(replica, [(KIT_OBJECT, values)], now, entropy)


def list_set(replica: Replica, further: FurtherSet, now: int) -> None:
    """List a set, or change what is said of it."""
    value: dict[str, Value] = {
        "name": further.name, "relay": further.relay, "person": further.person, "role": int(further.role),
        "kit": further.kit,
    }
    write_own(replica, {f"sets/{further.set_id.hex()}": value | ({"left": True} if further.left else {})}, now)


def ask(replica: Replica, set_id: bytes, add: Add, now: int) -> None:
    """Ask the person's other devices to have this one added to a set."""
    value = [add.person, int(add.role), add.verify_key, add.seal_key, add.possession]
    write_own(replica, {f"asks/{_place(set_id, replica.member)}": {"add": value}}, now)


def seat(replica: Replica, set_id: bytes, home: int, taken: Seat, now: int) -> None:
    """Say which member of a set the home set's member `home` is."""
    value: dict[str, Value] = {"member": taken.member}
    if taken.landing is not None:
        at = taken.landing
        value["before"] = [at.epoch_before, at.record_before]
        value["landing"] = [at.record_hash, at.epoch, at.head_seq, at.log_hash]
    write_own(replica, {f"seats/{_place(set_id, home)}": value}, now)


def vacate(replica: Replica, listed: Home, set_id: bytes, now: int) -> None:
    """Take back every ask and every seat in a set: its person is in it as somebody new."""
    paths = [f"asks/{_place(*place)}" for place in listed.asks if place[0] == set_id]
    paths += [f"seats/{_place(*place)}" for place in listed.seats if place[0] == set_id]
    if paths:
        write_own(replica, dict.fromkeys(paths), now)


def _place(set_id: bytes, home: int) -> str:
    return f"{set_id.hex()}.{home}"


def _read_number(name: str) -> int | None:
    return int(name) if name in _NUMBERS else None


def _read_set_id(name: str) -> bytes | None:
    try:
        raw = bytes.fromhex(name)
    except ValueError:
        return None
    return raw if len(raw) == HASH and raw.hex() == name else None


def _read_place(name: str) -> Place | None:
    text, _dot, home = name.partition(".")
    set_id = _read_set_id(text)
    return (set_id, int(home)) if set_id is not None and home.isascii() and home.isdecimal() else None


def _read_half(value: dict[str, Any], _number: int) -> KitHalf | None:
    parts: list[Any] = [value.get(name) for name in ("verify", "seal", "proof")]
    return KitHalf(*parts) if _are_bytes(parts, (VERIFY_KEY, SEAL_PUBLIC, SIGNATURE)) else None


def _read_set(value: dict[str, Any], set_id: bytes) -> FurtherSet | None:
    fields: list[Any] = [value.get(each) for each in ("name", "relay", "person", "role", "kit")]
    name, relay, person, role, kit = fields
    if type(name) is not str or type(relay) is not str or not _are_bytes([person], (PERSON,)):
        return None
    if type(role) is not int or role not in DEVICES or type(kit) is not int:
        return None
    return FurtherSet(set_id, name, relay, person, Role(role), kit, value.get("left") is True)


def _read_ask(value: dict[str, Any], _place: Place) -> Add | None:
    add = value.get("add")
    if type(add) is not list or len(add) != 5 or type(add[1]) is not int or add[1] not in DEVICES:
        return None
    person, role, *keys = add
    if not _are_bytes([person, *keys], (PERSON, VERIFY_KEY, SEAL_PUBLIC, SIGNATURE)):
        return None
    return Add(person, Role(role), *keys)


def _read_seat(value: dict[str, Any], _place: Place) -> Seat | None:
    member, before, landing = (value.get(name) for name in ("member", "before", "landing"))
    if type(member) is not int or member < 1:
        return None
    if type(before) is not list or type(landing) is not list or (len(before), len(landing)) != (2, 4):
        return Seat(member)
    (epoch_before, record_before), (record_hash, epoch, seq, log_hash) = before, landing
    if not _are_bytes([record_before, record_hash, log_hash], (HASH, HASH, HASH)):
        return Seat(member)
    if any(type(number) is not int or number < 0 for number in (epoch_before, epoch, seq)):
        return Seat(member)
    return Seat(member, Landing(epoch_before, record_before, record_hash, epoch, seq, log_hash))


def _are_bytes(values: list[Any], lengths: tuple[int, ...]) -> bool:
    return all(type(value) is bytes and len(value) == length for value, length in zip(values, lengths, strict=True))


_NUMBERS: Final = {str(number) for number in range(KIT_HALVES)}
_READERS: Final[dict[str, tuple[str, Any, Any]]] = {
    "kit": ("kit", _read_number, _read_half), "sets": ("sets", _read_set_id, _read_set),
    "asks": ("asks", _read_place, _read_ask), "seats": ("seats", _read_place, _read_seat),
}
