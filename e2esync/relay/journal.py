"""How a relay logs: lines for people or JSON, in which no contact, id or address can be.

What is logged are the messages of this package, which never hold any of that. Of an exception only its type and the
places it passed are written, not its text: a library may have put what a stranger sent into it.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime


class Journal(logging.Formatter):
    """One line per record, `as_json` or not."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = {"time": time, "level": record.levelname.lower(), "message": record.getMessage()}
        if record.exc_info and record.exc_info[1] is not None:
            fields |= _exception(record.exc_info[1])
        if self._as_json:
            return json.dumps(fields)
        return " ".join(fields.values())


def keep_journal(*, as_json: bool) -> None:
    """Has everything that is logged in this process go to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Journal(as_json=as_json))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def _exception(error: BaseException) -> dict[str, str]:
    frames = traceback.extract_tb(error.__traceback__)
    passed = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
    return {"error": type(error).__name__, "at": passed}
