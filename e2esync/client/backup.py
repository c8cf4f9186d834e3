"""A backup file: a whole book, encrypted, that comes back with everything.

    "e2esync backup 1\\n" ‖ part*        part = u32 length (big endian) ‖ bytes; the first is the header, in clear
    header = ["passphrase", salt] | ["kit", [[verify key of a recovery kit, sealed box (SPEC 5.5)] …]]
    part   = AE(K, nonce, "e2e backup" ‖ BLAKE2b(header) ‖ number ‖ last, [item …])      SPEC 5.4, 6.3

K is Argon2id(passphrase, salt) by the constants of SPEC 5.7, or 32 random bytes sealed to the book's recovery kits.
Items are the book, its contacts with their registers (but where photos lie), the layouts of imported files, photos in
pieces, and the local history. Contacts are named by uid and ordinal, so that a backup goes into another book as well.

Invariants: parts are bound to their file, number and end, so that nothing is swapped, left out or cut off unnoticed;
no value of the file is believed before its part has opened; memory holds a few parts at a time, and of the photos those
of two hundred contacts.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from e2esync.access.kit import RecoveryKit, key_number
from e2esync.client import settings
from e2esync.crypto import Secret, blake2b, open_sealed, seal
from e2esync.crypto.hashing import Label
from e2esync.crypto.passphrase import key_from_passphrase
from e2esync.crypto.sealing import open_box, seal_to
from e2esync.errors import BadCode, CommitMismatch, CryptoError, NotFound, ProfileDamaged, WireError, WrongPassphrase
from e2esync.limits import BLOB_PART, KEY, NONCE, SALT, SEALED_BOX, VERIFY_KEY
from e2esync.replica.contacts import contact_id
from e2esync.stores import files
from e2esync.wire import Value, decode, decode_values, encode

if TYPE_CHECKING:
    from e2esync.client.book import Book
    from e2esync.crypto import Entropy

MAGIC: Final = b"e2esync backup 1\n"
_NO_BACKUP: Final = ("name a file that `e2esync backup` wrote; contacts that another program wrote come in with "
                     "`e2esync import`")
HEADER_MAX: Final = 64 << 10
PART_TARGET: Final = 512 << 10
PART_MAX: Final = 4 << 20
ORDINALS_MAX: Final = 100
"""So many cards with one uid are told apart."""
_CONTEXT: Final = b"e2e backup"
_PLACES: Final = "blobs/"

Item = list[Value]
Way = str | RecoveryKit
"""What opens a backup: its passphrase, or the recovery kit."""


@dataclass(slots=True)
class BackupContents:
    """What a backup holds, but for the photos' bytes."""

    name: str = ""
    set_id: bytes = b""
    time: int = 0
    contacts: list[tuple[str, int, dict[str, Value]]] = field(default_factory=list)
    layouts: dict[str, bytes] = field(default_factory=dict)
    steps: list[tuple[int, str, int, int, int]] = field(default_factory=list)
    """(number, name, author, time, undone by)"""
    changes: list[tuple[int, str, int, bytes]] = field(default_factory=list)
    """(step, uid, ordinal, before)"""
    photos: int = 0


def write_backup(book: Book, path: Path, passphrase: str | None) -> int:
    """Write a whole book to a file (0600; whole or not at all), for a passphrase or for its recovery kits.

    Returns how many contacts it holds. Raises DiskFull, ProfileError, NotFound where the book has no kit.
    """
    header, key = _for_passphrase(book.entropy, passphrase) if passphrase is not None else _for_kits(book)
    count = 0

    def parts() -> Iterator[bytes]:
        nonlocal count
        yield MAGIC + _framed(header)
        group: list[Item] = []
        size = number = 0
        for item in _items(book):
            count += item[0] == "contact"
            group.append(item)
            size += _size(item)
            if size >= PART_TARGET:
                yield _framed(_sealed(book.entropy, key, header, number, False, group))
                group, size, number = [], 0, number + 1
        yield _framed(_sealed(book.entropy, key, header, number, True, group))

    files.write_private_parts(path, parts())
    return count


def read_backup(path: Path, way: Way, photo: Callable[[str, bytes], None] | None = None) -> BackupContents:
    """What a backup holds. `photo` is given each photo, by digest, as it comes.

    Raises WrongPassphrase, BadCode for a kit that it was not made for, ProfileDamaged for a file that was altered or
    cut, OSError.
    """
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise ProfileDamaged(f"{path.name} is no backup of e2esync", _NO_BACKUP)
        header = _read_part(file, HEADER_MAX)
        key = _key(header, way)
        contents = BackupContents()
        pieces: dict[str, BytesIO] = {}
        for item in _opened(file, header, key):
            try:
                _take(contents, item, pieces, photo)
            except (ValueError, TypeError, LookupError) as error:
                raise ProfileDamaged("the backup holds what e2esync does not write") from error
    return contents


