"""`--proxy`, `config set proxy`, E2ESYNC_PROXY: a relay that only a SOCKS5 proxy reaches, with the real program."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from e2esync.cli import context
from e2esync.transports import address

from .conftest import Cli
from .world import Relay


class Proxy:
    """A SOCKS5 proxy in threads, so that the program under test has the main one. It alone knows relay.onion."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"socks5://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=self._socket.accept()[:1], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError), client.makefile("rb") as stream:
            stream.read(stream.read(2)[1])
            client.sendall(b"\x05\x00")
            name = stream.read(stream.read(5)[4]).decode()
            port = int.from_bytes(stream.read(2), "big")
            self.asked.append(name)
            if name != "relay.onion":
                client.sendall(b"\x05\x04\x00\x01" + bytes(6))
                return
            with socket.create_connection(("127.0.0.1", port)) as there:
                client.sendall(b"\x05\x00\x00\x01" + bytes(6))
                threading.Thread(target=self._pump, args=(there, client), daemon=True).start()
                self._pump(client, there)

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    monkeypatch.delenv(context.PROXY, raising=False)
    running = Proxy()
    yield running
    running.close()


def test_a_relay_that_only_the_proxy_reaches(cli: Cli, proxy: Proxy, relay: Relay, monkeypatch: pytest.MonkeyPatch,
                                             ) -> None:
    assert address.PROXY == context.PROXY
    hidden = relay.url.replace("127.0.0.1", "relay.onion")
    assert cli("init", "--relay", hidden, "--plain", "--json", "--proxy", proxy.url).code == 0
    assert set(proxy.asked) == {"relay.onion"}
    assert context.PROXY not in os.environ or not os.environ[context.PROXY]
    assert cli("sync", "--json").code == 20
    assert cli("--proxy", proxy.url, "sync", "--json").code == 0
    assert cli("config", "set", "proxy", proxy.url).code == 0
    assert cli("sync", "--json").code == 0
    before = len(proxy.asked)
    # The environment outranks the setting, and the option both.
    monkeypatch.setenv(context.PROXY, "socks5://127.0.0.1:9")
    refused = cli("sync", "--json")
    assert refused.code == 20
    assert cli("sync", "--proxy", proxy.url, "--json").code == 0
    assert len(proxy.asked) > before
    assert os.environ[context.PROXY] == "socks5://127.0.0.1:9"


def test_what_is_no_proxy_is_said_before_anything_else(cli: Cli, proxy: Proxy, tmp_path: Path) -> None:
    refused = cli("init", "--relay", "ws://127.0.0.1:1", "--plain", "--proxy", "http://127.0.0.1:1", "--json")
    assert refused.code == 2
    assert "socks5://" in refused.error["hint"]
    assert not (tmp_path / "profile").exists()
    unknown = cli("init", "--relay", "ws://other.onion", "--plain", "--proxy", proxy.url, "--json")
    assert unknown.code == 20
    assert proxy.asked == ["other.onion"]
