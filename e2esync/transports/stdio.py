"""Frames over a program's standard input and output (SPEC 13.1), as rsync and git do: a relay at the end of ssh.

    ssh://[USER@]HOST[:PORT][/PATH]      runs `ssh HOST e2esync relay serve --stdio [--db PATH]`

The program is given arguments, never a line for a shell of this machine; what the shell over there reads is quoted. An
absolute path is the one over there, `/~/x` is x in the home folder.
"""

from __future__ import annotations

import shlex
import subprocess
from contextlib import suppress
from typing import Final

import trio

from e2esync.errors import Unreachable
from e2esync.transports.streams import WireStream
from e2esync.transports.tcp import TcpTransport

SSH_PORT: Final = 22
_END_WITHIN: Final = 5.0


def ssh_command(host: str, port: int, path: str) -> list[str]:
    """The program and its arguments. Raises Unreachable for a host that ssh would take for an option."""
    if host.startswith("-") or "@-" in host:
        raise Unreachable(f"{host[:100]!r} is no host", "write it as ssh://user@host/path")
    remote = ["e2esync", "relay", "serve", "--stdio"]
    if path.strip("/"):
        remote += ["--db", path[3:] if path.startswith("/~/") else path]
    ports = [] if port == SSH_PORT else ["-p", str(port)]
    return ["ssh", "-T", *ports, "--", host, shlex.join(remote)]


async def connect_program(command: list[str]) -> TcpTransport:
    """Runs a program that is a relay on its standard input and output. Raises Unreachable if there is none."""
    try:
        process = await trio.lowlevel.open_process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    except OSError as error:
        raise Unreachable(f"{command[0]} cannot be run: {str(error.strerror).lower()}", "install it") from error
    return TcpTransport(WireStream(ProgramStream(process)))


class ProgramStream(trio.abc.Stream):
    """A program's pipes as one stream. Closing it ends the program: by its closed input, else by force."""

    def __init__(self, process: trio.Process) -> None:
        assert process.stdio is not None
        self._process = process
        self._pipes = process.stdio

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """To the program's input."""
        await self._pipes.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """As the pipe."""
        await self._pipes.send_stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """From the program's output."""
        return await self._pipes.receive_some(max_bytes)

    async def aclose(self) -> None:
        """Closes the pipes, and sees to it that no program is left behind."""
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(self._pipes)
            with trio.move_on_after(_END_WITHIN):
                await self._process.wait()
            if self._process.returncode is None:
                with suppress(ProcessLookupError):
                    self._process.kill()
                await self._process.wait()


def standard_streams() -> TcpTransport:
    """This program's own standard input and output, as the relay's end of a connection."""
    pipes = trio.StapledStream(trio.lowlevel.FdStream(1), trio.lowlevel.FdStream(0))
    return TcpTransport(WireStream(pipes))
