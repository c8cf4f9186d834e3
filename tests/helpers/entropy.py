"""Deterministic entropy for tests: that of the public test kit, under the name that tests know it by."""

from __future__ import annotations

from e2esync.testing.entropy import SeededEntropy as FastEntropy

__all__ = ["FastEntropy"]
