"""Appendix C of SPEC.md: a whole sync in hex, and each object once (SPEC 9 to 13).

Everything is made from seeds and draws of one repeated byte, so a reader makes the same bytes. `python -m
e2esync.conformance.walkthrough SPEC.md` writes the appendix anew; a test says that it is what this module writes, and
another that an implementation which shares nothing with this one accepts every object in it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from e2esync.conformance.hexdump import Each, Inside, cut, explain, named, parts
from e2esync.conformance.messages import every_message
from e2esync.conformance.vectors.entropy import encapsulate_with
from e2esync.crypto import Label, Secret, SigningKey, blake2b, pad, seal
from e2esync.crypto.sealing import SealingKey, seal_to
from e2esync.epoch.boxes import epoch_commit, epoch_key
from e2esync.wire import encode

HEADING: Final = "## Appendix C. A sync in hex\n"
_APPENDIX: Final = re.compile(r"^## Appendix C\..*?(?=^## )", re.MULTILINE | re.DOTALL)
_OVERHEAD: Final = 72
ROOT, DEVICE, WRITE = 5, 3, 1


class _Draws:
    """Draws of one repeated byte each, a higher one every time."""

    def __init__(self, first: int) -> None:
        self._next = first

    def draw(self, _name: str, length: int) -> bytes:
        self._next += 1
        return bytes([self._next - 1]) * length

    def encapsulate(self, public_key: bytes) -> tuple[bytes, bytes]:
        return encapsulate_with(public_key, self.draw("ml-kem message", 32))


def u32(number: int) -> bytes:
    """Big-endian, 4 bytes."""
    return number.to_bytes(4, "big")


def u64(number: int) -> bytes:
    """Big-endian, 8 bytes."""
    return number.to_bytes(8, "big")


def _h(label: Label, message: bytes, *, key: bytes = b"", size: int = 32) -> bytes:
    return blake2b(label, message, key=key, size=size)


class Sync:
    """The objects of the walk-through, each made by the formula of its section."""

    def __init__(self) -> None:
        self.root, self.device, self.relay = (SigningKey(bytes([seed]) * 32) for seed in (1, 2, 3))
        self.root_seal, self.device_seal = (SealingKey.from_secret(bytes([byte]) * 96) for byte in (4, 5))
        self.person, self.secret = b"\x06" * 16, b"\x07" * 32
        self.set_id = _h(Label.SET_ID, b"\x01" + self.root.verify_key)
        self._open_epoch()
        self._write()
        self._connect()
        self._snapshot()
        self._tell()
        self._pair()

    def _open_epoch(self) -> None:
        """Record 0, its secret and boxes (SPEC 9)."""
        secret = Secret(self.secret)
        self.commit = epoch_commit(self.set_id, 0, secret)
        self.key = epoch_key(self.set_id, 0, secret)
        draws, lines, self.boxes = _Draws(8), [], []
        for member, number, holder in ((0, 0, self.root_seal), (1, 1, self.device_seal)):
            context = self.set_id + u64(0) + u32(member) + u64(number)
            self.boxes.append(seal_to(holder.public, context, secret, draws))
            lines.append([member, number, _h(Label.BOX, self.boxes[-1])])
        self.box_list = encode(lines)
        changes = [self._add(ROOT, self.root, self.root_seal), self._add(DEVICE, self.device, self.device_seal)]
        zeros = bytes(32)
        body = encode([1, 0, zeros, self.relay.verify_key, 0, zeros, 1, 0, changes, [[1, 1]], 0, self.commit,
                       _h(Label.BOX_LIST, self.box_list), zeros])
        self.record = encode([body, self.root.sign(Label.SIGN_RECORD, self.set_id, body)])
        self.record_hash = _h(Label.RECORD, self.record)

    def _add(self, role: int, key: SigningKey, sealing: SealingKey) -> list[int | bytes]:
        message = encode([self.person, role, key.verify_key, sealing.public])
        possession = key.sign(Label.SIGN_POSSESSION, self.set_id, message)
        return [1, self.person, role, key.verify_key, sealing.public, possession]

    def _write(self) -> None:
        """One contact with a name: operation, entry, envelope, log hash, head (SPEC 8 and 10)."""
        self.contact = _h(Label.CONTACT_ID, encode(["zoe", 0]), key=self.set_id, size=16)
        self.ops = encode([[WRITE, self.contact, 1, 2, {"name/full": "Zoë"}]])
        header = encode([1, 1, bytes(32), [], [0, 0, self.record_hash[:16]]])
        salt = b"\x0c" * 16
        self.ops_hash = _h(Label.OPERATIONS, salt + self.ops)
        signature = self.device.sign(Label.SIGN_ENTRY, self.set_id, header + self.ops_hash)
        self.entry = encode([header, salt, self.ops, signature])
        self.entry_id = _h(Label.ENTRY, self.ops_hash + signature + header)
        cover = b"\x01\x01" + u64(0) + b"\0\0"
        self.envelope = cover + self._sealed(self.key, b"\x0d" * 24, self.set_id + cover, self.entry, len(cover))
        self.envelope_hash = _h(Label.ENVELOPE, self.envelope)
        self.log_hash = _h(Label.LOG, self.record_hash + self.envelope_hash)
        self.head, self.head_signature = self._head(1, self.log_hash, 3)
        self.state = encode([[1, [[1, 1, 2, {"name/full": "Zoë"}]]]])
        contact_hash = _h(Label.CONTACT_HASH, self.contact + self.state)
        empty = _h(Label.DIGEST, b"")
        buckets = [_h(Label.DIGEST, contact_hash) if at == self.contact[0] else empty for at in range(256)]
        self.contact_hash, self.digest = contact_hash, _h(Label.DIGEST, b"".join(buckets))

    def _sealed(self, key: bytes | Secret, nonce: bytes, context: bytes, content: bytes, around: int) -> bytes:
        secret = key if isinstance(key, Secret) else Secret(key)
        return seal(secret, nonce, context, pad(content, around + _OVERHEAD))

    def _head(self, seq: int, log_hash: bytes, time: int, binding: bytes = b"") -> tuple[bytes, bytes]:
        body = encode([0, seq, log_hash, self.record_hash, time, 1, binding])
        return body, self.relay.sign(Label.SIGN_HEAD, self.set_id, body)

    def _connect(self) -> None:
        """The handshake, one append and one read (SPEC 13)."""
        nonce_c, nonce_r = b"\x0e" * 32, b"\x0f" * 32
        self.hello = encode([1, 1, self.set_id, 1, nonce_c])
        self.challenge = encode([2, nonce_r, self.relay.verify_key])
        bound = encode([1, self.set_id, 1, nonce_c, nonce_r, self.relay.verify_key])
        self.binding = _h(Label.TRANSCRIPT, bound)
        self.proof = encode([3, self.device.sign(Label.SIGN_SESSION, self.set_id, self.binding)])
        self.welcome_head = self._head(0, self.record_hash, 2, self.binding)
        self.welcome = encode([4, *self.welcome_head])
        short = [1, 3, self.head_signature]
        self.append = encode([10, 0, self.envelope])
        self.appended = encode([30, 1, short])
        self.read = encode([11, 0, 1])
        self.answer = encode([31, 0, 1, [self.envelope], short])

    def _snapshot(self) -> None:
        """What an opening of epoch 1 would upload: one chunk, its index, the manifest (SPEC 11)."""
        self.chunk = encode([[self.contact, self.state]])
        self.chunk_blob = self._blob(4, b"\x10" * 32, b"\x11" * 24, self.set_id + b"\x04", self.chunk)
        self.index = encode([[_h(Label.BLOB, self.chunk_blob), b"\x10" * 32, 1]])
        self.index_blob = self._blob(3, b"\x12" * 32, b"\x13" * 24, self.set_id + b"\x03", self.index)
        run = [_h(Label.BLOB, self.index_blob), b"\x12" * 32, 1]
        self.manifest = encode([[[1, 1, self.entry_id]], self.digest, 0, [run], []])

    def _blob(self, kind: int, key: bytes, nonce: bytes, context: bytes, content: bytes) -> bytes:
        return bytes([1, kind]) + self._sealed(key, nonce, context, content, 2)

    def _tell(self) -> None:
        """Slot and evidence: what the device announces, and a relay's two heads that convict it (SPEC 10)."""
        next_key = SealingKey.from_secret(b"\x14" * 96)
        body = encode([1, 2, 1, next_key.public, 1, [[3, 0]]])
        self.announcement = encode([body, self.device.sign(Label.SIGN_ANNOUNCEMENT, self.set_id, body)])
        beat = encode([1, 0, 4, 4, [[1, 1]], [self.head, self.head_signature]])
        self.beat = encode([beat, self.device.sign(Label.SIGN_HEARTBEAT, self.set_id, beat)])
        context = self.set_id + b"\x06" + u64(0) + u32(1)
        self.heartbeat = u64(0) + self._sealed(self.key, b"\x15" * 24, context, self.beat, 8)
        later = self._head(0, self.record_hash, 5)
        self.evidence = encode([1, 2, self.set_id, [], [[self.head, self.head_signature], list(later)]])

    def _pair(self) -> None:
        """The first message of a pairing (SPEC 12.2)."""
        self.mailbox, self.code_secret = b"\x16" * 8, b"\x17" * 16
        claims = [self.device.verify_key, self.device_seal.public, "phone"]
        self.commitment = _h(Label.PAIRING_COMMIT, b"\x18" * 32 + encode(claims))
        self.pairing = encode([1, self.commitment])
        key = _h(Label.PAIRING_KEY, b"\0", key=self.code_secret)
        context = b"e2e pairing" + self.mailbox + b"\0"
        self.pairing_message = self._sealed(key, b"\x19" * 24, context, self.pairing, 0)
        self.code_check = _h(Label.CODE_CHECK, self.mailbox + self.code_secret)[:2]


