"""Appendix C of SPEC is what its generator writes, and the verifier that shares nothing with it accepts all of it."""

from pathlib import Path

import pytest

from e2esync.conformance.walkthrough import Sync, rewritten, text
from tests.interop.verifier import contacts, encoding, log, records, snapshots, suite

SPEC = (Path(__file__).parents[2] / "SPEC.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def sync() -> Sync:
    return Sync()


@pytest.fixture(scope="module")
def chain(sync: Sync) -> records.Chain:
    return records.verify_chain(sync.set_id, [sync.record])


def test_the_appendix_regenerates() -> None:
    """`python -m e2esync.conformance.walkthrough SPEC.md` writes it."""
    assert text() in SPEC
    assert rewritten(SPEC) == SPEC


def test_an_altered_or_missing_appendix_is_written_anew() -> None:
    made = text()
    assert rewritten(SPEC.replace("C.3 Entry", "C.3 entry")) == SPEC
    assert rewritten(SPEC.replace(made, "")) == SPEC


def test_record_and_box(sync: Sync, chain: records.Chain) -> None:
    assert chain.record.hash == sync.record_hash
    opened = records.open_own_box(sync.set_id, chain.record, 1, sync.box_list, sync.boxes[1], b"\x05" * 96, 0)
    assert opened == sync.secret
    records.check_boxes(chain, sync.box_list, sync.boxes)


def test_envelope_and_head(sync: Sync, chain: records.Chain) -> None:
    found = log.read_envelope(chain, records.epoch_key(sync.set_id, 0, sync.secret), sync.envelope)
    assert found.entry.id == sync.entry_id
    assert log.log_hash(sync.record_hash, [sync.envelope]) == sync.log_hash
    head = log.verify_head(sync.head, sync.head_signature, sync.set_id, chain.relay_key)
    assert (head.seq, head.log_hash) == (1, sync.log_hash)


def test_session(sync: Sync, chain: records.Chain) -> None:
    """The proof and the welcome are of this binding; the short head in READ's answer gives the whole one."""
    hello, challenge = encoding.decode(sync.hello), encoding.decode(sync.challenge)
    bound = encoding.encode([*hello[1:], *challenge[1:]])
    assert suite.H("TRANSCRIPT", bound) == sync.binding
    device = chain.members[1].verify_key
    suite.verify("SIGN_SESSION", sync.set_id, sync.binding, encoding.decode(sync.proof)[1], device)
    welcome = log.verify_head(*encoding.decode(sync.welcome)[1:], sync.set_id, chain.relay_key)
    assert (welcome.binding, welcome.seq, welcome.log_hash) == (sync.binding, 0, sync.record_hash)
    short = encoding.encode(encoding.decode(sync.answer)[4])
    whole = log.expand_short_head(short, 0, sync.log_hash, sync.record_hash, 1, sync.set_id, chain.relay_key)
    assert whole == sync.head


def test_snapshot(sync: Sync) -> None:
    run = encoding.decode(sync.manifest)[3][0]
    blobs = {snapshots.blob_id(blob): blob for blob in (sync.chunk_blob, sync.index_blob)}
    (found,) = snapshots.read_run(sync.set_id, run, blobs)
    assert found == (sync.contact, sync.state)
    assert contacts.contact_id(sync.set_id, "zoe", 0) == sync.contact
    assert contacts.digest(dict([found])) == sync.digest == encoding.decode(sync.manifest)[1]


def test_slot_and_evidence(sync: Sync, chain: records.Chain) -> None:
    records.check_announcement(chain, sync.announcement, b"")
    key = records.epoch_key(sync.set_id, 0, sync.secret)
    assert log.open_heartbeat(chain, key, 1, sync.heartbeat).vector == {1: 1}
    assert log.verify_evidence(sync.evidence, [sync.record]).kind == 2


def test_pairing(sync: Sync) -> None:
    key = suite.H("PAIRING_KEY", b"\0", key=sync.code_secret)
    padded = suite.unseal(key, b"e2e pairing" + sync.mailbox + b"\0", sync.pairing_message)
    assert suite.unpad(padded, 72) == sync.pairing
    assert suite.H("CODE_CHECK", sync.mailbox + sync.code_secret)[:2] == sync.code_check
