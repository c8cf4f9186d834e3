"""`e2esync relay`: each action has its own arguments and help, and says what is wrong with them."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from pathlib import Path

import pytest

from e2esync.cli import main
from e2esync.cli.relay import ACTIONS
from e2esync.cli.relay_examples import example_text
from e2esync.stores.relay_migrate import migrate, open_depot
from tests.helpers.postgres import Server
from tests.stores.relays import Place


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", [each.name for each in ACTIONS])
def test_every_action_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["relay", name, "--help"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"usage: e2esync relay {name} ")
    assert f"examples:\n  e2esync relay {name}" in printed


@pytest.mark.parametrize(("line", "words"), [
    ("", "what about a relay?"), ("sreve", "invalid choice: 'sreve'"), ("serve elsewhere", "unrecognized arguments"),
    ("config elsewhere", "unrecognized arguments"), ("example", "NAME"), ("example apache", "'systemd', 'container'"),
    ("backup", "FILE"), ("restore", "a FILE, or --in-place"),
    ("key", "export FILE, import FILE, or rotate"), ("key export", "FILE"),
    ("invite --days 0", "1 to 3650 days"), ("migrate relay.sqlite3", "TO"), ("check-engine", "URL"), ("move", "URL"),
    ("serve --db mysql://host/relay", "mysql is no kind of database"),
    ("serve --listen wss://127.0.0.1:0", "need a certificate"),
    ("serve --tls-cert cert.pem", "no address to listen on uses the certificate"),
    ("serve --tls-key key.pem", "no address to listen on uses the certificate"),
    ("serve --listen 127.0.0.1:99999", "no relay address"), ("serve --keepalive 60", "from 45 to 55"),
])
def test_what_is_wrong_is_said_and_no_store_is_made(
    line: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["relay", *line.split()]) == 2
    assert words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("flag", ["--listen", "--health"])
def test_a_port_in_use_leaves_no_store(flag: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        places = {"--listen": "127.0.0.1:0", "--health": "", flag: f"127.0.0.1:{taken.getsockname()[1]}"}
        line = [word for pair in places.items() for word in pair if pair[1]]
        assert main(["relay", "serve", "--db", str(tmp_path / "new.sqlite3"), *line]) == 2
    assert "address already in use" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["ws://127.0.0.1:0", "127.0.0.1:99999", "here:there"])
def test_a_place_for_monitoring_that_is_none(
    place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["relay", "serve", "--listen", "127.0.0.1:0", "--health", place]) == 2
    assert "health takes HOST:PORT" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("line", [
    "backup --db relay.sqlite3 copy", "backup copy", "restore --yes copy", "restore copy --yes", "restore --in-place",
    "check", "stats", "key export key", "invite", "migrate relay.sqlite3 new.sqlite3",
])
def test_without_a_store_or_file_it_is_that_which_is_said(
    line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["relay", *line.split()]) == 1
    assert "there is no" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_settings_and_examples_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["relay", "config", "--registration", "closed", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["schema"], told["registration"], told["listen"]) == (1, "closed", ["ws://127.0.0.1:8765"])
    assert main(["relay", "example", "nginx", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"schema": 1, "name": "nginx", "text": example_text("nginx")}


def test_no_engine_is_checked_over_somebodys_books(
    tmp_path: Path, postgres: Server, capsys: pytest.CaptureFixture[str],
) -> None:
    url = postgres.database()
    place = Place(tmp_path / "old")
    place.store.close()
    with closing(open_depot(str(place.path))) as source, closing(open_depot(url)) as target:
        migrate(source, target, lambda _copied: None)
    assert main(["relay", "check-engine", url]) == 1
    assert "holds 1 book" in capsys.readouterr().err
    (tmp_path / "relay.sqlite3").write_bytes(b"")
    assert main(["relay", "check-engine", "relay.sqlite3"]) == 1
    assert "exists" in capsys.readouterr().err
