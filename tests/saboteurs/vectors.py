"""References with one check removed, each of which the vectors must catch (SPEC 9 to 13).

A saboteur is caught by the first case that comes out otherwise; a case that is `valid` in the file must come out as it
says under nearly all of them, or the saboteur broke more than its check.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from tests.saboteurs.removing import Saboteur, at_work, first
from tests.vectors.replaying import cases_of, expected, layers, perform

VERIFY, PARSE = "epochs::verify", "epochs::parse_record"
BOX, RELAY_BOXES, SLOT = "epochs::open_own_box", "epochs::check_boxes", "epochs::check_announcement"
WORD, GONE = "epochs::check_deletion", "epochs::check_deleted"
ENTRY, ENVELOPE, HEAD = "envelopes::parse_entry", "envelopes::read_envelope", "envelopes::verify_head"
PROOF = "envelopes::verify_evidence"
SHORT, BEAT = "envelopes::short_head", "envelopes::open_heartbeat"
BLOB, MANIFEST, RUN = "snapshots::open_blob", "snapshots::open_manifest", "snapshots::read_run"
OPS, STATE, FOLD = "contactset::decode_ops", "contactset::check_state", "contactset::fold"
CARD = "cards::flatten"
CARD_SIZE = "cards::size"
SPONSOR, HOST = "access::sponsor", "access::host"
FOLLOW = "scenarios::follow"
CLIENT, RELAY, FRAME = "session::client", "session::relay", "session::decode"


def _chain(*checks: tuple[str, str], **options: Any) -> list[Saboteur]:
    return [Saboteur(f"e2esync.epoch.{name}", spec, (VERIFY,), **options) for name, spec in checks]


def _clamp(claimed: dict[int, int], _vector: Any, author: int, counter: int) -> dict[int, int]:
    return dict(claimed) | {author: counter - 1}


def _clamp_without_own(claimed: dict[int, int], vector: dict[int, int], *_: Any) -> dict[int, int]:
    return {member: min(count, vector.get(member, 0)) for member, count in claimed.items()}


def _counters(value: Any, _what: str) -> dict[int, int]:
    return dict(value)


def _lenient(table: str) -> Callable[[Any, str], None]:
    """A step of a client's session that goes on in its state where the table of states has no way."""
    def step(session: Any, what: str) -> None:
        ways = getattr(import_module("e2esync.session.client"), table)
        session.state = ways.get((session.state, what), session.state)
    return step


def _last_entries(value: Any) -> dict[int, Any]:
    last_entry = import_module("e2esync.snapshot.manifest").LastEntry
    return {member: last_entry(*last) for member, *last in value}


def _last_id(_ref: Any, items: Any, last: bytes) -> bytes:
    return bytes(items[-1][0]) if items else last


def _any_role(set_id: bytes, person: bytes, role: Any, verify_key: bytes, seal_key: bytes, possession: bytes) -> None:
    """Takes a kit's proof for a device too."""
    record = import_module("e2esync.epoch.record")
    try:
        message = record.possession_message(person, role, verify_key, seal_key)
        record.verify(record.Label.SIGN_POSSESSION, set_id, message, possession, verify_key)
    except record.AuthFailed:
        record.check_kit_proof(verify_key, seal_key, possession)


def _all_shown(packed: bytes) -> Any:
    """Also shows what is dead."""
    contactset = import_module("e2esync.contactset")
    lives = [contactset.Life(life.number, life.groups) for life in contactset.unpack(packed).lives]
    return import_module("e2esync.contactset.view").view(contactset.pack(contactset.Contact(lives)))


