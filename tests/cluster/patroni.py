"""`python -m tests.cluster.patroni`: three PostgreSQL nodes under Patroni and etcd; the leader is killed three times.

Four relays and a crowd of devices write meanwhile; nothing acknowledged may be lost. It needs `apt-get
install patroni etcd-server`, and takes some minutes.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import trio

from tests.cluster.world import Crowd, Relays
from tests.helpers.postgres import binaries, dropped

_KILLS = 3
_SETTINGS = {"ttl": 20, "loop_wait": 2, "retry_timeout": 3, "synchronous_mode": True}


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


class Cluster:
    """etcd and three nodes, each Patroni with its PostgreSQL, in one folder."""

    def __init__(self) -> None:
        self._as = dropped()
        self.folder = Path(tempfile.mkdtemp(prefix="e2esync-patroni-", dir="/tmp"))
        if self._as:
            os.chown(self.folder, self._as["user"], self._as["group"])
        self._log = (self.folder / "log").open("ab")
        client, peer = free_port(), free_port()
        self._etcd = self._start([
            "etcd", "--data-dir", self.folder / "etcd", "--listen-client-urls", f"http://127.0.0.1:{client}",
            "--advertise-client-urls", f"http://127.0.0.1:{client}", "--listen-peer-urls", f"http://127.0.0.1:{peer}",
            "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}",
            "--initial-cluster", f"default=http://127.0.0.1:{peer}",
        ])
        self.ports = [free_port() for _ in range(3)]
        for number, port in enumerate(self.ports):
            config = self.folder / f"node{number}.json"
            config.write_text(json.dumps(self._config(number, port, client)))
            config.chmod(0o644)
        self.nodes = [self._node(number) for number in range(3)]

    def url(self, database: str) -> str:
        """Whichever node takes writes."""
        ports = ",".join(map(str, self.ports))
        hosts = ",".join(["127.0.0.1"] * 3)
        return f"postgresql:///{database}?host={hosts}&port={ports}&user=e2esync&target_session_attrs=read-write"

    def leader(self, patience: float = 120) -> int:
        """The node that takes writes, as soon as there is one."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            for number, port in enumerate(self.ports):
                try:
                    with psycopg.connect(
                        f"postgresql://e2esync@127.0.0.1:{port}/postgres", connect_timeout=2
                    ) as connection:
                        if connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,):
                            return number
                except psycopg.Error:
                    continue
            time.sleep(0.5)
        raise TimeoutError("no node became leader")

    def whole(self, patience: float = 180) -> int:
        """The leader, as soon as both others follow it."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            number = self.leader()
            with suppress(psycopg.Error), psycopg.connect(
                f"postgresql://e2esync@127.0.0.1:{self.ports[number]}/postgres", connect_timeout=2
            ) as connection:
                if connection.execute(
                    "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
                ).fetchone() == (len(self.ports) - 1,):
                    return number
            time.sleep(0.5)
        raise TimeoutError("the nodes do not follow their leader")

    def kill(self, number: int) -> None:
        """kill -9 of Patroni and of its PostgreSQL."""
        self.nodes[number].kill()
        self.nodes[number].wait()
        pid = int((self.folder / f"data{number}" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)

    def restart(self, number: int) -> None:
        """The node comes back, as a standby."""
        self.nodes[number] = self._node(number)

    def close(self) -> None:
        """Ends everything and removes the folder."""
        for process in self.nodes:
            process.terminate()
        for process in [*self.nodes, self._etcd]:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _node(self, number: int) -> subprocess.Popen[bytes]:
        return self._start(["/usr/bin/patroni", self.folder / f"node{number}.json"])

    def _start(self, command: list[Any]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, stdout=self._log, stderr=self._log, cwd="/", **self._as)

    def _config(self, number: int, port: int, etcd: int) -> dict[str, Any]:
        rest = free_port()
        trust = ["local all all trust", "host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"]
        return {
            "scope": "e2esync", "name": f"node{number}",
            "restapi": {"listen": f"127.0.0.1:{rest}", "connect_address": f"127.0.0.1:{rest}"},
            "etcd3": {"hosts": [f"127.0.0.1:{etcd}"]},
            "bootstrap": {
                "dcs": {**_SETTINGS, "postgresql": {"use_pg_rewind": True, "parameters": {"wal_log_hints": "on"}}},
                "initdb": [{"encoding": "UTF8"}], "pg_hba": trust,
            },
            "postgresql": {
                "listen": f"127.0.0.1:{port}", "connect_address": f"127.0.0.1:{port}", "pg_hba": trust,
                "pgpass": str(self.folder / f"pgpass{number}"),
                "data_dir": str(self.folder / f"data{number}"), "bin_dir": str(binaries()),
                "authentication": {"superuser": {"username": "e2esync"}, "replication": {"username": "e2esync"}},
                "parameters": {"unix_socket_directories": str(self.folder), "shared_buffers": "32MB"},
            },
        }


def main() -> int:
    """Runs it; 0 if nothing was lost."""
    cluster = Cluster()
    relays = None
    try:
        cluster.whole()
        with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE relay")
        relays = Relays(cluster.url("relay"), cluster.folder, 4)
        crowd = Crowd(cluster.url("relay"), relays, 8, patience=600)
        crowd.found()
        gaps: list[float] = []

        async def chaos() -> None:
            for _ in range(_KILLS):
                number = await trio.to_thread.run_sync(cluster.whole)
                await trio.sleep(3)
                begun = time.monotonic()
                cluster.kill(number)
                await trio.to_thread.run_sync(cluster.leader)
                gaps.append(time.monotonic() - begun)
                cluster.restart(number)
            await trio.to_thread.run_sync(cluster.whole)
            await trio.sleep(3)

        trio.run(crowd.run, chaos)
        checked = crowd.check()
    finally:
        if relays is not None:
            relays.close()
        cluster.close()
    print(f"leader killed {_KILLS} times, gaps of {', '.join(f'{gap:.0f}' for gap in gaps)} s; "
          f"{checked} acknowledged, 0 lost, 0 twice; {crowd.pushed} pushed, {crowd.retries} retries")
    return 0


if __name__ == "__main__":
    sys.exit(main())
