"""What attacks have in common: who is there, what a refusal means, and what happens without the countermeasure.

The *negative control* of a test is the same test with one check of the library removed: it must fail then, or it would
prove nothing. `attack(*controls)` makes one such run of each control, and a test says with `defences()` during what the
check is missing; `refused` does so by itself. Where there is nothing to remove, `attack(why=…)` says why;
`test_map.py` sees to it that each test has the one or the other. An attack runs at the three `MOMENTS`, or says with
`attack(moments=…)` why the moment changes nothing.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from e2esync.client.sync import go_online
from e2esync.contactset import decode_ops
from e2esync.crypto import SigningKey
from e2esync.crypto.aead import _encrypt
from e2esync.epoch.record import Change, ChangeRole, Flag, Record
from e2esync.epoch.roles import Role
from e2esync.errors import E2esyncError
from e2esync.limits import OPENINGS_INTERVAL, TAG
from e2esync.log.envelope import read_envelope
from e2esync.log.head import parse_head, sign_head
from e2esync.procedures.opening import announce, open_epoch, read_slots
from e2esync.procedures.syncing import sync as sync_procedure
from e2esync.replica.opening import Opening, prepare
from e2esync.session import messages as m
from e2esync.session.messages import Message, Side
from e2esync.stores.book import BookStore
from e2esync.testing import Device, Hook, Network, Wire
from tests.helpers.forger import Forger
from tests.helpers.virtual import virtual_time
from tests.saboteurs.removing import Saboteur, at_work, first, nothing

__all__ = ["FIRST", "FORGEABLE", "MOMENTS", "REASONS", "ROTATION", "STEADY", "TIMELESS", "Peer", "Weak", "attack",
           "defences", "first", "heals", "ignored", "keeping_all_but", "missing", "nothing", "opens", "prepared",
           "refused", "requests", "scene", "several", "show_record", "sponsor", "three", "two", "unauthenticated",
           "verdict"]

FIRST, STEADY, ROTATION = "first", "steady", "rotation"
MOMENTS = (pytest.param(FIRST, marks=pytest.mark.slow), STEADY, pytest.param(ROTATION, marks=pytest.mark.slow))


@dataclass(frozen=True, slots=True)
class Weak:
    """A check that is not there. `late`: something behind it still refuses, with another error, or later."""

    target: str
    instead: Callable[..., Any] = nothing
    late: bool = False
    alone: bool = False
    also: tuple[str | Weak, ...] = ()
    """Further checks of the same thing; those that are only named are replaced in the same way."""

    @property
    def targets(self) -> set[str]:
        """All that is missing."""
        return {self.target}.union(*({each} if isinstance(each, str) else each.targets for each in self.also))

    @property
    def name(self) -> str:
        """What its run is called."""
        return f"without {self.target.rpartition(':')[2]}"


CONTROLS: list[tuple[str, str, Weak]] = []
"""Every control: module and name of its test, and what is missing in it. `python -m tests.saboteurs` counts them."""

REASONS: dict[tuple[str, str], str] = {}
"""Module and name of the tests without a control, and why they have none."""

TIMELESS: dict[tuple[str, str], str] = {}
"""Module and name of the tests for which a moment means nothing, and why."""

_missing: list[Weak] = []


@contextmanager
def defences() -> Iterator[None]:
    """The library as it is, or in a control without its check."""
    with ExitStack() as gone:
        for one in missing():
            gone.enter_context(at_work(Saboteur(f"e2esync.{one.target}", "", (), one.instead, one.alone)))
        yield


def missing() -> list[Weak]:
    """What a control is without, one by one; nothing as the library is."""
    return [replace(weak, target=each) if isinstance(each, str) else each
            for weak in _missing[-1:] for each in (weak, *weak.also)]


def attack(*controls: Weak, why: str = "", moments: str = "") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A test that must pass, and must fail without each of these checks; `why` it has none, if it has none.

    `moments`: why it makes no difference when the attack happens, if it makes none.
    """
    def decorate(test: Callable[..., Any]) -> Callable[..., Any]:
        CONTROLS.extend((test.__module__, test.__name__, weak) for weak in controls)
        if why:
            REASONS[test.__module__, test.__name__] = why
        if moments:
            TIMELESS[test.__module__, test.__name__] = moments

        @functools.wraps(test)
        async def run(control: Weak | None, **given: Any) -> None:
            if control is None:
                await _call(test, given)
                return
            _missing.append(control)
            try:
                await _call(test, given)
            except (Exception, pytest.fail.Exception, BaseExceptionGroup) as failed:
                error = _innermost(failed)
                if isinstance(error, AssertionError | pytest.fail.Exception):
                    return
                if not isinstance(error, E2esyncError):
                    raise
                assert control.late, "something else refuses: this is not the only countermeasure"
                return
            finally:
                _missing.pop()
            pytest.fail("refused without the check as well: this test proves nothing about it")

        only = inspect.Parameter.KEYWORD_ONLY
        taken = [each.replace(kind=only) for each in inspect.signature(test).parameters.values()]
        run.__signature__ = inspect.Signature([*taken, inspect.Parameter("control", only)])  # type: ignore[attr-defined]
        ids = ["as it is", *(weak.name for weak in controls)]
        return virtual_time(pytest.mark.parametrize("control", [None, *controls], ids=ids)(run))
    return decorate