_HEAD: Final = parts("head", "epoch", "seq", "log hash", "record hash", "time", "incarnation", "binding")
_SHORT: Final = parts("short head", "seq", "time", "signature")
_SIGNED_HEAD: Final = parts("a head", Inside("head body", _HEAD), "the relay's signature")
_ADD: Final = parts("add", "kind", "person", "role", "verify key", "sealing key", "possession")
_RECORD: Final = parts("record", Inside("body", parts(
    "14 fields", "suite", "epoch", "prev", "relay", "closes, seq", "closes, log hash", "time", "opener",
    Each("changes", _ADD), Each("numbers", parts("of a device", "member", "number")), "flags", "commit", "boxes",
    "manifest")), "signature of the opener")  # fmt: skip
_OPS: Final = Each("operations", parts("set", "kind", "contact", "life", "time", Each("path: value", "value")))
_ENTRY: Final = parts("entry", Inside("header", parts(
    "header", "author", "counter", "prev", "vector", parts("head seen", "epoch", "seq", "log hash, first half"))),
    "salt", Inside("ops", _OPS), "signature of the author")  # fmt: skip
_STATE: Final = Each("contact", parts("life", "number", Each("groups", parts(
    "group", "member", "counter", "time", Each("path: value", "value")))))  # fmt: skip
