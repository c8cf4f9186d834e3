"""An invisible salamander: one ciphertext that XChaCha20-Poly1305 takes under two keys, with a contact in each.

Poly1305 is a polynomial over the ciphertext's blocks, so one block can be solved for that makes the tags of two keys
equal. What is before it is free: a card under the first key, then one under the second, noise under the other of both.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from e2esync.crypto.aead import _encrypt
from e2esync.limits import TAG

P: Final = (1 << 130) - 5
BLOCK: Final = 16
_WORD: Final = 0xFFFFFFFF


def salamander(keys: tuple[bytes, bytes], context: bytes, nonce: bytes, texts: tuple[bytes, bytes], size: int,
               last: int) -> bytes | None:
    """Ciphertext and tag of so many bytes of plaintext, which holds one of the texts and ends in `last` under each key.

    None where this nonce gives none: about one in a thousand does.
    """
    streams = [_encrypt(bytes(size), b"", nonce, key)[:-TAG] for key in keys]
    if streams[0][-1] != streams[1][-1]:
        return None
    free = (size // BLOCK - 1) * BLOCK
    rest = free - len(texts[1])
    before = _xor(texts[0].ljust(rest), streams[0]) + _xor(texts[1], streams[1][rest:])
    tail = bytes(size - free - BLOCK - 1) + bytes([last ^ streams[0][-1]])
    polys = [_poly_key(key, nonce) for key in keys]
    found = _solve(polys, context, before, tail)
    if found is None:
        return None
    body = before + found + tail
    tags = [_tag(poly, context, body) for poly in polys]
    return body + tags[0] if tags[0] == tags[1] else None


def _solve(polys: list[tuple[int, int]], context: bytes, before: bytes, tail: bytes) -> bytes | None:
    """The block between `before` and `tail` for which both tags are the same."""
    blocks = _blocks(context, before + bytes(BLOCK) + tail)
    place = -(-len(context) // BLOCK) + len(before) // BLOCK
    blocks[place] = 0
    sums = [_evaluate(blocks, r) + s for r, s in polys]
    powers = [pow(r, len(blocks) - place, P) for r, _s in polys]
    # Tags are cut to 128 bits: what differs by a multiple of that is the same.
    for carry in range(-4, 5):
        value = (sums[1] - sums[0] + (carry << 128)) * pow(powers[0] - powers[1], -1, P) % P
        if value >> 128 == 1:
            return (value & ((1 << 128) - 1)).to_bytes(BLOCK, "little")
    return None


def _blocks(context: bytes, body: bytes) -> list[int]:
    """What the tag is over (RFC 8439, 2.8): context and body, each filled up with zeros, and their lengths."""
    filled = b"".join(part + bytes(-len(part) % BLOCK) for part in (context, body))
    filled += struct.pack("<QQ", len(context), len(body))
    return [1 << 128 | int.from_bytes(filled[at:at + BLOCK], "little") for at in range(0, len(filled), BLOCK)]


def _evaluate(blocks: list[int], r: int) -> int:
    total = 0
    for block in blocks:
        total = (total + block) * r % P
    return total


def _tag(poly: tuple[int, int], context: bytes, body: bytes) -> bytes:
    return ((_evaluate(_blocks(context, body), poly[0]) + poly[1]) & ((1 << 128) - 1)).to_bytes(TAG, "little")


def _poly_key(key: bytes, nonce: bytes) -> tuple[int, int]:
    """(r, s) of Poly1305: from the block before the first one of the keystream, which libsodium keeps to itself."""
    derived = _rounds(key, nonce[:16])
    inner = struct.pack("<8I", *derived[:4], *derived[12:])
    words = _state(inner, bytes(8) + nonce[16:])
    mixed = _rounds(inner, bytes(8) + nonce[16:])
    block = struct.pack("<16I", *((one + other) & _WORD for one, other in zip(words, mixed, strict=True)))
    clamp = 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    return int.from_bytes(block[:16], "little") & clamp, int.from_bytes(block[16:32], "little")


def _state(key: bytes, end: bytes) -> list[int]:
    return [*struct.unpack("<4I", b"expand 32-byte k"), *struct.unpack("<8I", key), *struct.unpack("<4I", end)]


def _rounds(key: bytes, end: bytes) -> list[int]:
    """The twenty rounds of ChaCha (RFC 8439, 2.3), without the sum at their end."""
    words = _state(key, end)
    columns = [(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)]
    diagonals = [(0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]
    for _pair in range(10):
        for quarter in (*columns, *diagonals):
            _quarter(words, *quarter)
    return words


def _quarter(words: list[int], a: int, b: int, c: int, d: int) -> None:
    for one, other, turned, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        words[one] = (words[one] + words[other]) & _WORD
        mixed = words[turned] ^ words[one]
        words[turned] = (mixed << by | mixed >> (32 - by)) & _WORD


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(one, other, strict=False))


def search(make: Callable[[bytes], bytes | None]) -> tuple[bytes, bytes]:
    """(nonce, ciphertext) of the first nonce, counted up, that gives one."""
    number = 0
    while (found := make(number.to_bytes(24, "big"))) is None:
        number += 1
    return number.to_bytes(24, "big"), found