def _innermost(error: BaseException) -> BaseException:
    """What was raised, without the groups that nurseries made of it on its way."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


async def _call(test: Callable[..., Any], given: dict[str, Any]) -> None:
    result = test(**given)
    if inspect.isawaitable(result):
        await result


def unauthenticated(sealed: bytes, context: bytes, nonce: bytes, key: bytes) -> bytes:
    """XChaCha20 without the tag: what is sealed once more under the same key and nonce is open."""
    return _encrypt(sealed[:-TAG], context, nonce, key)[:-TAG]


FORGEABLE = Weak("crypto.aead:_decrypt", unauthenticated, also=(Weak("crypto.aead:check_commitment"),), late=True)
"""Ciphertexts that anybody may change, and that say nothing of their key and place."""


def keeping_all_but(name: str) -> Weak:
    """A device's store that does not take a note of this name."""
    put = BookStore.put

    def forgetful(store: BookStore, key: str, value: bytes) -> None:
        if key != name:
            put(store, key, value)
    return Weak("stores.book:BookStore.put", forgetful)


async def two(net: Network, moment: str = STEADY) -> tuple[Device, Device]:
    """A phone and a laptop with one contact.

    first: the laptop has just been paired, and has not synced since. steady: they are in step. rotation: the phone has
    just opened an epoch, which the laptop has not heard of.
    """
    phone = await net.begin("Phone")
    phone.add("Ada")
    await phone.sync()
    laptop = await net.pair(phone, "Laptop")
    if moment != FIRST:
        await net.settle()
    if moment == ROTATION:
        await phone.rotate()
    return phone, laptop


async def three(net: Network, moment: str = STEADY, name: str = "Tablet",
                role: Role = Role.OWNER) -> tuple[Device, Device, Device]:
    """A phone, a laptop at a moment as in `two`, and a third device that knows all there is, and means no good."""
    phone, laptop, (third,) = await several(net, moment, name, role=role)
    return phone, laptop, third


async def several(net: Network, moment: str, *names: str,
                  role: Role = Role.OWNER) -> tuple[Device, Device, list[Device]]:
    """As in `three`, with more than one of those that mean no good."""
    phone = await net.begin("Phone")
    phone.add("Ada")
    others = [await net.pair(phone, name) for name in names]
    await net.settle()
    if role is not Role.OWNER:
        await opens(phone, *(ChangeRole(other.replica.member, role) for other in others))
        await net.settle()
    laptop = await net.pair(phone, "Laptop")
    await net.settle(*((phone, *others) if moment == FIRST else ()))
    if moment == ROTATION:
        await phone.rotate()
        for other in others:
            await other.sync()
    return phone, laptop, others


async def scene(net: Network, moment: str = STEADY, *others: str) -> tuple[Device, ...]:
    """A phone with news that the relay has, and the laptop, with an edit of its own, about to read them.

    first: the laptop has just been paired. steady: in the middle of its life. rotation: the phone has just opened an
    epoch, and the news are in that. `others` were paired before the laptop, and have read the news.
    """
    phone = await net.begin("Phone")
    phone.add("Ada")
    await phone.sync()
    more = [await net.pair(phone, name) for name in others]
    laptop = await net.pair(phone, "Laptop")
    if moment != FIRST:
        await net.settle()
    if moment == ROTATION:
        await phone.rotate()
    for text in ("one", "two", "three"):
        phone.note("Ada", text)
        await phone.sync()
    laptop.add("Bob")
    for other in more:
        await other.sync()
    return phone, laptop, *more


async def sponsor(net: Network, moment: str = STEADY) -> Device:
    """A phone that is about to let somebody in.

    first: nobody else has ever been in. steady: it is in step with a laptop. rotation: it has just opened an epoch,
    which the laptop has not entered.
    """
    if moment != FIRST:
        return (await two(net, moment))[0]
    phone = await net.begin("Phone")
    phone.add("Ada")
    await phone.sync()
    return phone


