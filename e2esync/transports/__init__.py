"""Anything that moves frames: memory, TCP, TLS, WebSocket (SPEC 13.1)."""

from e2esync.transports.address import Address, Listener, connect, listen, parse_address
from e2esync.transports.base import CountingTransport, Transport, batch_sender
from e2esync.transports.memory import MemoryTransport, memory_pair

__all__ = [
    "Address", "CountingTransport", "Listener", "MemoryTransport", "Transport", "batch_sender", "connect", "listen",
    "memory_pair", "parse_address",
]
