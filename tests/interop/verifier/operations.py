"""The operations of `vectors/README.md` that this verifier performs: inputs by name in, outputs by name out."""

from collections.abc import Callable
from typing import Any

from . import contacts, encoding, log, records, snapshots, suite
from .errors import Refusal
from .values import plain, tag

Values = dict[str, Any]
Draws = Callable[[str], bytes]
PERFORM: dict[str, Callable[[Values, Draws], Values]] = {}


def operation(name: str) -> Callable[[Callable[[Values, Draws], Values]], Callable[[Values, Draws], Values]]:
    def register(perform: Callable[[Values, Draws], Values]) -> Callable[[Values, Draws], Values]:
        PERFORM[name] = perform
        return perform

    return register


def _bytes(given: Values, *names: str) -> list[bytes]:
    return [bytes.fromhex(given[name]) for name in names]


def _listed(given: list[str]) -> list[bytes]:
    return [bytes.fromhex(item) for item in given]


def _limit(given: Values) -> dict[str, int]:
    return {"limit": given["limit"]} if "limit" in given else {}


@operation("encoding::encode")
def _(given: Values, _: Draws) -> Values:
    return {"bytes": encoding.encode(plain(given["value"]))}


@operation("encoding::decode")
def _(given: Values, _: Draws) -> Values:
    return {"value": tag(encoding.decode(*_bytes(given, "bytes"), **_limit(given)))}


@operation("encoding::decode_values")
def _(given: Values, _: Draws) -> Values:
    return {"value": tag(encoding.decode(*_bytes(given, "bytes"), **_limit(given), values=True))}


@operation("crypto::hash")
def _(given: Values, _: Draws) -> Values:
    key = bytes.fromhex(given.get("key", ""))
    return {"digest": suite.H(given["label"], *_bytes(given, "message"), key=key, size=given["size"])}


@operation("crypto::sign")
def _(given: Values, _: Draws) -> Values:
    seed, set_id, message = _bytes(given, "seed", "set_id", "message")
    signature = suite.sign(given["label"], set_id, message, seed)
    return {"verify_key": suite.verify_key(seed), "signature": signature}


@operation("crypto::verify")
def _(given: Values, _: Draws) -> Values:
    suite.verify(given["label"], *_bytes(given, "set_id", "message", "signature", "verify_key"))
    return {}


@operation("crypto::check_verify_key")
def _(given: Values, _: Draws) -> Values:
    suite.check_verify_key(*_bytes(given, "verify_key"))
    return {}


@operation("crypto::seal")
def _(given: Values, draw: Draws) -> Values:
    key, context, plaintext = _bytes(given, "key", "context", "plaintext")
    return {"sealed": suite.seal(key, draw("envelope nonce"), context, plaintext)}


@operation("crypto::open")
def _(given: Values, _: Draws) -> Values:
    return {"plaintext": suite.unseal(*_bytes(given, "key", "context", "sealed"))}


@operation("crypto::sealing_key")
def _(given: Values, _: Draws) -> Values:
    public = suite.sealing_public(*_bytes(given, "secret"))
    suite.check_seal_public(public)
    return {"public": public}


@operation("crypto::check_seal_public")
def _(given: Values, _: Draws) -> Values:
    suite.check_seal_public(*_bytes(given, "public"))
    return {}


@operation("crypto::seal_to")
def _(given: Values, draw: Draws) -> Values:
    public, context, secret = _bytes(given, "public", "context", "secret")
    if len(secret) != 32:
        raise Refusal("BadKey", "a secret of another length")
    ephemeral, message = draw("sealed box ephemeral x25519"), draw("ml-kem message")
    return {"box": suite.seal_to(public, context, secret, ephemeral, message)}


@operation("crypto::open_box")
def _(given: Values, _: Draws) -> Values:
    return {"secret": suite.open_box(*_bytes(given, "sealing_secret", "context", "box"))}


@operation("crypto::padded_size")
def _(given: Values, _: Draws) -> Values:
    return {"padded_size": suite.padded_size(given["size"])}


@operation("crypto::pad")
def _(given: Values, _: Draws) -> Values:
    return {"padded": suite.pad(*_bytes(given, "plaintext"), given["overhead"])}


@operation("crypto::unpad")
def _(given: Values, _: Draws) -> Values:
    return {"plaintext": suite.unpad(*_bytes(given, "padded"), given["overhead"])}


@operation("crypto::key_from_passphrase")
def _(given: Values, _: Draws) -> Values:
    return {"key": suite.passphrase_key(plain(given["passphrase"]), *_bytes(given, "salt"))}


@operation("contactset::contact_id")
def _(given: Values, _: Draws) -> Values:
    return {"contact_id": contacts.contact_id(*_bytes(given, "set_id"), plain(given["uid"]), given["ordinal"])}


