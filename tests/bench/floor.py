"""The floor: what no program that does this work can do without.

For a book: the same plaintext bytes through msgpack, the suite's AEAD, one loopback socket and one fsync. For one edit:
append, fsync and push, with a padded envelope. The storing side is a process of its own, as a relay is. Every
measurement is printed as a ratio to the floor of the same run, so that it speaks of e2esync and not of the machine.
"""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from e2esync.crypto import Secret, seal
from e2esync.wire import encode_ordered

_PIECE = 128 << 10
_LENGTH = struct.Struct(">I")
_EDIT = 512


def book_floor(cards: Sequence[Any], folder: Path) -> float:
    """Seconds to pack, seal, send and store all cards, until the storing side says that they are on disk."""
    with _storing(folder / "floor") as (here, _there):
        begun = time.perf_counter()
        content = b"".join(encode_ordered(card) for card in cards)
        key = Secret(os.urandom(32))
        for start in range(0, len(content), _PIECE):
            sealed = seal(key, os.urandom(24), b"floor", content[start : start + _PIECE])
            here.sendall(_LENGTH.pack(len(sealed)) + sealed)
        here.sendall(_LENGTH.pack(0))
        _exactly(here, 4)
        return time.perf_counter() - begun


def edit_floor(folder: Path, rounds: int) -> list[float]:
    """Seconds for one envelope to be appended, made durable and pushed to somebody else; several times."""
    times = []
    with _storing(folder / "log") as (writer, reader):
        for _ in range(rounds):
            begun = time.perf_counter()
            writer.sendall(_LENGTH.pack(_EDIT) + os.urandom(_EDIT) + _LENGTH.pack(0))
            _exactly(reader, _EDIT)
            _exactly(writer, 4)
            times.append(time.perf_counter() - begun)
    return times


@contextmanager
def _storing(path: Path) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connections to a process that stores what comes on the first and passes it on to the second."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        process = subprocess.Popen([sys.executable, "-m", "tests.bench.floor", str(port), str(path)])
        first, second = server.accept()[0], server.accept()[0]
        with first, second:
            for each in (first, second):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            yield first, second
        process.wait()


def _store(port: int, path: Path) -> None:
    """The storing side: pieces up to an empty one, then fsync, then the pieces to the second connection, and a word."""
    first = socket.create_connection(("127.0.0.1", port))
    second = socket.create_connection(("127.0.0.1", port))
    with first, second, open(path, "ab") as file:
        for each in (first, second):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            small = b""
            while size := _LENGTH.unpack(_exactly(first, 4))[0]:
                piece = _exactly(first, size)
                file.write(piece)
                small = piece if size == _EDIT else b""
            file.flush()
            os.fsync(file.fileno())
            second.sendall(small)
            first.sendall(bytes(4))


def _exactly(connection: socket.socket, size: int) -> bytes:
    content = bytearray()
    while len(content) < size:
        received = connection.recv(size - len(content))
        if not received:
            raise EOFError
        content += received
    return bytes(content)


if __name__ == "__main__":
    with suppress(EOFError):
        _store(int(sys.argv[1]), Path(sys.argv[2]))
