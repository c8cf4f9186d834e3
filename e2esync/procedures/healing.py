"""Back to one history (SPEC 14.7): after a fork, a rollback, or a relay that came back from a backup.

The first sync that meets another history changes nothing and raises. The next one reads the open epoch's log from its
beginning and verifies it up to the relay's head before anything moves. If it does not hold this device's own log, what
it lacks is given back to the relay, envelope by envelope as it was, and the state is folded again from the epoch's
snapshot: the same entries, perhaps in another order, and every one of this device's own.
"""

from __future__ import annotations

from e2esync.epoch.chain import preferred, verify_chain
from e2esync.epoch.record import parse_record
from e2esync.epoch.roles import WRITERS
from e2esync.errors import E2esyncError, ForkDetected, Refused, RelayRestored, RemoteProtocolError, RollbackDetected
from e2esync.limits import NONCE
from e2esync.log.envelope import next_log_hash, seal_envelope
from e2esync.log.evidence import two_records
from e2esync.log.head import Head, ShortHead
from e2esync.procedures.reading import begin_again, read_on, read_records
from e2esync.procedures.steps import PIPELINE, Link, Procedure, ask
from e2esync.replica.core import Position, Replica
from e2esync.replica.giving_way import ASTRAY, astray_entries
from e2esync.replica.reading import check_head, check_welcome, is_other_life, keep_head
from e2esync.replica.sightings import CHAIN, DOUBT, RESTORED, doubt, fork_of, hash_at, is_doubted, kept_head
from e2esync.session.messages import Append, LogPart, Read
from e2esync.wire import encode

_SETTLED = ("nothing of yours is lost: this sync has given back what the relay lacked; if this goes on, take the book "
            "elsewhere: `e2esync relay move URL`")


def meet(replica: Replica, link: Link) -> Procedure[None]:
    """Judge the relay's head, and settle what was doubted before (SPEC 14.1, 14.7).

    Raises RollbackDetected or ForkDetected where another history is met for the first time.
    """
    restored = is_other_life(replica, link.head)
    if restored and link.head.epoch > replica.position.epoch:
        # The log that was closed may have gone on from the backup: the snapshot says what came of it.
        doubt(replica)
    try:
        check_welcome(replica, link.head)
    except RelayRestored as notice:
        if link.head.epoch != replica.position.epoch or link.head.record_hash != replica.chain.head.hash:
            raise
        link.notices.append(notice)
    except (RollbackDetected, ForkDetected) as notice:
        same_epoch = link.head.record_hash == replica.chain.head.hash
        if not is_doubted(replica) or not same_epoch:
            raise
        notice.hint = _SETTLED
        link.notices.append(notice)
    else:
        if link.head.epoch != replica.position.epoch or not (restored or is_doubted(replica)):
            return
    yield from read_again(replica, link)


def read_again(replica: Replica, link: Link) -> Procedure[None]:
    """Read the open epoch's log from its beginning, give back what it lacks, and begin again if it is another one."""
    store, position = replica.store, replica.position
    served, head = yield from read_whole(replica, link)
    own = [store.envelope(seq) or b"" for seq in range(1, position.seq + 1)]
    if is_other_life(replica, link.head):
        store.put(RESTORED, encode(position.epoch))
    if served[: len(own)] != own:
        _keep_evidence(replica, link, served, head)
        yield from _give_back(replica, [envelope for envelope in own if envelope not in set(served)])
        yield from begin_again(replica, link)
    with store.transaction():
        store.put("incarnation", encode(link.head.incarnation))
        store.drop(DOUBT)


def read_whole(replica: Replica, link: Link) -> Procedure[tuple[list[bytes], Head]]:
    """The whole log of the open epoch, verified against the relay's head. Raises ForkDetected if it is none."""
    epoch = replica.position.epoch
    envelopes: list[bytes] = []
    short: ShortHead | None = None
    while short is None or short.seq > len(envelopes):
        part = yield from ask(Read(epoch, len(envelopes) + 1), LogPart)
        if (part.epoch, part.start) != (epoch, len(envelopes) + 1) or not (part.envelopes or part.head):
            raise RemoteProtocolError("the relay answered with another part of the log than was asked for")
        envelopes += part.envelopes
        short = part.head
        if short is not None and short.seq > len(envelopes) and not part.envelopes:
            raise RemoteProtocolError(f"the relay's head is at {short.seq}, and its log ends at {len(envelopes)}")
    log_hash = replica.chain.head.hash
    for envelope in envelopes:
        log_hash = next_log_hash(log_hash, envelope)
    end = Position(epoch, len(envelopes), log_hash)
    return envelopes, check_head(replica, short, end, link.head.incarnation)


