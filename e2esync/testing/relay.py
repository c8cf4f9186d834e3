"""A hostile relay: a real relay, with its real rules and store, in the hands of somebody who means no good.

What it has accepted is kept in a *journal*. Every history that it could show is made of the journal by executing it
again on a fresh store of the same relay: up to a moment (`rollback`), without some of it (`withhold`), or twice, for
different devices (`fork`). So each such history is one that the relay's key has truly signed. What it does to single
messages are hooks (`lying`), and what it puts into its own log is a request in somebody's name (`inject`).

SPEC 4: the relay is fully malicious. Nothing here has a key that a relay would not have.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from e2esync.crypto import SigningKey
from e2esync.epoch.chain import Chain, verify_chain
from e2esync.relay.server import Relay
from e2esync.relay.threads import Item, Result, StoreThread
from e2esync.session.commands import Change, Consult, Reading, Written
from e2esync.session.messages import ChainPart, Message, ReadChain, RefusalAnswer
from e2esync.stores.relay import RelayStore
from e2esync.stores.relay_batch import BatchResult
from e2esync.testing.clock import Clock
from e2esync.testing.wire import Hook, Passed, Wire


@dataclass(frozen=True, slots=True)
class Done:
    """What the relay has accepted, and when."""

    change: Change
    time: int


class Lies:
    """`told`: how many messages came out of hooks otherwise than they went in, or not at all."""

    def __init__(self) -> None:
        self.told = 0

    def counting(self, hook: Hook) -> Hook:
        """The same hook, counted."""
        def counted(message: Message, wire: Wire) -> Passed | Sequence[Passed] | None:
            passed = hook(message, wire)
            self.told += passed is not message
            return passed
        return counted


class _InlineWorker(StoreThread[Item, Result]):
    """The store's work in trio's own thread: a virtual clock must not run ahead of it."""

    def __init__(
        self, work: Callable[[Sequence[Item]], Result], deliver: Callable[[Sequence[Item], Result], None],
    ) -> None:
        super().__init__(work, deliver)
        self._items: list[Item] = []
        self._end = trio.Event()

    def submit(self, item: Item, *, urgent: bool = False) -> None:
        del urgent
        self._items.append(item)
        if len(self._items) == 1:
            trio.lowlevel.current_trio_token().run_sync_soon(self._turn)

    def stop(self) -> None:
        self._end.set()

    async def run(self) -> None:
        await self._end.wait()

    def _turn(self) -> None:
        items, self._items = self._items, []
        self._deliver(items, self._work(items))


class _InlineRelay(Relay):
    worker: type[StoreThread[Any, Any]] = _InlineWorker

    async def _maintain(self) -> None:
        await trio.sleep_forever()


class _JournalStore(RelayStore):
    """A relay's store that writes down what it accepted."""

    def __init__(self, path: Path, draw: Callable[[int], bytes]) -> None:
        super().__init__(path, draw=draw)
        self.journal: list[Done] = []

    def execute(self, commands: Sequence[Written], now: int) -> BatchResult:
        result = super().execute(commands, now)
        for command, outcome in zip(commands, result.outcomes, strict=True):
            if isinstance(command, Change) and not isinstance(outcome.result, RefusalAnswer):
                self.journal.append(Done(command, now))
        return result


class View:
    """One history, as the relay shows it to some of the devices."""

    def __init__(self, store: _JournalStore, clock: Clock, draw: Callable[[int], bytes]) -> None:
        self.store = store
        self.relay = _InlineRelay(store, now=clock, draw=draw)
        self._clock = clock

    @property
    def journal(self) -> list[Done]:
        """What this history is made of, in order."""
        return self.store.journal

    def inject(self, set_id: bytes, member: int, request: Any) -> Message:
        """Do what a request asks for as if this member had sent it; the relay's own answer to that."""
        return self.store.execute([Change(set_id, member, 0, request)], self._clock()).outcomes[0].result

    def read(self, set_id: bytes, member: int, request: Reading) -> Message:
        """What this member would be answered."""
        return self.store.read(Consult(set_id, member, request), self._clock())

    def chain(self, set_id: bytes) -> Chain:
        """The set's chain in this history."""
        part = self.read(set_id, 1, ReadChain(0))
        assert isinstance(part, ChainPart)
        return verify_chain(set_id, part.records)


