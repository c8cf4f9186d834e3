"""`e2esync relay`: `serve` runs a relay in the foreground, with no configuration; `check-engine` and
`migrate` are about where it stores.

Prints one line when it listens, then nothing but problems. SIGTERM and SIGINT stop it: everything acknowledged is on
disk by then, and the exit code is 0. Runnable by itself as `python -m e2esync.cli.relay serve`.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import signal
import ssl
import sys
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from e2esync.errors import E2esyncError, Unreachable

from .exits import FileProblem

if TYPE_CHECKING:
    import trio

    from e2esync.stores.relay_engine import Engine
    from e2esync.transports.address import Listener

DEFAULT_LISTEN: Final = "ws://127.0.0.1:8765"
DEFAULT_DB: Final = "relay.sqlite3"
_FILES_WANTED: Final = 65_536


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `relay`. `--json` is a global option, and belongs to the caller."""
    parser.add_argument(
        "action", choices=["serve", "check-engine", "migrate", "move"],
        help="serve runs until SIGTERM; check-engine proves that a store keeps a relay's rules; migrate moves a relay; "
        "move takes the book to the relay at URL",
    )
    parser.add_argument(
        "places", metavar="URL", nargs="*",
        help="check-engine: an empty store; migrate: the old store and the new one; move: the other relay",
    )
    parser.add_argument(
        "--db", metavar="FILE|URL", default=DEFAULT_DB,
        help=f"the relay's database: a file, or postgresql://… ({DEFAULT_DB})",
    )
    parser.add_argument(
        "--listen", metavar="ADDRESS", action="append",
        help=f"HOST:PORT, or ws://, wss://, tcp://, tls://HOST:PORT; repeatable; port 0 is any ({DEFAULT_LISTEN})",
    )
    parser.add_argument("--tls-cert", metavar="FILE", help="certificate chain (PEM) for wss:// and tls://")
    parser.add_argument("--tls-key", metavar="FILE", help="its private key, if that is another file")
    parser.add_argument("--log-addresses", action="store_true", help="log where connections come from")


def run(args: argparse.Namespace) -> int:
    """Serves until a signal comes; 0. Raises what keeps it from starting: Unreachable, ProfileDamaged, ProfileBusy."""
    if args.action == "check-engine":
        from .relay_engines import check

        return check(args)
    if args.action == "migrate":
        from .relay_engines import move

        return move(args)
    if args.places:
        raise FileProblem("serve takes no URL", "name the database with --db")
    return _run_server(args)


def _run_server(args: argparse.Namespace) -> int:
    import trio

    from e2esync.stores.relay_engine import open_engine

    as_json = bool(getattr(args, "json", False))
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s", force=True
    )
    _raise_file_limit()
    tls = _tls_context(args.tls_cert, args.tls_key)
    with closing(open_engine(database(args.db))) as store:
        trio.run(_serve, store, args.listen or [DEFAULT_LISTEN], tls, args.log_addresses, as_json)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """The command by itself."""
    parser = argparse.ArgumentParser(prog="e2esync relay", description="A relay that can read nothing.")
    add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON line when it listens")
    try:
        return run(parser.parse_args(argv))
    except E2esyncError as error:
        print(f"e2esync relay: {error.message}" + (f"\n  {error.hint}" if error.hint else ""), file=sys.stderr)
        return 1


async def _serve(
    store: Engine, addresses: Sequence[str], tls: ssl.SSLContext | None, log_addresses: bool, as_json: bool
) -> None:
    import trio

    from e2esync.relay.server import Relay
    from e2esync.transports.address import listen

    listeners = [await listen(address, tls) for address in addresses]
    relay = Relay(store, log_addresses=log_addresses)
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        # Signals are caught before anybody is told that the relay runs.
        await nursery.start(_wait_for_signal, stop)
        _announce(listeners, store.key.verify_key, as_json)
        await relay.run(listeners, stop=stop)
        nursery.cancel_scope.cancel()


async def _wait_for_signal(stop: trio.Event, task_status: trio.TaskStatus[None]) -> None:
    import trio

    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for _ in signals:
            stop.set()


def _announce(listeners: Sequence[Listener], key: bytes, as_json: bool) -> None:
    places = [str(listener.address) for listener in listeners]
    if as_json:
        print(json.dumps({"schema": 1, "listening": places, "key": key.hex()}), flush=True)
    else:
        print(f"relay on {', '.join(places)}, key {key.hex()}", flush=True)


def database(name: str) -> str:
    """The database's name. Raises FileProblem where it stands for a file and there can be none."""
    from e2esync.stores.relay_engine import POSTGRES_SCHEMES

    if name.startswith(POSTGRES_SCHEMES):
        return name
    path = Path(name)
    if path.is_dir():
        raise FileProblem(f"{path} is a folder", "give --db the name of a file")
    if not path.parent.is_dir():
        raise FileProblem(f"there is no folder {path.parent}", "make it first, or give another --db")
    return name


def _tls_context(cert: str | None, key: str | None) -> ssl.SSLContext | None:
    if cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "reason", None) or error.strerror or "unreadable"
        raise Unreachable(
            f"the TLS certificate in {cert} cannot be used: {str(reason).lower()}",
            "give --tls-cert a PEM file with the certificate chain, and --tls-key its private key",
        ) from error
    return context


def _raise_file_limit() -> None:
    # One descriptor per device that stays connected; the usual limit of 1,024 is a limit on households.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES_WANTED if hard == resource.RLIM_INFINITY else min(_FILES_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    sys.exit(main())
