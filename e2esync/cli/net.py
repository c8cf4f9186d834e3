"""Running the trio part of the library from a command: one place that imports trio, and only when called.

Invariants: local commands do not import this module; Ctrl-C cancels what runs and ends in one KeyboardInterrupt.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


def run(work: Callable[[], Awaitable[T]]) -> T:
    """Run `work` under trio to its end."""
    import trio

    return trio.run(work)


async def in_thread(work: Callable[[], T]) -> T:
    """Run something that waits for a person, without stopping the rest."""
    import trio

    return await trio.to_thread.run_sync(work, abandon_on_cancel=True)


def run_until_terminated(work: Callable[[], Awaitable[None]]) -> None:
    """Run `work` until it ends or the process is told to (SIGTERM), which is an orderly end."""
    import signal

    import trio

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            async def listen() -> None:
                with trio.open_signal_receiver(signal.SIGTERM) as signals:
                    async for _ in signals:
                        nursery.cancel_scope.cancel()

            nursery.start_soon(listen)
            await work()
            nursery.cancel_scope.cancel()

    trio.run(main)
