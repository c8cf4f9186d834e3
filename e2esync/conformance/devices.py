"""Devices as a conformance run moves them: this implementation behind the commands of SPEC appendix B.

The testee of the reference answers with these, and the runner's own devices, the partners of whoever is tested, are
these too. Each device is a profile in a temporary folder. What is wrong is raised as the library raises it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import trio

from e2esync.access.kit import RecoveryKit
from e2esync.client.book import Book
from e2esync.client.entropy import SystemEntropy
from e2esync.client.members import revoke, rotate
from e2esync.client.pairing import join, pair
from e2esync.client.profile import Profile
from e2esync.client.protection import Plain
from e2esync.client.recovery import open_kit
from e2esync.client.sync import create_set, sync
from e2esync.conformance.vectors.case import tagged, untagged
from e2esync.crypto import Secret
from e2esync.errors import E2esyncError, LocalProtocolError
from e2esync.replica.contacts import contact_id
from e2esync.replica.snapshots import digest

Output = dict[str, Any]
_HIDDEN: Final = ("origin", "blobs")


class Attempt:
    """A conversation that waits for a person: what it has to show, and what it is to be told."""

    def __init__(self) -> None:
        self.shown: trio.MemorySendChannel[Any]
        self.to_show: trio.MemoryReceiveChannel[Any]
        self.shown, self.to_show = trio.open_memory_channel(4)
        self.told: trio.MemorySendChannel[str]
        self.to_hear: trio.MemoryReceiveChannel[str]
        self.told, self.to_hear = trio.open_memory_channel(1)
        self.over = trio.Event()
        self.outcome: Any = None
        self.error: E2esyncError | None = None

    async def run(self, conversation: Callable[[], Awaitable[Any]]) -> None:
        """To its end, whatever that is."""
        try:
            self.outcome = await conversation()
        except E2esyncError as error:
            self.error = error
        finally:
            self.over.set()
            self.shown.close()

    async def next_shown(self) -> Any:
        """What it shows next. Raises what ended it before."""
        try:
            return await self.to_show.receive()
        except trio.EndOfChannel:
            await self.result()
            raise LocalProtocolError("the conversation has nothing more to show", "call `finish`") from None

    async def result(self) -> Any:
        """What came of it. Raises what ended it."""
        await self.over.wait()
        if self.error is not None:
            raise self.error
        return self.outcome


class Devices:
    """Devices by name. `tasks` runs the conversations that wait for somebody."""

    def __init__(self, folder: Path, tasks: trio.Nursery) -> None:
        self._folder = folder
        self._tasks = tasks
        self._profiles: dict[str, Profile] = {}
        self._attempts: dict[str, Attempt] = {}

    def close(self) -> None:
        """Close every profile."""
        for profile in self._profiles.values():
            profile.close()

    async def call(self, command: str, arguments: dict[str, Any]) -> Output:
        """Carry a command out. Raises an E2esyncError; KeyError for a command that there is not."""
        output: Output = await COMMANDS[command](self, **arguments)
        return output

    async def create(self, device: str, relay: str, seed: str, name: str) -> Output:
        """A new set at a relay, whose root is the kit of this seed."""
        kit = RecoveryKit(Secret(bytes.fromhex(seed)))
        replica = await create_set(self._new(device), relay, name, kit)
        return {"set_id": replica.set_id.hex(), "member": replica.member}

    async def pair(self, device: str) -> Output:
        """Show a code; `confirm` then goes on with the words that the other device shows."""
        profile, attempt = self._profiles[device], self._attempt(device)

        async def ask(_name: str) -> str:
            return await attempt.to_hear.receive()

        self._tasks.start_soon(attempt.run, lambda: pair(
            profile, show_code=lambda code: attempt.shown.send_nowait(code.text()), ask_words=ask))
        return {"code": await attempt.next_shown()}

    async def confirm(self, device: str, words: list[str]) -> Output:
        """The owner types the words; the newcomer is a member when this returns."""
        attempt = self._attempts.pop(device)
        await attempt.told.send(" ".join(words))
        member, _name = await attempt.result()
        return {"member": member}

    async def join(self, device: str, code: str, name: str) -> Output:
        """Answer a code; the words are to be shown. `finish` waits until this device is a member."""
        profile, attempt = self._new(device), self._attempt(device)
        self._tasks.start_soon(attempt.run, lambda: join(
            profile, code, name, show_words=attempt.shown.send_nowait))
        return {"words": list(await attempt.next_shown())}

    async def finish(self, device: str) -> Output:
        """Wait for the end of `join`: chain, snapshot and log are here."""
        replica = await self._attempts.pop(device).result()
        return {"member": replica.member}

    async def recover(self, device: str, relay: str, seed: str, name: str, remove: list[int]) -> Output:
        """Everything back by the kit alone, on a new device; these members are removed."""
        async with open_kit(RecoveryKit(Secret(bytes.fromhex(seed))), relay) as rescue:
            replica = await rescue.restore(self._new(device), name, remove=frozenset(remove))
        return {"member": replica.member}

    async def write(self, device: str, uid: str, registers: dict[str, Any]) -> Output:
        """Set registers of the contact with this uid; a null removes one."""
        book = self._book(device)
        book.write(contact_id(book.set_id, uid, 0), {path: untagged(value) for path, value in registers.items()})
        return {}

    async def delete(self, device: str, uid: str) -> Output:
        """Delete the contact with this uid."""
        book = self._book(device)
        book.remove([contact_id(book.set_id, uid, 0)])
        return {}

    async def sync(self, device: str) -> Output:
        """Bring the device and the relay to the same state."""
        result = await sync(self._profiles[device])
        return {"notices": [notice.code for notice in result.notices]}

    async def revoke(self, device: str, member: int) -> Output:
        """Remove a device."""
        await revoke(self._profiles[device], {member})
        return {}

    async def rotate(self, device: str) -> Output:
        """Begin a new epoch, and replace this device's keys."""
        await rotate(self._profiles[device])
        return {}

    async def contacts(self, device: str) -> Output:
        """What people see, by uid: registers, and the paths on which devices disagree."""
        book = self._book(device)
        shown, conflicts = {}, {}
        for row in book.list():
            registers = book.registers(row.contact)
            uid = str(registers["uid"])
            shown[uid] = {path: tagged(value) for path, value in registers.items()
                          if path.partition("/")[0] not in _HIDDEN}
            if lost := book.conflicts(row.contact):
                conflicts[uid] = sorted(lost)
        return {"contacts": shown, "conflicts": conflicts}

    async def state(self, device: str) -> Output:
        """Where the device stands."""
        replica = self._book(device).replica
        return {
            "set_id": replica.set_id.hex(), "member": replica.member, "epoch": replica.position.epoch,
            "position": replica.position.seq, "record_hash": replica.chain.head.hash.hex(),
            "digest": digest(replica.store).hex(),
            "members": sorted(replica.chain.members),
        }

    def _new(self, device: str) -> Profile:
        if device in self._profiles:
            raise LocalProtocolError(f"there is a device {device} already")
        profile = Profile.create(self._folder / f"device-{len(self._profiles)}", Plain(), entropy=SystemEntropy())
        self._profiles[device] = profile
        return profile

    def _book(self, device: str) -> Book:
        return Book(self._profiles[device])

    def _attempt(self, device: str) -> Attempt:
        attempt = self._attempts[device] = Attempt()
        return attempt


COMMANDS: Final[dict[str, Callable[..., Awaitable[Output]]]] = {
    method.__name__: method for method in (
        Devices.create, Devices.pair, Devices.confirm, Devices.join, Devices.finish, Devices.recover, Devices.write,
        Devices.delete, Devices.sync, Devices.revoke, Devices.rotate, Devices.contacts, Devices.state,
    )
}
