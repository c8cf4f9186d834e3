"""Automatic backups, as the settings ask for them: made after a sync, for the recovery kit alone.

Invariants: a backup that fails is said and fails nothing else; nothing is imported where no backup is wanted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from e2esync.errors import E2esyncError

if TYPE_CHECKING:
    from .context import Context


def back_up_if_due(context: Context) -> None:
    """Make a backup if one is due, and say so."""
    if context.profile().store.setting("backup-every") is None:
        return
    from e2esync.client.backup import backup_if_due

    try:
        path = backup_if_due(context.book())
    except (E2esyncError, OSError) as error:
        reason = error.message if isinstance(error, E2esyncError) else error.strerror
        context.out.warn(f"the automatic backup failed: {reason}")
    else:
        if path is not None:
            context.out.note(f"backup written to {path}")
