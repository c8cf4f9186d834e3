"""Much in little: 16 MiB in every packing that HTTP has a name for, and a reader that falls for it."""

from __future__ import annotations

import bz2
import functools
import gzip
import lzma
import zlib
from contextlib import suppress
from typing import Final

from e2esync.session import messages as m
from e2esync.session.codec import decode_message
from e2esync.session.messages import Side

HUGE: Final = 16 << 20
# What `brotli` makes of so many zeros: the standard library has no codec for it.
_BROTLI: Final = bytes.fromhex("cbffff3ff82700e2b14020f7fe8fffff7ff04f00c4611180eefddf")
_RUN: Final = 1 << 17


def _zstd() -> bytes:
    """Zeros as a Zstandard frame (RFC 8878): one run after the other, the last one marked."""
    runs = HUGE // _RUN
    blocks = ((_RUN << 3 | 2 | (number == runs - 1)).to_bytes(3, "little") + b"\0" for number in range(runs))
    return b"\x28\xb5\x2f\xfd\xa0" + HUGE.to_bytes(4, "little") + b"".join(blocks)


@functools.cache
def packed() -> dict[str, bytes]:
    """By the name of the coding."""
    huge = bytes(HUGE)
    return {"gzip": gzip.compress(huge), "deflate": zlib.compress(huge), "zstd": _zstd(), "br": _BROTLI,
            "bzip2": bz2.compress(huge), "xz": lzma.compress(huge, preset=0)}


def unpacking(frame: bytes, side: Side) -> m.Message:
    """Whatever is packed is unpacked first, however much it is."""
    for unpack in (gzip.decompress, zlib.decompress, bz2.decompress, lzma.decompress):
        with suppress(OSError, EOFError, ValueError, zlib.error, lzma.LZMAError):
            return decode_message(unpack(frame), side)
    return decode_message(frame, side)
