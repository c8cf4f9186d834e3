"""A process that dies at a chosen moment: right before the n-th time that its store would make something durable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from e2esync.stores.profile import ProfileStore

_CONTROL = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")


class Crash(BaseException):
    """No error that a program could catch: the process is gone."""


@contextmanager
def crashing(store: ProfileStore, at: int) -> Iterator[None]:
    """Die right before the `at`-th commit, counted from 1; what was begun is undone, as at SQLite's next start."""
    database: Any = store._db
    real_end, real_run = database.end, database.run
    commits = 0

    def tick() -> None:
        nonlocal commits
        commits += 1
        if commits == at:
            raise Crash

    def end(*, commit: bool) -> None:
        if commit and database._depth == 1:
            try:
                tick()
            except Crash:
                real_end(commit=False)
                raise
        real_end(commit=commit)

    def run(sql: str, args: tuple[Any, ...] = ()) -> None:
        if database._depth == 0 and not sql.startswith(_CONTROL):
            tick()
        real_run(sql, args)

    database.end, database.run = end, run
    try:
        yield
    finally:
        database.end, database.run = real_end, real_run
