"""The relay as a trio program: connections in, one store, pushes out (SPEC 13).

    socket ─ transport ─ Connection ─ RelaySession ──commands──► StoreThread (writer, reader) ─ Engine
                              ▲                                          │
                              └────────── answers, Hub: pushes ◄─────────┘

Everything but the two store threads runs in one trio thread, so none of it needs a lock.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple

import trio

from e2esync.epoch.roles import KITS
from e2esync.errors import E2esyncError, SessionError
from e2esync.limits import HANDSHAKE_TIMEOUT
from e2esync.relay.connection import KEEPALIVE, Connection
from e2esync.relay.counters import Counters
from e2esync.relay.hub import Hub
from e2esync.relay.post import Post
from e2esync.relay.threads import StoreThread
from e2esync.relay.throttle import HOUR, PerAddress, Throttle
from e2esync.relay.visits import Visits
from e2esync.relay.waiting import WaitingRoom
from e2esync.session.codec import encode_message
from e2esync.session.commands import Admit, Attend, Attention, Change, Consult
from e2esync.session.kinds import Refusal
from e2esync.session.messages import ClosingPush, Create, Message, Open, RefusalAnswer, Seed
from e2esync.session.relay import RelaySession
from e2esync.stores.relay_batch import Admitted, BatchResult, Delayed, DeletionSaid, Logged, Outcome
from e2esync.stores.relay_engine import Engine
from e2esync.transports.address import Listener
from e2esync.transports.base import Transport

logger: Final = logging.getLogger("e2esync.relay")

_STOP_TIMEOUT: Final = 3.0
_SWEEP_INTERVAL: Final = 600.0
_SWEEP_PAUSE: Final = 0.05
"""Seconds between two pieces of a sweep: no set is so large that others have to notice its end."""
_CHECKPOINT_INTERVAL: Final = 2.0
_COME_BACK: Final = 2_000
_NOTIFIER_WAIT: Final = 0.5
_CONNECTIONS_MAX: Final = 20_000


class _Job(NamedTuple):
    """A command on its way through the store, and where its result goes."""

    connection: Connection
    command: Admit | Change
    size: int


@dataclass(frozen=True, slots=True)
class _ReadJob:
    connection: Connection
    command: Consult
    size: int


@dataclass(slots=True)
class _Sweep:
    """Time to drop a piece of what is past its retention; the writer does that between batches."""

    done: trio.Event = field(default_factory=trio.Event)
    gone: int = 0


@dataclass(slots=True)
class _Probe:
    """Somebody waits to hear whether the store can be written."""

    done: trio.Event = field(default_factory=trio.Event)
    failure: E2esyncError | None = None


@dataclass(frozen=True, slots=True)
class _Heard:
    """Other processes changed these sets and mailboxes."""

    keys: tuple[bytes, ...]


def system_now() -> int:
    """Milliseconds since 1970, by the system's clock."""
    return time.time_ns() // 1_000_000


_UNLIMITED: Final = PerAddress()
_Note = Attend | _Sweep | _Heard | _Probe
_Item = _Job | _Note


def _sorted(items: Sequence[_Item]) -> tuple[list[_Job], list[_Note]]:
    """What somebody waits for an answer to, and the relay's own."""
    jobs = [item for item in items if isinstance(item, _Job)]
    return jobs, [] if len(jobs) == len(items) else [item for item in items if not isinstance(item, _Job)]


