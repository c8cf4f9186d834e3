"""Anything that moves frames: memory, TCP, TLS, WebSocket (SPEC 13.1)."""

from e2esync.transports.address import Address, Dialer, Listener, connect, dialing, listen, parse_address
from e2esync.transports.base import CountingTransport, Transport, batch_sender
from e2esync.transports.memory import MemoryTransport, memory_pair

__all__ = [
    "Address", "CountingTransport", "Dialer", "Listener", "MemoryTransport", "Transport", "batch_sender", "connect",
    "dialing", "listen", "memory_pair", "parse_address",
]
