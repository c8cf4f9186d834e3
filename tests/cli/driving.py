"""How the tests drive the program: in a process of its own, with nothing of the caller's environment that matters."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import e2esync
from e2esync.cli import main

ROOT = Path(e2esync.__file__).parent.parent
CARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{0}\r\nFN:{1}\r\nN:;{1};;;\r\nEND:VCARD\r\n"


def environment(**more: str) -> dict[str, str]:
    """A child's environment: this package importable, no profile, no passphrase, no colour settings."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith("E2ESYNC_") and name not in ("NO_COLOR", "EDITOR", "VISUAL")}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def program(*arguments: str) -> list[str]:
    """The command line that runs the program."""
    return [sys.executable, "-m", "e2esync", *arguments]


def run_program(*arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the program without a terminal, and wait for it."""
    options.setdefault("stdin", subprocess.DEVNULL)
    options.setdefault("env", environment())
    return subprocess.run(program(*arguments), capture_output=True, timeout=120, check=False, **options)


def run_python(code: str) -> str:
    """What a piece of Python prints in a fresh interpreter."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60,
                          env=environment())
    return done.stdout.strip()


def run_here(*arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
    """Run the program in this process, without a terminal: exit code, stdout, stderr."""
    out, err, before = io.StringIO(), io.StringIO(), sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin))
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(list(arguments))
    finally:
        sys.stdin = before
    return code, out.getvalue(), err.getvalue()


def many(path: Path, count: int) -> str:
    """A file of so many contacts."""
    path.write_text("".join(CARD.format(f"uid-{n:05d}", f"Person {n:05d}") for n in range(count)), newline="")
    return str(path)


def local_profile(home: Path, way: Any = None, device: str = "Test device", kit: Any = None) -> None:
    """A profile with an empty book that no relay has heard of: enough for every local command."""
    from e2esync.access.kit import RecoveryKit
    from e2esync.client.entropy import SystemEntropy
    from e2esync.client.profile import Profile
    from e2esync.client.protection import Plain
    from e2esync.crypto import SigningKey
    from e2esync.replica.core import Replica
    from e2esync.replica.founding import found
    from e2esync.replica.own_object import name_book, name_device
    from e2esync.stores.profile import BookInfo

    entropy = SystemEntropy()
    kit = kit or RecoveryKit.generate(entropy)
    relay_key = SigningKey(entropy.draw("signing key", 32)).verify_key
    with Profile.create(home, way or Plain(), entropy=entropy) as profile:
        store = profile.store.book(0)
        founding = found(store, kit.signing_key(0), kit.sealing_key(0), relay_key, 1, entropy)
        profile.store.put_book(BookInfo(0, founding.set_id, "Contacts", "ws://127.0.0.1:1"))
        replica = Replica(store)
        name_book(replica, "Contacts", 1)
        name_device(replica, replica.member, device, 1)