def made_for(path: Path) -> str:
    """`passphrase` or `kit`: what opens a backup. Raises ProfileDamaged, OSError."""
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise ProfileDamaged(f"{path.name} is no backup of e2esync", _NO_BACKUP)
        try:
            return "kit" if decode(_read_part(file, HEADER_MAX))[0] == "kit" else "passphrase"
        except (WireError, ValueError, TypeError, LookupError) as error:
            raise ProfileDamaged("the head of the backup is damaged") from error


def _items(book: Book) -> Iterator[Item]:
    """Everything of a book."""
    store = book.store
    yield ["book", book.name, book.set_id, book.now()]
    digests: dict[str, None] = {}
    known: dict[bytes, tuple[str, int]] = {}
    for row in book.list():
        registers = book.registers(row.contact)
        uid = registers.get("uid")
        known[row.contact] = named = uid if isinstance(uid, str) else "", _ordinal(book, uid, row.contact)
        digests |= {path.removeprefix(_PLACES): None for path in registers if path.startswith(_PLACES)}
        yield ["contact", *named, {path: value for path, value in registers.items() if not path.startswith(_PLACES)}]
    for name, layout in store.named("import/"):
        yield ["layout", name, layout]
    for digest in digests:
        content = store.media(digest)
        for start in range(0, len(content or b""), BLOB_PART):
            assert content is not None
            yield ["photo", digest, start + BLOB_PART >= len(content), content[start : start + BLOB_PART]]
    yield from _history(book, known)


def _history(book: Book, known: dict[bytes, tuple[str, int]]) -> Iterator[Item]:
    """The local history; a contact that nobody can name any more is left out."""
    from e2esync.replica.history import read_before

    for step, changes in book.store.history.all_changes():
        yield ["step", step.number, step.name, step.author, step.time, step.undone]
        for change in changes:
            if change.contact not in known:
                uids = [(read_before(row.before) or {}).get("uid") for row in
                        book.store.history.of_contact(change.contact)]
                uid = next((values[0] for values in uids if values), "")
                known[change.contact] = str(uid), _ordinal(book, uid, change.contact)
            yield ["change", step.number, *known[change.contact], change.before]


def _ordinal(book: Book, uid: Value, contact: bytes) -> int:
    if not isinstance(uid, str):
        return -1
    return next((n for n in range(ORDINALS_MAX) if contact_id(book.set_id, uid, n) == contact), -1)


def _take(contents: BackupContents, item: Item, pieces: dict[str, BytesIO],
          photo: Callable[[str, bytes], None] | None) -> None:
    """Note one item; of a kind that a later version adds nothing."""
    kind, *values = item
    if kind == "book":
        contents.name, contents.set_id, contents.time = values
    elif kind == "contact":
        uid, ordinal, registers = values
        contents.contacts.append((str(uid), int(ordinal), dict(registers)))
    elif kind == "layout":
        name, layout = values
        contents.layouts[str(name)] = bytes(layout)
    elif kind == "photo":
        digest, last, piece = values
        contents.photos += bool(last)
        if photo is not None:
            pieces.setdefault(digest, BytesIO()).write(piece)
            if last:
                photo(digest, pieces.pop(digest).getvalue())
    elif kind == "step":
        number, name, author, time, undone = values
        contents.steps.append((int(number), str(name), int(author), int(time), int(undone)))
    elif kind == "change":
        number, uid, ordinal, before = values
        contents.changes.append((int(number), str(uid), int(ordinal), bytes(before)))


def _for_passphrase(entropy: Entropy, passphrase: str) -> tuple[bytes, Secret]:
    if not passphrase:
        raise WrongPassphrase("an empty passphrase protects nothing", "choose one")
    salt = entropy.draw("profile backup salt", SALT)
    return encode(["passphrase", salt]), key_from_passphrase(passphrase, salt)


def _for_kits(book: Book) -> tuple[bytes, Secret]:
    """A key that the person's recovery kits open, and nothing on this device."""
    replica = book.replica
    kits = [member for member in replica.chain.members.values()
            if not member.is_device and member.person == replica.person]
    if not kits:
        raise NotFound("this book has no recovery kit of yours", "give a passphrase")
    key = Secret(book.entropy.draw("profile backup key", KEY))
    boxes = [[kit.verify_key, seal_to(kit.seal_key, _CONTEXT, key, book.entropy)] for kit in kits]
    return encode(["kit", boxes]), key


