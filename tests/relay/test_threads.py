"""The store's threads: batches, order, and an end that loses nothing."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import trio

from e2esync.relay.threads import StoreThread


async def test_what_waits_goes_in_one_batch_and_in_order() -> None:
    gate = threading.Event()
    batches: list[list[int]] = []
    delivered: list[int] = []

    def work(items: Sequence[int]) -> list[int]:
        gate.wait(10)
        batches.append(list(items))
        return [item * 10 for item in items]

    thread: StoreThread[int, list[int]] = StoreThread(work, lambda _, results: delivered.extend(results))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(thread.run)
        thread.submit(0)
        thread.submit(1)
        await trio.testing.wait_all_tasks_blocked()
        for item in range(2, 50):
            thread.submit(item)
        gate.set()
        thread.stop()
    assert batches == [[0, 1], list(range(2, 50))]
    assert delivered == [item * 10 for item in range(50)]


async def test_a_batch_has_an_end() -> None:
    sizes: list[int] = []
    thread: StoreThread[int, None] = StoreThread(lambda items: sizes.append(len(items)), lambda _items, _result: None)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(thread.run)
        for item in range(3000):
            thread.submit(item)
        thread.stop()
    assert sizes == [1024, 1024, 952]


async def test_cancelling_loses_nothing_that_was_submitted() -> None:
    done: list[int] = []
    delivered: list[int] = []
    thread: StoreThread[int, None] = StoreThread(done.extend, lambda items, _: delivered.extend(items))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(thread.run)
        for item in range(10):
            thread.submit(item)
        nursery.cancel_scope.cancel()
        thread.stop()
    assert done == delivered == list(range(10))


async def test_stopping_an_idle_thread() -> None:
    thread: StoreThread[int, None] = StoreThread(lambda _: None, lambda _items, _result: None)
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(thread.run)
            await trio.testing.wait_all_tasks_blocked()
            thread.stop()


async def test_what_is_urgent_goes_next_and_alone_and_the_others_have_every_other_turn() -> None:
    gate = threading.Semaphore(0)
    batches: list[list[int]] = []

    def work(items: Sequence[int]) -> None:
        gate.acquire(timeout=10)
        batches.append(list(items))

    delivered: list[int] = []
    thread: StoreThread[int, None] = StoreThread(work, lambda items, _result: delivered.extend(items))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(thread.run)
        thread.submit(0)
        await trio.testing.wait_all_tasks_blocked()
        for item in (1, 2):
            thread.submit(item)
        for item in (-1, -2):
            thread.submit(item, urgent=True)
        gate.release()
        with trio.fail_after(10):
            while not delivered:
                await trio.sleep(0.001)
        # Before a result is delivered the next batch is with the thread: now there is one more that is urgent.
        thread.submit(-3, urgent=True)
        gate.release(3)
        thread.stop()
    assert batches == [[0], [-1, -2], [1, 2], [-3]]