EPOCHS = [
    *_chain(
        ("chain:check_follows", "9.4 step 1"), ("chain:check_seed", "9.4 step 1"), ("chain:check_prev", "9.4 step 1"),
        ("chain:check_relay_change", "9.4 step 1"), ("chain:check_record_signature", "9.4 step 2"),
        ("chain:check_opener_rights", "9.4 step 3"), ("roster:check_may_add", "9.4 step 3"),
        ("roster:check_may_remove", "9.4 step 3"), ("roster:check_may_rekey", "9.4 step 3"),
        ("roster:check_may_change_role", "9.4 step 3"), ("roster:check_key_unused", "9.4 step 4"),
        ("roster:check_member_keys", "9.4 step 4"), ("roster:check_enrolment", "9.4 step 4"),
        ("record:check_possession", "9.4 step 4"), ("chain:check_one_root", "9.4 step 5"),
        ("chain:check_member_count", "9.4 step 5"), ("chain:check_numbers", "9.4 step 6"),
    ),
    *_chain(("chain:check_verify_key", "9.4 step 1"), ("roster:check_verify_key", "9.4 step 4"), alone=True),
    Saboteur("e2esync.epoch.chain:check_opener", "9.4 step 2", (VERIFY,),
             lambda chain, record: chain.all_members.get(record.opener, chain.root)),
    Saboteur("e2esync.epoch.roster:_acting", "9.4 step 3", (VERIFY,),
             lambda roster, opener: roster.all_members[opener]),
    Saboteur("e2esync.epoch.chain:check_genesis", "9.4", (VERIFY,), lambda record, _set_id: record.changes[0]),
    Saboteur("e2esync.epoch.chain:_founder", "9.4", (VERIFY,), first),
    Saboteur("e2esync.epoch.chain:preferred", "9.6", ("epochs::preferred",), first, shows=True),
    Saboteur("e2esync.epoch.record:check_suite", "9.4 step 1", (PARSE,)),
    Saboteur("e2esync.epoch.boxes:check_list_hash", "9.5", (BOX,)),
    Saboteur("e2esync.epoch.boxes:check_number", "9.5", (BOX,)),
    Saboteur("e2esync.epoch.boxes:check_box_hash", "9.5", (BOX,)),
    Saboteur("e2esync.epoch.boxes:check_commit", "9.5", (BOX,)),
    Saboteur("e2esync.epoch.boxes:check_boxes", "13.5 step 6", (RELAY_BOXES,)),
    Saboteur("e2esync.epoch.announcement:check_slot_owner", "10.6", (SLOT,),
             lambda chain, index: chain.all_members[index]),
    Saboteur("e2esync.epoch.announcement:verify", "10.6", (SLOT,), alone=True),
    Saboteur("e2esync.epoch.announcement:check_announced_number", "10.6", (SLOT,)),
    Saboteur("e2esync.epoch.announcement:check_request_epochs", "10.6", (SLOT,)),
    Saboteur("e2esync.epoch.announcement:check_supersedes", "10.6", (SLOT,)),
    Saboteur("e2esync.epoch.announcement:requested_changes", "10.6", (SLOT,),
             lambda _chain, announcement: tuple(ask.add for ask in announcement.requests if hasattr(ask, "add")),
             shows=True),
    Saboteur("e2esync.epoch.deletion:check_place", "10.9 step 1", (WORD, GONE)),
    Saboteur("e2esync.epoch.deletion:check_speaker", "10.9 step 2", (WORD,)),
    Saboteur("e2esync.epoch.deletion:verify", "10.9 step 3", (WORD, GONE), alone=True),
    Saboteur("e2esync.epoch.deletion:check_deletion", "10.9", (WORD, GONE)),
    Saboteur("e2esync.epoch.deletion:check_supersedes", "10.9 step 4", (WORD,)),
    Saboteur("e2esync.epoch.deletion:check_in_force", "14.15 step 2", (GONE,)),
    Saboteur("e2esync.epoch.deletion:check_day", "14.15 step 2", (GONE,)),
    Saboteur("e2esync.epoch.deletion:check_deleted", "14.15 step 2", (GONE,)),
    Saboteur("e2esync.crypto.sealing:check_seal_public", "5.5", (SLOT, VERIFY)),
]

SHAPES = [
    Saboteur("e2esync.epoch.shape:array", "6.4", (PARSE, ENTRY, HEAD), first),
    Saboteur("e2esync.epoch.shape:integer", "6.4", (PARSE, ENTRY, HEAD), first),
    Saboteur("e2esync.epoch.shape:octets", "6.4", (PARSE, ENTRY, HEAD), first),
    Saboteur("e2esync.epoch.shape:optional", "6.4", (PARSE, HEAD), first),
    Saboteur("e2esync.epoch.shape:any_octets", "6.4", (PARSE, ENTRY), first),
    Saboteur("e2esync.epoch.shape:items", "9.4 step 7", (PARSE, BOX, SLOT), first),
    Saboteur("e2esync.epoch.shape:counters", "6.4", (PARSE, ENTRY, BEAT), _counters),
]

