"""One connection through a network that somebody else runs: every frame passes here, and may be changed on its way.

    device ── client end ══ near │ hooks, conditions │ far ══ relay end ── relay

A *hook* sees each message, of either direction, and says what goes on in its place: a message, raw bytes, `Later` for
one that waits, several of these, or None for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import trio

from e2esync.errors import E2esyncError, Unreachable
from e2esync.session.codec import decode_message, encode_message
from e2esync.session.handshake import binding_of
from e2esync.session.messages import Challenge, Hello, Message, Side
from e2esync.transports.memory import MemoryTransport, memory_pair

if TYPE_CHECKING:
    from e2esync.testing.network import Conditions


@dataclass(frozen=True, slots=True)
class Later:
    """What goes on, and everything behind it, after so many seconds."""

    seconds: float
    what: Message | bytes


Passed: TypeAlias = Message | bytes | Later
"""What a hook lets through in a message's place."""
Hook: TypeAlias = "Callable[[Message, Wire], Passed | Sequence[Passed] | None]"


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame as it went past the relay's door: what the relay can observe, and write down for ever."""

    time: float
    device: str
    side: Side
    kind: str
    frame: bytes = field(repr=False)

    @property
    def size(self) -> int:
        """Its bytes."""
        return len(self.frame)


class Wire:
    """A connection of `device`: its two ends, `client` and `relay`, and `run`, which carries frames between them."""

    def __init__(self, device: str, conditions: Conditions, hooks: Sequence[Hook], trace: list[Seen]) -> None:
        self.device = device
        self.client, self._near = memory_pair()
        self._far, self.relay = memory_pair()
        self.hello: Hello | None = None
        self.challenge: Challenge | None = None
        self._conditions = conditions
        self._hooks = hooks
        self._trace = trace
        self._scope = trio.CancelScope()

    @property
    def binding(self) -> bytes:
        """What a head that answers this handshake is bound to (SPEC 13.2), as the client knows it."""
        assert self.hello is not None
        assert self.challenge is not None
        return binding_of(self.hello, self.challenge.nonce, self.challenge.relay_key)

    async def run(self) -> None:
        """Carry frames both ways; ends, with both sides hung up, when one side hangs up or the wire is cut."""
        with self._scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._carry, self._near, self._far, Side.CLIENT)
                nursery.start_soon(self._carry, self._far, self._near, Side.RELAY)
        for end in (self._near, self._far):
            await end.aclose()

    def cut(self) -> None:
        """The cable is pulled."""
        self._scope.cancel()

    async def _carry(self, source: MemoryTransport, target: MemoryTransport, side: Side) -> None:
        try:
            while True:
                for passed in self._through(await source.receive(), side):
                    what = passed
                    if isinstance(what, Later):
                        await trio.sleep(what.seconds)
                        what = what.what
                    frame = what if isinstance(what, bytes) else encode_message(what)
                    for each in await self._conditions.pass_on(self, frame):
                        await target.send(each)
        except Unreachable:
            self.cut()

    def _through(self, frame: bytes, side: Side) -> list[Passed]:
        """A frame through all hooks; one that is no message goes on as it is."""
        try:
            message = decode_message(frame, side)
        except E2esyncError:
            return [frame]
        if isinstance(message, Hello):
            self.hello = message
        self._trace.append(Seen(trio.current_time(), self.device, side, type(message).__name__, frame))
        passed: list[Passed] = [message]
        for hook in tuple(self._hooks):
            passed = [after for each in passed for after in self._changed(hook, each)]
        for each in passed:
            if isinstance(each, Challenge):
                self.challenge = each
        return passed

    def _changed(self, hook: Hook, passed: Passed) -> Sequence[Passed]:
        if isinstance(passed, Later | bytes):
            return (passed,)
        changed = hook(passed, self)
        if changed is None:
            return ()
        return changed if isinstance(changed, list | tuple) else (changed,)
