"""Level L4: the testee as a device among devices, through an honest relay (SPEC 9, 12, 14)."""

from __future__ import annotations

from functools import partial
from typing import Final

from e2esync.conformance.protocol import Level
from e2esync.conformance.stage import (
    Disagreement,
    Side,
    Stage,
    agree,
    both_sync,
    check,
    contact,
    pair,
    scenario,
)

_MANY: Final = 1500


async def _found(stage: Stage) -> None:
    """The testee makes a set; a device of the reference joins by its code."""
    await _meet(stage, stage.testee, "a", stage.partner, "b")
    await both_sync(stage, (stage.testee, "a"), (stage.partner, "b"))


async def _joined(stage: Stage) -> None:
    """A device of the reference makes a set with one contact; the testee joins by its code."""
    await _meet(stage, stage.partner, "b", stage.testee, "a")
    await both_sync(stage, (stage.testee, "a"), (stage.partner, "b"))


async def _meet(stage: Stage, founder: Side, old: str, newcomer: Side, new: str) -> None:
    """One side makes a set with one contact; the other one's device joins by its code."""
    device = stage.device(old)
    await founder.do("create", device, relay=stage.relay, seed=stage.seed, name=old)
    await founder.do("write", device, uid="grace", registers=contact("grace", name="Grace Example"))
    await founder.do("sync", device)
    await pair(stage, founder, old, newcomer, new)


async def founding(stage: Stage) -> None:
    await _found(stage)
    shown = await agree(stage, (stage.testee, "a"), (stage.partner, "b"))
    check(set(shown["contacts"]) == {"grace"}, "the contact that was written first is not there")


async def joining(stage: Stage) -> None:
    await _joined(stage)
    shown = await agree(stage, (stage.testee, "a"), (stage.partner, "b"))
    check(set(shown["contacts"]) == {"grace"}, "the contact that was written first is not there")


async def both_ways(stage: Stage) -> None:
    await _joined(stage)
    for number in range(5):
        for side, device in ((stage.testee, "a"), (stage.partner, "b")):
            uid = f"{side.name}-{number}"
            await side.do("write", stage.device(device), uid=uid, registers=contact(uid))
    await both_sync(stage, (stage.testee, "a"), (stage.partner, "b"))
    shown = await agree(stage, (stage.testee, "a"), (stage.partner, "b"))
    check(len(shown["contacts"]) == 11, f"{len(shown['contacts'])} contacts are shown, not 11")


async def conflict(stage: Stage) -> None:
    await _joined(stage)
    for side, device, note in ((stage.testee, "a", "one"), (stage.partner, "b", "two")):
        await side.do("write", stage.device(device), uid="grace",
                      registers={"notes/n": {"map": [["note", {"text": note}]]}})
    await both_sync(stage, (stage.testee, "a"), (stage.partner, "b"))
    shown = await agree(stage, (stage.testee, "a"), (stage.partner, "b"))
    check(shown["conflicts"].get("grace") == ["notes/n"], "the value that lost is not listed as a conflict")
    winner = shown["contacts"]["grace"]["notes/n"]
    await stage.testee.do("write", stage.device("a"), uid="grace", registers={"notes/n": winner})
    await both_sync(stage, (stage.testee, "a"), (stage.partner, "b"))
    shown = await agree(stage, (stage.testee, "a"), (stage.partner, "b"))
    check(not shown["conflicts"], "a conflict that was resolved is still listed")


async def edit_beats_delete(stage: Stage) -> None:
    await _joined(stage)
    await stage.testee.do("delete", stage.device("a"), uid="grace")
    await stage.partner.do("write", stage.device("b"), uid="grace", registers={"titles/t": {"text": "Admiral"}})
    await both_sync(stage, (stage.testee, "a"), (stage.partner, "b"))
    shown = await agree(stage, (stage.testee, "a"), (stage.partner, "b"))
    back = shown["contacts"].get("grace", {})
    check({"name", "titles/t"} <= set(back), "an edit that a delete had not seen must bring the whole contact back")


