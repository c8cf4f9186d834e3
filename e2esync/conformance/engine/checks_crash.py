"""A check that kills: a process that writes through the engine dies at any point, again and again (SPEC 13.4, 13.5).

The child says on its standard output what was acknowledged to it. Whatever it said has to be in the store, once and in
its place; what it had not yet said may be there or not, but whole.
"""

from __future__ import annotations

import random
import subprocess
import sys
from hashlib import sha256

from e2esync.conformance.engine.stage import Broken, Stage, expect
from e2esync.epoch.boxes import list_hash
from e2esync.epoch.chain import verify_chain
from e2esync.epoch.record import parse_record
from e2esync.session import messages as m

ROUNDS = 6


def killed_at_any_point(stage: Stage) -> None:
    """13.4 step 7, 13.5 step 10: nothing acknowledged is lost, nothing is twice, no opening is half done."""
    stage.close()
    for _ in range(ROUNDS):
        set_id, acknowledged = _kill_a_writer(stage.url)
        stage.engine = stage.open_engine()
        stage.book.set_id = set_id
        _check(stage, acknowledged)
        stage.close()


def _kill_a_writer(url: str) -> tuple[bytes, list[str]]:
    """Lets a child write for a while, then kills it. Returns its set, and what was acknowledged to it."""
    with subprocess.Popen(
        [sys.executable, "-m", "e2esync.conformance.engine.child", url], stdout=subprocess.PIPE, text=True,
    ) as child:
        assert child.stdout is not None
        try:
            lines = [child.stdout.readline().strip() for _ in range(random.randint(8, 150))]
        finally:
            child.kill()
        lines += child.stdout.read().split("\n")[:-1]
    lines = [line.strip() for line in lines if line.strip()]
    if not lines:
        raise Broken("the process that was to write ended before it was killed")
    return bytes.fromhex(lines[0]), lines[1:]


def _check(stage: Stage, acknowledged: list[str]) -> None:
    chain = stage.ask(0, m.ReadChain(0))
    if not isinstance(chain, m.ChainPart):
        raise Broken(f"CHAIN was answered by {chain}")
    verify_chain(stage.book.set_id, chain.records)
    places: dict[str, int] = {}
    for epoch, raw in enumerate(chain.records):
        record = parse_record(raw)
        envelopes, head = stage.log(epoch)
        if epoch == len(chain.records) - 1:
            stage.check_log(envelopes, head, record.hash, epoch)
        else:
            after = parse_record(chain.records[epoch + 1])
            expect(after.closes_seq == len(envelopes), "a closed log does not end where the record closes it")
        for envelope in envelopes:
            name = sha256(envelope).hexdigest()
            expect(name not in places, "an envelope is in the log twice")
            places[name] = epoch
        box = stage.ask(0, m.ReadBox(epoch))
        expect(isinstance(box, m.BoxAnswer) and list_hash(box.box_list) == record.boxes, f"epoch {epoch} has no box")
        if epoch:
            have = stage.ask(0, m.Have((record.manifest,)))
            expect(bool(have.received[0]), f"epoch {epoch} has no manifest")
    for line in acknowledged:
        kind, _, value = line.partition(" ")
        if kind == "append":
            expect(value in places, "an acknowledged envelope is lost")
        elif kind == "open":
            expect(int(value) < len(chain.records), "an acknowledged opening is lost")


CHECKS = (killed_at_any_point,)
