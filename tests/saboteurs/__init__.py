"""The library with one of its checks removed, each of which a suite must catch: `python -m tests.saboteurs`."""