@operation("contactset::decode_ops")
def _(given: Values, _: Draws) -> Values:
    return {"operations": tag(contacts.parse_operations(*_bytes(given, "ops")))}


@operation("contactset::encode_ops")
def _(given: Values, _: Draws) -> Values:
    return {"ops": contacts.encode_operations(plain(given["operations"]))}


@operation("contactset::check_state")
def _(given: Values, _: Draws) -> Values:
    found = contacts.unpack(*_bytes(given, "state"))
    alive, write = contacts.alive_lives(found), contacts.write_life(found)
    return {"settled": contacts.is_settled(found), "alive_lives": alive, "write_life": write}


@operation("contactset::boundary")
def _(given: Values, _: Draws) -> Values:
    return {"state": contacts.pack(contacts.boundary(contacts.unpack(*_bytes(given, "state")), given["horizon"]))}


@operation("contactset::digest")
def _(given: Values, _: Draws) -> Values:
    return {"digest": contacts.digest({bytes.fromhex(at): bytes.fromhex(state) for at, state in given["contacts"]})}


@operation("epochs::set_id")
def _(given: Values, _: Draws) -> Values:
    return {"set_id": records.set_id_of(*_bytes(given, "root_verify_key"))}


@operation("epochs::possession")
def _(given: Values, _: Draws) -> Values:
    seed, set_id, person, sealing_key = _bytes(given, "signing_seed", "set_id", "person", "sealing_key")
    message = records.possession_message(person, given["role"], suite.verify_key(seed), sealing_key)
    return {"possession": suite.sign("SIGN_POSSESSION", set_id, message, seed)}


@operation("epochs::parse_record")
def _(given: Values, _: Draws) -> Values:
    return _record_fields(records.parse_record(*_bytes(given, "record")))


_RECORD = (
    "epoch", "prev", "relay", "closes_seq", "closes_hash", "time", "opener", "changes", "numbers", "flags",
    "commit", "boxes", "manifest", "hash",
)  # fmt: skip


def _record_fields(record: records.Record) -> Values:
    return {name: getattr(record, name) for name in _RECORD}


@operation("epochs::verify")
def _(given: Values, _: Draws) -> Values:
    chain = records.verify_chain(*_bytes(given, "set_id"), _listed(given["records"]))
    members = [[index, each.person, each.role, each.verify_key] for index, each in sorted(chain.members.items())]
    return {
        "epoch": chain.epoch, "record_hash": chain.record.hash, "relay_key": chain.relay_key, "members": members,
        "numbers": chain.record.numbers, "next_index": chain.next_index,
    }  # fmt: skip


@operation("epochs::preferred")
def _(given: Values, _: Draws) -> Values:
    branches = (_listed(given[name]) for name in ("records", "left", "right"))
    return {"record_hash": records.preferred(*_bytes(given, "set_id"), *branches)}


@operation("epochs::epoch_secret")
def _(given: Values, _: Draws) -> Values:
    set_id, secret = _bytes(given, "set_id", "secret")
    place = (set_id, given["epoch"], secret)
    return {"commit": records.secret_commit(*place), "key": records.epoch_key(*place)}


@operation("epochs::open_own_box")
def _(given: Values, _: Draws) -> Values:
    set_id, record, listed, box, sealing = _bytes(given, "set_id", "record", "list", "box", "sealing_secret")
    parsed = records.parse_record(record)
    secret = records.open_own_box(set_id, parsed, given["member"], listed, box, sealing, given["last_number"])
    return {"secret": secret, "key": records.epoch_key(set_id, parsed.epoch, secret)}


@operation("epochs::check_boxes")
def _(given: Values, _: Draws) -> Values:
    chain = records.verify_chain(*_bytes(given, "set_id"), _listed(given["records"]))
    records.check_boxes(chain, *_bytes(given, "list"), _listed(given["boxes"]))
    return {}


@operation("epochs::check_announcement")
def _(given: Values, _: Draws) -> Values:
    chain = records.verify_chain(*_bytes(given, "set_id"), _listed(given["records"]))
    found = records.check_announcement(chain, *_bytes(given, "announcement", "held"))
    names = ("member", "number", "revision", "sealing_key", "version", "requests")
    return {name: getattr(found, name) for name in names} | {"changes": records.requested_changes(chain, found)}


def _entry_fields(entry: log.Entry) -> Values:
    names = ("author", "counter", "prev", "seen_head", "ops", "id")
    return {name: getattr(entry, name) for name in names} | {"vector": _pairs(entry.vector)}


def _pairs(vector: dict[int, int]) -> list[list[int]]:
    return [[member, counter] for member, counter in vector.items()]


@operation("envelopes::parse_entry")
def _(given: Values, _: Draws) -> Values:
    return _entry_fields(log.parse_entry(*_bytes(given, "entry")))


