"""The threads that talk to the store: one that writes, one that reads.

What is submitted while a thread is at work waits, and goes to it in one piece when it comes back; the results return
to trio in one piece too. For the writer that is group commit: a batch is what queued up during the last fsync, with
no timer. Handing over per turn of trio's loop, not per command, also keeps two threads from fighting over the GIL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Final, Generic, TypeVar

import trio

_BATCH_MAX: Final = 1024

Item = TypeVar("Item")
Result = TypeVar("Result")


class StoreThread(Generic[Item, Result]):
    """A thread with a queue. `work` runs in the thread, `deliver` in trio, with the items and what became of them."""

    def __init__(
        self, work: Callable[[Sequence[Item]], Result], deliver: Callable[[Sequence[Item], Result], None],
    ) -> None:
        self._work = work
        self._deliver = deliver
        self._queue: SimpleQueue[list[Item] | None] = SimpleQueue()
        self._waiting: list[Item] = []
        self._urgent: list[Item] = []
        self._was_urgent = False
        self._busy = False
        self._stopping = False
        self._wake = trio.Event()

    def submit(self, item: Item, *, urgent: bool = False) -> None:
        """Queues an item; from trio's thread. What is `urgent` goes next and without the others, so that its result
        does not wait until they are done too; they have every other turn all the same."""
        (self._urgent if urgent else self._waiting).append(item)
        if not self._busy:
            self._wake.set()

    def stop(self) -> None:
        """Ends `run` once everything that was submitted before is delivered."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Runs until `stop`. Not cancelled midway: what was submitted is decided and delivered."""
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._thread)
                while not self._stopping or self._busy or self._waiting or self._urgent:
                    # One turn of the loop later: everything that became readable in this turn goes in one batch.
                    await self._wake.wait()
                    self._wake = trio.Event()
                    self._hand_over()
                self._queue.put(None)

    async def _thread(self) -> None:
        token = trio.lowlevel.current_trio_token()
        await trio.to_thread.run_sync(self._loop, token, limiter=trio.CapacityLimiter(1))

    def _loop(self, token: trio.lowlevel.TrioToken) -> None:
        while (items := self._queue.get()) is not None:
            token.run_sync_soon(self._delivered, items, self._work(items))

    def _hand_over(self) -> None:
        if self._busy or not (self._waiting or self._urgent):
            return
        self._was_urgent = bool(self._urgent) and not (self._was_urgent and self._waiting)
        if self._was_urgent:
            items, self._urgent = self._urgent, []
        else:
            items, self._waiting = self._waiting[:_BATCH_MAX], self._waiting[_BATCH_MAX:]
        self._busy = True
        self._queue.put(items)

    def _delivered(self, items: Sequence[Item], result: Result) -> None:
        self._busy = False
        self._hand_over()
        self._deliver(items, result)
        if self._stopping:
            self._wake.set()
