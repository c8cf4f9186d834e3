"""What strangers can do to a relay, as fast as they can: `python -m tests.bench.attackers KIND ADDRESS KEY`.

Run by `tests.bench.crowd flood`. Until SIGTERM; then it prints how many attempts it made.
"""

from __future__ import annotations

import os
import resource
import selectors
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

from e2esync.crypto import SigningKey
from e2esync.errors import E2esyncError
from e2esync.session import messages as m
from e2esync.session.client import ClientSession
from e2esync.session.codec import encode_message
from tests.bench.lines import Line, framed, visitor_line

_CROWD = 50


class Stop(BaseException):
    """SIGTERM came."""


class Attack:
    """One attack on one relay; `attempts` counts what it did."""

    def __init__(self, address: str, key: bytes) -> None:
        self.address, self.key = address, key
        self.attempts = 0

    def strangers(self) -> None:
        """Handshakes of nobody's members, with signatures that are right and worth nothing: the dearest refusal."""
        signing = SigningKey(os.urandom(32))

        def line() -> Line:
            session = ClientSession(os.urandom(32), 1, signing, self.key, os.urandom(32))
            return Line(self.address, session, waiting=False)
        self._again_and_again(line)

    def slow(self) -> None:
        """Two thousand upgrades that come byte by byte."""
        host, _, port = urlsplit(self.address).netloc.partition(":")
        sockets: list[socket.socket] = []
        request = b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"y" * 1000
        while True:
            for each in list(sockets):
                with suppress(BlockingIOError):
                    try:
                        each.send(request[self.attempts % 1000 :][:1])
                    except OSError:
                        sockets.remove(each)
                        each.close()
            while len(sockets) < 2000:
                self.attempts += 1
                sockets.append(socket.create_connection((host, int(port)), 10))
                sockets[-1].setblocking(False)
            time.sleep(1)

    def mailboxes(self) -> None:
        """Visitors who open mailboxes, and leave the largest message in each."""
        lines = [visitor_line(self.address, self.key) for _ in range(_CROWD)]
        with selectors.DefaultSelector() as selector:
            for line in lines:
                selector.register(line, selectors.EVENT_READ)
                self._mail(line)
            while True:
                for ready, _ in selector.select():
                    line = ready.fileobj
                    assert isinstance(line, Line)
                    answers = len(line.receive())
                    self.attempts += answers
                    for _ in range(answers // 2):
                        self._mail(line)

    def _mail(self, line: Line) -> None:
        box, token = os.urandom(8), os.urandom(16)
        line.send(encode_message(m.UseMailbox(box, 0, token)), encode_message(m.Mail(0, os.urandom(8192))))

    def oversized(self) -> None:
        """Frames of the largest size where a HELLO belongs, and the announcement of one that is larger yet."""
        largest = framed(bytes((1 << 20) - 100))
        beyond = struct.pack("!BBQI", 0x82, 0xFF, 1 << 40, 0)
        while True:
            self.attempts += 1
            with suppress(OSError, E2esyncError):
                self._throw(largest if self.attempts % 2 else beyond)

    def _throw(self, frame: bytes) -> None:
        line = Line(self.address, ClientSession(None, 0, None, self.key, os.urandom(32)), waiting=False)
        line.socket.settimeout(10)
        line.advance()
        try:
            while b"\r\n\r\n" not in line.socket.recv(4096):
                pass
            line.socket.sendall(frame)
            while line.socket.recv(4096):
                pass
        finally:
            line.close()

    def idlers(self) -> None:
        """Five thousand visitors who do nothing."""
        lines = []
        while len(lines) < 5000:
            self.attempts += 1
            lines.append(visitor_line(self.address, self.key))
        time.sleep(1000)

    def _again_and_again(self, line: Callable[[], Line]) -> None:
        with selectors.DefaultSelector() as selector:
            for _ in range(_CROWD):
                selector.register(line(), selectors.EVENT_WRITE)
            while True:
                for ready, events in selector.select():
                    one = ready.fileobj
                    assert isinstance(one, Line)
                    try:
                        one.advance()
                        if events & selectors.EVENT_WRITE:
                            selector.modify(one, selectors.EVENT_READ)
                    except (OSError, E2esyncError):
                        self.attempts += 1
                        selector.unregister(one)
                        one.close()
                        selector.register(line(), selectors.EVENT_WRITE)


def main() -> int:
    """Attack until told to stop."""
    def stop(*_: object) -> None:
        raise Stop
    signal.signal(signal.SIGTERM, stop)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    kind, address, key = sys.argv[1:]
    attack = Attack(address, bytes.fromhex(key))
    with suppress(Stop):
        getattr(attack, kind)()
    with suppress(BrokenPipeError):
        print(attack.attempts, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
