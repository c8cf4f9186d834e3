"""`python -m e2esync`: the command line."""

from __future__ import annotations

import sys

from e2esync.cli import main

if __name__ == "__main__":
    sys.exit(main())
