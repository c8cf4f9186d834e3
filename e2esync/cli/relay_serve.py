"""`e2esync relay serve`: a relay in the foreground, until a signal.

Prints one line when it listens, then nothing but problems. SIGTERM and SIGINT stop it: everything acknowledged is on
disk by then, and the exit code is 0. SIGHUP has it read its certificate again. A service manager is told of each.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import resource
import signal
import ssl
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import trio

from e2esync import __version__
from e2esync.errors import ProfileBusy, Unreachable
from e2esync.relay.health import Health
from e2esync.relay.journal import keep_journal
from e2esync.relay.landing import landing_page
from e2esync.relay.server import Relay
from e2esync.relay.service import reloading, tell_manager, watchdog_interval
from e2esync.relay.throttle import PerAddress
from e2esync.session.policy import Policy, Registration
from e2esync.stores.relay_engine import Engine, open_engine
from e2esync.transports.address import Listener, listen, parse_address
from e2esync.transports.stdio import standard_streams

from .exits import UsageError
from .relay import database, settings_of
from .relay_settings import Settings, strangers

logger: Final = logging.getLogger("e2esync.relay")
_FILES_WANTED: Final = 65_536
_FILES_OWN: Final = 64
"""Descriptors for the store, its listeners, monitoring, and whoever is still shaking hands."""
_DAY: Final = 86_400_000
_TURN: Final = 30.0


@dataclass(frozen=True, slots=True)
class _Running:
    """What the tasks of one relay process share."""

    settings: Settings
    relay: Relay
    tls: ssl.SSLContext | None
    stop: trio.Event


def serve(args: argparse.Namespace) -> int:
    """Serves until a signal comes; 0. Raises what keeps it from starting: Unreachable, ProfileDamaged, ProfileBusy."""
    settings = settings_of(args)
    if args.stdio:
        _serve_stdio(settings)
        return 0
    keep_journal(as_json=settings.log_format == "json")
    for words in strangers(os.environ):
        logger.warning("%s", words)
    # What a request leaves is gone without the collector, which would look through all connections ever so often.
    gc.set_threshold(100_000, 50, 100)
    # Whom there is no descriptor for is told to come back, as whom there is no room for; it is not left unanswered.
    settings = replace(settings, connections=max(1, min(settings.connections, _raise_file_limit() - _FILES_OWN)))
    tls, _ = _tls_context(settings), _health_address(settings.health)
    if "://" not in settings.db and not Path(database(settings.db)).exists():
        # A port that is in use must not leave a new store behind, with a key that no device will ever see.
        trio.run(_try_places, settings, tls)
    with closing(open_engine(database(settings.db), policy=_policy(settings))) as store:
        trio.run(_serve, store, settings, tls, bool(getattr(args, "json", False)))
    return 0


def _serve_stdio(settings: Settings) -> None:
    """One connection on standard input and output, as ssh starts it; on a file, one such relay after the other."""
    keep_journal(as_json=settings.log_format == "json")
    until = time.monotonic() + _TURN
    while True:
        try:
            store = open_engine(database(settings.db), policy=_policy(settings))
            break
        except ProfileBusy:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
    with closing(store):
        trio.run(_serve_one, store)


async def _serve_one(store: Engine) -> None:
    relay, stop = Relay(store), trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(relay.run, [], stop=stop))
        await relay.handle(standard_streams())
        stop.set()


def _policy(settings: Settings) -> Policy:
    return Policy(
        Registration(settings.registration), settings.set_bytes, settings.set_entries, settings.set_members,
        settings.retention_days * _DAY,
    )


async def _try_places(settings: Settings, tls: ssl.SSLContext | None) -> None:
    """Raises Unreachable where it cannot listen as it is told to."""
    async with AsyncExitStack() as stack:
        for place in filter(None, (*settings.listen, _health_address(settings.health))):
            for listening in (await listen(place, tls)).sockets:
                stack.push_async_callback(listening.aclose)


async def _serve(store: Engine, settings: Settings, tls: ssl.SSLContext | None, as_json: bool) -> None:
    page = landing_page(store.key.verify_key, name=settings.name, operator=settings.operator,
                        registration=settings.registration)
    listeners = [await listen(address, tls, page) for address in settings.listen]
    # The upgrade of the other one is not used: nothing but pages is served there.
    health = await listen(place) if (place := _health_address(settings.health)) else None
    relay = Relay(
        store, connections_max=settings.connections, log_addresses=settings.log_addresses,
        trust_proxy=settings.trust_proxy, keepalive=settings.keepalive,
        per_address=PerAddress(settings.sets_per_hour, settings.connects_burst, settings.connects_per_minute),
    )
    running = _Running(settings, relay, tls, trio.Event())
    async with trio.open_nursery() as nursery:
        # Signals are caught before anybody is told that the relay runs.
        await nursery.start(_heed_signals, running)
        if health is not None:
            nursery.start_soon(Health(relay, __version__).serve, list(health.sockets))
        nursery.start_soon(_keep_watchdog, relay)
        _announce(listeners, health, store.key.verify_key, as_json)
        tell_manager("READY=1")
        await relay.run(listeners, stop=running.stop)
        nursery.cancel_scope.cancel()


async def _heed_signals(running: _Running, task_status: trio.TaskStatus[None]) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        task_status.started()
        async for number in signals:
            if number == signal.SIGHUP:
                _reload(running)
            else:
                tell_manager("STOPPING=1")
                running.stop.set()


def _reload(running: _Running) -> None:
    """The certificate again: connections from now on see the new one, and those that there are go on."""
    tell_manager(reloading())
    if running.tls is not None:
        try:
            _load_certificate(running.tls, running.settings)
        except Unreachable as error:
            logger.error("the certificate was not changed: %s", error.message)
    tell_manager("READY=1")


def _health_address(place: str) -> str | None:
    if not place:
        return None
    try:
        if "://" not in place:
            return str(parse_address(place))
    except Unreachable:
        pass
    raise UsageError(f"health takes HOST:PORT, and not {place}", "it is plain HTTP, for the machine itself")


async def _keep_watchdog(relay: Relay) -> None:
    """A sign of life for a manager that asks for one: as long as the store takes rows."""
    interval = watchdog_interval()
    while interval is not None:
        await relay.probe()
        tell_manager("WATCHDOG=1")
        await trio.sleep(interval)


def _announce(listeners: Sequence[Listener], health: Listener | None, key: bytes, as_json: bool) -> None:
    places = [str(listener.address) for listener in listeners]
    if as_json:
        told: dict[str, object] = {"schema": 1, "listening": places, "key": key.hex()}
        if health is not None:
            told["health"] = f"http://{health.address.host}:{health.address.port}"
        print(json.dumps(told), flush=True)
    else:
        print(f"relay on {', '.join(places)}, key {key.hex()}", flush=True)


def _tls_context(settings: Settings) -> ssl.SSLContext | None:
    secure = any(parse_address(address).secure for address in settings.listen)
    if secure != bool(settings.tls_cert) or (settings.tls_key and not secure):
        # A certificate that nobody is shown would go unnoticed.
        what = "wss:// and tls:// need a certificate" if secure else "no address to listen on uses the certificate"
        raise UsageError(what, "give --tls-cert (and --tls-key) with --listen wss://HOST:PORT, or neither")
    if not secure:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load_certificate(context, settings)
    return context


def _load_certificate(context: ssl.SSLContext, settings: Settings) -> None:
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key or None)
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "reason", None) or error.strerror or "unreadable"
        raise Unreachable(
            f"the TLS certificate in {settings.tls_cert} cannot be used: {str(reason).lower()}",
            "give --tls-cert a PEM file with the certificate chain, and --tls-key its private key",
        ) from error


def _raise_file_limit() -> int:
    """One descriptor per device that stays connected; the usual limit of 1,024 is one on households. Returns it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES_WANTED if hard == resource.RLIM_INFINITY else min(_FILES_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return _FILES_WANTED if soft == resource.RLIM_INFINITY else soft
