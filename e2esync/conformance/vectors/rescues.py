"""Examples of rescue files (SPEC 14.13), part of `access.json`: one that opens, and files that were cut or patched."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Final

from e2esync.access.kit import RecoveryKit
from e2esync.access.rescue import RescueHeader, open_rescue, seal_rescue
from e2esync.conformance.vectors.case import Inputs, Layer, Outcome, flipped, tagged, untagged
from e2esync.conformance.vectors.entropy import NamedEntropy
from e2esync.crypto import Secret
from e2esync.epoch.shape import u32
from e2esync.errors import AuthFailed, BadCode, CommitMismatch, E2esyncError, NonCanonical
from e2esync.limits import FRAME_MAX, RESCUE_HEADER_MAX, RESCUE_KEYS_MAX, SEALED_BOX
from e2esync.wire import Value, decode, encode

_SET: Final = b"\x5e" * 32
_ID: Final = b"\xc1" * 16
_CONTENTS: Final[tuple[Value, ...]] = (
    [1, "Family", "wss://relay.example"],
    [2, "d1" * 16, 0, b"photo"],
    [3, [[_ID, encode([[1, [[3, 1, 5, {"name": {"full": "Zoë"}}]]]])]]],
    [4, [[2, encode([1, _ID, 1, 6, {"notes/n": {"note": "unsent"}}]), [[1, 4]], [6, 9, b"\x4e" * 16]]]],
)


def _kit() -> RecoveryKit:
    return RecoveryKit(Secret(NamedEntropy("access::rescue").draw("kit seed", 32)))


def _seal(inputs: Inputs, entropy: NamedEntropy) -> Outcome:
    member, epoch, time = inputs["header"]
    header = RescueHeader(bytes.fromhex(inputs["set_id"]), member, epoch, time, bytes.fromhex(inputs["verify_key"]))
    contents = [untagged(content) for content in inputs["contents"]]
    file = b"".join(seal_rescue(header, bytes.fromhex(inputs["sealing_key"]), contents, entropy))
    return Outcome({"file": file.hex()})


def _open(inputs: Inputs, _entropy: NamedEntropy) -> Outcome:
    kit = RecoveryKit(Secret(bytes.fromhex(inputs["seed"])))
    header, contents = open_rescue(kit, io.BytesIO(bytes.fromhex(inputs["file"])).read)
    return Outcome({
        "set_id": header.set_id.hex(), "header": [header.member, header.epoch, header.time],
        "verify_key": header.kit.hex(), "contents": [tagged(content) for content in contents],
    })


OPERATIONS: Final = {"seal_rescue": _seal, "open_rescue": _open}


def _inputs(contents: Sequence[Value] = _CONTENTS, number: int = 1) -> Inputs:
    kit = _kit()
    return {
        "set_id": _SET.hex(), "header": [3, 7, 1_800_000_000_000],
        "verify_key": kit.signing_key(number).verify_key.hex(),
        "sealing_key": kit.sealing_key(number).public.hex(), "contents": [tagged(content) for content in contents],
    }


def add_cases(cases: Layer) -> None:
    """Add the cases of 14.13 to the layer `access`."""
    sealed = cases.valid("seal_rescue", "four-parts", "14.13", "book, a photo, contacts, edits", _inputs())
    cases.valid("seal_rescue", "one-part", "14.13", "the first part is the last", _inputs(_CONTENTS[:1]))
    file = bytes.fromhex(sealed["file"])
    seed = NamedEntropy("access::rescue").draw("kit seed", 32).hex()
    cases.valid("open_rescue", "four-parts", "14.13", "by the kit's key 1", {"seed": seed, "file": file.hex()})
    last = _seal(_inputs(_CONTENTS[:1], RESCUE_KEYS_MAX - 1), NamedEntropy("access::rescue::last")).output["file"]
    cases.valid("open_rescue", "last-key", "14.13", "by the last key that is tried", {"seed": seed, "file": last})
    beyond = _seal(_inputs(_CONTENTS[:1], RESCUE_KEYS_MAX), NamedEntropy("access::rescue::beyond")).output["file"]
    for name, comment, other, raw in (
        ("another-kit", "a kit that it was not sealed to", "00" * 32, file.hex()),
        ("key-beyond", "a key that is not tried any more", seed, beyond),
    ):
        cases.invalid("open_rescue", name, "14.13", comment, {"seed": other, "file": raw}, BadCode)
    for name, comment, spoilt, error, flag in _spoilt(file):
        cases.invalid("open_rescue", name, "14.13", comment, {"seed": seed, "file": spoilt.hex()}, error, flags=(flag,))


def _spoilt(file: bytes) -> list[tuple[str, str, bytes, type[E2esyncError], str]]:
    """(name, comment, file, code, flag) of files with one defect."""
    header, box, parts = _pieces(file)
    head = u32(len(header)) + header
    other_header, other_box, other_parts = _pieces(bytes.fromhex(
        _seal(_inputs(), NamedEntropy("access::rescue::another")).output["file"]))
    assert other_header == header
    fields = decode(header)
    rest = box + b"".join(parts)

    def with_header(*values: Value) -> bytes:
        changed = encode(list(values))
        return u32(len(changed)) + changed + rest

    def with_parts(*changed: bytes) -> bytes:
        return head + box + b"".join(changed)

    return [
        ("cut-in-header", "the file ends in the header", file[:40], AuthFailed, "altered"),
        ("cut-in-box", "the file ends in the box", file[: len(head) + 600], AuthFailed, "altered"),
        ("cut-in-part", "the file ends in the last part", file[:-1], AuthFailed, "altered"),
        ("last-part-missing", "cut between two parts", with_parts(*parts[:-1]), AuthFailed, "altered"),
        ("cut-and-marked", "cut, and the part before marked as the last",
         with_parts(*parts[:-2], _marked(parts[-2], 1)), CommitMismatch, "altered"),
        ("last-not-marked", "the last part marked as one that others follow",
         with_parts(*parts[:-1], _marked(parts[-1], 0)), CommitMismatch, "altered"),
        ("unknown-mark", "a mark that is neither 0 nor 1", with_parts(*parts[:-1], _marked(parts[-1], 2)), AuthFailed,
         "shape"),
        ("goes-on", "a byte behind the last part", file + b"\0", AuthFailed, "altered"),
        ("part-missing", "the second part left out", with_parts(parts[0], *parts[2:]), CommitMismatch, "moved"),
        ("parts-swapped", "the first two in the other order", with_parts(parts[1], parts[0], *parts[2:]),
         CommitMismatch, "moved"),
        ("part-of-another", "a part of another file", with_parts(other_parts[0], *parts[1:]), CommitMismatch, "moved"),
        ("box-of-another", "the box of another file", head + other_box + b"".join(parts), CommitMismatch, "moved"),
        ("part-altered", "a bit of a part", with_parts(flipped(parts[0], -1), *parts[1:]), AuthFailed, "altered"),
        ("box-altered", "a bit of the box", head + flipped(box, -1) + b"".join(parts), AuthFailed, "altered"),
        ("other-epoch", "a header that was changed: the box is bound to it", with_header(*fields[:3], 8, *fields[4:]),
         CommitMismatch, "altered"),
        ("other-suite", "suite 2", with_header(2, *fields[1:]), AuthFailed, "shape"),
        ("five-fields", "a header without its key", with_header(*fields[:5]), NonCanonical, "shape"),
        ("short-set-id", "a set id of 31 bytes", with_header(1, _SET[:31], *fields[2:]), NonCanonical, "shape"),
        ("true-for-member", "a boolean is no member", with_header(1, _SET, True, *fields[3:]), NonCanonical, "shape"),
        ("header-too-long", "a header of more than 1 KiB", u32(RESCUE_HEADER_MAX + 1) + bytes(RESCUE_HEADER_MAX + 1),
         AuthFailed, "shape"),
        ("part-too-long", "a part that claims more than a part may have",
         head + box + u32(FRAME_MAX + 74) + b"\1", AuthFailed, "shape"),
        ("nothing", "nothing at all", b"", AuthFailed, "altered"),
    ]


def _pieces(file: bytes) -> tuple[bytes, bytes, list[bytes]]:
    """Header, box, and the parts with their lengths."""
    size = int.from_bytes(file[:4], "big")
    header, place = file[4 : 4 + size], 4 + size + SEALED_BOX
    box, parts = file[4 + size : place], []
    while place < len(file):
        end = place + 4 + int.from_bytes(file[place : place + 4], "big")
        parts.append(file[place:end])
        place = end
    return header, box, parts


def _marked(part: bytes, mark: int) -> bytes:
    return part[:4] + bytes([mark]) + part[5:]
