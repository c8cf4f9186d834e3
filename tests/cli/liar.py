"""The hostile relay of `e2esync.testing` on a loopback port, in a thread of its own, for programs that meet it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

import trio

from e2esync.conformance.hostile import hostile_relay
from e2esync.testing import HostileRelay

T = TypeVar("T")


class Liar:
    """Use it with `with`. `url` is its address; `do` has it lie, in its own thread."""

    def __init__(self, seed: str) -> None:
        self.url = ""
        self._seed = seed
        self._began: queue.Queue[BaseException | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Liar:
        self._thread.start()
        if (error := self._began.get(timeout=30)) is not None:
            raise error
        return self

    def __exit__(self, *_: object) -> None:
        self._token.run_sync_soon(self._end.set)
        self._thread.join(30)
        assert not self._thread.is_alive()

    def do(self, work: Callable[[HostileRelay], T]) -> T:
        """What `work` does with the relay, between two of its messages."""
        return trio.from_thread.run_sync(work, self._relay, trio_token=self._token)

    def _run(self) -> None:
        try:
            trio.run(self._main)
        except BaseException as error:
            self._began.put(error)
            raise

    async def _main(self) -> None:
        async with hostile_relay(self._seed) as (self.url, self._relay):
            self._token, self._end = trio.lowlevel.current_trio_token(), trio.Event()
            self._began.put(None)
            await self._end.wait()
