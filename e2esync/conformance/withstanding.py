"""Level L5: the testee as a device, through a relay that lies (SPEC 4, 14, 17).

Each scenario: both devices are in step and the testee has an edit that is not sent; the relay lies; the testee says so
with a code of SPEC 15, shows what it showed, and gets in step when the relay is honest again, its edit included.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final

from e2esync.conformance.hostile import name_of
from e2esync.conformance.protocol import Level
from e2esync.conformance.stage import (
    Disagreement,
    Play,
    Refusal,
    Side,
    Stage,
    agree,
    both_sync,
    check,
    contact,
    pair,
    scenario,
)
from e2esync.crypto import SigningKey
from e2esync.session import messages as m
from e2esync.testing import Hook, flip, mutate, substitute, truncate

Output = dict[str, Any]


async def _in_step(stage: Stage) -> str:
    """Two devices with one contact; the testee has written something that it has not sent. What the relay calls it."""
    await stage.partner.do("create", stage.device("b"), relay=stage.relay, seed=stage.seed, name="b")
    await stage.partner.do("write", stage.device("b"), uid="grace", registers=contact("grace"))
    await stage.partner.do("sync", stage.device("b"))
    member = await pair(stage, stage.partner, "b", stage.testee, "a")
    await both_sync(stage, (stage.testee, "a"), (stage.partner, "b"))
    return name_of(member)


async def _news(stage: Stage, *uids: str) -> None:
    """The reference's device writes, one entry for each."""
    for uid in uids:
        await stage.partner.do("write", stage.device("b"), uid=uid, registers=contact(uid))
        await stage.partner.do("sync", stage.device("b"))


async def _told(stage: Stage, *codes: str) -> None:
    """The testee's next sync is refused, or warns, with one of these codes."""
    try:
        notices = (await stage.testee.do("sync", stage.device("a"))).get("notices", [])
    except Refusal as refusal:
        check(refusal.code in codes, f"testee: a lie was refused with {refusal}, not {codes[0]}")
        return
    check(any(code in notices for code in codes), f"testee: a lie went unnoticed; it must say {codes[0]}")


async def _withstands(stage: Stage, lie: Callable[[], None], *codes: str) -> None:
    """The testee is lied to: it says so, and neither what it shows nor what it has to send changes."""
    await stage.testee.do("write", stage.device("a"), uid="mine", registers=contact("mine"))
    before = await _shown(stage.testee, stage)
    lie()
    await _told(stage, *codes)
    check(await _shown(stage.testee, stage) == before, "testee: what it shows has changed by a lie")


async def _shown(side: Side, stage: Stage) -> Output:
    return await side.do("contacts", stage.device("a"))


async def _heals(stage: Stage, *uids: str) -> None:
    """The relay is honest again: both get in step, and nothing is lost.

    Who has followed a false history may say so once more when it sees the true one.
    """
    stage.liar.honest()
    with suppress(Refusal):
        await stage.testee.do("sync", stage.device("a"))
    await both_sync(stage, (stage.testee, "a"), (stage.partner, "b"))
    shown = await agree(stage, (stage.testee, "a"), (stage.partner, "b"))
    missing = {"grace", "mine", *uids} - set(shown["contacts"])
    check(not missing, f"lost by a lie that is over: {sorted(missing)}")


def _lying(*hooks: Hook) -> Play:
    """A scenario in which messages to the testee are changed. Any refusal will do: what is wrong is not the point."""
    async def played(stage: Stage) -> None:
        await _in_step(stage)
        await _news(stage, "news")
        await _withstands(stage, lambda: stage.liar.hooks.extend(hooks), *_REFUSALS)
        await _heals(stage, "news")
    return played


_REFUSALS: Final = (
    "RemoteProtocolError", "AuthFailed", "ForkDetected", "RollbackDetected", "WithheldDetected", "ChainInvalid",
    "NonCanonical", "LimitExceeded", "SnapshotInvalid", "HandshakeFailed", "CommitMismatch", "EntryInvalid",
)
"""What a device may say of a message that is not what it must be: some lies look like others from where it stands."""


