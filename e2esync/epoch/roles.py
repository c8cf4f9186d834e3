"""Roles and what each may change (SPEC 9.3, 9.4 step 3). The table is data; nothing else decides about rights."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class Role(IntEnum):
    """What a member is. Readers, writers and owners are devices; recovery members and the root are kits."""

    READER = 1
    WRITER = 2
    OWNER = 3
    RECOVERY = 4
    ROOT = 5


DEVICES: Final = frozenset({Role.READER, Role.WRITER, Role.OWNER})
"""Roles of members that have a key number and a slot."""

KITS: Final = frozenset({Role.RECOVERY, Role.ROOT})
"""Roles of recovery members: their sealing key is that of their add, for ever."""

WRITERS: Final = frozenset({Role.WRITER, Role.OWNER})
"""Roles whose entries have effect (SPEC 10.4)."""

ROLES: Final = DEVICES | KITS


@dataclass(frozen=True, slots=True)
class Rights:
    """One column of the table of SPEC 9.4 step 3."""

    opens: bool = False
    """May open an epoch at all, be it without a change."""
    everybody: bool = False
    """Adds and removes members of every person; else of its own only."""
    adds: frozenset[Role] = frozenset()
    up_to_rank: bool = False
    """Adds devices only up to the rank of their person, which an owner or the root once gave."""
    removes: frozenset[Role] = frozenset()
    changes_roles: bool = False
    rekeys: bool = False
    """May replace its own verify key."""
    governs: bool = False
    """May flag *forget* and *newer version*, and move the set to another relay. What it gives makes a rank."""


RIGHTS: Final[dict[Role, Rights]] = {
    Role.ROOT: Rights(
        opens=True, everybody=True, adds=ROLES, removes=ROLES, changes_roles=True, governs=True,
    ),
    # Only the root removes the root, so that a thief with an owner's phone cannot lock out who holds the kit.
    Role.OWNER: Rights(
        opens=True, everybody=True, adds=ROLES - {Role.ROOT}, removes=ROLES - {Role.ROOT},
        changes_roles=True, rekeys=True, governs=True,
    ),
    Role.WRITER: Rights(
        opens=True, adds=frozenset({Role.READER, Role.WRITER}), removes=DEVICES, rekeys=True,
    ),
    Role.RECOVERY: Rights(
        opens=True, adds=ROLES - {Role.ROOT}, up_to_rank=True, removes=ROLES - {Role.ROOT},
    ),
    Role.READER: Rights(),
}
