"""Rules of the protocol broken one by one in the model of `tests/laws`, where histories are random: a law must fail."""

from __future__ import annotations

from dataclasses import dataclass

from tests.laws.world import Rules, failures


@dataclass(frozen=True, slots=True)
class Broken:
    """A broken rule; whether the relay is `honest`, the law that fails (empty for any), how many histories show it."""

    name: str
    rules: Rules
    honest: bool
    law: str
    runs: int


BROKEN = [
    Broken("key erased on announcing", Rules(erase_on_announce=True), False, "locked out", 10),
    Broken("forget done on entering", Rules(forget_done="entered"), True, "archived box", 20),
    Broken("forget done two epochs past", Rules(forget_done="two past"), False, "archived box", 100),
    Broken("version vectors as changes", Rules(delta_vectors=True), True, "", 10),
    Broken("no whole life sent along", Rules(whole_lives="none"), False, "half a contact", 100),
    Broken("whole lives by contact", Rules(whole_lives="by contact"), False, "half a contact", 150),
    Broken("joined on entry, not replaced", Rules(replaced_on_entry=False), False, "", 40),
    Broken("nothing sent again", Rules(resent=False), False, "is lost", 10),
    Broken("entries that learn after they were written", Rules(frozen_entries=False), False, "is lost", 10),
]


def caught_by(broken: Broken) -> str | None:
    """The law that fails; None if the rule is broken and nothing shows."""
    found = failures(broken.rules, range(broken.runs), honest=broken.honest, enough=broken.law or "e")
    return next((failure for failure in found.values() if broken.law in failure), None)
