"""What a service manager hears of the relay: systemd's readiness protocol (`Type=notify`), without its library.

A datagram to the socket that NOTIFY_SOCKET names; without one there is no manager and nothing is sent.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress


def tell_manager(*lines: str) -> bool:
    """Sends `READY=1`, `STOPPING=1` and the like. Returns whether there is a manager to hear it."""
    place = os.environ.get("NOTIFY_SOCKET", "")
    if not place.startswith(("/", "@")):
        return False
    # A socket without a file: its name begins with a zero byte, which no variable can hold.
    address = "\0" + place[1:] if place.startswith("@") else place
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender, suppress(OSError):
        sender.connect(address)
        sender.sendall("\n".join(lines).encode())
        return True
    return False


def reloading() -> str:
    """The line that says that a reload has begun, with the clock that systemd compares it by."""
    return f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}"


def watchdog_interval() -> float | None:
    """Seconds between two signs of life that the manager wants, halved so that one may be late; None for none."""
    wanted, process = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not wanted.isdecimal() or (process and process != str(os.getpid())):
        return None
    return int(wanted) / 2e6
