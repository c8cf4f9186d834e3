"""Benchmarks: `python -m tests.bench`. pytest sees only that they measure: a machine's speed cannot fail."""
