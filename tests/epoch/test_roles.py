"""The table of rights is that of SPEC 9.4, read off line by line."""

from __future__ import annotations

import pytest

from e2esync.epoch.roles import DEVICES, KITS, RIGHTS, ROLES, WRITERS, Role

COLUMNS = {
    # role: opens, everybody, adds, up to rank, removes, changes roles, rekeys, governs
    Role.ROOT: (True, True, {1, 2, 3, 4, 5}, False, {1, 2, 3, 4, 5}, True, False, True),
    Role.OWNER: (True, True, {1, 2, 3, 4}, False, {1, 2, 3, 4}, True, True, True),
    Role.WRITER: (True, False, {1, 2}, False, {1, 2, 3}, False, True, False),
    Role.RECOVERY: (True, False, {1, 2, 3, 4}, True, {1, 2, 3, 4}, False, False, False),
    Role.READER: (False, False, set(), False, set(), False, False, False),
}


@pytest.mark.parametrize("role", list(Role))
def test_rights_are_those_of_the_spec(role: Role) -> None:
    rights = RIGHTS[role]
    assert COLUMNS[role] == (
        rights.opens, rights.everybody, set(rights.adds), rights.up_to_rank, set(rights.removes),
        rights.changes_roles, rights.rekeys, rights.governs,
    )


def test_roles_are_numbered_and_grouped_as_the_spec_says() -> None:
    assert [int(role) for role in Role] == [1, 2, 3, 4, 5]
    assert {1, 2, 3} == DEVICES
    assert {4, 5} == KITS
    assert {2, 3} == WRITERS
    assert {1, 2, 3, 4, 5} == ROLES


def test_only_the_root_may_remove_or_add_a_root() -> None:
    assert [role for role in Role if Role.ROOT in RIGHTS[role].removes | RIGHTS[role].adds] == [Role.ROOT]
