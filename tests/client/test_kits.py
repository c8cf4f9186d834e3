"""Replacing a kit over a real relay (SPEC 12.8): with the old one everywhere, without it never the root."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2esync.access.kit import RecoveryKit
from e2esync.client.book import Book
from e2esync.client.books import create_book
from e2esync.client.kits import _by_device, own_kits, replace_kit
from e2esync.client.profile import Profile
from e2esync.client.recovery import open_kit
from e2esync.client.regaining import regain_sets
from e2esync.client.sync import create_set, go_online, sync
from e2esync.epoch.record import make_add
from e2esync.epoch.roles import Role
from e2esync.errors import HandshakeFailed
from e2esync.procedures.opening import open_epoch
from e2esync.replica.core import Replica
from e2esync.replica.home import read_home
from tests.client.test_recovery import further_set
from tests.client.world import ENTROPY, card, names, open_relay, paired, profile_in


async def founded_with(folder: Path, url: str, kit: RecoveryKit) -> Profile:
    profile = profile_in(folder)
    await create_set(profile, url, "Phone", kit)
    return profile


async def test_with_the_old_kit_the_new_one_takes_its_place_in_every_book(tmp_path: Path) -> None:
    old, new = RecoveryKit.generate(ENTROPY), RecoveryKit.generate(ENTROPY)
    async with open_relay(tmp_path) as url:
        with await founded_with(tmp_path / "a", url, old) as phone, await paired(phone, tmp_path / "b") as laptop:
            Book(phone).add(card("Ada"))
            await further_set(phone, url, old, 1, "Family")
            await sync(phone)
            await sync(phone, 1)
            done = await replace_kit(phone, old, new)
            assert [(each.name, each.done, each.root, each.problem) for each in done] == [
                ("Contacts", True, True, ""), ("Family", True, True, "")]
            for book, number in ((0, 0), (1, 1)):
                replica = Replica(phone.store.book(book))
                assert replica.chain.root.verify_key == new.signing_key(number).verify_key
                # Its secret is not the one that the old kit made.
                assert replica.writable
                assert replica.chain.head.opener == replica.member
            halves = read_home(Replica(phone.store.book(0))).kit
            assert halves[5] == new.half(5)
            # Everybody goes on; the old words open nothing, the new ones bring everything back without any set id.
            Book(phone).add(card("Bob"))
            await sync(phone)
            await sync(laptop)
            assert names(laptop) == ["Ada", "Bob"]
            with pytest.raises(HandshakeFailed):
                async with open_kit(old, url):
                    raise AssertionError("opened with the old kit")
            with profile_in(tmp_path / "c") as rescued:
                async with open_kit(new, url) as rescue:
                    await rescue.restore(rescued, "Rescued")
                assert names(rescued) == ["Ada", "Bob"]
                (family,) = await regain_sets(rescued, new, "Rescued")
                assert (family.name, family.problem) == ("Family", "")


async def test_a_book_that_began_under_a_one_time_root(tmp_path: Path) -> None:
    """As `new-book` makes it: recovered by the kit alone, under the old one and under its successor."""
    old, new = RecoveryKit.generate(ENTROPY), RecoveryKit.generate(ENTROPY)
    async with open_relay(tmp_path) as url:
        with await founded_with(tmp_path / "a", url, old) as phone:
            made = (await create_book(phone, "Family")).number
            Book(phone, made).add(card("Bea"))
            await sync(phone, made)
            await sync(phone)
            for kit, folder in ((old, "b"), (new, "c")):
                if kit is new:
                    assert [each.problem for each in await replace_kit(phone, old, new)] == ["", ""]
                with profile_in(tmp_path / folder) as rescued:
                    async with open_kit(kit, url) as rescue:
                        await rescue.restore(rescued, folder)
                    (family,) = await regain_sets(rescued, kit, folder)
                    assert (family.name, family.contacts, family.problem) == ("Family", 1, "")
                    chain = Replica(rescued.store.book(family.book)).chain
                    assert chain.root.verify_key == kit.signing_key(1).verify_key


async def test_it_can_be_run_again(tmp_path: Path) -> None:
    old, new = RecoveryKit.generate(ENTROPY), RecoveryKit.generate(ENTROPY)
    async with open_relay(tmp_path) as url:
        with await founded_with(tmp_path / "a", url, old) as phone:
            await replace_kit(phone, old, new)
            epoch = Replica(phone.store.book(0)).position.epoch
            (again,) = await replace_kit(phone, old, new)
            assert (again.done, again.problem) == (True, "")
            assert Replica(phone.store.book(0)).position.epoch == epoch


async def test_without_the_old_kit_the_root_stays(tmp_path: Path) -> None:
    old, new = RecoveryKit.generate(ENTROPY), RecoveryKit.generate(ENTROPY)
    async with open_relay(tmp_path) as url:
        with await founded_with(tmp_path / "a", url, old) as phone:
            for kit in (None, RecoveryKit.generate(ENTROPY)):
                (failed,) = await replace_kit(phone, kit, new)
                assert (failed.done, failed.root) == (False, True)
                assert "old kit" in failed.problem
            assert Replica(phone.store.book(0)).chain.root.verify_key == old.signing_key(0).verify_key


async def test_without_the_old_kit_an_owner_replaces_a_recovery_member_of_its_person(tmp_path: Path) -> None:
    """As in a shared book, whose root is another person's kit: this person's is a recovery member there."""
    root, mine, new = (RecoveryKit.generate(ENTROPY) for _ in range(3))
    async with open_relay(tmp_path) as url:
        with await founded_with(tmp_path / "a", url, root) as phone:
            async with go_online(phone) as online:
                replica = online.replica
                recovery = make_add(mine.signing_key(0), replica.set_id, replica.person, Role.RECOVERY,
                                    mine.sealing_key(0).public)
                await online.connection.run(open_epoch(replica, online.link, lambda _replica: (recovery,)))
            before = Replica(phone.store.book(0))
            (member,) = own_kits(before, mine)
            assert member.role is Role.RECOVERY
            # What a device asks for where the kit is at hand no more: the member of that index gives way.
            await _by_device(phone, 0, member, new, ENTROPY, lambda: 2)
            after = Replica(phone.store.book(0)).chain
            assert member.index not in after.members
            (mine_now,) = own_kits(Replica(phone.store.book(0)), new)
            assert (mine_now.role, mine_now.person) == (Role.RECOVERY, before.person)
            assert after.root.verify_key == root.signing_key(0).verify_key


async def test_a_relay_that_is_away_is_named(tmp_path: Path) -> None:
    old, new = RecoveryKit.generate(ENTROPY), RecoveryKit.generate(ENTROPY)
    async with open_relay(tmp_path) as url:
        phone = await founded_with(tmp_path / "a", url, old)
    with phone:
        (failed,) = await replace_kit(phone, old, new)
        assert (failed.done, failed.name) == (False, "Contacts")
