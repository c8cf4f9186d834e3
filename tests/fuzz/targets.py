"""What is fuzzed: a name, a function of any bytes that lets nothing but errors of the tree pass, and seeds.

A target that opens encrypted or signed things also exists *resealed*: the fuzzed bytes are what a member with real keys
would have put inside, so that the checks behind the cipher are reached.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from e2esync.access import messages as mail
from e2esync.access.code import parse_code
from e2esync.access.kit import parse_kit_file
from e2esync.card import assemble, flatten, read_file, summary, write_as_imported, write_vcards
from e2esync.card.layout import Layout
from e2esync.card.origin import decode_origin
from e2esync.client import backup
from e2esync.conformance.performing import WrongDraw
from e2esync.contactset import ContactSet, decode_ops, view
from e2esync.contactset.state import check_packed
from e2esync.crypto import seal
from e2esync.crypto.padding import pad
from e2esync.epoch.announcement import parse_announcement
from e2esync.epoch.boxes import parse_box_list
from e2esync.epoch.deletion import parse_deletion
from e2esync.epoch.record import parse_record
from e2esync.errors import BadCard, E2esyncError
from e2esync.log.entry import parse_entry
from e2esync.log.envelope import envelope_header, open_envelope, seal_envelope
from e2esync.log.evidence import verify_evidence
from e2esync.log.head import parse_head, parse_short
from e2esync.log.heartbeat import HEADER, OVERHEAD, _context, open_heartbeat
from e2esync.replica.history import read_before
from e2esync.session.codec import decode_message, encode_message, other_version
from e2esync.session.messages import Side
from e2esync.snapshot.manifest import parse_manifest
from e2esync.snapshot.runs import parse_chunk, parse_index
from e2esync.transports.address import parse_address
from e2esync.wire import decode, decode_values, encode
from tests.fuzz import seeds
from tests.fuzz.material import HOSTILE, Operation, strings
from tests.fuzz.seeds import KEY, KIT, NONCE, SET_ID
from tests.fuzz.wires import WIRES

SALT: Final = bytes(32)
OFFER: Final = mail.Offer(bytes(32), bytes(16), 1, bytes(32), bytes(32), 1, None)


@dataclass(frozen=True, slots=True)
class Target:
    """`run` takes any bytes. `limit`: the longest input that is tried."""

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    limit: int = 4096

    def __call__(self, data: bytes) -> None:
        """Run it. What leaves is a bug: in the library, or in the claim that the target makes."""
        try:
            self.run(data)
        except (E2esyncError, WrongDraw):
            # A changed message may end an attempt before all the listed draws were used.
            return


def _wire(data: bytes) -> None:
    """What decodes has one spelling."""
    assert encode(decode(data)) == data


def _values(data: bytes) -> None:
    assert encode(decode_values(data)) == data


def _frames(data: bytes) -> None:
    for side in Side:
        other_version(data)
        try:
            message = decode_message(data, side)
        except E2esyncError:
            continue
        assert encode_message(message) == data


def _card_file(form: str) -> Callable[[bytes], None]:
    """Any file becomes cards that a book can hold, and that can be shown, and written in every form."""
    def run(data: bytes) -> None:
        file = read_file(data, salt=SALT, form=form)
        stored = []
        for card in file.cards:
            encoded = encode(card.registers)
            registers: dict[str, Any] = decode_values(encoded, limit=len(encoded))
            stored.append(registers)
            summary(registers)
            flatten(assemble({path: value for path, value in registers.items() if not path.startswith("e2e/")}))
        media = {digest: content for card in file.cards for digest, content in card.media.items()}
        for version in (None, "2.1", "3.0", "4.0"):
            write_vcards(stored, version=version, media=media.get)
        if file.layout is not None:
            cards = {(card.uid, card.ordinal): one for card, one in zip(file.cards, stored, strict=True)}
            with suppress(BadCard):
                # A CSV or LDIF file is not written back.
                write_as_imported(file.layout, lambda uid, ordinal: cards.get((uid, ordinal)), media=media.get)
    return run


def _ops(data: bytes) -> None:
    """Operations of a member are folded, whatever they are."""
    ops = decode_ops(data)
    contacts = ContactSet({}, {}, {})
    contacts.apply(1, 1, bytes(16), {}, ops, len(data), 1, lambda *_: [])
    for packed in contacts.contacts.values():
        check_packed(packed)
        view(packed)


def _state(data: bytes) -> None:
    check_packed(data)
    view(data)


def _in_envelope(data: bytes) -> None:
    entry = parse_entry(open_envelope(KEY, SET_ID, 1, seal_envelope(KEY, SET_ID, 1, data, NONCE)))
    decode_ops(entry.ops)


def _envelope_plain(data: bytes) -> None:
    """The padding, too, is the sender's."""
    header = envelope_header(1, ())
    size = 512 - len(header) - 72
    padded = data[:size].ljust(size, b"\0")
    parse_entry(open_envelope(KEY, SET_ID, 1, header + seal(KEY, NONCE, SET_ID + header, padded)))


