"""The relay's rules on deletions (SPEC 13.14): who may say the word, when it takes effect, and when it is void.

Pure, as `rules` is. Time is the relay's own: what a device's clock says only has to be near it, so that whoever reads
the word later can tell when it was said.
"""

from __future__ import annotations

from e2esync.epoch.chain import Chain
from e2esync.epoch.deletion import Act, Deletion, check_deletion, governs, is_at_once, parse_deletion
from e2esync.errors import E2esyncError
from e2esync.limits import DELETION_CLOCK, DELETION_DELAY
from e2esync.session.kinds import Refusal
from e2esync.session.rules import Declined, SetView


def read_word(raw: bytes) -> Deletion:
    """SPEC 13.14 step 1, *malformed*: the word. Declined with BadDeletion."""
    try:
        return parse_deletion(raw)
    except E2esyncError as error:
        raise Declined(Refusal.BAD_DELETION, error.message) from error


def check_word(view: SetView, member: int, word: Deletion, relay_key: bytes, now: int) -> None:
    """SPEC 13.14 steps 1 and 2, for a word that is not the newest one again."""
    check_own_word(view, member, word)
    if word.epoch != view.epoch:
        raise Declined(Refusal.EPOCH_CLOSED, f"the word names epoch {word.epoch}, {view.epoch} is open", view.epoch)
    try:
        check_deletion(view.chain, word, relay_key)
    except E2esyncError as error:
        raise Declined(Refusal.BAD_DELETION, error.message) from error
    check_clock(word, now)
    check_turn(view, word)


def check_own_word(view: SetView, member: int, word: Deletion) -> None:
    """*A word that was seen once, replayed*: whoever brings it has proved that it is the one who says it."""
    if word.member != member:
        raise Declined(Refusal.BAD_DELETION, f"member {member} brings a word of member {word.member}")
    if not governs(view.chain, member):
        raise Declined(Refusal.NOT_ALLOWED, "only an owner, or the recovery kit that is the root, deletes a set")


def check_clock(word: Deletion, now: int) -> None:
    """*A word of last month*: it says when it was said, within a day, or nobody could tell when its time is over."""
    if abs(word.time - now) > DELETION_CLOCK:
        raise Declined(Refusal.BAD_DELETION, "the word was said at another time than now; check the device's clock")


def check_turn(view: SetView, word: Deletion) -> None:
    """*Replay, and a day that moves*: revisions rise; a deletion is asked for once, and cancelled while it waits.

    The root need not wait for anybody's.
    """
    last = parse_deletion(view.deletion).revision if view.deletion else 0
    if word.revision <= last:
        raise Declined(Refusal.BAD_DELETION, f"word {word.revision} comes after word {last}")
    if word.act is Act.KEEP and not view.due:
        raise Declined(Refusal.NOT_ALLOWED, "no deletion waits here that could be cancelled")
    if word.act is Act.DELETE and view.due and not is_at_once(view.chain, word.member):
        raise Declined(Refusal.NOT_ALLOWED, "a deletion waits here already; its day stays the same")


def due_of(view: SetView, word: Deletion, now: int) -> int:
    """When the set goes by this word: now for the root's, after 30 days for an owner's, 0 for never."""
    if word.act is Act.KEEP:
        return 0
    return now if is_at_once(view.chain, word.member) else now + DELETION_DELAY


def due_after(view: SetView, chain: Chain) -> int:
    """SPEC 13.14 step 3: when the set goes, once its chain is this one; a word of who governs no more is void."""
    if not view.due or view.gone:
        return view.due
    return view.due if governs(chain, parse_deletion(view.deletion).member) else 0


def due_without(view: SetView, epoch: int) -> int:
    """When the set goes, once its records from `epoch` on are gone: a word that was said in one of them is void."""
    return view.due if view.due and parse_deletion(view.deletion).epoch < epoch else 0