@operation("envelopes::read_envelope")
def _(given: Values, _: Draws) -> Values:
    chain = records.verify_chain(*_bytes(given, "set_id"), _listed(given["records"]))
    found = log.read_envelope(chain, *_bytes(given, "key", "envelope"))
    return _entry_fields(found.entry) | {"blobs": found.blobs, "operations": len(found.operations)}


@operation("envelopes::log_hash")
def _(given: Values, _: Draws) -> Values:
    return {"log_hash": log.log_hash(*_bytes(given, "record_hash"), _listed(given["envelopes"]))}


@operation("envelopes::sign_head")
def _(given: Values, _: Draws) -> Values:
    at, record, binding, seed, set_id = _bytes(given, "log_hash", "record_hash", "binding", "relay_seed", "set_id")
    body = encoding.encode([given["epoch"], given["seq"], at, record, given["time"], given["incarnation"], binding])
    signature = suite.sign("SIGN_HEAD", set_id, body, seed)
    short = {} if binding else {"short": [given["seq"], given["time"], signature]}
    return {"body": body, "signature": signature} | short


@operation("envelopes::verify_head")
def _(given: Values, _: Draws) -> Values:
    head = log.verify_head(*_bytes(given, "body", "signature", "set_id", "relay_key"))
    names = ("epoch", "seq", "log_hash", "record_hash", "time", "incarnation", "binding")
    return {name: getattr(head, name) for name in names}


@operation("envelopes::short_head")
def _(given: Values, _: Draws) -> Values:
    short, at, record, set_id, relay = _bytes(given, "short", "log_hash", "record_hash", "set_id", "relay_key")
    body = log.expand_short_head(short, given["epoch"], at, record, given["incarnation"], set_id, relay)
    return {"body": body}


@operation("envelopes::open_heartbeat")
def _(given: Values, _: Draws) -> Values:
    chain = records.verify_chain(*_bytes(given, "set_id"), _listed(given["records"]))
    key, heartbeat = _bytes(given, "key", "heartbeat")
    found = log.open_heartbeat(chain, key, given["member"], heartbeat)
    names = ("member", "epoch", "time", "until")
    return {name: getattr(found, name) for name in names} | {"vector": _pairs(found.vector), "head": list(found.head)}


@operation("envelopes::verify_evidence")
def _(given: Values, _: Draws) -> Values:
    found = log.verify_evidence(*_bytes(given, "evidence"), _listed(given.get("records", [])))
    return {name: getattr(found, name) for name in ("kind", "set_id", "epoch", "position", "member", "key")}


@operation("snapshots::open_blob")
def _(given: Values, _: Draws) -> Values:
    key, set_id, name, blob = _bytes(given, "key", "set_id", "id", "blob")
    kind = given["type"]
    return {"content": snapshots.open_blob(kind, key, snapshots.context_of(kind, set_id), name, blob)}


@operation("snapshots::seal_blob")
def _(given: Values, draw: Draws) -> Values:
    set_id, content = _bytes(given, "set_id", "content")
    key, nonce = draw("blob key"), draw("blob nonce")
    context = snapshots.context_of(given["type"], set_id)
    blob = snapshots.seal_blob(given["type"], key, nonce, context, content)
    return {"blob": blob, "id": snapshots.blob_id(blob)}


@operation("snapshots::open_manifest")
def _(given: Values, _: Draws) -> Values:
    key, set_id, name, blob = _bytes(given, "key", "set_id", "id", "blob")
    parts = snapshots.open_manifest(key, set_id, given["epoch"], given["previous_horizon"], name, blob)
    return dict(zip(("vector", "digest", "horizon", "runs", "unknown"), parts, strict=True))


@operation("snapshots::read_run")
def _(given: Values, _: Draws) -> Values:
    index, key, count = given["run"]
    served = {bytes.fromhex(name): bytes.fromhex(blob) for name, blob in given["blobs"]}
    found = snapshots.read_run(*_bytes(given, "set_id"), [bytes.fromhex(index), bytes.fromhex(key), count], served)
    return {"contacts": [list(pair) for pair in found]}


@operation("snapshots::plan_runs")
def _(given: Values, _: Draws) -> Values:
    return {"kept": snapshots.plan_runs(given["counts"], given["dirty"])}


@operation("snapshots::split_media")
def _(given: Values, _: Draws) -> Values:
    if given["size"] > 16 << 20:
        raise Refusal("LimitExceeded", "media too large")
    return {"sizes": snapshots.split_media(given["size"])}


@operation("access::check_kit_proof")
def _(given: Values, _: Draws) -> Values:
    records.check_kit_proof(*_bytes(given, "verify_key", "sealing_key", "proof"))
    return {}