class HostileRelay:
    """Every device is shown `main`, unless `views` has another view for it."""

    def __init__(self, folder: Path, clock: Clock, seed: str, nursery: trio.Nursery) -> None:
        self.hooks: list[Hook] = []
        self.views: dict[str, View] = {}
        self._folder = folder
        self._clock = clock
        self._seed = seed
        self._nursery = nursery
        self._opened: list[View] = []
        self._drawn = 0
        self._wires: set[Wire] = set()
        self.main = self.view()

    @property
    def key(self) -> SigningKey:
        """The relay's own key: it may sign whatever it likes."""
        return self.main.store.key

    # Histories.

    def moment(self) -> int:
        """Now, to come back to."""
        return len(self.main.journal)

    def view(self, keep: Callable[[Done], bool] = lambda _done: True, *, until: int | None = None, life: int = 0,
             source: View | None = None) -> View:
        """A further history: what of the journal is kept, up to a moment. `life` is another incarnation's number."""
        number = len(self._opened)
        store = _JournalStore(self._folder / f"relay-{number}.sqlite3", lambda size: self._identity(size, life))
        view = View(store, self._clock, self._fresh)
        self._opened.append(view)
        if number:
            for done in (source or self.main).journal[:until]:
                if keep(done):
                    store.execute([done.change], done.time)
        self._nursery.start_soon(view.relay.run, [])
        return view

    def show(self, view: View, *devices: str) -> None:
        """Show these devices a history; without devices, all of them. Who is connected is hung up on."""
        if not devices:
            self.main = view
            self.views.clear()
        self.views.update(dict.fromkeys(devices, view))
        for wire in list(self._wires):
            if not devices or wire.device in devices:
                wire.cut()

    def rollback(self, moment: int) -> None:
        """Show everybody an older state, as if nothing had happened since."""
        self.show(self.view(until=moment))

    def restore(self, moment: int) -> None:
        """Come back from a backup, honestly: a new incarnation (SPEC 10.2)."""
        self.show(self.view(until=moment, life=len(self._opened)))

    def fork(self, *devices: str) -> View:
        """From now on show these devices a history of their own; the others go on in `main`."""
        view = self.view()
        self.show(view, *devices)
        return view

    def withhold(self, hide: Callable[[Done], bool], *devices: str) -> View:
        """Show a history in which some of what was accepted never happened."""
        view = self.view(lambda done: not hide(done))
        self.show(view, *devices)
        return view

    def inject(self, set_id: bytes, member: int, request: Any) -> Message:
        """Do in `main` what a request asks for as if this member had sent it."""
        return self.main.inject(set_id, member, request)

    # Messages.

    @contextmanager
    def lying(self, *hooks: Hook) -> Iterator[Lies]:
        """Change messages for as long as the block lasts. What it gives says how many were changed.

        An attack that never came to its message proves nothing: look at `told` when the block is over.
        """
        lies = Lies()
        counted = [lies.counting(hook) for hook in hooks]
        self.hooks += counted
        try:
            yield lies
        finally:
            for hook in counted:
                # `honest` may have taken it away already.
                if hook in self.hooks:
                    self.hooks.remove(hook)

    def honest(self) -> None:
        """No more lies: no hooks, and `main` for everybody."""
        self.hooks.clear()
        self.views.clear()

    # The machinery.

    async def serve(self, wire: Wire) -> None:
        """Take one connection, until it ends."""
        self._wires.add(wire)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(wire.run)
                await self.views.get(wire.device, self.main).relay.handle(wire.relay)
        finally:
            self._wires.discard(wire)

    def cut(self, device: str) -> None:
        """Hang up on a device."""
        for wire in list(self._wires):
            if wire.device == device:
                wire.cut()

    def close(self) -> None:
        """Give the files back."""
        for view in self._opened:
            view.store.close()

    def _identity(self, size: int, life: int) -> bytes:
        """The relay's key is the same in every view; the incarnation is that of its life."""
        text = f"{self._seed}\0relay\0{size}\0{life if size < 32 else ''}"
        return hashlib.shake_256(text.encode()).digest(size)

    def _fresh(self, size: int) -> bytes:
        self._drawn += 1
        return hashlib.shake_256(f"{self._seed}\0session\0{self._drawn}".encode()).digest(size)
