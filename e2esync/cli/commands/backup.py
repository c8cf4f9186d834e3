"""`e2esync backup [FILE]` and `e2esync backup --restore FILE`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..context import Context
from ..files import check_target, file_problem, read_first_line
from ..kitinput import add_kit_option, read_kit
from ..output import counted
from ..prompts import ask_secret, confirm, new_secret

if TYPE_CHECKING:
    from e2esync.access.kit import RecoveryKit

ABOUT = """\
Writes the whole book to one encrypted file: contacts, photos, labels, groups, what imports knew, and the history. Your
recovery kit opens it, and so nothing has to be typed; or a passphrase, with --with-passphrase. Brought back, what is
gone comes back, what differs is as in the file, and what the file does not hold stays: one step for `e2esync undo`. It
goes into any book, also a new one. `e2esync config set backup-every 7` has `sync` write one each week."""
EXAMPLES = """\
  e2esync backup                               into the folder of backups
  e2esync backup book.e2ebackup --with-passphrase
  e2esync backup --restore book.e2ebackup --dry-run"""

_WHY = "give --backup-passphrase-file FILE"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The file, and what opens it."""
    parser.add_argument("file", nargs="?", metavar="FILE", help="where to; default: a new file in the backup folder")
    parser.add_argument("--restore", metavar="FILE", help="bring this backup back")
    parser.add_argument("-n", "--dry-run", action="store_true", help="say what --restore would do and change nothing")
    parser.add_argument("--with-passphrase", action="store_true", help="for a passphrase instead of the recovery kit")
    parser.add_argument("--backup-passphrase-file", metavar="FILE",
                        help="the backup's passphrase is the first line of this file")
    add_kit_option(parser)


def run(context: Context) -> int:
    """Write, or bring back."""
    return _restore(context, Path(context.args.restore)) if context.args.restore else _write(context)


def _write(context: Context) -> int:
    from e2esync.client.backup import backup_path, write_backup

    args, out, book = context.args, context.out, context.book()
    path = Path(args.file) if args.file else backup_path(book)
    replace = args.yes or (path.is_file() and not path.is_symlink() and confirm(f"replace {path}?"))
    check_target(str(path), replace=replace)
    passphrase = None
    if args.backup_passphrase_file:
        passphrase = read_first_line(args.backup_passphrase_file)
    elif args.with_passphrase:
        passphrase = new_secret("passphrase of the backup", why=_WHY)
    missing = len(book.store.missing_media())
    count = write_backup(book, path, passphrase)
    if missing:
        out.warn(f"{missing} photos or attachments are not on this device and are not in the backup",
                 "run `e2esync sync`, then make it again")
    out.result(contacts=count, output=str(path), opened_by="passphrase" if passphrase is not None else "kit",
               missing_media=missing)
    out.note(f"{counted(count, 'contact')} written to {path}; "
             + ("the passphrase" if passphrase is not None else "your recovery kit") + " opens it")
    return 0


def _restore(context: Context, path: Path) -> int:
    from e2esync.client.restoring import apply_backup, plan_backup

    out, book = context.out, context.book()
    way = _way(context, path)
    plan = plan_backup(book, path, way)
    out.note(f"{counted(len(plan.contents.contacts), 'contact')}: {len(plan.new):,} come back, {len(plan.changed):,} "
             f"change, {plan.identical:,} are as in the backup"
             + ("; the history comes along" if plan.with_history else ""))
    if not context.args.dry_run:
        apply_backup(book, plan, way)
        back = "" if plan.with_history else "`e2esync undo` takes this back; "
        out.note(f"{back}`e2esync sync` sends it to your other devices")
    out.result(back=len(plan.new), changed=len(plan.changed), identical=plan.identical, photos=plan.contents.photos,
               applied=not context.args.dry_run)
    return 0


def _way(context: Context, path: Path) -> str | RecoveryKit:
    """What opens the file: asked for as the file was made. Raises FileProblem."""
    from e2esync.client.backup import made_for

    try:
        kind = made_for(path)
    except OSError as error:
        raise file_problem("read", str(path), error) from None
    if kind == "passphrase":
        given = context.args.backup_passphrase_file
        return read_first_line(given) if given else ask_secret("passphrase of the backup", why=_WHY)
    return read_kit(context, context.args.kit_file).kit
