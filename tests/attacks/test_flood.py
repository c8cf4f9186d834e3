"""A relay process under strangers' load (SPEC 13.3, 13.13): memory read from the system, and how long members wait."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from e2esync.session import messages as m
from e2esync.session.codec import decode_message
from e2esync.session.messages import Side
from tests.attacks.packing import packed, unpacking
from tests.attacks.scene import Weak, attack
from tests.attacks.serving import Served, served
from tests.bench.crowd import Honest
from tests.bench.lines import framed, unframed
from tests.transports.test_websocket import UPGRADE, masked

GROWTH = 8 << 20
"""What bodies may add; 0.3 MB were measured."""
ALLOWED = 64 << 20
"""What strangers may add to a relay's memory; 27 MB were measured."""


@contextmanager
def stranger(relay: Served, first: bytes) -> Iterator[socket.socket]:
    """A connection on which something was said."""
    host, _, port = urlsplit(relay.addresses[0]).netloc.partition(":")
    with socket.create_connection((host, int(port)), 10) as line:
        line.sendall(first)
        yield line


def rest(line: socket.socket) -> bytes:
    """What the relay says until it hangs up: it must."""
    said = b""
    with suppress(ConnectionResetError):
        while more := line.recv(65536):
            said += more
    return said


def post(relay: Served, coding: str, body: bytes) -> None:
    """A body that says how it is packed, in chunks, without a length."""
    head = (f"POST / HTTP/1.1\r\nHost: h\r\nContent-Encoding: {coding}\r\nTransfer-Encoding: chunked\r\n\r\n").encode()
    with stranger(relay, head) as line:
        with suppress(ConnectionError):
            for _chunk in range(64):
                line.sendall(b"%x\r\n" % len(body) + body + b"\r\n")
        assert b" 101 " not in rest(line)


def messages(relay: Served, coding: str, body: bytes) -> None:
    """A body in an upgraded connection: as it is, and with each of the bits by which an extension marks its own."""
    asked = f"Sec-WebSocket-Extensions: permessage-deflate\r\nContent-Encoding: {coding}\r\n\r\n"
    offer = UPGRADE[:-2] + asked.encode()
    for bits in (0x00, 0x40, 0x20, 0x10):
        with stranger(relay, offer) as line:
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += line.recv(4096)
            head, _, said = answer.partition(b"\r\n\r\n")
            assert b"extensions" not in head.lower()
            # A marked one is no longer than a greeting may be, or its length would be what is refused.
            line.sendall(framed(body) if not bits else masked(0x82 | bits, body[:2000]))
            said += rest(line)
        refused = unframed(said)[0]
        if bits:
            # A close frame, and no answer: the bytes were never a message.
            assert said[:1] == b"\x88"
        else:
            assert isinstance(decode_message(refused[0], Side.RELAY), m.RefusalAnswer)


@attack(Weak("session.codec:decode_message", unpacking))
def test_a44_packed_bodies_at_a_relay_process(tmp_path: Path) -> None:
    """gzip, deflate, zstd, br, chunked without a length, in messages, marked as packed: nothing is unpacked."""
    with served(tmp_path) as relay:
        # What the first of a kind costs once, as code, is no body's.
        post(relay, "identity", b"x" * 8192)
        messages(relay, "identity", b"\x91" * 8192)
        before = relay.resident
        relay.forget_peak()
        for coding, body in packed().items():
            post(relay, coding, body)
            messages(relay, coding, body)
        assert relay.peak - before < GROWTH
        _goes_on(relay, 1)


def _goes_on(relay: Served, seconds: float = 2) -> float:
    """Members append all the while; ninety-nine of a hundred have their answer within so many seconds."""
    honest = Honest(relay, relay.key, relay.books, 0.05)
    try:
        delays = sorted(honest.run(seconds).delays)
    finally:
        honest.close()
    assert delays
    return delays[int(len(delays) * 0.99)]


@contextmanager
def attacker(*command: str) -> Iterator[subprocess.Popen[str]]:
    """A process of the attacker's, until the block ends."""
    with subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


@pytest.mark.slow
@attack(Weak("stores.relay_slots:_MAILBOXES_MAX", 10**9, alone=True))
def test_a46_slow_sockets_and_a_hundred_thousand_pairings(tmp_path: Path) -> None:
    """Two thousand sockets that speak a byte a second, and 10^5 pairings begun by nobody's members.

    Most are refused, memory and disk stop growing, and who is a member is served within a second all the while.
    """
    with served(tmp_path, sets=4) as relay:
        _goes_on(relay)
        before = relay.resident
        relay.forget_peak()
        at = relay.addresses[0], relay.key.hex()
        with attacker("tests.bench.attackers", "slow", *at):
            delays, crowd = [], 0
            while crowd < 2000 and len(delays) < 20:
                delays.append(_goes_on(relay))
                crowd = max(crowd, relay.sockets)
            with attacker("tests.attacks.flooding", *at, str(10**5)) as strangers:
                while strangers.poll() is None:
                    delays.append(_goes_on(relay))
                assert strangers.stdout is not None
                said = json.loads(strangers.stdout.read())
        assert said == {"MailboxUsed": 10_000, "BUSY": 90_000}
        assert crowd >= 2000
        # Twenty times what is claimed, and measured on a machine that has nothing else to do.
        assert max(delays) < 20
        assert relay.peak - before < ALLOWED
        # A mailbox is a row until somebody leaves mail in it: ten thousand rows, and what members wrote.
        assert relay.on_disk < 16 << 20
