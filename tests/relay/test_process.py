"""The relay as a process: starts with nothing, stops on a signal, and loses nothing that it acknowledged."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from e2esync.errors import Refused, SessionError
from e2esync.session import messages as m
from e2esync.session.client import Answered, ClientSession
from e2esync.stores.relay import RelayStore
from e2esync.transports import connect
from tests.relay.driver import Device
from tests.session.world import Book
from tests.transports import certificates

ROOT = Path(__file__).parents[2]
STOP_WITHIN = 5.0


@contextmanager
def relay(folder: Path, *arguments: str, files: int = 0) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A relay process in a folder, which may open so many `files`, and what it printed when it listened."""
    within = ["sh", "-c", f'ulimit -n {files} && exec "$@"', "sh"] if files else []
    process = subprocess.Popen(
        [*within, sys.executable, "-m", "e2esync", "relay", "serve", "--listen", "127.0.0.1:0", "--json", *arguments],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        yield process, json.loads(line)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


async def device(url: str, book: Book, member: int | None) -> Device:
    if member is None:
        session = ClientSession(None, 0, None, book.relay_key, os.urandom(32))
    else:
        session = ClientSession(book.set_id, member, book.signing[member], book.relay_key, os.urandom(32))
    made = Device(await connect(url), session)
    try:
        return await made.shake()
    except BaseException:
        await made.aclose()
        raise


def test_it_starts_with_no_configuration_and_stops_on_a_signal(tmp_path: Path) -> None:
    for sign in (signal.SIGTERM, signal.SIGINT):
        with relay(tmp_path) as (process, info):
            assert info["schema"] == 1
            assert len(bytes.fromhex(info["key"])) == 32
            assert (tmp_path / "relay.sqlite3").exists()
            begun = time.monotonic()
            process.send_signal(sign)
            assert process.wait(STOP_WITHIN) == 0
            assert time.monotonic() - begun < STOP_WITHIN
            assert process.stderr is not None
            assert process.stderr.read() == ""


async def test_with_few_descriptors_it_turns_away_and_goes_on(tmp_path: Path) -> None:
    """As the system's limit, here 80: those who find no room are told so, and who is connected stays served."""
    with relay(tmp_path, files=80) as (process, info):
        (url,) = info["listening"]
        book = Book(bytes.fromhex(info["key"]))
        crowd = [await device(url, book, None) for _ in range(80 - 64)]
        with pytest.raises(Refused, match="no more connections"):
            await device(url, book, None)
        assert await crowd[0].ask(book.create()) == m.Created(book.set_id)
        await crowd.pop().aclose()
        with trio.fail_after(5):
            while True:
                with suppress(Refused):
                    crowd.append(await device(url, book, None))
                    break
        for each in crowd:
            await each.aclose()
        assert process.poll() is None


async def test_it_says_goodbye_to_connected_devices(tmp_path: Path) -> None:
    with relay(tmp_path) as (process, info):
        book = Book(bytes.fromhex(info["key"]))
        (url,) = info["listening"]
        visitor = await device(url, book, None)
        assert await visitor.ask(book.create()) == m.Created(book.set_id)
        one = await device(url, book, 1)
        assert (await one.ask(book.append())).seq == 1
        process.send_signal(signal.SIGTERM)
        assert await one.closing() > 0
        with trio.fail_after(STOP_WITHIN), pytest.raises(SessionError):
            await ping_forever(one)
        assert await trio.to_thread.run_sync(process.wait, STOP_WITHIN) == 0
        await visitor.aclose()
        await one.aclose()


async def ping_forever(one: Device) -> None:
    while True:
        assert await one.ask(m.Ping()) == m.Pong()


def test_two_on_one_file_and_a_file_that_is_none(tmp_path: Path) -> None:
    with relay(tmp_path):
        second = subprocess.run(
            [sys.executable, "-m", "e2esync", "relay", "serve", "--listen", "127.0.0.1:0"], cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=30, check=False,
        )
        assert second.returncode == 1
        assert "another relay is running" in second.stderr
        assert "Traceback" not in second.stderr


async def test_kill_minus_nine_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """Five rounds: appends run, the relay is killed in the middle of them, and every acknowledged one is there once."""
    book: Book | None = None
    acknowledged: dict[int, bytes] = {}
    unsure: list[m.Append] = []
    for round_ in range(5):
        with relay(tmp_path) as (process, info):
            (url,) = info["listening"]
            if book is None:
                book = Book(bytes.fromhex(info["key"]))
                visitor = await device(url, book, None)
                await visitor.ask(book.create())
                await visitor.aclose()
            one = await device(url, book, 1)
            # What was in flight when the relay died goes out again, as the same bytes.
            requests = unsure + [book.append() for _ in range(2000)]
            unsure = await append_until_killed(one, requests, acknowledged, process, 40 + 60 * round_)
            await one.aclose()
    assert book is not None
    with RelayStore(tmp_path / "relay.sqlite3") as store:
        rows: list[Any] = store._reader.execute("SELECT seq, envelope FROM envelopes ORDER BY seq").fetchall()
        stored: dict[int, bytes] = dict(rows)
        assert list(stored) == list(range(1, len(rows) + 1))
        assert len(set(stored.values())) == len(rows)
        assert {seq: stored.get(seq) for seq in acknowledged} == acknowledged
        assert len(acknowledged) > 200
        assert store._writer.pragma("integrity_check") == "ok"
        book.landed(*stored.values())
        assert store._writer.execute("SELECT seq, log_hash FROM sets").fetchone() == (len(rows), book.log_hash)


async def append_until_killed(
    one: Device, requests: list[m.Append], acknowledged: dict[int, bytes], process: subprocess.Popen[str], after: int
) -> list[m.Append]:
    """Pipelines appends, kills the relay after so many answers, and returns what was in flight."""
    waiting = list(requests)
    answered = 0
    try:
        await one.send(*[waiting.pop(0) for _ in range(32)])
        while True:
            event: Answered = await one.event(Answered)
            assert isinstance(event.request, m.Append)
            assert isinstance(event.answer, m.Appended)
            acknowledged[event.answer.seq] = event.request.envelope
            answered += 1
            if answered == after:
                process.send_signal(signal.SIGKILL)
            if waiting:
                await one.send(waiting.pop(0))
    except SessionError:
        return [request for request in one.session.unanswered if isinstance(request, m.Append)]


def told(process: subprocess.Popen[str], *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Another command of `relay`, beside a process that runs."""
    assert process.poll() is None
    return subprocess.run(
        [sys.executable, "-m", "e2esync", "relay", *arguments], cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=60, check=False,
    )


def fetched(url: str) -> tuple[int, str]:
    """The status and body of a page."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


async def test_it_is_kept_while_it_runs(tmp_path: Path) -> None:
    """Settings from a file, pages for monitoring and browsers; backup, check, stats and restore beside it."""
    (tmp_path / "relay.toml").write_text('health = "127.0.0.1:0"\nname = "Ours"\nlog_format = "json"\n', "utf-8")
    with relay(tmp_path, "--config", "relay.toml") as (process, info):
        book = Book(bytes.fromhex(info["key"]))
        (url,) = info["listening"]
        visitor = await device(url, book, None)
        assert await visitor.ask(book.create()) == m.Created(book.set_id)
        await visitor.aclose()
        for path, status, words in (("/healthz", 200, "alive"), ("/readyz", 200, "ready"), ("/x", 404, "nothing"),
                                    ("/metrics", 200, 'requests_total{kind="Create"} 1')):
            assert (answer := await trio.to_thread.run_sync(fetched, info["health"] + path))[0] == status
            assert words in answer[1]
        status, page = await trio.to_thread.run_sync(fetched, url.replace("ws://", "http://") + "/")
        assert status == 200
        assert "<h1>Ours</h1>" in page
        assert info["key"] in page.replace(" ", "")
        for arguments, words in ((["backup", "copy"], "1 book in copy"), (["check"], "every chain"),
                                 (["stats"], "records"), (["restore", "copy", "--yes"], "1 book back"),
                                 (["key", "export", "key"], "as you keep a password"), (["check"], "every chain")):
            done = await trio.to_thread.run_sync(partial(told, process, *arguments, folder=tmp_path))
            assert (done.returncode, done.stderr) == (0, "")
            assert words in done.stdout
        assert (await trio.to_thread.run_sync(partial(told, process, "restore", "copy", folder=tmp_path))).returncode
        done = await trio.to_thread.run_sync(partial(told, process, "key", "rotate", folder=tmp_path))
        assert "stop it first" in done.stderr
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_WITHIN) == 0
        assert process.stderr is not None
        # What it said about the restored backup is JSON, and has no id in it.
        lines = process.stderr.read().splitlines()
        assert {json.loads(line)["level"] for line in lines} <= {"error"}
        assert not any(book.set_id.hex() in line for line in lines)


def test_a_service_manager_and_new_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cert, key = certificates.make(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        arguments = ("--listen", "wss://127.0.0.1:0", "--tls-cert", str(cert), "--tls-key", str(key))
        with relay(tmp_path, *arguments) as (process, info):
            assert manager.recv(100) == b"READY=1"
            port = int(info["listening"][1].rsplit(":", 1)[1])
            first = ssl.get_server_certificate(("127.0.0.1", port))
            certificates.make(tmp_path)
            assert ssl.get_server_certificate(("127.0.0.1", port)) == first
            process.send_signal(signal.SIGHUP)
            assert manager.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
            assert manager.recv(100) == b"READY=1"
            assert ssl.get_server_certificate(("127.0.0.1", port)) == cert.read_text("ascii") != first
            cert.write_text("nothing", "ascii")
            process.send_signal(signal.SIGHUP)
            assert manager.recv(100).startswith(b"RELOADING=1")
            assert manager.recv(100) == b"READY=1"
            ssl.get_server_certificate(("127.0.0.1", port))
            process.send_signal(signal.SIGTERM)
            assert manager.recv(100) == b"STOPPING=1"
            assert process.wait(STOP_WITHIN) == 0
            assert process.stderr is not None
            assert "the certificate was not changed" in process.stderr.read()
