"""That the targets are all there are: every function that decodes what somebody else has sent is in one of them.

The decoders are found by what they are called and what they take; whoever writes a further one, and no target, fails
here. The machines of both sides are found the same way, by `receive`.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterator
from types import CodeType, FrameType

import e2esync
from e2esync.conformance.performing import layers
from tests.fuzz.targets import TARGETS

FLOORS = ("wire", "crypto", "card", "contactset", "epoch", "log", "snapshot", "access", "replica", "procedures",
          "session", "transports", "client")
VERBS = ("parse", "decode", "open_", "read", "unpack", "check_packed", "verify", "split")
BYTES = ("bytes", "str", "Value")
METHODS = ("receive", "from_value")
SEEDS = 40

OWN = {
    # A person's or a program's own words, and what the network of a test is made of.
    "client.pairing:read_code", "client.settings:parse", "client.shares:parse_scheme", "transports.socks:parse_proxy",
    "transports.streams:open_stream", "transports.base:Transport.receive", "transports.memory:MemoryTransport.receive",
    # A relay's own store; and the mail of a mailbox, whose bytes the pairing machines are given.
    "session.holds:unpack", "client.pairing:Mailbox.receive",
    # An address or a book to go to, not bytes: what is read there is read by the decoders.
    "client.recovery:open_place", "procedures.opening:open_epoch",
    # This device's own photo.
    "snapshot.runs:split_media",
    # They hand on what came: to `parse_deletion`, `open_own_box`, `open_manifest` and `parse_manifest`.
    "session.deleting:read_word", "procedures.deleting:read_deletion", "procedures.deleting:read_deletion_as_kit",
    "replica.entering:open_secret", "replica.entering:read_manifest",
}


def _functions() -> Iterator[tuple[str, CodeType]]:
    for info in pkgutil.walk_packages(e2esync.__path__, "e2esync."):
        name = info.name.removeprefix("e2esync.")
        if name.partition(".")[0] not in FLOORS:
            continue
        for own in vars(importlib.import_module(info.name)).values():
            if getattr(own, "__module__", "") != info.name:
                continue
            if inspect.isclass(own):
                for method in METHODS:
                    if method in vars(own):
                        yield f"{name}:{own.__name__}.{method}", inspect.unwrap(getattr(own, method)).__code__
            elif inspect.isfunction(own) and own.__name__.startswith(VERBS) and _takes_bytes(own):
                yield f"{name}:{own.__name__}", own.__code__


def _takes_bytes(function: object) -> bool:
    assert callable(function)
    taken = inspect.signature(function).parameters.values()
    return any(str(one.annotation).partition(" |")[0] in BYTES for one in taken)


def _reached(wanted: set[CodeType]) -> set[CodeType]:
    """Which of these run when each target is given a few of its seeds."""
    # Making the cases takes seconds, in which nothing is to be looked at.
    layers()
    seen: set[CodeType] = set()

    def look(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and frame.f_code in wanted:
            seen.add(frame.f_code)

    for target in TARGETS.values():
        seeds = target.seeds()
        for seed in seeds[:: max(1, len(seeds) // SEEDS)]:
            sys.setprofile(look)
            try:
                target(seed)
            finally:
                sys.setprofile(None)
    return seen


def test_every_decoder_and_every_machine_is_in_a_target() -> None:
    decoders = {code: name for name, code in _functions()}
    assert len(decoders) > 80
    missing = {decoders[code] for code in decoders.keys() - _reached(set(decoders))}
    assert missing - OWN == set()
    assert missing & {"session.client:ClientSession.receive", "session.relay:RelaySession.receive"} == set()
    assert OWN - set(decoders.values()) == set()
