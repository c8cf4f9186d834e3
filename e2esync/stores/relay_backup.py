"""Copies of a relay's store, made and brought back while it runs (`e2esync relay backup`, `relay restore`).

A backup is a relay's SQLite file, whatever the engine: of one by SQLite's own backup, which is one moment; of a
database by copying set by set, each of one moment, which is as good since no set knows of another. What is restored is
an older state, and says so: it begins a new incarnation, and devices bring what it lacks (SPEC 13.12). A relay that
runs on the file meanwhile notices, and has its devices come again. The file holds the relay's signing key.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import apsw

from e2esync.errors import ProfileBusy, ProfileDamaged
from e2esync.stores.relay_engine import POSTGRES_SCHEMES, open_engine
from e2esync.stores.relay_migrate import SqliteDepot, copy_changed, copy_rest, drop_set, open_depot
from e2esync.stores.relay_schema import check_not_moved, open_reader, open_writer, storage_error
from e2esync.stores.relay_sweep import sweep_erasing


def backup(url: str, target: Path) -> int:
    """Writes a copy of the store to a new file, and has it on disk before it has its name. Returns how many sets.

    Raises ProfileBusy if there is such a file, and what store and disk raise.
    """
    if target.exists():
        raise ProfileBusy(f"{target} exists", "a backup never takes another one's place; name a new file")
    with _scratch(target) as scratch:
        if url.startswith(POSTGRES_SCHEMES):
            _copy_database(url, scratch)
        else:
            _copy_file(Path(url), scratch)
        with closing(SqliteDepot(scratch)) as depot:
            count = len(depot.sets())
            _finish_erasing(depot)
        _sync(scratch)
        scratch.rename(target)
        _sync(target.parent)
    return count


def restore(source: Path, url: str, draw: Callable[[int], bytes] = os.urandom) -> int:
    """Puts a backup in the place of a store, under a new incarnation. Returns how many sets it has.

    A relay may run on a SQLite file; on a database none may. Raises ProfileDamaged for what is no relay's file,
    ProfileBusy for a database that is in use.
    """
    if not source.is_file():
        raise ProfileDamaged(f"there is no {source}", "name a file that `relay backup` made")
    place = source if url.startswith(POSTGRES_SCHEMES) else Path(url)
    with _scratch(place) as scratch:
        _copy_file(source, scratch)
        with closing(SqliteDepot(scratch)) as copy:
            key, _ = copy.identity()
            copy.become(key, int.from_bytes(draw(6), "big"))
            count = len(copy.sets())
            if url.startswith(POSTGRES_SCHEMES):
                _fill_database(copy, url)
        if not url.startswith(POSTGRES_SCHEMES):
            _overwrite(scratch, Path(url))
    return count


def begin_again(url: str, draw: Callable[[int], bytes] = os.urandom) -> int:
    """A new incarnation for a store that other tools brought back: pg_restore, a disk's snapshot. Returns its sets.

    Without it devices would see a relay that lies about what it has signed. Raises ProfileBusy where a relay runs.
    """
    open_engine(url).close()
    with closing(open_depot(url)) as depot:
        if not depot.hold():
            raise ProfileBusy("the relay runs", "stop it first: it shows devices the older state as if it were new")
        key, _ = depot.identity()
        depot.become(key, int.from_bytes(draw(6), "big"))
        return len(depot.sets())


def _finish_erasing(copy: SqliteDepot) -> None:
    """What was deleted before a copy was made is not in it, even if the relay has not come to the end of it yet."""
    more = True
    while more:
        with copy.transaction() as rows:
            more = sweep_erasing(rows) > 0


def _copy_database(url: str, target: Path) -> None:
    with closing(open_depot(url)) as source, closing(SqliteDepot(target)) as copy:
        copy.become(*source.identity())
        copy_changed(source, copy)
        copy_rest(source, copy)


def _fill_database(copy: SqliteDepot, url: str) -> None:
    with closing(open_depot(url)) as target:
        if not target.hold():
            raise ProfileBusy("a relay runs on the database", "stop it; it is started again when everything is there")
        # First of all: whoever looks at what is half done sees another life of the relay, and brings what it lacks.
        target.become(*copy.identity())
        for set_id in target.sets():
            with target.transaction() as rows:
                drop_set(rows, set_id)
        copy_changed(copy, target)
        copy_rest(copy, target)


def _copy_file(source: Path, target: Path) -> None:
    """All pages, as of one moment; a relay may go on writing meanwhile."""
    try:
        # Opened as a writer would, so that a file of another program, or a newer schema, is refused.
        with closing(open_writer(source)) as checked:
            check_not_moved(checked.execute("SELECT 1 FROM meta WHERE name = 'moved'").fetchone() is not None)
        with closing(open_reader(source)) as reader, closing(apsw.Connection(str(target))) as copy:
            _all_pages(copy, reader)
    except apsw.Error as error:
        raise storage_error(error, source) from error


def _overwrite(copy: Path, target: Path) -> None:
    """The copy's pages in place of the target's, in one transaction."""
    try:
        with closing(open_writer(target)) as there, closing(open_reader(copy)) as here:
            _all_pages(there, here)
    except apsw.Error as error:
        raise storage_error(error, target) from error


def _all_pages(target: apsw.Connection, source: apsw.Connection) -> None:
    with target.backup("main", source, "main") as pages:
        # In one step: between two a writer would make it begin again.
        while not pages.done:
            pages.step(-1)


@contextmanager
def _scratch(beside: Path) -> Iterator[Path]:
    """A name beside a file, for what is not finished; nobody else may read it, and nothing of it stays."""
    path = beside.with_name(f".{beside.name}.{os.getpid()}")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise ProfileDamaged(f"{path.parent} cannot be written: {reason}", "check the folder") from error
    try:
        yield path
    finally:
        for end in ("", "-wal", "-shm", "-journal"):
            with suppress(FileNotFoundError):
                path.with_name(path.name + end).unlink()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
