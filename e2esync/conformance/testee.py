"""This implementation as a testee: requests on standard input, answers on standard output (SPEC appendix B).

    e2esync conformance run -- e2esync conformance testee
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import trio

from e2esync import __version__
from e2esync.conformance.devices import COMMANDS, Devices
from e2esync.conformance.performing import operation_names, perform
from e2esync.conformance.protocol import VERSION
from e2esync.errors import E2esyncError


async def answer(request: dict[str, Any], devices: Devices) -> dict[str, Any]:
    """The answer to one request, with its id."""
    arguments = dict(request)
    identity, command = arguments.pop("id"), arguments.pop("command")
    return {"id": identity, **await _result(command, arguments, devices)}


async def _result(command: str, arguments: dict[str, Any], devices: Devices) -> dict[str, Any]:
    if command == "hello":
        return _hello(arguments["version"])
    if command == "perform":
        if arguments["operation"] not in operation_names():
            return {"result": "skip", "reason": "no such operation"}
        return perform(arguments["operation"], arguments["input"], arguments["entropy"])
    if command not in COMMANDS:
        return {"result": "skip", "reason": "no such command"}
    try:
        return {"result": "valid", "output": await devices.call(command, arguments)}
    except E2esyncError as error:
        return {"result": "invalid", "error": _code(error), "message": error.message}


def _hello(version: int) -> dict[str, Any]:
    if version != VERSION:
        return {"result": "invalid", "error": "Unsupported"}
    return {"result": "valid", "output": {"name": "e2esync", "version": __version__, "language": "Python"}}


def _code(error: E2esyncError) -> str:
    """Of what a relay refused, the relay's own code says more than `Refused`."""
    return str(getattr(error, "reason", "") or error.code)


async def serve(stdin: int = 0, stdout: int = 1) -> None:
    """Answer until the input ends."""
    source, sink = trio.lowlevel.FdStream(os.dup(stdin)), trio.lowlevel.FdStream(os.dup(stdout))
    with tempfile.TemporaryDirectory(prefix="e2esync-testee-") as folder:
        async with source, sink, trio.open_nursery() as tasks:
            devices = Devices(Path(folder), tasks)
            try:
                waiting = b""
                while chunk := await source.receive_some(1 << 16):
                    *lines, waiting = (waiting + chunk).split(b"\n")
                    for line in lines:
                        reply = await answer(json.loads(line), devices)
                        await sink.send_all(json.dumps(reply).encode() + b"\n")
            finally:
                devices.close()
                tasks.cancel_scope.cancel()


def main() -> int:
    """Run it."""
    trio.run(serve)
    return 0
