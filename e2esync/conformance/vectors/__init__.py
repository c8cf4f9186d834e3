"""The generator of `vectors/`: deterministic examples of every rule of SPEC, made by the reference itself.

`write` makes the files, `check` says how a folder differs from what would be written. Nothing here is imported by the
rest of the package, except by the command line.
"""

from e2esync.conformance.vectors.check import check
from e2esync.conformance.vectors.generate import write

__all__ = ["check", "write"]
