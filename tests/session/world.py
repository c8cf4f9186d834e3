"""A set with real keys, and every message that its members may send: what the tests of the relay feed it with."""

from e2esync.conformance.engine.book import ALICE, BOB, NOW, Book, Draws, blob_of

__all__ = ["ALICE", "BOB", "NOW", "Book", "Draws", "blob_of"]