_ANNOUNCEMENT: Final = parts("announcement", Inside("body", parts(
    "six fields", "member", "number", "revision", "sealing key", "version",
    Each("requests", parts("seal me again", "kind", "epoch")))), "signature of the device")  # fmt: skip
_BEAT: Final = parts("heartbeat", Inside("body", parts(
    "six fields", "member", "epoch", "time", "until", Each("vector", parts("dot", "member", "counter")),
    _SIGNED_HEAD)), "signature of the device")  # fmt: skip
_LOCATED: Final = ("blob id", "key", "count")
_MANIFEST: Final = parts("manifest", Each("vector", parts("dot", "member", "counter", "entry id")), "digest",
                         "horizon", Each("runs", parts("run", *_LOCATED)), "unknown")
_SEALED: Final = ((24, "nonce"), (32, "commitment"), (0, "ciphertext and tag"))


def text() -> str:
    """The appendix, from its heading to the end of its last block."""
    sync = Sync()
    chapters: tuple[Callable[[Sync], list[str]], ...] = (_keys, _epoch, _entry, _session, _contacts, _others)
    blocks = [block for chapter in chapters for block in chapter(sync)]
    return HEADING + "\n".join([*blocks, every_message()]) + "\n\n"


def _keys(sync: Sync) -> list[str]:
    return [
        "One device writes one contact and another would read it. Every seed, secret and draw is one byte repeated:",
        "signing seeds of the root 01, of the device 02, of the relay 03; sealing secrets (96 bytes) of the root 04,",
        "of the device 05; the person 06; the epoch secret 07; then each draw as it is named below. Of long byte",
        "strings the middle is left out; the hashes that follow bind it. Left: the bytes. Right: what they are.",
        "### C.1 Keys and set (5.3, 5.5, 9.1)",
        named(("root verify key", sync.root.verify_key), ("device verify key", sync.device.verify_key),
              ("relay verify key", sync.relay.verify_key), ("root sealing key", sync.root_seal.public),
              ("device sealing key", sync.device_seal.public), ("set_id", sync.set_id)),
    ]  # fmt: skip


def _epoch(sync: Sync) -> list[str]:
    line = Each("list", parts("line", "member", "number", "hash of its box"))
    return [
        "### C.2 Epoch secret, boxes, record 0 (9.2 to 9.5)",
        "The draws of the two boxes are 08 (`sealed box ephemeral x25519`) and 09 (`ml-kem message`), then 0a and 0b.",
        named(("commit", sync.commit), ("K", sync.key.reveal())),
        "The device's box:",
        cut(sync.boxes[1], (1088, "ML-KEM ciphertext"), (32, "commitment"), (96, "the inner box, sealed")),
        "The list, whose hash stands in the record:",
        explain(sync.box_list, line),
        "The record:",
        explain(sync.record, _RECORD),
        named(("record hash", sync.record_hash)),
    ]