LOG = [
    Saboteur("e2esync.log.entry:check_first", "10.3", (ENTRY,)),
    Saboteur("e2esync.log.entry:check_entry", "10.4", (ENVELOPE,)),
    Saboteur("e2esync.log.entry:verify", "10.4", (ENVELOPE,), alone=True),
    Saboteur("e2esync.log.entry:check_epoch_open_to_writers", "9.6", (ENVELOPE,)),
    Saboteur("e2esync.log.envelope:check_envelope_shape", "10.4", (ENVELOPE,)),
    Saboteur("e2esync.log.envelope:unpad", "5.6", (ENVELOPE,),
             lambda padded, _overhead: padded.rstrip(b"\0").removesuffix(b"\x80"), alone=True),
    Saboteur("e2esync.log.head:verify", "10.2", (HEAD, SHORT), alone=True),
    Saboteur("e2esync.log.heartbeat:check_heartbeat_shape", "10.7", (BEAT,)),
    Saboteur("e2esync.log.heartbeat:check_heartbeat", "10.7", (BEAT,)),
    Saboteur("e2esync.log.heartbeat:check_place", "10.7", (BEAT,)),
    Saboteur("e2esync.log.heartbeat:verify", "10.7", (BEAT,), alone=True),
    Saboteur("e2esync.log.heartbeat:verify_head", "10.7", (BEAT,), alone=True),
]

EVIDENCE = [
    Saboteur("e2esync.log.evidence:_check_same_place", "10.8", (PROOF,)),
    Saboteur("e2esync.log.evidence:_check_leads", "10.8", (PROOF,)),
    Saboteur("e2esync.log.evidence:_check_not_one_log", "10.8", (PROOF,)),
    Saboteur("e2esync.log.evidence:_check_lower", "10.8", (PROOF,)),
    Saboteur("e2esync.log.evidence:_check_are_two", "10.8", (PROOF,)),
    Saboteur("e2esync.log.evidence:_check_no_seed", "10.8", (PROOF,)),
    Saboteur("e2esync.log.evidence:_keys_of", "10.8",
             (PROOF,), lambda chains, author: [next(iter(chains)).all_members[author].verify_key], shows=True),
    Saboteur("e2esync.log.evidence:verify_head", "10.8", (PROOF,), alone=True),
    Saboteur("e2esync.log.evidence:verify", "10.8", (PROOF,), alone=True, shows=True),
]

SNAPSHOTS = [
    Saboteur("e2esync.snapshot.blob:check_blob_id", "11.1", (BLOB, MANIFEST)),
    Saboteur("e2esync.snapshot.blob:check_blob_id", "11.3", (RUN,)),
    Saboteur("e2esync.snapshot.blob:check_blob_size", "11.1", (BLOB,)),
    Saboteur("e2esync.snapshot.manifest:check_manifest", "11.2", (MANIFEST,)),
    Saboteur("e2esync.snapshot.manifest:_parse_vector", "11.2", (MANIFEST,), _last_entries),
    Saboteur("e2esync.snapshot.runs:check_counts", "11.3", (RUN,)),
    Saboteur("e2esync.snapshot.runs:check_chunk", "11.3", (RUN,), _last_id),
    Saboteur("e2esync.contactset.state:check_packed", "8.3", (RUN, STATE), lambda _packed: False, shows=True),
]

CARDS = [
    *(Saboteur(f"e2esync.card.model:{name}", f"7.1 step {step}", (CARD,)) for name, step in (
        ("check_head", 1), ("check_texts", 4), ("check_name", 5), ("check_components", 5),
        ("check_map", 6), ("check_id", 6), ("check_entry", 7), ("check_sets", 8), ("check_props", 9),
    )),
    Saboteur("e2esync.card.model:check_size", "7.1 step 3", (CARD_SIZE,)),
    Saboteur("e2esync.card.values:check_value", "7.1 step 2", (CARD,), lambda *_: 0),
    Saboteur("e2esync.card.values:_head_size", "7.1 step 3", (CARD_SIZE,), lambda _count, _short: 1),
    Saboteur("e2esync.card.values:_integer_size", "7.1 step 3", (CARD_SIZE,), lambda _value: 1),
    Saboteur("e2esync.card.origin:decode_origin", "7.3", ("cards::changes",), shows=True),
]

