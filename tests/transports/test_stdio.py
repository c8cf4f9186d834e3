"""A relay at the end of ssh, with an ssh that runs the command here; and what ssh must never be given."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from e2esync.client.book import Book
from e2esync.client.connection import Connection
from e2esync.client.sync import sync
from e2esync.errors import SessionError, Unreachable
from e2esync.session.messages import Ping, Pong
from e2esync.transports import connect
from e2esync.transports.stdio import ssh_command
from tests.client.world import ENTROPY, card, founded, names

ROOT = Path(__file__).parents[2]


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the home over there; `ssh` notes how it was called, and runs the command in it."""
    home, tools = tmp_path / "there", tmp_path / "bin"
    home.mkdir()
    tools.mkdir()
    scripts = {
        "ssh": f'#!/bin/sh\necho "$@" >> {shlex.quote(str(tmp_path / "calls"))}\nfor last; do :; done\n'
               f'cd {shlex.quote(str(home))} && exec sh -c "$last"\n',
        "e2esync": f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.quote(sys.executable)} '
                   '-m e2esync "$@"\n',
    }
    for name, text in scripts.items():
        (tools / name).write_text(text, "utf-8")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    return home


async def test_a_book_over_ssh(ssh: Path, tmp_path: Path) -> None:
    url = "ssh://me@host.example:2222/~/our relay.sqlite3"
    phone = await founded(tmp_path / "phone", url)
    Book(phone).add(card("Ada"))
    await sync(phone)
    Book(phone).add(card("Bob"))
    assert (await sync(phone)).sent == 1
    assert names(phone) == ["Ada", "Bob"]
    assert (ssh / "our relay.sqlite3").exists()
    calls = (tmp_path / "calls").read_text("utf-8").splitlines()
    assert len(calls) == 3
    assert calls[0] == "-T -p 2222 -- me@host.example e2esync relay serve --stdio --db 'our relay.sqlite3'"


SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin")


@contextmanager
def ssh_server(folder: Path) -> Iterator[int]:
    """The real sshd on a port of its own, and an `ssh` that it lets in; commands run in `there`, beside our program."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    (folder / "there").mkdir()
    (folder / "bin").mkdir()
    scripts = {
        "ssh": f'exec {shutil.which("ssh")} -F none -i {folder}/user -o StrictHostKeyChecking=no -o LogLevel=ERROR '
               f'-o UserKnownHostsFile={folder}/known "$@"\n',
        "e2esync": f'PYTHONPATH={ROOT} exec {sys.executable} -m e2esync "$@"\n',
        "command": f'cd {folder}/there && PATH={folder}/bin:$PATH exec sh -c "$SSH_ORIGINAL_COMMAND"\n',
    }
    for name, text in scripts.items():
        (folder / "bin" / name).write_text("#!/bin/sh\n" + text, "utf-8")
        (folder / "bin" / name).chmod(0o755)
    (folder / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\n"
        f"StrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin yes\nForceCommand {folder}/bin/command\n", "utf-8")
    assert SSHD is not None
    server = subprocess.Popen([SSHD, "-D", "-e", "-f", folder / "config"], stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        for line in server.stderr:
            if "Server listening" in line:
                break
        assert server.poll() is None
        yield port
    finally:
        server.terminate()
        server.communicate()


@pytest.mark.slow
async def test_a_book_over_the_real_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if SSHD is None:
        pytest.skip("openssh-server is not installed")
    with ssh_server(tmp_path) as port:
        monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
        url = f"ssh://{getpass.getuser()}@127.0.0.1:{port}/~/our relay.sqlite3"
        phone = await founded(tmp_path / "phone", url)
        for name in ("Ada", "Bob"):
            Book(phone).add(card(name))
            assert (await sync(phone)).sent > 0
        assert names(phone) == ["Ada", "Bob"]
        assert (tmp_path / "there" / "our relay.sqlite3").exists()
        with pytest.raises(SessionError):
            await Connection.as_visitor(f"ssh://{getpass.getuser()}@127.0.0.1:{port}/no/folder", None, ENTROPY)


async def test_one_after_the_other(ssh: Path, tmp_path: Path) -> None:
    assert ssh.is_dir()
    url = "ssh://host/~/relay"
    phone = await founded(tmp_path / "phone", url)
    visit = await Connection.as_visitor(url, None, ENTROPY)
    Book(phone).add(card("Ada"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sync, phone)
        # The other one is served, and this one waits for it to go.
        assert await visit.request(Ping(), Pong) == Pong()
        await visit.aclose()
    assert (await sync(phone)).sent == 0


async def test_a_program_that_is_no_relay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ssh").write_text("#!/bin/sh\necho welcome\n", "utf-8")
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    transport = await connect("ssh://host")
    with pytest.raises(SessionError):
        await transport.receive()
    await transport.aclose()
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(Unreachable, match="ssh cannot be run"):
        await connect("ssh://host")


@pytest.mark.parametrize("url", ["ssh://-oProxyCommand=x/p", "ssh://a@-oProxyCommand=x/", "ssh://u:p@host/", "ssh://"])
async def test_no_host_becomes_an_option(url: str) -> None:
    with pytest.raises(Unreachable):
        await connect(url)


def test_what_the_shell_over_there_reads_is_quoted() -> None:
    command = ssh_command("host", 22, "/a b;rm -rf $HOME")
    assert command[:-1] == ["ssh", "-T", "--", "host"]
    assert shlex.split(command[-1])[-1] == "/a b;rm -rf $HOME"
    assert ssh_command("host", 22, "/")[-1] == "e2esync relay serve --stdio"