async def rollback(stage: Stage) -> None:
    await _in_step(stage)
    older, newest = stage.liar.moment(), stage.liar.main
    await _news(stage, "news")
    await stage.testee.do("sync", stage.device("a"))
    await _withstands(stage, lambda: stage.liar.rollback(older), "RollbackDetected")
    stage.liar.show(newest)
    await _heals(stage, "news")


async def fork(stage: Stage) -> None:
    name = await _in_step(stage)
    stage.liar.fork(name)
    await _news(stage, "theirs")
    await stage.testee.do("write", stage.device("a"), uid="ours", registers=contact("ours"))
    await stage.testee.do("sync", stage.device("a"))
    await _withstands(stage, lambda: stage.liar.show(stage.liar.main, name), "ForkDetected")
    await _heals(stage, "theirs", "ours")


async def withheld(stage: Stage) -> None:
    name = await _in_step(stage)
    await _news(stage, "first", "second")
    newest = stage.liar.main
    appends = [done for done in newest.journal if isinstance(done.change.request, m.Append)]

    def hide() -> None:
        stage.liar.withhold(lambda done: done == appends[-2], name)

    await _withstands(stage, hide, "WithheldDetected")
    stage.liar.show(newest)
    await _heals(stage, "first", "second")


async def restored(stage: Stage) -> None:
    await _in_step(stage)
    older = stage.liar.moment()
    await _news(stage, "news")
    await stage.testee.do("sync", stage.device("a"))
    await _withstands(stage, lambda: stage.liar.restore(older), "RelayRestored")
    await _heals(stage, "news")


async def emptied(stage: Stage) -> None:
    """A relay that has nothing may be told so, or given everything again: the device's own is not touched by it."""
    await _in_step(stage)
    await stage.testee.do("write", stage.device("a"), uid="mine", registers=contact("mine"))
    before, newest = await _shown(stage.testee, stage), stage.liar.main
    stage.liar.rollback(0)
    with suppress(Refusal):
        await stage.testee.do("sync", stage.device("a"))
    check(await _shown(stage.testee, stage) == before, "testee: what it shows has changed because a relay is empty")
    if len(stage.liar.main.journal) < 2:
        stage.liar.show(newest)
    await _heals(stage)


async def ghost_record(stage: Stage) -> None:
    await _in_step(stage)
    await stage.partner.do("rotate", stage.device("b"))

    def altered(part: Any) -> Any:
        return m.ChainPart((*part.records[:-1], flip(part.records[-1], 40))) if part.records else part

    await _withstands(stage, lambda: stage.liar.hooks.append(mutate(m.ChainPart, altered)), *_REFUSALS)
    await _heals(stage)


async def false_box(stage: Stage) -> None:
    await _in_step(stage)
    await stage.partner.do("rotate", stage.device("b"))

    def altered(answer: Any) -> Any:
        return m.BoxAnswer(answer.box_list, flip(answer.box, 20))

    await _withstands(stage, lambda: stage.liar.hooks.append(mutate(m.BoxAnswer, altered)), *_REFUSALS)
    await _heals(stage)


async def false_snapshot(stage: Stage) -> None:
    await _in_step(stage)

    def altered(part: Any) -> Any:
        return m.BlobPart(part.size, flip(part.part))

    hook = mutate(m.BlobPart, altered)
    stage.liar.hooks.append(hook)
    await stage.testee.refused(("SnapshotInvalid", "AuthFailed", "RemoteProtocolError"), "recover", stage.device("c"),
                               relay=stage.relay, seed=stage.seed, name="c", remove=[])
    stage.liar.hooks.remove(hook)
    await stage.testee.do("recover", stage.device("d"), relay=stage.relay, seed=stage.seed, name="d", remove=[])
    await both_sync(stage, (stage.testee, "d"), (stage.partner, "b"))
    await agree(stage, (stage.testee, "d"), (stage.partner, "b"))


