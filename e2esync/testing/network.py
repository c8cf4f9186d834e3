"""A network in memory: devices, one relay, and between them wires that delay, lose, repeat, reorder and part.

    async with Network(seed="tuesday") as net:
        phone = await net.begin("Phone")
        laptop = await net.pair(phone, "Laptop")
        phone.add("Ada"); await phone.sync(); await laptop.sync()

The devices are real clients (`e2esync.client`) with real profiles in a temporary folder; the relay is `HostileRelay`,
honest until a test says otherwise. Run it under trio's autojump clock, then hours of waiting take no time:
`pytest-trio` has it as the fixture `autojump_clock`.

Keys, data and what each device asks for follow from the seed; which of two tasks runs first is trio's choice.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final

import trio

from e2esync.access.code import PairingCode
from e2esync.access.kit import RecoveryKit
from e2esync.client.pairing import join, pair
from e2esync.client.recovery import open_kit
from e2esync.client.sync import create_set
from e2esync.errors import Unreachable
from e2esync.testing.clock import Clock
from e2esync.testing.device import Device
from e2esync.testing.entropy import SeededEntropy
from e2esync.testing.relay import HostileRelay
from e2esync.testing.wire import Seen, Wire
from e2esync.transports.address import dialing
from e2esync.transports.base import CountingTransport

URL: Final = "ws://relay.test:80"
"""Where the relay is. No name is looked up and nothing leaves the process."""


class Conditions:
    """How the network is today. Probabilities are per frame; a frame that is lost is never sent again."""

    def __init__(self, seed: str) -> None:
        self.latency = 0.0
        self.lose = 0.0
        self.duplicate = 0.0
        self.reorder = 0.0
        self._random = random.Random(seed)
        self._parted: dict[str, bool] = {}
        self._left: dict[str, int] = {}
        self._held: dict[Wire, bytes] = {}

    def part(self, device: str, *, silent: bool = False) -> None:
        """Cut a device off. `silent`: its connections stay open, and nothing comes through."""
        self._parted[device] = silent

    def rejoin(self, device: str) -> None:
        """Let a device back in."""
        self._parted.pop(device, None)

    def cut_after(self, device: str, frames: int) -> None:
        """Break this device's connection when so many frames have gone through, both directions together."""
        self._left[device] = frames

    def reaches(self, device: str) -> bool:
        """Whether a connection can be made."""
        return self._parted.get(device, True)

    async def pass_on(self, wire: Wire, frame: bytes) -> Sequence[bytes]:
        """What comes out for a frame that goes in. Raises Unreachable where the wire breaks."""
        if self._parted.get(wire.device) is False or self._spent(wire.device):
            raise Unreachable("the cable was pulled")
        if wire.device in self._parted or self._chance(self.lose):
            return ()
        if self.latency:
            await trio.sleep(self.latency)
        frames = [frame, frame] if self._chance(self.duplicate) else [frame]
        if wire in self._held:
            frames.append(self._held.pop(wire))
        elif self._chance(self.reorder):
            self._held[wire] = frames.pop()
        return frames

    def _chance(self, probability: float) -> bool:
        return probability > 0 and self._random.random() < probability

    def _spent(self, device: str) -> bool:
        if device not in self._left:
            return False
        self._left[device] -= 1
        if self._left[device] >= 0:
            return False
        del self._left[device]
        return True