async def deleting(stage: Stage) -> None:
    await _joined(stage)
    await stage.testee.do("delete", stage.device("a"), uid="grace")
    await both_sync(stage, (stage.testee, "a"), (stage.partner, "b"))
    shown = await agree(stage, (stage.testee, "a"), (stage.partner, "b"))
    check(not shown["contacts"], "a deleted contact is still shown")
    await stage.testee.do("write", stage.device("a"), uid="grace", registers=contact("grace", name="Grace Again"))
    await both_sync(stage, (stage.testee, "a"), (stage.partner, "b"))
    shown = await agree(stage, (stage.testee, "a"), (stage.partner, "b"))
    check(set(shown["contacts"]) == {"grace"}, "a contact that was made again is not shown")


async def rotation_by_partner(stage: Stage) -> None:
    await _joined(stage)
    await stage.partner.do("rotate", stage.device("b"))
    await stage.testee.do("write", stage.device("a"), uid="late", registers=contact("late"))
    await both_sync(stage, (stage.testee, "a"), (stage.partner, "b"))
    shown = await agree(stage, (stage.testee, "a"), (stage.partner, "b"))
    check("late" in shown["contacts"], "what was written after another device's rotation is lost")


async def rotation_by_testee(stage: Stage) -> None:
    await _joined(stage)
    before = await stage.partner.do("state", stage.device("b"))
    await stage.testee.do("rotate", stage.device("a"))
    await stage.partner.do("write", stage.device("b"), uid="late", registers=contact("late"))
    await both_sync(stage, (stage.testee, "a"), (stage.partner, "b"))
    shown = await agree(stage, (stage.testee, "a"), (stage.partner, "b"))
    after = await stage.partner.do("state", stage.device("b"))
    check(after["epoch"] > before["epoch"], "the testee's rotation opened no epoch")
    check("late" in shown["contacts"], "what was written beside the testee's rotation is lost")


async def revocation_by_testee(stage: Stage) -> None:
    await _found(stage)
    third = await pair(stage, stage.testee, "a", stage.partner, "c")
    await stage.testee.do("revoke", stage.device("a"), member=third)
    await stage.partner.refused(("DeviceRemoved",), "sync", stage.device("c"))
    await both_sync(stage, (stage.testee, "a"), (stage.partner, "b"))
    await agree(stage, (stage.testee, "a"), (stage.partner, "b"))


async def revocation_of_testee(stage: Stage) -> None:
    await _joined(stage)
    member = (await stage.testee.do("state", stage.device("a")))["member"]
    await stage.partner.do("revoke", stage.device("b"), member=member)
    await stage.testee.refused(("DeviceRemoved",), "sync", stage.device("a"))


async def sleeper(stage: Stage) -> None:
    await _joined(stage)
    await stage.testee.do("write", stage.device("a"), uid="grace", registers={"titles/t": {"text": "Admiral"}})
    await stage.testee.do("write", stage.device("a"), uid="asleep", registers=contact("asleep"))
    for number in range(3):
        await stage.partner.do("write", stage.device("b"), uid=f"awake-{number}", registers=contact(f"awake-{number}"))
        await stage.partner.do("rotate", stage.device("b"))
    await both_sync(stage, (stage.testee, "a"), (stage.partner, "b"))
    shown = await agree(stage, (stage.testee, "a"), (stage.partner, "b"))
    check({"asleep", "awake-0", "awake-2"} <= set(shown["contacts"]), "edits made while asleep are lost")
    check("titles/t" in shown["contacts"]["grace"], "an edit made while asleep is lost")


async def large_book(stage: Stage) -> None:
    testee, partner = stage.testee, stage.partner
    await partner.do("create", stage.device("b"), relay=stage.relay, seed=stage.seed, name="b")
    for number in range(_MANY):
        await partner.do("write", stage.device("b"), uid=f"n{number}", registers=contact(f"n{number}", name="x" * 200))
    await partner.do("sync", stage.device("b"))
    await partner.do("rotate", stage.device("b"))
    await pair(stage, partner, "b", testee, "a")
    await both_sync(stage, (testee, "a"), (partner, "b"))
    shown = await agree(stage, (testee, "a"), (partner, "b"))
    check(len(shown["contacts"]) == _MANY, "a book of several chunks did not arrive whole")