CONTACTS = [
    Saboteur("e2esync.contactset.ops:check_path", "8.2", (OPS,), lambda _path: True),
    Saboteur("e2esync.contactset.ops:_check_target", "8.2", (OPS,)),
    Saboteur("e2esync.contactset.ops:_too_deep", "8.2", (OPS,), lambda *_: False),
    Saboteur("e2esync.contactset.state:_too_large", "8.3", (STATE,), lambda *_: False),
    Saboteur("e2esync.contactset.state:fits", "8.3", (FOLD,), lambda _packed: True, shows=True),
    Saboteur("e2esync.contactset.state:_check_dot", "8.3", (STATE,), lambda member, counter: (member, counter)),
    Saboteur("e2esync.contactset.state:_check_epoch", "8.3", (STATE,)),
    Saboteur("e2esync.contactset.state:_check_values", "8.3", (STATE,), lambda values: None in values.values()),
    Saboteur("e2esync.contactset.state:_check_deletion", "8.3", (STATE,)),
    Saboteur("e2esync.contactset.state:_check_groups", "8.3", (STATE,), lambda _groups: False, shows=True),
    Saboteur("e2esync.contactset.fold:check_written", "11.4", (FOLD,), lambda *_: True),
    Saboteur("e2esync.contactset.fold:clamp", "8.4 step 3", (FOLD,), _clamp, shows=True),
    Saboteur("e2esync.contactset.fold:clamp", "8.4 step 3", (FOLD,), _clamp_without_own, shows=True),
    Saboteur("e2esync.contactset.replay:ContactSet._park", "8.4 step 2", (FOLD,),
             lambda _self, _entry: import_module("e2esync.contactset").Status.DROPPED, shows=True),
    Saboteur("e2esync.contactset.boundary:_drop_nulls", "8.5 step 3", ("contactset::boundary",), shows=True),
    Saboteur("e2esync.contactset.view:_living", "8.6", ("contactset::view",), first, shows=True),
]

HARMS = "contactset::harms"
LIVES = [
    Saboteur("e2esync.contactset.harm:same", "14.9", (HARMS,), lambda *_: True, alone=True, shows=True),
    Saboteur("e2esync.contactset.harm:BLOBS", "14.9", (HARMS,), "no path", alone=True, shows=True),
    Saboteur("e2esync.contactset.harm:_ORIGIN", "14.9", (HARMS,), "no path", alone=True, shows=True),
    Saboteur("e2esync.contactset.harm:view", "14.9", (HARMS,), _all_shown, alone=True, shows=True),
    Saboteur("e2esync.replica.entering:whole_life", "14.2 step 6", (FOLLOW,), shows=True, alone=True),
]

SESSION = [
    Saboteur("e2esync.session.client:equal", "13.2 step 1", (CLIENT,), lambda *_: True, alone=True),
    Saboteur("e2esync.session.handshake:equal", "13.2 step 1", (CLIENT,), lambda *_: True, alone=True),
    Saboteur("e2esync.session.handshake:verify_head", "13.2 step 1", (CLIENT,), alone=True),
    Saboteur("e2esync.session.handshake:check_visit", "13.2 step 1", (CLIENT,)),
    Saboteur("e2esync.session.handshake:read_farewell", "13.2 step 4", (CLIENT,),
             lambda welcome, *_: int.from_bytes(welcome.head)),
    Saboteur("e2esync.session.relay:RelaySession._is_beyond", "13.2 step 4", (RELAY,), lambda *_: False, shows=True),
    Saboteur("e2esync.session.relay:RelaySession._is_gone", "13.14 step 4", (RELAY,), lambda *_: False, shows=True),
    Saboteur("e2esync.session.handshake:read_said", "13.2 step 1", (CLIENT,), lambda welcome, *_: welcome.head),
    Saboteur("e2esync.session.handshake:check_proof", "13.2 step 2", (RELAY,), shows=True),
    Saboteur("e2esync.session.handshake:check_find", "13.10 step 1", (RELAY,), shows=True),
    Saboteur("e2esync.session.client:ClientSession._receiving", "13.2", (CLIENT,), _lenient("_RECEIVES")),
    Saboteur("e2esync.session.client:ClientSession._sending", "13.2", (CLIENT,), _lenient("_SENDS")),
    Saboteur("e2esync.session.relay:RelaySession.is_too_long", "13.2 step 5", (RELAY,), lambda *_: False, shows=True),
    Saboteur("e2esync.session.relay:RelaySession._bad_version", "13.8", (RELAY,), lambda _self: [], shows=True),
    Saboteur("e2esync.session.kinds:_read_short_head", "13.3", (FRAME,),
             lambda value: import_module("e2esync.log.head").ShortHead(*value)),
    Saboteur("e2esync.session.kinds:_fail", "13.3", (FRAME,)),
]

