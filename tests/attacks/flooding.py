"""Strangers who begin one pairing after the other: `python -m tests.attacks.flooding ADDRESS KEY COUNT`.

Fifty visitors, each with many requests under way. At the end it prints how many were refused, and with which codes.
"""

from __future__ import annotations

import collections
import json
import os
import selectors
import sys

from e2esync.session import messages as m
from e2esync.session.codec import decode_message, encode_message
from e2esync.session.messages import Side
from tests.bench.lines import Line, visitor_line

_VISITORS, _AHEAD = 50, 20
_ENOUGH = 20_000
"""So many mailboxes show that nothing bounds them."""


def _begin(line: Line, count: int) -> None:
    line.send(*(encode_message(m.UseMailbox(os.urandom(8), 0, os.urandom(16))) for _each in range(count)))


def flood(address: str, key: bytes, count: int) -> dict[str, int]:
    """So many mailboxes; what the relay said to them."""
    lines = [visitor_line(address, key) for _each in range(_VISITORS)]
    said: collections.Counter[str] = collections.Counter()
    begun = 0
    with selectors.DefaultSelector() as selector:
        for line in lines:
            selector.register(line, selectors.EVENT_READ, line)
            _begin(line, _AHEAD)
            begun += _AHEAD
        while said.total() < count and said["MailboxUsed"] < _ENOUGH:
            for ready, _events in selector.select():
                answers = [decode_message(each, Side.RELAY) for each in ready.data.receive()]
                said.update(each.code.name if isinstance(each, m.RefusalAnswer) else type(each).__name__
                            for each in answers)
                more = min(len(answers), count - begun)
                if more > 0:
                    _begin(ready.data, more)
                    begun += more
    for line in lines:
        line.close()
    return dict(said)


if __name__ == "__main__":
    _address, _key, _count = sys.argv[1:]
    print(json.dumps(flood(_address, bytes.fromhex(_key), int(_count))))