async def recovery_by_testee(stage: Stage) -> None:
    await _joined(stage)
    partner_member = (await stage.partner.do("state", stage.device("b")))["member"]
    await stage.testee.do("recover", stage.device("new"), relay=stage.relay, seed=stage.seed, name="new",
                          remove=[partner_member])
    await stage.partner.refused(("DeviceRemoved",), "sync", stage.device("b"))
    await both_sync(stage, (stage.testee, "new"), (stage.testee, "a"))
    shown = await agree(stage, (stage.testee, "new"), (stage.testee, "a"))
    check("grace" in shown["contacts"], "the recovered device lacks what the book held")


async def recovery_of_testees_set(stage: Stage) -> None:
    await _found(stage)
    await stage.partner.do("recover", stage.device("new"), relay=stage.relay, seed=stage.seed, name="new", remove=[])
    await both_sync(stage, (stage.testee, "a"), (stage.partner, "new"))
    await agree(stage, (stage.testee, "a"), (stage.partner, "new"))


async def wrong_words_to_testee(stage: Stage) -> None:
    await stage.testee.do("create", stage.device("a"), relay=stage.relay, seed=stage.seed, name="a")
    code = (await stage.testee.do("pair", stage.device("a")))["code"]
    words = (await stage.partner.do("join", stage.device("b"), code=code, name="b"))["words"]
    wrong = [words[1], words[0], words[2]] if words[0] != words[1] else ["zoo", "zoo", "abandon"]
    await stage.testee.refused(("PairingAborted",), "confirm", stage.device("a"), words=wrong)
    await stage.partner.refused(("PairingAborted",), "finish", stage.device("b"))
    state = await stage.testee.do("state", stage.device("a"))
    check(state["epoch"] == 0 and len(state["members"]) == 2, "a device was added although the words were wrong")


async def used_code(stage: Stage) -> None:
    await stage.partner.do("create", stage.device("b"), relay=stage.relay, seed=stage.seed, name="b")
    code = (await stage.partner.do("pair", stage.device("b")))["code"]
    words = (await stage.testee.do("join", stage.device("a"), code=code, name="a"))["words"]
    await stage.partner.do("confirm", stage.device("b"), words=words)
    await stage.testee.do("finish", stage.device("a"))
    try:
        await stage.testee.refused(("PairingAborted",), "join", stage.device("c"), code=code, name="c")
    except Disagreement as wrong:
        raise Disagreement("a pairing code that was used is good for a second device") from wrong


_sync = partial(scenario, Level.SYNC)

SCENARIOS: Final = (
    _sync("founding", founding, "9.1", "it makes a set, and another device joins by its code"),
    _sync("joining", joining, "12.2", "it joins by another device's code, and has the snapshot"),
    _sync("both-ways", both_ways, "14.1", "edits of both reach both"),
    _sync("conflict", conflict, "8.6", "two values for one field: one wins on both, the other is listed"),
    _sync("edit-beats-delete", edit_beats_delete, "8.5", "a delete beside an edit brings the whole contact back"),
    _sync("deleting", deleting, "8.5", "a contact is deleted, and made again"),
    _sync("rotation-by-partner", rotation_by_partner, "14.2", "an edit waits while another device opens an epoch"),
    _sync("rotation-by-testee", rotation_by_testee, "14.3", "it opens an epoch while another device writes"),
    _sync("revocation-by-testee", revocation_by_testee, "14.3", "it shuts a device out"),
    _sync("revocation-of-testee", revocation_of_testee, "14.2", "it is shut out, and says so"),
    _sync("sleeper", sleeper, "14.2", "it sleeps through three epochs with unsent edits, which all land"),
    _sync("large-book", large_book, "11.3", "a snapshot of many chunks"),
    _sync("recovery-by-testee", recovery_by_testee, "12.6", "the kit brings a book back, and removes a device"),
    _sync("recovery-of-testees-set", recovery_of_testees_set, "12.6", "its book is brought back with the kit"),
    _sync("wrong-words-to-testee", wrong_words_to_testee, "12.2 step 2", "wrong words end it on both sides"),
    _sync("used-code", used_code, "12.2 step 4", "a code is good for one attempt"),
)
