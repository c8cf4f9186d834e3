"""Padding (SPEC 5.6): sizes lie on the ladder 512·2^k up to 64 KiB and are Padmé sizes above.

A padded plaintext is `plaintext ‖ 0x80 ‖ 0x00…`; the size that counts is that of the whole ciphertext, header and
all, because that is what the relay sees.
"""

from __future__ import annotations

from e2esync.errors import AuthFailed
from e2esync.limits import LADDER_MAX, LADDER_MIN


def padded_size(size: int) -> int:
    """The smallest allowed size that is at least `size` bytes."""
    if size <= LADDER_MIN:
        return LADDER_MIN
    if size <= LADDER_MAX:
        return 1 << (size - 1).bit_length()
    exponent = size.bit_length() - 1
    mask = (1 << (exponent - exponent.bit_length())) - 1
    return (size + mask) & ~mask


def pad(plaintext: bytes, overhead: int) -> bytes:
    """`plaintext` padded so that, with `overhead` bytes of header and tag around it, its size is an allowed one."""
    target = padded_size(len(plaintext) + 1 + overhead) - overhead
    return plaintext + b"\x80" + bytes(target - len(plaintext) - 1)


def unpad(padded: bytes, overhead: int) -> bytes:
    """The plaintext of `padded`. Raises AuthFailed unless it is padded exactly as `pad` does it."""
    end = len(padded.rstrip(b"\0")) - 1
    if end < 0 or padded[end] != 0x80 or padded_size(end + 1 + overhead) != len(padded) + overhead:
        raise AuthFailed("the padding is not the one that the content calls for")
    return padded[:end]
