"""Valid signed material to begin from: the cases of `vectors/`, of which one hostile byte string is replaced at a time.

An input of a target is two bytes that choose a case, one that chooses the byte string in it, and what is put there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from e2esync.conformance.performing import perform
from e2esync.conformance.vectors.case import resolved
from tests.vectors.replaying import CASES, DOCUMENTS

_HEX = re.compile(r"(?:[0-9a-f]{2})*")
_SEEDS_MAX = 40

HOSTILE = {
    "access::check_kit_proof": ("proof",),
    "access::parse_code": ("code",),
    "access::words_to_entropy": ("words",),
    "access::open_rescue": ("file",),
    "access::sponsor": ("messages",),
    "access::joiner": ("messages",),
    "access::host": ("messages",),
    "access::guest": ("messages",),
    "access::late_writes": ("state",),
    "cards::flatten": ("card",),
    "contactset::decode_ops": ("ops",),
    "contactset::check_state": ("state",),
    "contactset::harms": ("changes",),
    "crypto::verify": ("message", "signature"),
    "crypto::check_verify_key": ("verify_key",),
    "crypto::open": ("sealed",),
    "crypto::check_seal_public": ("public",),
    "crypto::open_box": ("box",),
    "crypto::unpad": ("padded",),
    "encoding::decode": ("bytes",),
    "encoding::decode_values": ("bytes",),
    "envelopes::parse_entry": ("entry",),
    "envelopes::read_envelope": ("envelope",),
    "envelopes::verify_head": ("body", "signature"),
    "envelopes::short_head": ("short",),
    "envelopes::open_heartbeat": ("heartbeat",),
    "envelopes::verify_evidence": ("evidence", "records"),
    "epochs::parse_record": ("record",),
    "epochs::verify": ("records",),
    "epochs::preferred": ("left", "right"),
    "epochs::open_own_box": ("list", "box"),
    "epochs::check_boxes": ("list", "boxes"),
    "epochs::check_announcement": ("announcement", "held"),
    "epochs::check_deleted": ("deletion", "records"),
    "epochs::check_deletion": ("deletion", "held"),
    "session::decode": ("frame",),
    "session::client": ("steps",),
    "session::relay": ("frames",),
    "snapshots::open_blob": ("blob",),
    "snapshots::open_manifest": ("blob",),
    "snapshots::read_run": ("blobs",),
}
"""Operation of the vectors → the inputs that somebody else may have sent. The others are the caller's own."""

Place = tuple[str | int, ...]


def _places(operation: str, value: Any, at: Place = ()) -> Iterator[Place]:
    """Where bytes or texts stand in an input."""
    if at[-1:] in (("float",), ("utf16",)):
        # How a case spells a value, which no file of anybody holds.
        return
    if isinstance(value, str) and _HEX.fullmatch(value):
        yield at
    elif isinstance(value, list):
        # Of a client's steps only what the relay sent is hostile.
        if operation == "session::client" and at[-1:] != ("steps",) and value[:1] != ["RECEIVE"]:
            return
        for number, item in enumerate(value):
            yield from _places(operation, item, (*at, number))
    elif isinstance(value, dict):
        if value.keys() == {"text"}:
            yield (*at, "text")
            return
        for name, item in value.items():
            yield from _places(operation, item, (*at, name))


def _get(value: Any, place: Place) -> str:
    for step in place:
        value = value[step]
    return str(value)


def _put(value: Any, place: Place, new: str) -> Any:
    """`value` with another string in one place."""
    if not place:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[place[0]] = _put(value[place[0]], place[1:], new)
    return copy


class Operation:
    """One operation of the vectors with all its cases."""

    def __init__(self, name: str) -> None:
        self.name = name
        given = DOCUMENTS[name.partition("::")[0]].get("given", {})
        self.cases: list[tuple[dict[str, Any], list[Any], list[Place]]] = []
        for case in CASES:
            if case["id"].rpartition("::")[0] == name:
                inputs = resolved(case["input"], given)
                places = [place for field in HOSTILE[name] if field in inputs
                          for place in _places(name, inputs[field], (field,))]
                if places:
                    self.cases.append((inputs, case.get("entropy", []), places))

    def run(self, data: bytes) -> None:
        """Replace one string of one case. Anything but an error of the tree goes through."""
        if len(data) < 3:
            return
        inputs, entropy, places = self.cases[int.from_bytes(data[:2]) % len(self.cases)]
        place = places[data[2] % len(places)]
        new = data[3:].decode("utf-8", "replace") if place[-1] == "text" else data[3:].hex()
        perform(self.name, _put(inputs, place, new), entropy)

    def seeds(self) -> list[bytes]:
        """The cases as they stand."""
        found = []
        for number, (inputs, _entropy, places) in enumerate(self.cases):
            for which, place in enumerate(places[:4]):
                old = _get(inputs, place)
                content = old.encode() if place[-1] == "text" else bytes.fromhex(old)
                found.append(number.to_bytes(2) + bytes([which]) + content)
        step = max(1, len(found) // _SEEDS_MAX)
        return found[::step]


def strings(*fields: tuple[str, str]) -> list[bytes]:
    """The byte strings that cases of these (operation, name) have, among inputs or on the way to the result.

    They are seeds of a decoder that takes them as they are.
    """
    found = []
    for operation, field in fields:
        for case in CASES:
            if case["id"].rpartition("::")[0] == operation:
                given = DOCUMENTS[operation.partition("::")[0]].get("given", {})
                value = resolved({**case.get("intermediate", {}), **case["input"]}, given).get(field)
                if isinstance(value, str):
                    found.append(bytes.fromhex(value))
    return found[:: max(1, len(found) // _SEEDS_MAX)]


Target = Callable[[bytes], None]
