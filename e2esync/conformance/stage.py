"""The stage of a scenario: a relay, the testee's devices, and the reference's own as their partners (SPEC appendix B).

A scenario asks both sides with the same words, so that what is right for one is right for the other. What a side
answers otherwise than it must is a `Disagreement`, which names the side and the step.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from e2esync.conformance.devices import Devices
from e2esync.conformance.process import Testee, TesteeCrashed, TesteeError, TesteeHung
from e2esync.conformance.protocol import Judged, Level, Verdict
from e2esync.errors import E2esyncError
from e2esync.testing import HostileRelay

Output = dict[str, Any]
Ask = Callable[..., Awaitable[Output]]


class Disagreement(Exception):
    """A side did otherwise than it must. The words say which, and what."""


class Refusal(Exception):
    """A side refused. `code` is that of SPEC 15, or of 13.8 where the relay said no."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code


class Skipped(Exception):
    """The testee does not do this."""


@dataclass(frozen=True, slots=True)
class Side:
    """The testee, or the reference."""

    name: str
    _ask: Ask

    async def do(self, command: str, device: str, **arguments: Any) -> Output:
        """Carry a command out on a device. Raises Refusal, or Skipped."""
        answer = await self._ask(command, device=device, **arguments)
        if answer["result"] == "skip":
            raise Skipped(str(answer.get("reason", "")))
        if answer["result"] == "invalid":
            raise Refusal(str(answer["error"]), str(answer.get("message", "")))
        output: Output = answer["output"]
        return output

    async def refused(self, codes: tuple[str, ...], command: str, device: str, **arguments: Any) -> None:
        """A command that must be refused with one of these codes. Raises Disagreement if it is not."""
        try:
            await self.do(command, device, **arguments)
        except Refusal as refusal:
            if refusal.code not in codes:
                raise Disagreement(f"{self.name}: {command} was refused with {refusal}, not {codes[0]}") from refusal
        else:
            raise Disagreement(f"{self.name}: {command} on {device} was accepted; it must be refused with {codes[0]}")


def testee_side(testee: Testee) -> Side:
    """The testee's process as a side."""
    return Side("testee", testee.ask)


def reference_side(devices: Devices) -> Side:
    """The reference's own devices as a side."""
    async def ask(command: str, **arguments: Any) -> Output:
        try:
            return {"result": "valid", "output": await devices.call(command, arguments)}
        except E2esyncError as error:
            code = getattr(error, "reason", "") or error.code
            return {"result": "invalid", "error": code, "message": error.message}
    return Side("reference", ask)


@dataclass(frozen=True, slots=True)
class Stage:
    """What a scenario is played on. `testee` and `partner` may be any two sides."""

    relay: str
    """The relay's URL."""
    testee: Side
    partner: Side
    label: str
    """Makes the names of this scenario's devices its own."""
    hostile: HostileRelay | None = None
    """What is behind the URL in level L5."""

    @property
    def liar(self) -> HostileRelay:
        """The relay of a scenario of L5."""
        assert self.hostile is not None
        return self.hostile

    @property
    def seed(self) -> str:
        """The seed of this scenario's recovery kit: one kit makes one set at a relay."""
        return hashlib.sha256(self.label.encode()).hexdigest()

    def device(self, name: str) -> str:
        """The name of a device of this scenario."""
        return f"{self.label}/{name}"


Play = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One play: its id, the section that it is about, and what it shows."""

    id: str
    level: Level
    spec: str
    comment: str
    play: Play


def scenario(level: Level, name: str, play: Play, spec: str, comment: str) -> Scenario:
    """A scenario of a level, whose id begins with what the level is about."""
    return Scenario(f"{level.name.lower()}::{name}", level, spec, comment, play)


async def play(scenario: Scenario, stage: Stage) -> Judged:
    """Play a scenario; its verdict."""
    verdict, reason = Verdict.PASS, ""
    try:
        await scenario.play(stage)
    except Skipped as skipped:
        verdict, reason = Verdict.SKIP, str(skipped)
    except (Disagreement, Refusal) as wrong:
        verdict, reason = Verdict.FAIL, str(wrong)
    except TesteeHung as hung:
        verdict, reason = Verdict.HANG, str(hung)
    except TesteeCrashed as crashed:
        verdict, reason = Verdict.CRASH, str(crashed)
    except TesteeError as error:
        verdict, reason = Verdict.FAIL, str(error)
    return Judged(scenario.id, scenario.level, scenario.spec, verdict, reason)


# What scenarios do again and again.

async def pair(stage: Stage, sponsor: Side, old: str, newcomer: Side, new: str) -> int:
    """One side's device adds the other's; its member index."""
    code = (await sponsor.do("pair", stage.device(old)))["code"]
    words = (await newcomer.do("join", stage.device(new), code=code, name=new))["words"]
    member = int((await sponsor.do("confirm", stage.device(old), words=words))["member"])
    told = int((await newcomer.do("finish", stage.device(new)))["member"])
    if told != member:
        raise Disagreement(f"{newcomer.name} is member {told} by its own account, {member} by the sponsor's")
    return member


async def both_sync(stage: Stage, *sides: tuple[Side, str]) -> None:
    """Sync all, twice: what the last one sends reaches the first."""
    for _round in range(2):
        for side, device in sides:
            await side.do("sync", stage.device(device))


async def agree(stage: Stage, *sides: tuple[Side, str]) -> Output:
    """All have the same state and show the same. Returns what they show. Raises Disagreement."""
    (first, device), *others = sides
    state, shown = await _seen(stage, first, device)
    for other, other_device in others:
        other_state, other_shown = await _seen(stage, other, other_device)
        for name in ("set_id", "epoch", "record_hash", "digest", "members"):
            if state[name] != other_state[name]:
                raise Disagreement(f"{first.name} and {other.name} differ in {name}: "
                                   f"{str(state[name])[:40]} and {str(other_state[name])[:40]}")
        if shown != other_shown:
            raise Disagreement(f"{first.name} and {other.name} have one digest and show different contacts")
    return shown


async def _seen(stage: Stage, side: Side, device: str) -> tuple[Output, Output]:
    return await side.do("state", stage.device(device)), await side.do("contacts", stage.device(device))


def check(holds: bool, otherwise: str) -> None:
    """Raises Disagreement unless something holds."""
    if not holds:
        raise Disagreement(otherwise)


def contact(uid: str, **registers: Any) -> Output:
    """Registers of a contact, tagged, as `write` takes them."""
    name = {"map": [["full", {"text": registers.pop("name", uid)}]]}
    return {"uid": {"text": uid}, "name": name, **{path: _tagged(value) for path, value in registers.items()}}


def _tagged(value: Any) -> Output:
    return value if isinstance(value, dict) else {"text": value}