def _key(header: bytes, way: Way) -> Secret:
    """The key of a backup. Raises WrongPassphrase, BadCode, ProfileDamaged."""
    try:
        kind, value = decode(header)
        if kind == "passphrase" and isinstance(value, bytes) and len(value) == SALT:
            if isinstance(way, RecoveryKit):
                raise WrongPassphrase("this backup was made for a passphrase, not for a recovery kit")
            return key_from_passphrase(way, value)
        boxes = [(verify, box) for verify, box in value if len(verify) == VERIFY_KEY and len(box) == SEALED_BOX]
    except (WireError, ValueError, TypeError) as error:
        raise ProfileDamaged("the head of the backup is damaged") from error
    if not isinstance(way, RecoveryKit):
        raise WrongPassphrase("this backup was made for the recovery kit, not for a passphrase", "give the kit")
    for verify_key, box in boxes:
        number = key_number(way, verify_key)
        if number is not None:
            try:
                return open_box(way.sealing_key(number), _CONTEXT, box)
            except CryptoError as error:
                raise ProfileDamaged("the head of the backup is damaged") from error
    raise BadCode("this backup was made for another recovery kit")


def _sealed(entropy: Entropy, key: Secret, header: bytes, number: int, last: bool, items: list[Item]) -> bytes:
    return seal(key, entropy.draw("profile backup nonce", NONCE), _context(header, number, last), encode(items))


def _opened(file: BinaryIO, header: bytes, key: Secret) -> Iterator[Item]:
    """The items of all parts, in order. The last part says that it is: whoever cuts the file is found out."""
    number = 0
    part = _read_part(file, PART_MAX)
    while True:
        following = _read_part(file, PART_MAX, end=True)
        try:
            plain = open_sealed(key, _context(header, number, not following), part)
            items = decode_values(plain, limit=PART_MAX)
            yield from items
        except CommitMismatch as error:
            if number == 0 and decode(header)[0] == "passphrase":
                raise WrongPassphrase("this is not the backup's passphrase, or its beginning was altered") from error
            raise ProfileDamaged("the backup was altered, or cut off") from error
        except (CryptoError, WireError, ValueError, TypeError, LookupError) as error:
            raise ProfileDamaged("the backup was altered, or cut off") from error
        if not following:
            return
        part, number = following, number + 1


def _context(header: bytes, number: int, last: bool) -> bytes:
    return _CONTEXT + blake2b(Label.PROFILE_KEY, header) + number.to_bytes(8) + bytes([last])


def _framed(part: bytes) -> bytes:
    return len(part).to_bytes(4) + part


def _read_part(file: BinaryIO, limit: int, *, end: bool = False) -> bytes:
    """The next part; empty at the end of the file, where that may be."""
    length = file.read(4)
    if end and not length:
        return b""
    size = int.from_bytes(length)
    part = file.read(size) if len(length) == 4 and 0 < size <= limit else b""
    if not part or len(part) != size:
        raise ProfileDamaged("the backup was cut off, or is damaged")
    return part


def _size(item: Item) -> int:
    """About how many bytes an item takes: what is long in it."""
    return len(item[-1]) if isinstance(item[-1], bytes) else len(encode(item))


def old_backups(folder: Path, keep: int) -> Iterable[Path]:
    """The automatic backups in a folder that are too many, oldest first: their names begin with their day."""
    found = sorted(path for path in folder.glob("*.e2ebackup") if path.is_file() and not path.name.startswith("."))
    return found[: max(len(found) - keep, 0)]


def backup_if_due(book: Book) -> Path | None:
    """Make an automatic backup for the recovery kit if the settings ask for one now, and remove those too many.

    Returns where it is; None where none is due. Raises DiskFull, ProfileError, NotFound.
    """
    store = book.profile.store
    every = settings.get_number(store, settings.BACKUP_EVERY)
    last = book.store.get("backup")
    if not every or (last is not None and book.now() - int(decode(last)) < every):
        return None
    path = backup_path(book)
    write_backup(book, path, None)
    book.store.put("backup", encode(book.now()))
    for old in old_backups(path.parent, settings.get_number(store, settings.BACKUP_KEEP)):
        os.unlink(old)
    return path


def backup_path(book: Book) -> Path:
    """A new name in the folder of backups, which is made if need be. Raises ProfileError."""
    chosen = settings.get_text(book.profile.store, settings.BACKUP_DIR)
    folder = Path(chosen).expanduser() if chosen else book.profile.home / "backups"
    moment = time.strftime("%Y-%m-%d-%H%M%S", time.localtime(book.now() / 1000))
    try:
        if not folder.is_dir():
            files.make_private_folder(folder)
    except OSError as error:
        raise files.file_error(error, f"make the folder {folder}") from error
    return folder / f"{moment}-{book.number}.e2ebackup"