class Network:
    """Use it with `async with`. `trace` is every frame that went past the relay's door."""

    def __init__(self, seed: str = "network", folder: Path | None = None) -> None:
        self.url = URL
        self.seed = seed
        self.entropy = SeededEntropy(seed)
        self.conditions = Conditions(seed)
        self.trace: list[Seen] = []
        self.devices: list[Device] = []
        self.raised: list[BaseException] = []
        """What the two sides of the last `meet` raised, the joining one's first."""
        self.kit = RecoveryKit.generate(self.entropy)
        self._temporary = None if folder else tempfile.TemporaryDirectory(prefix="e2esync-")
        self.folder = folder or Path(self._temporary.name if self._temporary else "")
        self._manager = trio.open_nursery()

    async def __aenter__(self) -> Network:
        self._nursery = await self._manager.__aenter__()
        self.clock = Clock(trio.current_time)
        self.relay = HostileRelay(self.folder, self.clock, self.seed, self._nursery)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        traceback: TracebackType | None) -> bool | None:
        self._nursery.cancel_scope.cancel()
        try:
            return await self._manager.__aexit__(kind, error, traceback)
        finally:
            for device in self.devices:
                device.profile.close()
            self.relay.close()
            if self._temporary:
                self._temporary.cleanup()

    # Connections.

    async def dial(self, device: str, _url: str) -> CountingTransport:
        """A connection of a device to the relay. Raises Unreachable where it is parted from it."""
        if not self.conditions.reaches(device):
            raise Unreachable("there is no network here")
        wire = Wire(device, self.conditions, self.relay.hooks, self.trace)
        self._nursery.start_soon(self.relay.serve, wire)
        return wire.client

    @contextmanager
    def dialing(self, device: str) -> Iterator[None]:
        """Have the client code in this block connect through this network, as the device of that name."""
        with dialing(partial(self.dial, device)):
            yield

    # Devices.

    def device(self, name: str) -> Device:
        """A device with an empty profile."""
        device = Device.create(self, name)
        self.devices.append(device)
        return device

    async def begin(self, name: str = "Phone", kit: RecoveryKit | None = None) -> Device:
        """Make a book with its first device."""
        device = self.device(name)
        with self.dialing(name):
            await create_set(device.profile, self.url, name, kit or self.kit, entropy=device.entropy, now=device.now)
        return device

    async def pair(self, sponsor: Device, name: str, *, type_words: Callable[[str], str] = str) -> Device:
        """Add a device: `pair` on the sponsor and `join` on the new one, at once; the words are typed as shown."""
        device = self.device(name)
        await self.meet(sponsor, device, type_words=type_words)
        return device

    async def meet(self, sponsor: Device, device: Device, *, type_words: Callable[[str], str] = str,
                   change_code: Callable[[str], str] = str) -> None:
        """The pairing of two devices. Raises what either side raises; the joining one's if both do."""
        codes, words = trio.open_memory_channel[str](1), trio.open_memory_channel[str](1)
        raised: list[BaseException] = []

        async def arrive() -> None:
            try:
                with self.dialing(device.name):
                    await join(device.profile, change_code(await codes[1].receive()), device.name,
                               show_words=lambda shown: words[0].send_nowait(" ".join(shown)),
                               entropy=device.entropy, now=device.now)
            except Exception as error:
                raised.insert(0, error)

        async def ask(_name: str) -> str:
            return type_words(await words[1].receive())

        def show(code: PairingCode) -> None:
            codes[0].send_nowait(code.text())

        async def sponsors(scope: trio.CancelScope) -> None:
            try:
                with self.dialing(sponsor.name):
                    await pair(sponsor.profile, show_code=show, ask_words=ask, entropy=sponsor.entropy,
                               now=sponsor.now)
            except Exception as error:
                raised.append(error)
                if codes[1].statistics().tasks_waiting_receive:
                    scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(arrive)
            nursery.start_soon(sponsors, nursery.cancel_scope)
        self.raised = raised
        if raised:
            raise raised[0]

    async def recover(self, name: str, *remove: Device) -> Device:
        """A new device by the kit alone, which removes these."""
        device = self.device(name)
        gone = {other.replica.member for other in remove}
        with self.dialing(name):
            async with open_kit(self.kit, self.url, entropy=device.entropy, now=device.now) as rescue:
                await rescue.restore(device.profile, name, remove=gone)
        return device

    async def settle(self, *devices: Device) -> None:
        """Sync devices until nothing moves any more."""
        for _round in range(8):
            done = [await device.sync() for device in devices or tuple(self.devices)]
            if not any(each.received or each.sent or each.opened for each in done):
                return
