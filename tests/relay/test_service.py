"""What a service manager hears of the relay."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from e2esync.relay.service import reloading, tell_manager, watchdog_interval


def test_a_service_manager_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not tell_manager("READY=1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        assert tell_manager("READY=1", "STATUS=well")
        assert manager.recv(100) == b"READY=1\nSTATUS=well"
    assert not tell_manager("READY=1")


@pytest.mark.parametrize(("environ", "seconds"), [
    ({}, None), ({"WATCHDOG_USEC": "60000000"}, 30.0), ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
    ({"WATCHDOG_USEC": "soon"}, None),
])
def test_the_watchdog(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], seconds: float | None) -> None:
    for name in ("WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert watchdog_interval() == seconds


def test_a_socket_without_a_file_and_a_place_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"e2esync-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name)
        assert tell_manager("STOPPING=1")
        assert manager.recv(100) == b"STOPPING=1"
    monkeypatch.setenv("NOTIFY_SOCKET", "relative/path")
    assert not tell_manager("READY=1")


def test_a_reload_says_when_it_began() -> None:
    before = time.monotonic_ns() // 1000
    first, second = reloading().split("\n")
    assert first == "RELOADING=1"
    name, _, moment = second.partition("=")
    assert name == "MONOTONIC_USEC"
    assert before <= int(moment) <= time.monotonic_ns() // 1000
