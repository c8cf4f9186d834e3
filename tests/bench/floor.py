"""The floor: what no program that does this work can do without.

For a book: the same plaintext bytes through msgpack, the suite's AEAD, one loopback socket and one fsync. For one edit:
append, fsync and push, with a padded envelope. Every measurement is printed as a ratio to the floor of the same run,
so that it says something about e2esync and not about the machine.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from e2esync.crypto import Secret, seal
from e2esync.wire import encode_ordered

_PIECE = 128 << 10
_LENGTH = struct.Struct(">I")
_EDIT = 512


def book_floor(cards: Sequence[Any], folder: Path) -> float:
    """Seconds to pack, seal, send and store all cards, until the storing side says that they are on disk."""
    here, there = socket.socketpair()
    storing = threading.Thread(target=_store_book, args=(there, folder / "floor"))
    storing.start()
    begun = time.perf_counter()
    content = b"".join(encode_ordered(card) for card in cards)
    key = Secret(os.urandom(32))
    for start in range(0, len(content), _PIECE):
        sealed = seal(key, os.urandom(24), b"floor", content[start : start + _PIECE])
        here.sendall(_LENGTH.pack(len(sealed)) + sealed)
    here.sendall(_LENGTH.pack(0))
    here.recv(1)
    seconds = time.perf_counter() - begun
    storing.join()
    here.close()
    return seconds


def edit_floor(folder: Path, rounds: int) -> list[float]:
    """Seconds for one envelope to be appended, made durable and pushed to somebody else; several times."""
    writer, incoming = socket.socketpair()
    outgoing, reader = socket.socketpair()
    storing = threading.Thread(target=_store_edits, args=(incoming, outgoing, folder / "log", rounds))
    storing.start()
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        writer.sendall(os.urandom(_EDIT))
        _exactly(reader, _EDIT)
        times.append(time.perf_counter() - begun)
    storing.join()
    for each in (writer, reader):
        each.close()
    return times


def _store_book(connection: socket.socket, path: Path) -> None:
    with connection, open(path, "wb") as file:
        while size := _LENGTH.unpack(_exactly(connection, 4))[0]:
            file.write(_exactly(connection, size))
        file.flush()
        os.fsync(file.fileno())
        connection.sendall(b"1")


def _store_edits(incoming: socket.socket, outgoing: socket.socket, path: Path, rounds: int) -> None:
    with incoming, outgoing, open(path, "ab") as file:
        for _ in range(rounds):
            envelope = _exactly(incoming, _EDIT)
            file.write(envelope)
            file.flush()
            os.fsync(file.fileno())
            outgoing.sendall(envelope)


def _exactly(connection: socket.socket, size: int) -> bytes:
    content = bytearray()
    while len(content) < size:
        content += connection.recv(size - len(content))
    return bytes(content)
