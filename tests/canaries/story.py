"""A life of two people and four devices in which every feature that sends anything meets a canary."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import trio

from e2esync.access.code import PairingCode
from e2esync.access.kit import RecoveryKit
from e2esync.client.book import Book
from e2esync.client.books import accept, create_book, share
from e2esync.client.forgetting import forget
from e2esync.client.members import revoke, rotate
from e2esync.client.profile import Profile
from e2esync.client.recovery import open_kit
from e2esync.client.sync import create_set
from e2esync.client.together import sync_all
from e2esync.epoch.roles import Role
from tests.canaries.canary import PHOTO, TEXTS
from tests.cli.driving import run_here
from tests.client.world import ENTROPY, PATIENCE, paired, profile_in

VCARD = "\r\n".join((
    "BEGIN:VCARD", "VERSION:3.0", f"UID:{TEXTS['uid']}", f"FN:{TEXTS['name']}", f"N:;{TEXTS['name']};;;",
    f"TEL;TYPE=CELL:{TEXTS['number']}", f"EMAIL:{TEXTS['mail']}", f"NOTE:{TEXTS['note']}",
    f"ADR;TYPE=HOME:;;{TEXTS['address']};;;;", f"ORG:{TEXTS['organization']}", f"CATEGORIES:{TEXTS['label']}",
    f"PHOTO;ENCODING=b;TYPE=JPEG:{base64.b64encode(PHOTO).decode()}", "END:VCARD", "",
))


async def live(folder: Path, url: str, pause: Callable[[], None] = lambda: None) -> None:
    """All of it. `pause` is called where the relay's memory is worth a look."""
    kit = RecoveryKit.generate(ENTROPY)
    with profile_in(folder / "phone") as phone:
        await create_set(phone, url, TEXTS["phone"], kit)
        (await paired(phone, folder / "laptop", TEXTS["laptop"])).close()
    await _by_hand(folder)
    pause()
    with Profile.open(folder / "phone") as phone, Profile.open(folder / "laptop") as laptop:
        await _everybody(phone, laptop, phone)
        # Both change one name: a conflict that both hold, and settle.
        for profile, ending in ((phone, "the first"), (laptop, "the second")):
            book = Book(profile)
            book.write(book.find(TEXTS["name"]).contact, {"notes/c": {"note": f"{TEXTS['note']}, {ending}"}})
        await _everybody(phone, laptop, phone)
        await rotate(phone)
        await create_book(phone, TEXTS["book"])
        Book(phone, 1).add({"@type": "Card", "version": "1.0", "name": {"full": TEXTS["kept"]}})
        await _everybody(phone, laptop, phone, laptop)
        with profile_in(folder / "guest") as guest:
            await create_set(guest, url, TEXTS["phone"], RecoveryKit.generate(ENTROPY))
            await _invited(phone, guest)
            await _everybody(guest, phone)
        await revoke(phone, {Book(laptop).replica.member})
        await forget(phone)
        await _everybody(phone)
    pause()
    await _recovered(folder, url, kit)


async def _everybody(*profiles: Profile) -> None:
    for profile in profiles:
        assert [each.error for each in await sync_all(profile) if each.error] == []


async def _by_hand(folder: Path) -> None:
    """What a person does on the command line: each step is synced."""
    home = ("--home", str(folder / "phone"))
    (folder / "in.vcf").write_text(VCARD, newline="")
    (folder / "photo.jpg").write_bytes(PHOTO)
    name, later = TEXTS["name"], TEXTS["later name"]
    for command in (
        ("import", str(folder / "in.vcf")), ("new", "--name", TEXTS["trashed"], "--phone", f"mobile={TEXTS['number']}"),
        ("edit", name, "--add-email", "old@example.org"), ("photo", "remove", name),
        ("photo", "set", name, str(folder / "photo.jpg")), ("labels", "add", TEXTS["label"], name),
        ("labels", "rename", TEXTS["label"], TEXTS["label"] + " too"), ("rm", "--yes", TEXTS["trashed"]),
        ("trash", "restore", TEXTS["trashed"]), ("rm", "--yes", TEXTS["trashed"]), ("new", "--name", later),
        ("merge", "--yes", TEXTS["name"], later), ("undo",), ("history",), ("verify", "--deep"), ("inspect",),
    ):
        code, _out, err = await trio.to_thread.run_sync(run_here, *home, *command)
        assert code == 0, (command, err)
        code, _out, err = await trio.to_thread.run_sync(run_here, *home, "sync")
        assert code == 0, err


async def _invited(host: Profile, guest: Profile) -> None:
    codes, words = trio.open_memory_channel[str](1), trio.open_memory_channel[str](1)

    async def ask(_device: str, _person: str) -> str:
        return await words[1].receive()

    async def agree(_offer: object) -> bool:
        return True

    def show(code: PairingCode) -> None:
        codes[0].send_nowait(code.text())

    async def come() -> None:
        await accept(guest, await codes[1].receive(), TEXTS["guest"], TEXTS["laptop"], decide=agree,
                     show_words=lambda each: words[0].send_nowait(" ".join(each)))

    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(come)
            await share(host, 1, Role.WRITER, TEXTS["person"], show_code=show, ask_words=ask)


async def _recovered(folder: Path, url: str, kit: RecoveryKit) -> None:
    """Everything is lost, and comes back by the kit."""
    with profile_in(folder / "new") as profile:
        async with open_kit(kit, url) as rescue:
            await rescue.restore(profile, TEXTS["laptop"], remove=set(rescue.devices()))
        assert TEXTS["name"] in [row.name for row in Book(profile).list()]
        await _everybody(profile)