def _keep_evidence(replica: Replica, link: Link, served: list[bytes], head: Head) -> None:
    """A second log of this epoch, as the relay has signed it: say so, with both heads if it was its own lie."""
    mine = kept_head(replica)
    keep_head(replica, head)
    if is_other_life(replica, head):
        if not any(isinstance(notice, RelayRestored) for notice in link.notices):
            link.notices.append(RelayRestored("the relay came back from a backup; what it lacks is given back to it"))
        return
    if mine is None or mine.epoch != head.epoch:
        return
    if mine.seq <= head.seq:
        hashes = [replica.chain.head.hash]
        for envelope in served:
            hashes.append(next_log_hash(hashes[-1], envelope))
        evidence = fork_of(replica.set_id, mine, head, lambda seq: hashes[seq], lambda seq: served[seq - 1])
    else:
        evidence = fork_of(replica.set_id, mine, head, lambda seq: hash_at(replica, seq), replica.store.envelope)
    if evidence:
        # What the head alone gave away is said by this, with what came of it.
        link.notices[:] = [notice for notice in link.notices if not isinstance(notice, ForkDetected)]
        link.notices.append(ForkDetected(
            f"the relay showed this device two histories of epoch {head.epoch}; it has taken up the present one and "
            "sends its own changes again", _SETTLED, about="log", evidence=evidence))


def _give_back(replica: Replica, envelopes: list[bytes]) -> Procedure[None]:
    """Append envelopes as they were, whoever wrote them; one that the relay refuses its author has to send again."""
    if replica.chain.members[replica.member].role not in WRITERS or replica.frozen:
        return
    epoch = replica.position.epoch
    for start in range(0, len(envelopes), PIPELINE):
        answers = yield [Append(epoch, envelope) for envelope in envelopes[start : start + PIPELINE]]
        for answer in answers:
            if isinstance(answer, Refused) and answer.reason not in ("BlobMissing", "BadEnvelope"):
                raise answer


def give_back_entries(replica: Replica, link: Link) -> Procedure[None]:
    """Append others' entries that this device holds and the snapshot by which it came in lacks (SPEC 14.7 step 4).

    In new envelopes: what an author has signed is the same in every epoch. Their authors may send them too.
    """
    astray = astray_entries(replica)
    key, epoch = replica.key, replica.position.epoch
    if astray and key is not None:
        yield from _give_back(replica, [
            seal_envelope(key, replica.set_id, epoch, raw, link.entropy.draw("envelope nonce", NONCE), blobs)
            for raw, blobs in astray])
        yield from read_on(replica, link)
    replica.store.drop(ASTRAY)


def weigh(replica: Replica, met: ForkDetected) -> Procedure[ForkDetected]:
    """Two chains (SPEC 9.6): which records they part with, and whether the kit decides between them.

    Freezes this device unless its own branch wins: people have to settle it. What it returns is to be raised.
    """
    try:
        raws = yield from read_records(0)
        theirs = verify_chain(replica.set_id, raws)
    except E2esyncError:
        return met
    pairs = list(zip(replica.store.records(), raws, strict=False))
    parting = next((pair for pair in pairs if pair[0] != pair[1]), None)
    if parting is None:
        return met
    mine, other = map(parse_record, parting)
    # Who seeds cannot know what was opened since: that is nobody's lie (SPEC 10.8).
    evidence = b"" if mine.is_seed or other.is_seed else two_records(replica.set_id, mine.raw, other.raw)
    what = f"two records of epoch {mine.epoch} exist, by member {mine.opener} and by member {other.opener}"
    try:
        if preferred(mine, other, replica.chain, theirs) is mine:
            return ForkDetected(f"{what}; the recovery kit has signed the one that this device follows, and the relay "
                                "serves the other", "move the book: `e2esync relay move URL`", about=CHAIN,
                                evidence=evidence)
        verdict = "the recovery kit has signed the other one"
    except ForkDetected:
        verdict = "no recovery kit decides between them"
    replica.freeze(ForkDetected.code)
    return ForkDetected(f"{what}; {verdict}, and this device has stopped writing",
                        "agree which devices are right, then run `e2esync rejoin` on the others", about=CHAIN,
                        evidence=evidence)