class Relay:
    """A running relay over one store. `run` drives it; `handle` takes one connection."""

    worker: type[StoreThread[Any, Any]] = StoreThread
    """What does the store's work."""

    def __init__(
        self, store: Engine, *, now: Callable[[], int] = system_now, draw: Callable[[int], bytes] = os.urandom,
        connections_max: int = _CONNECTIONS_MAX, log_addresses: bool = False, trust_proxy: bool = False,
        keepalive: float = KEEPALIVE, per_address: PerAddress = _UNLIMITED,
    ) -> None:
        self.hub = Hub()
        self.counters = Counters()
        self._store = store
        self._now = now
        self._incarnation = store.incarnation
        self._draw = draw
        self._connections_max = connections_max
        self._log_addresses = log_addresses
        self._trust_proxy = trust_proxy
        self._keepalive = keepalive
        self.post = Post()
        self.visits = Visits()
        self._new_sets = Throttle(per_address.sets_per_hour, HOUR / max(per_address.sets_per_hour, 1))
        self._connects = Throttle(per_address.connects_burst, 60 / per_address.connects_per_minute)
        self._connections: dict[int, Connection] = {}
        self._numbers = 0
        self.waiting: WaitingRoom[_Job] = WaitingRoom()
        self._expiring: set[bytes] = set()
        self._attended: set[tuple[bytes, int]] = set()
        self._unheard: set[bytes] = set()
        # What an earlier run has not come to the end of goes on at once.
        self._sweeping = True
        self.stopping = False
        self._timers: trio.Nursery | None = None
        self._writer: StoreThread[_Item, BatchResult] = self.worker(self._execute, self._executed)
        self._reader: StoreThread[_ReadJob, list[Message]] = self.worker(self._consult, self._consulted)

    @property
    def connections(self) -> int:
        """How many are connected."""
        return len(self._connections)

    async def run(
        self, listeners: Sequence[Listener], *, stop: trio.Event | None = None,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serves until `stop` is set or the task is cancelled; either way what was begun is made durable."""
        async with trio.open_nursery() as threads:
            threads.start_soon(self._writer.run)
            threads.start_soon(self._reader.run)
            try:
                async with trio.open_nursery() as nursery:
                    self._timers = nursery
                    nursery.start_soon(self.post.run)
                    nursery.start_soon(self._keep_alive)
                    nursery.start_soon(self._maintain)
                    nursery.start_soon(self._follow_others)
                    for listener in listeners:
                        nursery.start_soon(self._listen, listener)
                    task_status.started()
                    await (trio.Event() if stop is None else stop).wait()
                    await self._drain()
                    nursery.cancel_scope.cancel()
            finally:
                self._writer.stop()
                self._reader.stop()

    async def handle(self, transport: Transport, address: str = "") -> None:
        """Serves one connection until it ends. `address` is whose limits it counts against; none without one."""
        full = self.stopping or len(self._connections) >= self._connections_max
        if full or self._floods(address):
            self.counters.turned_away += 1
            await self._turn_away(transport, "" if full else " from this address")
            return
        self.counters.connections += 1
        self._numbers += 1
        session = RelaySession(self._store.key, self._draw(32), self._numbers)
        connection = Connection(self, transport, session, self._numbers, address)
        self._connections[connection.number] = connection
        try:
            await connection.run()
        finally:
            del self._connections[connection.number]
            connection.gone = True
            self.hub.leave(connection)
            self._gone(connection)
            await transport.aclose()

    async def probe(self) -> None:
        """Returns when the store has made a row durable. Raises what keeps it from that."""
        probe = _Probe()
        self._writer.submit(probe)
        await probe.done.wait()
        if probe.failure is not None:
            raise probe.failure

    def submit(self, connection: Connection, command: Admit | Change, size: int) -> None:
        """Passes a command to the writer."""
        self._count(command)
        job = _Job(connection, command, size)
        if isinstance(command, Change) and (wait := self._wait_for_a_set(connection, command)):
            message = "too many new books from this address"
            connection.complete(command, RefusalAnswer(Refusal.TOO_OFTEN, message, int(wait * 1000) + 1), size)
            return
        if self.waiting.is_behind(job):
            self.waiting.add(job)
            return
        self._writer.submit(job)

    def consult(self, connection: Connection, command: Consult, size: int) -> None:
        """Passes a reading request to the reader."""
        self._count(command)
        self._reader.submit(_ReadJob(connection, command, size))

    def _floods(self, address: str) -> bool:
        return bool(address and self._connects.take(address, trio.current_time()))

    def _wait_for_a_set(self, connection: Connection, change: Change) -> float:
        """Seconds until this address may make another set; 0 for now, and for what makes none."""
        request = change.request
        new = isinstance(request, Create) or (isinstance(request, Seed) and request.start == 0)
        return self._new_sets.take(connection.address, trio.current_time()) if new and connection.address else 0.0

    def _count(self, command: Admit | Change | Consult) -> None:
        kind = "Admit" if isinstance(command, Admit) else type(command.request).__name__
        self.counters.requests[kind] += 1

    # In the store's threads.

    def _execute(self, items: Sequence[_Item]) -> BatchResult:
        jobs, others = _sorted(items)
        heard = {key for item in others if isinstance(item, _Heard) for key in item.keys}
        result = BatchResult([], {})
        try:
            for item in others:
                if isinstance(item, _Probe):
                    self._try_to_write(item)
            for item in others:
                if isinstance(item, _Sweep):
                    item.gone = self._store.sweep(self._now())
                    result = self._store.hear((), self._now())
            if any(isinstance(item, _Heard) for item in others):
                result = result.then(self._store.hear(heard, self._now()))
                heard = set()
            notes = [item for item in others if isinstance(item, Attend)]
            if jobs or notes:
                done = self._store.execute([*(job.command for job in jobs), *notes], self._now())
                result = result.then(BatchResult(done.outcomes[:len(jobs)], done.heads, done.news))
            return result
        except E2esyncError as error:
            # Nothing of the batch has happened; every one of these may simply be sent again.
            logger.error("nothing can be stored: %s (%s)", error.message, error.hint)
        except Exception:
            logger.exception("a bug: a batch of commands failed")
        self.counters.store_errors += 1
        self._unheard |= heard
        busy = RefusalAnswer(Refusal.BUSY, "the relay cannot store anything now")
        return BatchResult([Outcome(busy) for _ in jobs], result.heads, result.news)

    def _try_to_write(self, probe: _Probe) -> None:
        try:
            self._store.probe(self._now())
        except E2esyncError as error:
            probe.failure = error

    def _consult(self, jobs: Sequence[_ReadJob]) -> list[Message]:
        return [self._consult_one(job.command) for job in jobs]

    def _consult_one(self, command: Consult) -> Message:
        try:
            return self._store.read(command, self._now())
        except E2esyncError as error:
            logger.error("nothing can be read: %s (%s)", error.message, error.hint)
        except Exception:
            logger.exception("a bug: a reading request failed")
        return RefusalAnswer(Refusal.BUSY, "the relay cannot read its store now")

    # In trio's thread.

    def _executed(self, items: Sequence[_Item], result: BatchResult) -> None:
        self.counters.batches += bool(result.outcomes)
        if self._store.incarnation != self._incarnation:
            # Whoever is connected believes in a state that is gone; its next handshake tells it which one there is.
            self._incarnation = self._store.incarnation
            for connection in list(self._connections.values()):
                connection.drop()
        jobs, others = _sorted(items)
        for item in others:
            if isinstance(item, _Probe | _Sweep):
                item.done.set()
        outcomes = result.outcomes

        def answer(number: int) -> None:
            effect = outcomes[number].effect
            if isinstance(effect, Delayed) and not self.stopping and self._timers is not None:
                self.waiting.add(jobs[number])
                if effect.set_id not in self._expiring:
                    self._expiring.add(effect.set_id)
                    self._timers.start_soon(self._release_at, effect.set_id, effect.until)
            else:
                self._complete(jobs[number], outcomes[number].result)

        self.hub.apply(answer, [job.connection for job in jobs], result)
        for item in others:
            if isinstance(item, Attend):
                self._release(item.set_id)
            elif isinstance(item, _Heard):
                for key in item.keys:
                    self._release(key)
        for job, outcome in zip(jobs, outcomes, strict=True):
            if not isinstance(outcome.effect, Logged):
                self._look_to_holds(job, outcome)
        self.post.flush()

    def _consulted(self, jobs: Sequence[_ReadJob], results: list[Message]) -> None:
        for job, result in zip(jobs, results, strict=True):
            self._complete(job, result)

    def _complete(self, job: _Job | _ReadJob, result: Message) -> None:
        if isinstance(result, RefusalAnswer):
            self.counters.refusals[result.code.value] += 1
        # trio gives up on a callback that raises, and with it on the whole relay.
        try:
            job.connection.complete(job.command, result, job.size)
        except Exception:
            logger.exception("a bug: an answer could not be given")
            job.connection.drop()

    def _look_to_holds(self, job: _Job, outcome: Outcome) -> None:
        """SPEC 13.6: what begins a hold, and which openings may have ended one."""
        command, effect, result = job.command, outcome.effect, outcome.result
        if isinstance(effect, DeletionSaid) and effect.gone:
            self._sweeping = True
        if isinstance(effect, Admitted) and effect.role in KITS and not job.connection.gone:
            self._attend(effect.set_id, job.connection.session.member, Attention.CAME)
        elif isinstance(command, Change) and isinstance(command.request, Open) and not isinstance(effect, Delayed):
            self._release(command.set_id)
            if isinstance(result, RefusalAnswer) and result.code is Refusal.HEAD_MOVED and not job.connection.gone:
                self._attend(command.set_id, command.member, Attention.LOST)

    def _attend(self, set_id: bytes, member: int, why: Attention) -> None:
        self._attended.add((set_id, member))
        self._writer.submit(Attend(set_id, member, why))

    def _gone(self, connection: Connection) -> None:
        there = connection.session.set_id, connection.session.member
        if there in self._attended and not self.hub.has_member(*there):
            self._attended.discard(there)
            self._writer.submit(Attend(*there, Attention.LEFT))

    async def _release_at(self, set_id: bytes, until: int) -> None:
        await trio.sleep(max(0, until - self._now()) / 1000)
        self._expiring.discard(set_id)
        self._release(set_id)

    def _release(self, set_id: bytes) -> None:
        """Has the writer look once more at what waits for a hold of this set, which may be over."""
        for job in self.waiting.take(set_id):
            self._writer.submit(job)

    async def _listen(self, listener: Listener) -> None:
        await trio.serve_listeners(partial(self._accepted, listener), list(listener.sockets))

    async def _accepted(self, listener: Listener, stream: trio.SocketStream) -> None:
        # Whatever leaves this function ends the whole relay, so nothing that one connection causes may.
        try:
            with trio.fail_after(HANDSHAKE_TIMEOUT / 1000):
                transport = await listener.upgrade(stream)
            address = self._address_of(stream, transport)
            if self._log_addresses:
                logger.info("connection from %s", address)
            await self.handle(transport, address)
        except (SessionError, trio.TooSlowError, OSError):
            return
        except Exception:
            logger.exception("a bug: a connection failed")

    def _address_of(self, stream: trio.SocketStream, transport: Transport) -> str:
        """Who connects: the socket's other end, or whom a trusted proxy names last; others wrote what is before."""
        forwarded = str(getattr(transport, "forwarded", "")) if self._trust_proxy else ""
        return forwarded.rpartition(",")[2].strip() or str(stream.socket.getpeername()[0])

    async def _turn_away(self, transport: Transport, whose: str) -> None:
        message = f"the relay takes no more connections{whose}"
        try:
            with trio.move_on_after(1):
                await transport.send(encode_message(RefusalAnswer(Refusal.BUSY, message)))
                # With what it says first unread, the system would hang up so hard that ours might not be read either.
                await transport.receive()
        except SessionError:
            pass
        await transport.aclose()

    async def _maintain(self) -> None:
        """Checkpoints and sweeps, off the path of appends."""
        swept = trio.current_time()
        commits, more = -1, False
        while True:
            await trio.sleep(_SWEEP_PAUSE if more else _CHECKPOINT_INTERVAL)
            try:
                if self._store.commits != commits:
                    commits = self._store.commits
                    await trio.to_thread.run_sync(self._store.checkpoint)
                if self._unheard:
                    unheard, self._unheard = self._unheard, set()
                    self._heard(frozenset(unheard))
                if more or self._sweeping or trio.current_time() - swept > _SWEEP_INTERVAL:
                    swept, self._sweeping = trio.current_time(), False
                    sweep = _Sweep()
                    self._writer.submit(sweep)
                    await sweep.done.wait()
                    more = sweep.gone > 0
            except E2esyncError as error:
                logger.error("maintenance failed: %s (%s)", error.message, error.hint)

    async def _keep_alive(self) -> None:
        """Pings who has been sent nothing for so long. One task for all: a timer each is memory and time each."""
        look = self._keepalive / 10
        while True:
            await trio.sleep(look)
            since = trio.current_time() - self._keepalive + look
            for connection in self._connections.values():
                if connection.last_sent <= since:
                    connection.keep_alive()

    async def _follow_others(self) -> None:
        """Passes on to this process's devices what other processes on the same store do."""
        notifier = self._store.notifier()
        if notifier is None:
            # Nobody else writes; but a backup may be restored at any time.
            while True:
                await trio.sleep(_CHECKPOINT_INTERVAL)
                self._writer.submit(_Heard(()))
        try:
            while True:
                keys = await trio.to_thread.run_sync(notifier.wait, _NOTIFIER_WAIT, abandon_on_cancel=False)
                self._heard(keys)
        finally:
            notifier.close()

    def _heard(self, keys: frozenset[bytes] | None) -> None:
        wanted = tuple(self.hub.keys() if keys is None else filter(self.hub.has, keys))
        if wanted:
            # Others' devices wait for it: behind a batch and in front of the next, but not for both.
            self._writer.submit(_Heard(wanted), urgent=True)

    async def _drain(self) -> None:
        """Says goodbye, and lets what was begun come to its end (SPEC 13.3 CLOSING)."""
        self.stopping = True
        for connection in self._connections.values():
            if connection.is_member:
                connection.queue(encode_message(ClosingPush(_COME_BACK + connection.number * 7 % _COME_BACK)))
        for set_id in self.waiting.sets():
            self._release(set_id)
        with trio.move_on_after(_STOP_TIMEOUT):
            while any(connection.busy for connection in self._connections.values()):
                await trio.sleep(0.01)
        for connection in self._connections.values():
            connection.drop()
