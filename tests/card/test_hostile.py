"""Cost of hostile files: linear (A51, A59)."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from e2esync.card import VERSIONS, jcard, jscontact, read_file, summary, write_vcards
from e2esync.card.foreign import write_google

from .helpers import SALT, again, read

OPEN = b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:x\r\n"
END = b"END:VCARD\r\n"
CASES: dict[str, Callable[[int], bytes]] = {
    "one long line": lambda n: OPEN + b"NOTE:" + b"a" * n + b"\r\n" + END,
    "backslashes": lambda n: OPEN + b"ORG:" + b"\\" * n + b"\r\n" + END,
    "separators": lambda n: OPEN + b"N:" + b";" * n + b"\r\n" + END,
    "keywords": lambda n: OPEN + b"CATEGORIES:" + b",".join(b"%d" % i for i in range(n // 8)) + b"\r\n" + END,
    "nicknames": lambda n: OPEN + b"NICKNAME:" + b",".join(b"%d" % i for i in range(n // 20)) + b"\r\n" + END,
    "parameters": lambda n: OPEN + b"TEL" + b";X-A=b" * (n // 6) + b":1\r\n" + END,
    "types": lambda n: OPEN + b"TEL" + b";TYPE=" * (n // 6) + b":1\r\n" + END,
    "quotes": lambda n: OPEN + b'TEL;X="' + b'";"' * (n // 3) + b":1\r\n" + END,
    "folds": lambda n: OPEN + b"NOTE:" + b"a\r\n b" * (n // 5) + b"\r\n" + END,
    "cards without end": lambda n: b"BEGIN:VCARD\r\n" * (n // 13),
    "nested agents": lambda n: (
        b"BEGIN:VCARD\r\nVERSION:2.1\r\nAGENT:\r\n" * (n // 35) + b"END:VCARD\r\n" * (n // 35)
    ),
    "equal numbers": lambda n: OPEN + b"TEL:1\r\n" * (n // 20) + END,
    "one uid": lambda n: b"".join(OPEN + b"UID:1\r\nNOTE:%d\r\n" % i + END for i in range(n // 60)),
    "photo": lambda n: OPEN + b"PHOTO;ENCODING=b:" + b"QUJD\r\n " * n + b"\r\n" + END,
    "labels": lambda n: (
        OPEN + b"".join(b"g%d.X-ABLabel:l\r\ng%d.TEL:1\r\n" % (i, i) for i in range(n // 40)) + END
    ),
}


OTHERS: dict[str, Callable[[int], bytes]] = {
    "jcard properties": lambda n: b'["vcard",[' + b'["x-a",{},"text","b"],' * (n // 22) + b'["fn",{},"text","x"]]]',
    "jcard parameters": lambda n: (
        b'["vcard",[["fn",{' + b",".join(b'"p%d":["a","b"]' % i for i in range(n // 16)) + b'},"text","x"]]]'
    ),
    "jcard types": lambda n: b'["vcard",[["tel",{"type":[' + b'"a",' * (n // 4) + b'"b"]},"text","1"]]]',
    "jscontact copies": lambda n: b"[" + b",".join(b'{"uid":"a","kind":"k%d"}' % i for i in range(n // 25)) + b"]",
    "csv quotes": lambda n: b"First Name,Labels\n" + b'"' * n,
    "csv open quotes": lambda n: b"First Name,Labels\n" + b'"""\n' * (n // 4),
    "csv columns": lambda n: b"Labels" + b",E-mail 1 - Value" * (n // 17) + b"\n" + b"a," * (n // 17),
    "csv numbered": lambda n: (
        b"Labels," + b",".join(b"Phone %d - Value" % i for i in range(n // 20)) + b"\n" + b"1," * (n // 20)
    ),
    "csv several": lambda n: b"Labels,Phone 1 - Value\n" + b"a ::: " * (n // 12) + b"," + b"1 ::: " * (n // 12),
    "csv rows": lambda n: b"Labels\n" + b"a\n" * (n // 20),
    "ldif folds": lambda n: b"dn: a\ncn: " + b"a\n " * (n // 3),
    "ldif attributes": lambda n: b"dn: a\n" + b"".join(b"x%d: 1\n" % i for i in range(n // 10)),
    "ldif values": lambda n: b"dn: a\n" + b"mail: 1\n" * (n // 10),
    "ldif members": lambda n: b"dn: a\nobjectclass: groupOfNames\ncn: x\n" + b"member: a\n" * (n // 10),
}


@contextmanager
def unbothered() -> Iterator[None]:
    """Without the garbage collector, whose rounds cost by what other tests have left behind."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def cost_of_others(data: bytes) -> float:
    """The CPU time, in seconds, of reading a file of another format and of writing it in every one."""
    with unbothered():
        start = time.process_time()
        file = read_file(data, salt=SALT)
        cards = [card.registers for card in file.cards[:100]]
        jcard.write(cards, media={}.get)
        jscontact.write(cards, media={}.get)
        write_google(cards)
        return time.process_time() - start


@pytest.mark.parametrize("name", OTHERS)
def test_time_is_linear_in_other_formats(name: str) -> None:
    small, large = OTHERS[name](8_000), OTHERS[name](64_000)
    assert cost_of_others(large) < 30 * max(cost_of_others(small), 0.004)


def cost(data: bytes) -> float:
    """The CPU time, in seconds, of everything that is done with a file."""
    with unbothered():
        start = time.process_time()
        file = read(data)
        assert again(file) == data
        for card in file.cards[:100]:
            summary(card.registers)
            for version in VERSIONS:
                write_vcards([card.registers], version=version, media=card.media.get)
        return time.process_time() - start


@pytest.mark.parametrize("name", CASES)
def test_time_is_linear(name: str) -> None:
    make = CASES[name]
    small, large = make(8_000), make(64_000)
    # Eight times the input may take eight times as long, with room for a noisy machine; a square would take 64 times.
    assert cost(large) < 30 * max(cost(small), 0.004)
