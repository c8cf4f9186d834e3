"""A person at a terminal: the program under a pseudo-terminal, read until it asks, answered line by line."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import time
from pathlib import Path

from .driving import environment, program

PATIENCE = 60.0


class Terminal:
    """A running program whose stdin, stdout and stderr are one terminal. `seen` is everything that it showed."""

    def __init__(self, *arguments: str, cwd: Path | None = None) -> None:
        master, slave = pty.openpty()
        self._master = master
        self.seen = ""
        self._position = 0
        self.process = subprocess.Popen(
            program(*arguments), stdin=slave, stdout=slave, stderr=slave, cwd=cwd, start_new_session=True,
            env=environment(TERM="xterm", COLUMNS="100", LINES="40"), preexec_fn=lambda: _own_terminal(slave),
        )
        os.close(slave)

    def expect(self, pattern: str) -> re.Match[str]:
        """Wait until the program shows this, after what was expected before."""
        deadline = time.monotonic() + PATIENCE
        while True:
            match = re.compile(pattern, re.S).search(self.seen, self._position)
            if match:
                self._position = match.end()
                return match
            assert self._read(deadline), f"no {pattern!r} in:\n{self.seen}"

    def send(self, line: str) -> None:
        """Type a line."""
        os.write(self._master, line.encode() + b"\n")

    def finish(self) -> int:
        """Read to the end; the exit code."""
        deadline = time.monotonic() + PATIENCE
        while self._read(deadline):
            continue
        return self.process.wait(timeout=PATIENCE)

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # how a pseudo-terminal says that nobody has it open any more
            return False
        self.seen += data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._master)


def _own_terminal(slave: int) -> None:
    import fcntl
    import termios

    # Whoever runs these tests may ignore them, as nohup does; a terminal's own program does not.
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
