"""`e2esync relay key export FILE | import FILE | rotate`: the key that a relay signs its heads with.

Every book names the key of its relay. A relay that lost its store but has the key goes on where its devices seed it;
under another key it is another relay, and each book's owner has to say so once: `e2esync relay move URL`.
"""

from __future__ import annotations

import argparse
import json
import os
from contextlib import closing
from pathlib import Path
from typing import Final

from e2esync.crypto import SigningKey
from e2esync.stores.relay_engine import open_engine
from e2esync.stores.relay_keys import replace_key
from e2esync.stores.relay_migrate import open_depot

from .exits import FileProblem, UsageError
from .relay import books, database, settings_of

_SIZE: Final = 32


def key(args: argparse.Namespace) -> int:
    """Does one of the three; import and rotate need the relay to be stopped."""
    what = args.what
    if what is None:
        raise UsageError("what about the key?", "export FILE, import FILE, or rotate; see `e2esync relay key --help`")
    url = database(settings_of(args).db, there=what != "import")
    if what == "export":
        with closing(open_depot(url)) as depot:
            seed, _ = depot.identity()
        _write(Path(args.file), seed)
        return _tell(args, seed, f"the relay's key is in {args.file}: keep it as you keep a password")
    seed = os.urandom(_SIZE) if what == "rotate" else _read(Path(args.file))
    open_engine(url).close()
    with closing(open_depot(url)) as depot:
        waiting = replace_key(depot, seed)
    return _tell(args, seed, f"{books(waiting)} under another key than this relay's now: an owner of each has to run "
                 "`e2esync relay move URL` with this relay's address" if waiting else "this is the relay's key now")


def _tell(args: argparse.Namespace, seed: bytes, words: str) -> int:
    verify_key = SigningKey(seed).verify_key.hex()
    if getattr(args, "json", False):
        print(json.dumps({"schema": 1, "key": verify_key}))
    else:
        print(f"{words}\nkey {verify_key}")
    return 0


def _write(path: Path, seed: bytes) -> None:
    try:
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(seed.hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise FileProblem(f"{path}: {os.strerror(error.errno or 0).lower()}", "name a new file") from error


def _read(path: Path) -> bytes:
    try:
        seed = bytes.fromhex(path.read_text("ascii").strip())
    except (OSError, ValueError) as error:
        raise FileProblem(f"{path} cannot be read as a key", "name a file that `relay key export` wrote") from error
    if len(seed) != _SIZE:
        raise FileProblem(f"{path} holds no key of {_SIZE} bytes", "name a file that `relay key export` wrote")
    return seed
