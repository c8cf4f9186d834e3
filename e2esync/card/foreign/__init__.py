"""Files that are neither vCard nor JSContact (SPEC 7.2): CSV of Google, Outlook and Thunderbird, and LDIF.

Each record becomes vCard 3.0 content lines, which are read as those of a file are; so a record means what the same
vCard means, and there is one place that decides it. Such a file is not written back byte for byte, but a re-import is
compared with the last one like any other.

Invariants: pure and linear; one record that cannot be read is quarantined with its raw text and the rest is read; a
column or attribute that nothing is known of is kept as ``X-CUSTOM`` with its own name as label.
"""

from __future__ import annotations

from .csvtext import parse_csv
from .google import read_google
from .google_out import write_google
from .ldif import read_ldif
from .outlook import read_outlook

__all__ = ["parse_csv", "read_google", "read_ldif", "read_outlook", "write_google"]