def _in_heartbeat(data: bytes) -> None:
    sealed = seal(KEY, NONCE, _context(SET_ID, 1, 3), pad(data, OVERHEAD))
    open_heartbeat(KEY, SET_ID, 1, 3, (1).to_bytes(HEADER) + sealed)


def _head(data: bytes) -> None:
    parse_head(data, bytes(64))


def _short(data: bytes) -> None:
    parse_short(decode(data))


def _mail(data: bytes) -> None:
    for purpose in mail.Purpose:
        for decoder in (mail.decode_offer, mail.decode_keys):
            with suppress(E2esyncError):
                decoder(data, purpose)
    with suppress(E2esyncError):
        mail.decode_landing(data, OFFER)
    mail.decode_commitment(data)


def _origin(data: bytes) -> None:
    decode_origin(decode_values(data))


def _text(parse: Callable[[str], Any]) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        parse(data.decode("utf-8", "surrogateescape"))
    return run


def _read_backup(content: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=_memory()) as file:
        file.write(content)
        file.flush()
        backup.read_backup(Path(file.name), KIT)


def _memory() -> str | None:
    """Where files cost least."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def _backup(data: bytes) -> None:
    _read_backup(backup.MAGIC + data)


def _in_backup(data: bytes) -> None:
    """The items are anybody's."""
    _read_backup(backup.MAGIC + backup._framed(seeds.HEAD) + seeds.backup_part(data, 0, True))


TARGETS: Final = {target.name: target for target in (
    Target("wire", _wire, lambda: strings(("encoding::decode", "bytes"))),
    Target("values", _values, lambda: strings(("encoding::decode_values", "bytes"))),
    Target("frames", _frames, lambda: strings(("session::decode", "frame"))),
    Target("records", lambda data: void(parse_record(data)), lambda: strings(("epochs::parse_record", "record"))),
    Target("announcements", lambda data: void(parse_announcement(data)),
           lambda: strings(("epochs::check_announcement", "announcement"))),
    Target("deletions", lambda data: void(parse_deletion(data)),
           lambda: strings(("epochs::check_deletion", "deletion"))),
    Target("box-lists", lambda data: void(parse_box_list(data)), lambda: strings(("epochs::open_own_box", "list"))),
    Target("entries", lambda data: void(parse_entry(data)), lambda: strings(("envelopes::parse_entry", "entry"))),
    Target("entries-resealed", _in_envelope, lambda: strings(("envelopes::parse_entry", "entry"))),
    Target("envelopes-resealed", _envelope_plain,
           lambda: [each + b"\x80" for each in strings(("envelopes::parse_entry", "entry")) if len(each) < 400]),
    Target("heads", _head, lambda: strings(("envelopes::verify_head", "body"))),
    Target("short-heads", _short, lambda: strings(("envelopes::short_head", "short"))),
    Target("heartbeats-resealed", _in_heartbeat,
           lambda: [encode([body, bytes(64)]) for body in strings(("envelopes::open_heartbeat", "body"))]),
    Target("manifests", lambda data: void(parse_manifest(data)),
           lambda: strings(("snapshots::open_manifest", "content"))),
    Target("run-indexes", lambda data: void(parse_index(data)), lambda: strings(("snapshots::seal_blob", "content"))),
    Target("run-chunks", lambda data: void(parse_chunk(data)), lambda: strings(("snapshots::seal_blob", "content"))),
    Target("operations", _ops, lambda: strings(("contactset::decode_ops", "ops"))),
    Target("states", _state, lambda: strings(("contactset::check_state", "state"))),
    Target("evidence", lambda data: void(verify_evidence(data)),
           lambda: strings(("envelopes::verify_evidence", "evidence")), 16 << 10),
    Target("pairing-messages", _mail, lambda: strings(("access::seal_message", "body"))),
    Target("codes", _text(parse_code), lambda: seeds.CODES),
    Target("kits", _text(parse_kit_file), lambda: seeds.KITS),
    Target("addresses", _text(parse_address), lambda: seeds.ADDRESSES),
    Target("origins", _origin, seeds.origins),
    Target("layouts", lambda data: void(Layout.from_value(decode(data))), seeds.layouts),
    Target("history", lambda data: void(read_before(data)), lambda: seeds.HISTORY),
    Target("backups", _backup, lambda: seeds.BACKUPS, 16 << 10),
    Target("backups-resealed", _in_backup, lambda: seeds.BACKUP_ITEMS, 16 << 10),
    *(Target(name, run, lambda given=given: given) for name, (run, given) in WIRES.items()),  # type: ignore[misc]
    *(Target(f"cards-{form}", _card_file(form), lambda form=form: seeds.CARDS[form], 16 << 10)  # type: ignore[misc]
      for form in seeds.CARDS),
    *(Target(f"vectors-{name.replace('::', '-')}", operation.run, operation.seeds, 16 << 10)
      for name in HOSTILE for operation in (Operation(name),)),
)}


def void(_value: object) -> None:
    """What a decoder gives is of no interest here."""
