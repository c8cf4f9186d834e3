"""Cards (SPEC 7): JSContact in memory, registers in storage, vCard 2.1, 3.0 and 4.0 in and out.

Invariants: pure functions that know nothing of keys, sync, files or clocks; hostile input raises ``BadCard`` or
nothing; what nobody touched goes out byte for byte as it came in.
"""

from __future__ import annotations

from . import jcard, jscontact
from .detect import FORMATS, detect, read_file
from .display import display_name, sanitize
from .export import write_card
from .foreign import write_google
from .layout import Layout
from .model import check_card
from .origin import changes
from .paths import join_path, split_path
from .phone import normalize_email, normalize_phone
from .registers import assemble, flatten
from .restoring import write_as_imported
from .summary import Summary, sort_key, summary
from .types import ORIGIN, VERSIONS, Registers, Value
from .vcard import ReadCard, Unreadable, VCardFile, read_vcards, write_vcards

__all__ = [
    "FORMATS",
    "Layout",
    "ORIGIN",
    "ReadCard",
    "Registers",
    "Summary",
    "Unreadable",
    "VCardFile",
    "VERSIONS",
    "Value",
    "assemble",
    "changes",
    "check_card",
    "detect",
    "display_name",
    "flatten",
    "join_path",
    "jcard",
    "jscontact",
    "normalize_email",
    "normalize_phone",
    "read_file",
    "read_vcards",
    "sanitize",
    "sort_key",
    "split_path",
    "summary",
    "write_as_imported",
    "write_card",
    "write_google",
    "write_vcards",
]