async def refused(victim: Device, error: type[E2esyncError], *hooks: Hook, entered: bool = False) -> E2esyncError:
    """A sync under attack raises exactly this error and leaves everything as it was.

    `entered`: the truth that came before the lie, such as the beginning of an epoch, may have been taken.
    """
    before = victim.standing()
    with victim.net.relay.lying(*hooks) as lies, defences():
        with pytest.raises(error) as raised:
            await victim.sync()
        assert type(raised.value) is error
        assert lies.told or not hooks
    after = victim.standing()
    assert (after.shown, after.unsent) == (before.shown, before.unsent)
    assert entered or after == before
    return raised.value


async def heals(net: Network, *devices: Device) -> None:
    """With an honest relay everybody gets in step again, and every edit lands."""
    net.relay.honest()
    everybody = devices or tuple(net.devices)
    await net.settle(*everybody)
    assert len({device.digest() for device in everybody}) == 1
    for device in everybody:
        assert device.standing().unsent == []


async def ignored(*victims: Device, behind: Device | None = None) -> None:
    """A sync over what an attacker has put into the log: it takes its position, and changes nothing for anybody.

    Who is `behind` has true news to read as well, and comes out where the victims stand.
    """
    for victim in victims:
        before = victim.digest(), victim.store.vector(), victim.names()
        with defences():
            await victim.sync()
        assert (victim.digest(), victim.store.vector(), victim.names()) == before
    if behind:
        with defences():
            await behind.sync()
        assert behind.digest() == victims[0].digest()
        assert behind.store.vector() == victims[0].store.vector()


def verdict(victim: Device, envelope: bytes) -> str:
    """The code with which a member judges an envelope that has no effect; empty for one that has (SPEC 10.4)."""
    replica = victim.replica
    assert replica.key is not None
    try:
        decode_ops(read_envelope(replica.key, replica.chain, envelope).ops)
    except E2esyncError as error:
        return error.code
    return ""


async def opens(device: Device, *changes: Change) -> None:
    """Open an epoch with these changes, as the device's own code does."""
    device.net.clock.time += OPENINGS_INTERVAL
    with device.online():
        async with go_online(device.profile, entropy=device.entropy, now=device.now) as online:
            replica, link, run = online.replica, online.link, online.connection.run
            await run(sync_procedure(replica, link))
            await run(open_epoch(replica, link, lambda _replica: changes))
            await run(announce(replica, link))


async def prepared(device: Device, *changes: Change) -> Opening:
    """The opening that a device would make: for a peer to spoil before the relay gets it."""
    with device.online():
        async with go_online(device.profile, entropy=device.entropy, now=device.now) as online:
            await online.connection.run(sync_procedure(online.replica, online.link))
            slots = await online.connection.run(read_slots(online.replica, online.link))
    return prepare(device.replica, changes, slots, {}, device.now(), device.entropy, flags=Flag.NONE)


def requests(net: Network, device: Device, since: int = 0) -> list[tuple[str, int]]:
    """What the relay can observe of a device: which requests, in which order, of which size."""
    return [(seen.kind, seen.size) for seen in net.trace[since:]
            if (seen.device, seen.side) == (device.name, Side.CLIENT)]


def show_record(relay_key: SigningKey, set_id: bytes, *records: Record) -> list[Hook]:
    """Pretend that these records were opened: a relay may sign any head, and serve any chain."""
    last = records[-1]

    def head(message: Message, wire: Wire) -> Message:
        if not isinstance(message, m.Welcome) or not message.head:
            return message
        old = parse_head(message.head, message.signature)
        new = sign_head(relay_key, set_id, epoch=last.epoch, seq=0, log_hash=last.hash, record_hash=last.hash,
                        time=old.time, incarnation=old.incarnation, binding=wire.binding)
        return m.Welcome(new.body, new.signature)

    def chain(message: Message, _wire: Wire) -> Message:
        if isinstance(message, m.ChainPart) and not message.records:
            left = [record.raw for record in records if record.raw not in shown]
            shown.update(left)
            return replace(message, records=tuple(left))
        return message
    shown: set[bytes] = set()
    return [head, chain]


class Peer(Forger):
    """A member that deviates, with a device's real keys; what it writes goes into the log by the relay's favour."""

    def __init__(self, device: Device) -> None:
        super().__init__(device)  # type: ignore[arg-type]
        self.relay = device.net.relay
        self.member = self.replica.member

    def append_raw(self, envelope: bytes) -> None:
        """Put any bytes into the log that the relay's rules take."""
        answer = self.relay.inject(self.replica.set_id, self.member, m.Append(self.replica.position.epoch, envelope))
        assert isinstance(answer, m.Appended), answer

    def upload(self, *blobs: tuple[bytes, bytes]) -> list[bytes]:
        """Upload blobs; their ids."""
        for name, blob in blobs:
            self.relay.inject(self.replica.set_id, self.member, m.PutBlob(name, len(blob), 0, blob))
        return [name for name, _blob in blobs]
