"""Every MUST of SPEC has a proof: a vector, an attack or a test that fails without it, or a reason why none can.

A row names the place (section and step), the words that follow, and the proofs: ids of `vectors/v1`, or `file::test`
below `tests/`. A rule that names no code of SPEC 15 or 13.8 says why in the last column.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final, NamedTuple

import pytest

HERE = Path(__file__).parent
SPEC = (HERE.parent / "SPEC.md").read_text(encoding="utf-8")
RULES = SPEC[SPEC.index("### 1.1 "):SPEC.index("## Appendix A.")]

ENCODER: Final = "an encoder's duty: the decoder's has the code"
PEOPLE: Final = "what a person sees"
KEEPS: Final = "it says what goes on, not what is refused"


class Row(NamedTuple):
    """One MUST: where it stands, its words, what proves it, and why it names no code."""

    place: str
    words: str
    proofs: tuple[str, ...]
    why: str = ""


ROWS = [
    Row("1.1 step 1", "refuse a HELLO of another version", ("session::relay::version-2",)),
    Row("1.1 step 2", "keep and skip", ("contactset::fold::unknown-operation",), KEEPS),
    Row("1.1 step 2", "keep; and `settings`", ("cards::flatten::whole",), KEEPS),
    Row("1.1 step 2", "ignore.", ("replica/test_own_object.py::test_names_that_are_none",), KEEPS),
    Row("1.1 step 2", "be refused.", ("epochs::parse_record::unknown-flag", "session::decode::unknown-type"),
        "each kind of object names its own code"),
    Row("1.1 step 3", "verify and enter", ("epochs::verify::every-change",), KEEPS),
    Row("5", "refuse any other.", ("epochs::parse_record::suite-2", "access::open_rescue::other-suite"),
        "each kind of object names its own code"),
    Row("5.1", "refuse to work", ("crypto/test_sealing.py::test_without_a_provider_there_is_no_suite",)),
    Row("5.1", "NOT appear in logs", ("crypto/test_secret.py::test_in_a_log",), "what is not said has no code"),
    Row("5.1", "be compared in", ("test_architecture.py::test_secrets_are_compared_in_constant_time",),
        "time is not seen in an answer"),
    Row("5.3", "be refused at enrolment", ("crypto::check_verify_key::mixed-order",)),
    Row("5.4 step 1", "refuse fewer than 72 bytes", ("crypto::open::71-bytes",)),
    Row("5.4 step 2", "compare the commitment first", ("crypto::open::commitment-first-bit",)),
    Row("5.4 step 3", "open the cipher", ("crypto::open::tag",)),
    Row("5.4", "refuse it", ("crypto::open::short-key",)),
    Row("5.5", "be", ("crypto::check_seal_public::small-order-zero",)),
    Row("5.5 step 1", "refuse another length", ("crypto::open_box::short",)),
    Row("5.5 step 2", "compare the commitment first", ("crypto::open_box::commitment",)),
    Row("5.5 step 3", "open the outer cipher", ("crypto::open_box::outer",)),
    Row("5.6", "be used", ("crypto::pad::full",), ENCODER),
    Row("5.6", "refuse any other padding", ("crypto::unpad::next-size",)),
    Row("5.7", "NOT read them", ("crypto::key_from_passphrase::plain",), "constants have no other value to refuse"),
    Row("6.1", "write: integers", ("encoding::encode::key-order",), ENCODER),
    Row("6.2 step 1", "refuse more bytes", ("encoding::decode::over-the-limit-and-malformed",)),
    Row("6.2 step 2", "refuse anything but", ("encoding::decode::trailing-byte",)),
    Row("6.2 step 3", "refuse nesting", ("encoding::decode::seven-lists",)),
    Row("6.2 step 4", "refuse a second spelling", ("encoding::decode::unsorted-keys",)),
    Row("6.4", "refuse another number", ("epochs::parse_record::13-fields",)),
    Row("7.1", "refuse (`BadCard`)", ("cards::flatten::too-large", "cards::size::one-above")),
    Row("7.1", "keep members", ("cards::flatten::whole",), KEEPS),
    Row("7.5", "show both as one thing", ("card/test_labels.py::test_three_worlds_are_one",), PEOPLE),
    Row("7.5", "keep members", ("card/test_labels.py::test_removing_renaming_and_deleting_work_in_all_worlds_at_once",),
        KEEPS),
    Row("8.3", "fit 512 KiB", ("contactset::check_state::too-large-once-deleted", "contactset::fold::too-large")),
    Row("8.3", "refuse a packed state", ("contactset::check_state::no-lives",)),
    Row("8.4", "NOT set a life", ("contactset::fold::set-after-delete",), "the fold of one that does is defined"),
    Row("8.8", "mark", ("access/test_lookalike.py::test_what_looks_alike",), PEOPLE),
    Row("8.8", "NOT refuse a name", ("access/test_lookalike.py::test_any_text_is_judged",), PEOPLE),
    Row("9.5", "take E only", ("epochs::open_own_box::other-box",)),
    Row("10.7", "verify under the relay's key", ("envelopes::open_heartbeat::head-by-another-relay",)),
    Row("10.8", "refuse with `EvidenceInvalid`", ("envelopes::verify_evidence::one-log",)),
    Row("10.9", "check it, in this order", ("epochs::check_deletion::other-record",)),
    Row("11.3", "be those of the chunks", ("snapshots::read_run::count-more",)),
    Row("11.3", "be a prefix", ("snapshots::plan_runs::kept",), ENCODER),
    Row("12.1", "refuse anything else", ("access::parse_code::one-digit",)),
    Row("12.2 step 1", "check that the commitment", ("access::sponsor::other-nonce",)),
    Row("12.2 step 2", "NOT open the epoch", ("access::sponsor::wrong-word",)),
    Row("12.2 step 3", "refuse (`PairingAborted`)",
        ("procedures/test_hostile_relay.py::test_s8_a_relay_that_ends_the_chain_before_the_newcomer",)),
    Row("12.3 step 2", "refuse (`PairingAborted`)", ("access::host::kit-not-proved",)),
    Row("12.3 step 3", "refuse (`PairingAborted`)",
        ("attacks/test_sharing.py::test_a61_an_invitation_into_another_book",)),
    Row("12.4", "erase the one-time key",
        ("replica/test_sharing.py::test_a_further_set_begins_with_a_root_that_hands_over",),
        "what is erased has no code"),
    Row("12.4", "take them in any order", ("access/test_kit.py::test_survives_editors",), KEEPS),
    Row("12.6 step 1", "refuse (`HandshakeFailed`)",
        ("client/test_recovery.py::test_a_key_is_found_where_it_is_a_member_only",)),
    Row("12.7 step 2", "have, at the position",
        ("procedures/test_past.py::test_a_log_that_is_not_the_one_is_refused",)),
    Row("12.9 step 1", "NOT follow by itself",
        ("client/test_moving.py::test_who_has_not_been_told_of_a_move_follows_none",)),
    Row("13.2 step 1", "refuse a relay key", ("session::client::other-relay-key",)),
    Row("13.2 step 2", "answer a set or member", ("session::relay::unknown-set", "session::relay::unknown-member")),
    Row("13.2 step 4", "say in which epoch", ("session::relay::former-chain",)),
    Row("13.2 step 4", "then serve it CHAIN", ("session::relay::former-chain", "session::relay::former-blob")),
    Row("13.2 step 4", "believe nothing but", ("session::client::farewell-by-another",), "14.12 has the code"),
    Row("13.2 step 5", "NOT hold more",
        ("session::relay::hello-4097", "attacks/test_strangers.py::test_a46_unended_frames")),
    Row("13.2 step 6", "stay within", ("attacks/test_strangers.py::test_a46_a_crowd_of_visitors",)),
    Row("13.7", "take once", ("access::sponsor::each-message-twice", "access::joiner::each-message-twice"), KEEPS),
    Row("13.10 step 1", "refuse (`NotMember`)", ("session::relay::find-replayed",)),
    Row("13.11", "NOT be sent", ("session::client::request-before-proof", "session::relay::request-first")),
    Row("13.11", "first send the answers",
        ("session/test_relay.py::test_a_broken_frame_does_not_overtake_earlier_answers",)),
    Row("13.12 step 1", "be one that this relay's key",
        ("procedures/test_seeding.py::test_a_head_that_the_relay_has_not_signed_shows_nothing",)),
    Row("13.12 step 5", "follow a chain",
        ("procedures/test_seeding.py::test_a_seed_without_the_record_that_was_shown_is_not_the_end",)),
    Row("13.14 step 4", "end the set for everybody",
        ("stores/test_relay_deletion.py::test_a_large_set_is_gone_at_once_and_erased_in_pieces",)),
    Row("13.14 step 4", "be erased",
        ("stores/test_relay_deletion.py::test_every_table_of_a_set_but_its_chain_is_emptied",)),
    Row("14.2 step 5", "be the manifest's",
        ("replica/test_entering.py::test_a_snapshot_that_does_not_come_to_its_digest_is_not_entered",)),
    Row("14.4 step 5", "name the devices",
        ("replica/test_forgetting.py::test_s5_a_sleeper_is_not_done_before_it_was_sealed_to_a_fresh_key",),
        PEOPLE),
    Row("14.4 step 5", "NOT call it complete",
        ("replica/test_forgetting.py::test_it_is_complete_when_all_have_said_so",), PEOPLE),
    Row("14.5 step 1", "NOT: it writes its seat",
        ("client/test_moving.py::test_further_books_stay_open_to_who_has_moved",), KEEPS),
    Row("14.6 step 3", "read on",
        ("procedures/test_syncing.py::test_who_is_behind_a_heartbeat_reads_on_before_it_says_so",), KEEPS),
    Row("14.6 step 5", "NOT call a device",
        ("client/test_sync.py::test_a_device_that_was_not_heard_is_not_in_step",), PEOPLE),
    Row("14.7 step 7", "NOT (step 6)",
        ("procedures/test_giving_way.py::test_a_branch_that_lacks_what_the_seed_began_from_is_a_fork",),
        "step 6 has the code"),
    Row("14.12", "still close the door",
        ("procedures/test_syncing.py::test_whoever_syncs_next_closes_the_door_behind_a_device_that_leaves",),
        KEEPS),
    Row("14.13", "refuse a file", ("access::open_rescue::goes-on", "access::open_rescue::cut-in-part")),
    Row("14.15 step 2", "NOT believe it", ("replica/test_deletion.py::test_what_does_not_hold_is_not_kept",)),
    Row("17.1", "leave no trace",
        ("replica/test_reading.py::test_a_fold_that_fails_leaves_no_trace",
         "laws/test_merge.py::test_liars_raise_nothing_else_and_leave_no_trace_when_refused"), KEEPS),
    Row("17.1", "NOT report", ("attacks/test_bytes.py::test_a21_no_oracle",), "what is not said has no code"),
]


def found() -> list[tuple[str, str, str]]:
    """(place, what follows the MUST, its line and the next) of every MUST in the rules."""
    musts, section = [], ""
    lines = RULES.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if heading := re.match(r"#+ (\d+(?:\.\d+)?)", line):
            section = heading[1]
        step = re.match(r"\s*(\d+)\. ", line)
        place = section + (f" step {step[1]}" if step else "")
        musts += [(place, line[match.end() :].strip() or following, f"{line} {following}")
                  for match in re.finditer(r"\bMUST\b", line)]
    return musts


MUSTS = found()
VECTORS = {case["id"] for path in (HERE.parent / "vectors" / "v1").glob("*.json")
           for case in json.loads(path.read_text(encoding="utf-8"))["cases"]}


def test_every_must_has_one_row_in_its_order() -> None:
    assert [(row.place, row.words) for row in ROWS] == [
        (place, row.words if words.startswith(row.words) else words)
        for (place, words, _line), row in zip(MUSTS, ROWS, strict=False)]
    assert len(MUSTS) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.place}: {row.words}" for row in ROWS])
def test_its_proofs_are_there(row: Row) -> None:
    assert row.proofs
    for proof in row.proofs:
        path, _colons, name = proof.partition("::")
        if path.endswith(".py"):
            text = (HERE / path).read_text(encoding="utf-8")
            assert re.search(rf"^ *(?:async )?def {re.escape(name)}\(", text, re.MULTILINE), proof
        else:
            assert proof in VECTORS, proof


def test_a_rule_without_a_code_says_why() -> None:
    codes = re.findall(r"^\| `([A-Za-z]+)`", SPEC, re.MULTILINE)
    for (place, words, line), row in zip(MUSTS, ROWS, strict=True):
        named = [code for code in codes if f"`{code}`" in line]
        assert named or row.why, f"{place}: MUST {words[:60]} names no code"
