"""Benchmarks: `python -m tests.bench`. Not collected by pytest: a machine's speed is nothing that can pass or fail."""