RESCUE = "access::open_rescue"
ACCESS = [
    Saboteur("e2esync.access.rescue:_check_mark", "14.13", (RESCUE,)),
    Saboteur("e2esync.access.rescue:_check_ended", "14.13", (RESCUE,)),
    Saboteur("e2esync.access.rescue:_number_of", "14.13", (RESCUE,), lambda _kit, _key: 1, shows=True),
    Saboteur("e2esync.access.rescue:_size", "14.13", (RESCUE,), lambda read, _limit: int.from_bytes(read(4), "big")),
    Saboteur("e2esync.access.rescue:_exactly", "14.13", (RESCUE,), lambda read, length: read(length)),
    Saboteur("e2esync.access.rescue:_context", "14.13", (RESCUE,), lambda set_id, _header: set_id + b"\7", shows=True),
    Saboteur("e2esync.access.messages:unpad", "12.2", (SPONSOR, "access::joiner"),
             lambda padded, _overhead: padded.rstrip(b"\0").removesuffix(b"\x80"), alone=True),
    Saboteur("e2esync.access.messages:equal", "12.2 step 1", (SPONSOR, HOST), lambda *_: True, alone=True),
    Saboteur("e2esync.access.messages:check_possession", "12.2", (SPONSOR,), alone=True),
    Saboteur("e2esync.access.messages:check_kit_proof", "12.3", (HOST,), alone=True),
    Saboteur("e2esync.access.messages:check_name", "12.2", (SPONSOR, HOST)),
    Saboteur("e2esync.access.pairing:equal", "12.2 step 2", (SPONSOR, HOST), lambda *_: True, alone=True),
    Saboteur("e2esync.access.pairing:_Machine._is_repeat", "13.7", (SPONSOR, "access::joiner"), lambda *_: False,
             shows=True),
    Saboteur("e2esync.epoch.record:check_kit_proof", "12.4", ("access::check_kit_proof", VERIFY)),
    Saboteur("e2esync.epoch.record:check_possession", "9.4 step 4", (VERIFY,), _any_role),
]

MOVES = [
    Saboteur("e2esync.replica.moving:_are_counts", "8.8", ("access::moved_word",), lambda _numbers: True,
             shows=True),
]

SABOTEURS: list[Saboteur] = [
    *EPOCHS, *SHAPES, *LOG, *EVIDENCE, *SNAPSHOTS, *CARDS, *CONTACTS, *LIVES, *SESSION, *ACCESS, *MOVES,
]


def _verdict(result: dict[str, Any]) -> dict[str, Any]:
    """What another implementation is judged by: not the values on the way."""
    return {name: value for name, value in result.items() if name != "intermediate"}


def caught_by(saboteur: Saboteur) -> str | None:
    """The id of the first case that comes out otherwise than the file says; None if it survives."""
    layers()
    with at_work(saboteur):
        for case in cases_of(*saboteur.by):
            try:
                differs = _verdict(perform(case)) != _verdict(expected(case))
            except Exception:
                # A library without the check may well fall over what the check kept out.
                differs = True
            if differs:
                return str(case["id"])
    return None


def broken_by(saboteur: Saboteur) -> list[str]:
    """The valid cases that come out otherwise: none, unless the check decides what comes out."""
    with at_work(saboteur):
        return [case["id"] for case in cases_of(*saboteur.by)
                if case["result"] == "valid" and _verdict(perform(case)) != _verdict(expected(case))]
