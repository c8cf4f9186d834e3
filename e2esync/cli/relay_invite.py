"""`e2esync relay invite`: lets one person make one book at a relay that takes new ones by invitation."""

from __future__ import annotations

import argparse
import json
import time
from contextlib import closing
from typing import Final

from .exits import UsageError
from .relay import database, settings_of

_DAY: Final = 86_400_000


def invite(args: argparse.Namespace) -> int:
    """Prints a new invitation; a relay that runs knows it at once."""
    from e2esync.stores import relay_invitations
    from e2esync.stores.relay_migrate import open_depot

    if not 1 <= args.days <= 3650:
        raise UsageError("an invitation is good for 1 to 3650 days", "e2esync relay invite --days 7")
    with closing(open_depot(database(settings_of(args).db, there=True))) as depot:
        expires = time.time_ns() // 1_000_000 + args.days * _DAY
        text = relay_invitations.invite(depot, expires).hex()
    code = "-".join(text[start:start + 4] for start in range(0, len(text), 4))
    if getattr(args, "json", False):
        print(json.dumps({"schema": 1, "invitation": code, "expires": expires}))
    else:
        print(f"{code}\ngood for one book, {args.days} days: e2esync init --relay URL --invitation {code}")
    return 0
