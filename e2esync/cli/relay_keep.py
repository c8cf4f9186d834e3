"""`e2esync relay backup`, `restore`, `check` and `stats`: a store is kept for years, beside the relay that uses it."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import closing
from pathlib import Path

from .exits import FileProblem, MassChange, UsageError
from .relay import books, database, settings_of


def backup(args: argparse.Namespace) -> int:
    """Copies the store to a new file, as of one moment."""
    from e2esync.stores import relay_backup

    target = Path(args.file)
    count = relay_backup.backup(database(settings_of(args).db, there=True), target)
    _tell(args, f"{books(count)} in {target}; it holds the relay's signing key too", file=str(target), sets=count)
    return 0


def restore(args: argparse.Namespace) -> int:
    """Puts a backup in the store's place, under a new incarnation; or gives one to a store that is back already."""
    from e2esync.stores import relay_backup

    place = database(settings_of(args).db, there=args.in_place)
    if (args.file is None) != args.in_place:
        raise UsageError("restore takes a FILE, or --in-place", "see `e2esync relay restore --help`")
    if args.in_place:
        count = relay_backup.begin_again(place)
    else:
        source = Path(args.file)
        if not source.is_file():
            raise FileProblem(f"there is no file {source}", "name one that `relay backup` made")
        if not getattr(args, "yes", False) and _holds_something(place):
            raise MassChange("there is a relay's store; what came after the backup has to come back from devices")
        count = relay_backup.restore(source, place)
    _tell(args, f"{books(count)} back; devices bring what came later, by themselves", sets=count)
    return 0


def _holds_something(place: str) -> bool:
    from e2esync.stores.relay_engine import POSTGRES_SCHEMES
    from e2esync.stores.relay_migrate import open_depot

    if not place.startswith(POSTGRES_SCHEMES):
        return Path(place).is_file()
    with closing(open_depot(place)) as depot:
        return bool(depot.sets())


def check(args: argparse.Namespace) -> int:
    """Verifies everything that can be without a member's key; 0 if all of it is well."""
    from e2esync.stores.relay_check import check_store
    from e2esync.stores.relay_migrate import open_depot

    faults = []
    with closing(open_depot(database(settings_of(args).db, there=True))) as depot:
        for fault in check_store(depot):
            faults.append(fault)
            if not getattr(args, "json", False):
                print(f"{fault.set_id.hex()}: {fault.what}", file=sys.stderr)
        sets = len(depot.sets())
    well = f"{books(sets)}: every chain, log, head, box and blob is whole"
    _tell(args, f"{len(faults)} faults in {books(sets)}" if faults else well, sets=sets,
          faults=[{"set": fault.set_id.hex(), "what": fault.what} for fault in faults])
    return 1 if faults else 0


def stats(args: argparse.Namespace) -> int:
    """Counts what is stored."""
    from e2esync.stores.relay_check import count_store
    from e2esync.stores.relay_migrate import open_depot

    with closing(open_depot(database(settings_of(args).db, there=True))) as depot:
        counts = count_store(depot)
    rows = [f"{name:<12}{each['count']:>12,}" + (f"{each['bytes']:>18,} bytes" if each["bytes"] else "")
            for name, each in counts.items()]
    _tell(args, "\n".join(rows), **counts)
    return 0


def _tell(args: argparse.Namespace, words: str, **fields: object) -> None:
    print(json.dumps({"schema": 1, **fields}) if getattr(args, "json", False) else words)