def _entry(sync: Sync) -> list[str]:
    head = [(1, "suite"), (1, "type: envelope"), (8, "epoch"), (2, "number of blobs: 0")]
    return [
        "### C.3 Entry, envelope, log hash, head (8.1, 8.2, 10.1 to 10.4)",
        "The contact's uid is `zoe`, its ordinal 0; the salt is 0c, the envelope's nonce 0d.",
        explain(sync.entry, _ENTRY),
        named(("contact id", sync.contact), ("hash of ops", sync.ops_hash), ("entry id", sync.entry_id)),
        "The envelope:",
        cut(sync.envelope, *head, *_SEALED),
        named(("hash", sync.envelope_hash), ("log_hash(0)", sync.record_hash), ("log_hash(1)", sync.log_hash)),
        "The head behind it, and its signature:",
        explain(encode([sync.head, sync.head_signature]), _SIGNED_HEAD),
    ]


def _session(sync: Sync) -> list[str]:
    welcome = parts("WELCOME", "type", Inside("head body", _HEAD), "signature")
    return [
        "### C.4 A session (13.2 to 13.4)",
        "nonce_C is 0e, nonce_R 0f. The device says HELLO:",
        explain(sync.hello, parts("HELLO", "type", "version", "set_id", "member", "nonce_C")),
        "The relay:",
        explain(sync.challenge, parts("CHALLENGE", "type", "nonce_R", "relay key")),
        named(("binding", sync.binding)),
        "The device, which has compared the relay key with the record's:",
        explain(sync.proof, parts("PROOF", "type", "signature")),
        "The relay; the log is empty, so its log hash is the record's hash:",
        explain(sync.welcome, welcome),
        "The device appends, and the relay answers when that is durable:",
        explain(sync.append, parts("APPEND", "type", "epoch", "envelope")),
        explain(sync.appended, parts("APPENDED", "type", "seq", _SHORT)),
        "Another device reads from position 1 on. It computes log_hash(1), puts it into the short head, and verifies",
        "the relay's signature:",
        explain(sync.read, parts("READ", "type", "epoch", "from")),
        explain(sync.answer, parts("answer", "type", "epoch", "from", Each("envelopes", "envelope"), _SHORT)),
    ]


def _contacts(sync: Sync) -> list[str]:
    return [
        "### C.5 State, digest, snapshot (8.3, 8.7, 11)",
        "The packed state that the entry folds into:",
        explain(sync.state, _STATE),
        named(("contact hash", sync.contact_hash), ("state digest", sync.digest)),
        "A chunk that holds it (key 10, nonce 11), as content and as blob; the index (key 12, nonce 13); the manifest",
        "of an epoch 1:",
        explain(sync.chunk, Each("chunk", parts("item", "contact id", "packed state"))),
        cut(sync.chunk_blob, (1, "suite"), (1, "type: chunk"), *_SEALED),
        explain(sync.index, Each("index", parts("chunk", *_LOCATED))),
        explain(sync.manifest, _MANIFEST),
    ]


def _others(sync: Sync) -> list[str]:
    evidence = parts("evidence", "version", "kind (rolled back)", "set_id", "records", Each("items", _SIGNED_HEAD))
    return [
        "### C.6 Slot (10.6, 10.7)",
        "The device announces its next sealing key (secret 14) and asks to be sealed again:",
        explain(sync.announcement, _ANNOUNCEMENT),
        "Its heartbeat, before it is sealed, and as it lies in the slot (nonce 15):",
        explain(sync.beat, _BEAT),
        cut(sync.heartbeat, (8, "epoch"), *_SEALED),
        "### C.7 Evidence (10.8)",
        "Later by its own clock the relay signs that the log is empty:",
        explain(sync.evidence, evidence),
        "### C.8 Pairing (12.1, 12.2)",
        "The code's 26 bytes are mailbox id, secret and check. nonce_N is 18; message 0 is sealed under key[0] with",
        "the nonce 19:",
        cut(sync.mailbox + sync.code_secret + sync.code_check, (8, "mailbox id"), (16, "secret"), (2, "check")),
        explain(sync.pairing, parts("body 0", "version", "commitment")),
        cut(sync.pairing_message, *_SEALED),
    ]


def rewritten(spec: str) -> str:
    """SPEC with its appendix C as this module writes it."""
    made = text()
    if _APPENDIX.search(spec):
        return _APPENDIX.sub(lambda _found: made, spec)
    return spec.replace("## Appendix D.", made + "## Appendix D.", 1)


def main(path: str) -> None:
    """Write the appendix into the file."""
    spec = Path(path)
    spec.write_text(rewritten(spec.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