async def pairing_altered(stage: Stage) -> None:
    await stage.partner.do("create", stage.device("b"), relay=stage.relay, seed=stage.seed, name="b")
    code = (await stage.partner.do("pair", stage.device("b")))["code"]

    def altered(push: Any) -> Any:
        return m.MailPush(push.n, flip(push.message))

    stage.liar.hooks.append(mutate(m.MailPush, altered))
    try:
        await stage.testee.refused(("PairingAborted",), "join", stage.device("a"), code=code, name="a")
    except Disagreement as wrong:
        raise Disagreement(f"a pairing whose messages were altered went on: {wrong}") from wrong


async def pairing_without_the_record(stage: Stage) -> None:
    await stage.partner.do("create", stage.device("b"), relay=stage.relay, seed=stage.seed, name="b")
    code = (await stage.partner.do("pair", stage.device("b")))["code"]
    words = (await stage.testee.do("join", stage.device("a"), code=code, name="a"))["words"]
    stage.liar.hooks.append(truncate(m.ChainPart, "records", -1, device=name_of(2)))
    await stage.partner.do("confirm", stage.device("b"), words=words)
    await stage.testee.refused(("PairingAborted",), "finish", stage.device("a"))


def _part(change: Callable[[bytes], bytes]) -> Hook:
    """Each envelope of a part of the log, changed."""
    return mutate(m.LogPart, lambda part: m.LogPart(
        part.epoch, part.start, tuple(change(each) for each in part.envelopes), part.head))


_withstand = partial(scenario, Level.WITHSTAND)

SCENARIOS: Final = (
    _withstand("rollback", rollback, "14.1", "an older state than it has seen"),
    _withstand("fork", fork, "14.1", "two devices are shown two histories, then one"),
    _withstand("withheld", withheld, "14.1", "an entry is left out, and the next one served"),
    _withstand("restored", restored, "14.1", "the relay comes back from a backup, and says so"),
    _withstand("emptied", emptied, "14.1", "the relay has lost everything"),
    _withstand("altered-envelope", _lying(_part(lambda raw: flip(raw))), "10.1", "one bit of each envelope"),
    _withstand("log-in-another-order", _lying(mutate(m.LogPart, lambda part: m.LogPart(
        part.epoch, part.start, part.envelopes[::-1] * 2, part.head))), "10.1", "envelopes twice, and backwards"),
    _withstand("unsigned-head", _lying(mutate(m.Welcome, lambda welcome: m.Welcome(
        welcome.head, flip(welcome.signature)))), "13.2 step 1", "a head that the relay did not sign"),
    _withstand("another-relay", _lying(substitute(SigningKey(bytes(range(32))).verify_key)), "13.2 step 1",
              "somebody else answers"),
    _withstand("garbage", _lying(mutate(m.LogPart, lambda _part: b"\xc1")), "13.1", "a frame that is none"),
    _withstand("answer-of-another-kind", _lying(mutate(m.LogPart, lambda _part: m.Pong())), "13.3",
              "an answer to something else"),
    _withstand("log-beyond-the-head", _lying(truncate(m.LogPart, "envelopes", 0)), "14.1",
              "less of the log than the head signs"),
    _withstand("ghost-record", ghost_record, "9.4", "a record that nobody signed"),
    _withstand("false-box", false_box, "9.5", "another box than the record lists"),
    _withstand("false-snapshot", false_snapshot, "11.1", "altered blobs at recovery"),
    _withstand("pairing-altered", pairing_altered, "12.2", "messages of the pairing are altered"),
    _withstand("pairing-without-the-record", pairing_without_the_record, "12.2 step 3",
              "the chain does not hold the record that adds the newcomer"),
)
