"""The examples for nginx and Caddy, with the real ones in front of a real relay (`e2esync relay example NAME`)."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from e2esync.cli.relay_examples import NAMES, example_text
from e2esync.session import messages as m
from e2esync.transports.address import parse_address
from e2esync.transports.streams import open_stream
from e2esync.transports.websocket import connect_websocket
from tests.relay.test_process import device, relay
from tests.session.world import Book
from tests.transports import certificates

PATH = os.environ.get("PATH", "") + ":/usr/sbin"
NGINX, CADDY = (shutil.which(name, path=PATH) for name in ("nginx", "caddy"))


Proxy = Callable[[Path, int], AbstractContextManager[int]]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def nginx(folder: Path, relay_port: int) -> Iterator[int]:
    """nginx with the example, but for ports, paths of certificates and its own folder."""
    port = free_port()
    cert, key = certificates.make(folder)
    text = adapted(
        "nginx", ("127.0.0.1:8765", f"127.0.0.1:{relay_port}"), ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("    listen [::]:443 ssl;\n", ""), ("/etc/letsencrypt/live/relay.example/fullchain.pem", str(cert)),
        ("/etc/letsencrypt/live/relay.example/privkey.pem", str(key)),
    )
    (folder / "nginx.conf").write_text(
        f"pid {folder}/nginx.pid;\nerror_log stderr;\nuser root;\nevents {{}}\nhttp {{\n"
        + "".join(f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi",
                                                                      "scgi"))
        + text + "}\n", "utf-8")
    assert NGINX is not None
    with running([NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"], folder, port):
        yield port


@contextmanager
def caddy(folder: Path, relay_port: int) -> Iterator[int]:
    """Caddy with the example, but for ports, certificates that it would ask the world for, and its own folder."""
    port = free_port()
    cert, key = certificates.make(folder)
    text = adapted(
        "caddy", ("127.0.0.1:8765", f"127.0.0.1:{relay_port}"),
        ("relay.example {\n", f"https://127.0.0.1:{port} {{\n\tbind 127.0.0.1\n\ttls {cert} {key}\n"),
    )
    (folder / "Caddyfile").write_text("{\n\tadmin off\n\tauto_https disable_redirects\n}\n" + text, "utf-8")
    assert CADDY is not None
    command = [CADDY, "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
    with running(command, folder, port):
        yield port


def adapted(name: str, *changes: tuple[str, str]) -> str:
    """An example with what differs on this machine."""
    text = example_text(name)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


@contextmanager
def running(command: list[str], folder: Path, port: int) -> Iterator[None]:
    """A proxy that takes connections, until the block ends. What it keeps, it keeps in `folder`."""
    homes = dict.fromkeys(("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"), str(folder))
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=os.environ | homes)
    try:
        until = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, process.stderr.read() if process.stderr else b""
                assert time.monotonic() < until
        yield
    finally:
        process.terminate()
        process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize(("proxy", "program"), [(nginx, NGINX), (caddy, CADDY)], ids=["nginx", "caddy"])
async def test_through_the_real_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: Proxy, program: str | None,
) -> None:
    if program is None:
        assert not os.environ.get("CI"), "CI installs both"
        pytest.skip("it is not installed")
    with relay(tmp_path, "--trust-proxy", "--log-addresses") as (process, info):
        relay_port = parse_address(info["listening"][0]).port
        with proxy(tmp_path, relay_port) as port:
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
            url = f"wss://127.0.0.1:{port}"
            book = Book(bytes.fromhex(info["key"]))
            visitor = await device(url, book, None)
            assert await visitor.ask(book.create()) == m.Created(book.set_id)
            one, two = [await device(url, book, member) for member in (1, 2)]
            request = book.append()
            assert (await one.ask(request)).seq == 1
            assert (await two.push()).envelopes == (request.envelope,)
            blob = os.urandom(900_000)
            assert (await one.ask(m.PutBlob(b"b" * 32, len(blob) + 1, 0, blob))).received == len(blob)
            for each in (visitor, one, two):
                await each.aclose()
        process.terminate()
        assert process.stderr is not None
        logged = process.stderr.read()
    assert logged.count("connection from 127.0.0.1") == 3


@pytest.mark.parametrize(("trusting", "address"), [(True, "192.0.2.7"), (False, "127.0.0.1")])
async def test_a_proxys_word_counts_only_when_told(tmp_path: Path, trusting: bool, address: str) -> None:
    flags = ("--log-addresses", *(["--trust-proxy"] if trusting else []))
    with relay(tmp_path, *flags) as (process, info):
        where = parse_address(info["listening"][0])
        stream = await open_stream(where.host, where.port, None)
        path = "/ HTTP/1.1\r\nX-Forwarded-For: 198.51.100.1, 192.0.2.7\r\nX-Rest:"
        transport = await connect_websocket(stream, where.host, where.port, path, False)
        await transport.aclose()
        process.terminate()
        assert process.stderr is not None
        logged = process.stderr.read()
    assert logged.count(f"connection from {address}") == 1


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_example_is_printed(name: str) -> None:
    done = subprocess.run([sys.executable, "-m", "e2esync", "relay", "example", name], capture_output=True, text=True,
                          check=True)
    assert done.stdout == example_text(name)
    assert "8765" in done.stdout or name == "systemd"
