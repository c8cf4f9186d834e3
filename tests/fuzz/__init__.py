"""Fuzzing of every decoder and both session machines: `python -m tests.fuzz`, and a little of it in every run."""
