"""`python -m tests.interop.verifier`: a testee (SPEC appendix B). With `evidence` or `log`: judges files.

    … evidence FILE [RECORD …]             what the file proves (SPEC 10.8); RECORDs where it brings no chain
    … log SET_ID BUNDLE                    a public chain, a log and the relay's heads, as one encoded array:
                                           [[record, …], [envelope, …], [[head body, signature], …]]
"""

import json
import sys
from pathlib import Path
from typing import Any

from . import encoding, log, records
from .errors import Refusal, require
from .operations import PERFORM
from .values import shown

HELLO = {"name": "verifier", "version": "1", "language": "Python"}


def testee() -> int:
    """One request a line, one answer a line."""
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps({"id": request["id"]} | _answer(request)), flush=True)
    return 0


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    if request["command"] == "hello":
        return {"result": "valid", "output": HELLO}
    perform = PERFORM.get(request.get("operation", ""))
    if perform is None:
        return {"result": "skip", "reason": "not an operation of a verifier"}
    draws = iter(request["entropy"])

    def draw(name: str) -> bytes:
        given = next(draws)
        require(given["name"] == name, "LocalProtocolError", f"the draw {name!r} is not the next")
        return bytes.fromhex(given["value"])

    try:
        return {"result": "valid", "output": shown(perform(request["input"], draw))}
    except Refusal as refusal:
        return {"result": "invalid", "error": refusal.code, "message": str(refusal)}


def judge_evidence(path: str, brought: list[str]) -> dict[str, Any]:
    found = log.verify_evidence(Path(path).read_bytes(), [Path(name).read_bytes() for name in brought])
    return {name: shown(getattr(found, name)) for name in ("kind", "epoch", "position", "member", "key")}


def judge_log(set_id: bytes, bundle: bytes) -> dict[str, Any]:
    """What anybody can check without a key: the chain, and that every head signs this very log."""
    chain_records, envelopes, heads = encoding.fields(encoding.decode(bundle, limit=64 << 20), 3)
    chain = records.verify_chain(set_id, [encoding.raw(record) for record in encoding.items(chain_records)])
    hashes = [chain.record.hash]
    for envelope in encoding.items(envelopes):
        hashes.append(log.log_hash(hashes[-1], [encoding.raw(envelope)]))
    for body, signature in (encoding.fields(head, 2) for head in encoding.items(heads)):
        head = log.verify_head(body, signature, set_id, chain.relay_key)
        require(head.epoch == chain.epoch and head.seq < len(hashes), "WithheldDetected", "a head beyond this log")
        same = head.log_hash == hashes[head.seq] and head.record_hash == chain.record.hash
        require(same, "ForkDetected", "a head of another log")
    return {"epoch": chain.epoch, "position": len(hashes) - 1, "log_hash": hashes[-1].hex()}


def main(arguments: list[str]) -> int:
    if not arguments:
        return testee()
    try:
        if arguments[0] == "evidence":
            found = judge_evidence(arguments[1], arguments[2:])
        else:
            found = judge_log(bytes.fromhex(arguments[1]), Path(arguments[2]).read_bytes())
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return 1
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
