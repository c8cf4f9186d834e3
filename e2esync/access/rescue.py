"""The rescue file (SPEC 14.13): what a device that was shut out still held, for its person's recovery kit alone.

    file = u32(length) ‖ header ‖ box ‖ part 0 ‖ part 1 ‖ …
    part = u32(length) ‖ AE(K, nonce, context ‖ u32(n) ‖ last, encode(content))

Invariants: the device that writes it cannot read it again; no part can be changed, left out, moved or taken from
another file; a file that was cut short is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from e2esync.access.kit import RecoveryKit
from e2esync.crypto import AEAD_OVERHEAD, Entropy, Secret, open_sealed, seal
from e2esync.crypto.sealing import open_box, seal_to
from e2esync.epoch import shape
from e2esync.errors import AuthFailed, BadCode
from e2esync.limits import (
    FRAME_MAX,
    HASH,
    KEY,
    NONCE,
    RESCUE_HEADER_MAX,
    RESCUE_KEYS_MAX,
    SEALED_BOX,
    SUITE,
    VERIFY_KEY,
)
from e2esync.wire import Value, decode, decode_values, encode

_LENGTH: Final = 4


@dataclass(frozen=True, slots=True)
class RescueHeader:
    """What a rescue file says in clear: of which device of which set it is, when it was shut out, for which kit."""

    set_id: bytes
    member: int
    epoch: int
    """The epoch whose record removed the device."""
    time: int
    """When the file was written, by the device's clock: it is erased 30 days later."""
    kit: bytes
    """The verify key of the recovery member whose kit opens it."""

    def encode(self) -> bytes:
        return encode([SUITE, self.set_id, self.member, self.epoch, self.time, self.kit])


def seal_rescue(header: RescueHeader, seal_key: bytes, contents: Iterable[Value], entropy: Entropy) -> Iterator[bytes]:
    """The file, in pieces, sealed to the recovery member's public sealing key. Draws `rescue key`, `rescue nonce`."""
    raw = header.encode()
    context = _context(header.set_id, raw)
    key = Secret(entropy.draw("rescue key", KEY))
    yield shape.u32(len(raw)) + raw + seal_to(seal_key, context, key, entropy)
    number, content = 0, None
    for following in contents:
        if content is not None:
            yield _part(key, context, number, content, entropy, last=False)
            number += 1
        content = following
    yield _part(key, context, number, content or [], entropy, last=True)


def read_header(read: Callable[[int], bytes]) -> RescueHeader:
    """The header, from `read(length)`, which gives fewer bytes only at the file's end.

    Raises AuthFailed for a file that is cut short or claims too much, NonCanonical for one that is none.
    """
    return _header(read)[0]


def open_rescue(kit: RecoveryKit, read: Callable[[int], bytes]) -> tuple[RescueHeader, Iterator[Value]]:
    """The header and the contents, which are verified one by one as they come.

    Raises BadCode for another kit than the file was sealed to, AuthFailed or CommitMismatch for an altered file.
    """
    header, raw = _header(read)
    context = _context(header.set_id, raw)
    number = _number_of(kit, header.kit)
    if number is None:
        raise BadCode("the rescue file was sealed for another recovery kit",
                      "give the kit that the book had when the device was shut out")
    key = open_box(kit.sealing_key(number), context, _exactly(read, SEALED_BOX))
    return header, _contents(key, context, read)


def _number_of(kit: RecoveryKit, verify_key: bytes) -> int | None:
    return next((n for n in range(RESCUE_KEYS_MAX) if kit.signing_key(n).verify_key == verify_key), None)


def _header(read: Callable[[int], bytes]) -> tuple[RescueHeader, bytes]:
    raw = _exactly(read, _size(read, RESCUE_HEADER_MAX))
    fields = shape.array(decode(raw, limit=RESCUE_HEADER_MAX), 6, "a rescue file's header")
    if fields[0] != SUITE:
        raise AuthFailed("the rescue file is of another version", "update e2esync")
    return RescueHeader(
        set_id=shape.octets(fields[1], HASH, "a set id"),
        member=shape.index(fields[2], "a rescue file's member"),
        epoch=shape.integer(fields[3], "a rescue file's epoch"),
        time=shape.integer(fields[4], "a rescue file's time"),
        kit=shape.octets(fields[5], VERIFY_KEY, "a rescue file's kit"),
    ), raw


def _contents(key: Secret, context: bytes, read: Callable[[int], bytes]) -> Iterator[Value]:
    number, last = 0, False
    while not last:
        sealed = _exactly(read, _size(read, FRAME_MAX + AEAD_OVERHEAD + 1))
        _check_mark(sealed[:1])
        # Whether it is the last one is bound, not only said: a file cut between two parts does not open.
        last = sealed[:1] == b"\1"
        plain = open_sealed(key, context + shape.u32(number) + sealed[:1], sealed[1:])
        yield decode_values(plain)
        number += 1
    _check_ended(read(1))


def _check_mark(mark: bytes) -> None:
    if mark not in (b"\0", b"\1"):
        raise AuthFailed("a part of the rescue file does not say whether it is the last")


def _check_ended(behind: bytes) -> None:
    if behind:
        raise AuthFailed("something follows the end of the rescue file")


def _part(key: Secret, context: bytes, number: int, content: Value, entropy: Entropy, *, last: bool) -> bytes:
    mark = bytes([last])
    nonce = entropy.draw("rescue nonce", NONCE)
    sealed = mark + seal(key, nonce, context + shape.u32(number) + mark, encode(content))
    return shape.u32(len(sealed)) + sealed


def _context(set_id: bytes, header: bytes) -> bytes:
    return set_id + b"\x07" + header


def _size(read: Callable[[int], bytes], limit: int) -> int:
    size = int.from_bytes(_exactly(read, _LENGTH), "big")
    if size > limit:
        raise AuthFailed("the rescue file is not one, or was altered")
    return size


def _exactly(read: Callable[[int], bytes], length: int) -> bytes:
    piece = read(length)
    if len(piece) != length:
        raise AuthFailed("the rescue file is cut short", "copy it again, whole")
    return piece
