"""Nothing of a book is at the relay: file, log, memory and wire are searched, every row judged, sizes compared."""

from __future__ import annotations

import hashlib
import shutil
from base64 import b64encode
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import apsw
import pytest
import trio

from e2esync.card import read_vcards
from e2esync.client.books import create_book
from e2esync.client.forgetting import forget
from e2esync.client.labels import add_label, rename_label, set_photo
from e2esync.demo.processes import relay_process
from e2esync.demo.search import read_folder, search
from e2esync.errors import E2esyncError
from e2esync.limits import DEVICE_NAME_MAX, OPENINGS_INTERVAL
from e2esync.session.codec import encode_message
from e2esync.session.messages import Mail, Side
from e2esync.testing import Network
from tests.attacks.sharing import begin, everything, family, invite
from tests.canaries import grammar
from tests.canaries.canary import PHOTO, TEXTS, forms, needles
from tests.canaries.recording import Recording
from tests.canaries.story import live
from tests.helpers.virtual import virtual_time


def memory_of(pid: int) -> bytes:
    """Everything that a process may write to: heap, stacks, what it mapped."""
    found = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            span, rights, *_rest = line.split()
            if rights.startswith("rw"):
                start, end = (int(each, 16) for each in span.split("-"))
                memory.seek(start)
                found.append(memory.read(end - start) or b"")
    return b"".join(found)


def hits(contents: dict[str, bytes]) -> dict[str, set[str]]:
    """Where which canary was found."""
    found = search(needles(), list(contents.values()))
    assert found.texts > len(TEXTS)
    return {place: {needle.kind for needle in here} for place, here in zip(contents, found.hits, strict=True) if here}


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs /proc")
async def test_no_canary_is_at_the_relay(tmp_path: Path) -> None:
    wire, seen = Recording(), {}
    async with relay_process(tmp_path / "relay") as relay, trio.open_nursery() as nursery:
        def look() -> None:
            seen[f"memory {len(seen)}"] = memory_of(relay.pid)
            seen.update({f"{name} {len(seen)}": content for name, content in read_folder(relay.folder).items()})

        await nursery.start(wire.run, relay)
        (tmp_path / "homes").mkdir()
        await live(tmp_path / "homes", wire.url, look)
        look()
        nursery.cancel_scope.cancel()
    seen["wire"] = wire.everything()
    assert hits(seen) == {}
    # What is searched is what there is: the relay's own key is in its memory and its file, the set's id on the wire.
    connection = apsw.Connection(str(tmp_path / "relay" / "relay.sqlite3"))
    (key,) = next(iter(connection.execute("SELECT value FROM meta WHERE name = 'key'")))
    (set_id,) = next(iter(connection.execute("SELECT set_id FROM sets")))
    connection.close()
    assert any(key in content for name, content in seen.items() if name.startswith("memory"))
    assert any(set_id in content for name, content in seen.items() if "sqlite3-wal" in name)
    assert set_id in seen["wire"]
    # A canary that a device holds in memory is found there: the search would have found one at the relay.
    assert hits(read_folder(tmp_path / "homes" / "phone"))
    counts = grammar.check(tmp_path / "relay" / "relay.sqlite3")
    assert all(counts[table] for table in ("sets", "records", "boxes", "blobs", "parts", "slots", "kits")), counts


@pytest.mark.parametrize("spell", [
    bytes, lambda form: form.decode().encode("utf-16-le"), lambda form: b64encode(b"." + form),
    lambda form: form.hex().encode(),
], ids=["as it is", "UTF-16", "base64", "hex"])
def test_a_planted_canary_is_found(spell: Callable[[bytes], bytes]) -> None:
    noise = hashlib.shake_256(b"noise").digest(200_000)
    files = {name: noise[:7_777] + spell(text.encode()) + noise[7_777:20_000] for name, text in TEXTS.items()}
    assert hits(files) == {name: {text} for name, text in TEXTS.items()}
    assert hits({"file": noise}) == {}


def test_hashes_digits_and_pieces_of_a_photo_are_found() -> None:
    noise = hashlib.shake_256(b"noise").digest(100_000)
    files = {str(number): noise[number:9_000] + form + noise[:99] for number, form in enumerate(forms(TEXTS["number"]))}
    assert hits(files) == {name: {TEXTS["number"]} for name in files}
    assert hits({"file": noise + PHOTO[900:1100] + noise}) == {"file": {"photo"}}


@virtual_time
async def test_every_row_is_allowed_and_nothing_else_is(tmp_path: Path) -> None:
    async with Network(seed="grammar") as net:
        phone = await net.begin("Phone")
        laptop = await net.pair(phone, "Laptop")
        phone.add("Ada")
        await net.settle()
        await laptop.rotate()
        phone.note("Ada", "one")
        await net.settle()
        source = min(path for path in net.folder.glob("relay-*") if not path.name.endswith(("-wal", "-shm", ".lock")))
        whole, path = tmp_path / "whole", tmp_path / "relay"
        with closing(apsw.Connection(str(source))) as connection:
            connection.execute("VACUUM INTO ?", (str(whole),))
    counts = grammar.check(whole)
    assert all(counts[table] for table in ("sets", "records", "boxes", "envelopes", "blobs", "parts", "slots"))
    for spoil in (
        "UPDATE envelopes SET envelope = CAST('Ada Lovelace' AS BLOB)", "CREATE TABLE notes (text)",
        "UPDATE meta SET name = 'Ada' WHERE name = 'key'", "ALTER TABLE sets ADD COLUMN title",
        "UPDATE boxes SET box = x'00'", "UPDATE records SET box_list = x'c0'", "UPDATE slots SET announcement = 'Ada'",
        "UPDATE parts SET bytes = zeroblob(length(bytes))", "UPDATE sets SET held = 'Ada'",
        "UPDATE sets SET holds = 'Ada'", "UPDATE sets SET holds = x'920190'",
    ):
        shutil.copy(whole, path)
        with closing(apsw.Connection(str(path))) as connection:
            connection.execute(spoil)
        with pytest.raises((grammar.NotAllowedError, E2esyncError)):
            grammar.check(path)


@dataclass(frozen=True)
class Contents:
    """What one book has in the place of what another has there."""

    names: tuple[str, ...]
    number: str
    note: str
    label: str
    further: str
    photo: bytes
    devices: tuple[str, ...]
    imported: int = 12


JPEG = b"\xff\xd8\xff\xe0"
ONE = Contents(("Ada", "Bob", "Cyd"), "+1 555 0100", "a" * 60, "Crew", "Family", JPEG + b"\x01" * 30_000,
               ("Phone", "Laptop", "Guest"))
TWO = Contents(("Zoë Q.", "Yaël", "Xi"), "030 12", hashlib.sha256(b"x").hexdigest()[:50], "Bücher", "Choir",
               JPEG + hashlib.shake_256(b"y").digest(29_900), ("Zoës Händy", "L", "Gast von nebenan"))


def cards(contents: Contents) -> bytes:
    """A file to import: some contacts with a photo each."""
    photo = b64encode(contents.photo).decode()
    return "".join(
        f"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:urn:{n}\r\nFN:{contents.names[n % 3]} {n}\r\nTEL:{contents.number}\r\n"
        f"PHOTO;ENCODING=b;TYPE=JPEG:{photo}\r\nEND:VCARD\r\n" for n in range(contents.imported)).encode()


async def life(net: Network, contents: Contents) -> None:
    """Every feature that sends anything, from the second device on."""
    phone = await begin(net, contents.devices[0])
    laptop = await net.pair(phone, contents.devices[1])
    for name in contents.names:
        phone.add(name, phones={"m": {"number": contents.number}})
    await net.settle()
    for name in contents.names:
        laptop.note(name, contents.note)
    await net.settle()
    book = phone.book
    book.apply(book.plan(read_vcards(cards(contents), salt=book.set_id)))
    await net.settle()
    chosen = book.find(contents.names[1]).contact
    set_photo(book, chosen, contents.photo + b"!")
    add_label(book, contents.label, [chosen])
    await net.settle()
    rename_label(book, contents.label, contents.label[::-1])
    phone.remove(contents.names[0])
    await phone.rotate()
    await net.settle()
    with phone.online():
        await create_book(phone.profile, contents.further, entropy=phone.entropy, now=phone.now)
    family(phone).add({"@type": "Card", "version": "1.0", "name": {"full": contents.names[2]}})
    await everything(phone, laptop)
    guest = await begin(net, contents.devices[2])
    net.clock.time += OPENINGS_INTERVAL
    await invite(phone, guest)
    await everything(phone, laptop, guest)
    await phone.revoke(laptop)
    net.clock.time += OPENINGS_INTERVAL
    with phone.online():
        await forget(phone.profile, entropy=phone.entropy, now=phone.now)
    await everything(phone, guest)


async def sizes(seed: str, contents: Contents) -> dict[tuple[int, Side], list[tuple[str, int]]]:
    """All that the relay sees of a life with these contents: who sends and is sent what of which size, in order."""
    async with Network(seed=seed) as net:
        await life(net, contents)
        seen: dict[tuple[int, Side], list[tuple[str, int]]] = {}
        for each in net.trace:
            who = contents.devices.index(each.device)
            seen.setdefault((who, each.side), []).append((each.kind, each.size))
        return seen


@virtual_time
async def test_two_books_of_equal_leakage_look_equal() -> None:
    """Other names, numbers, photos and lengths, as long as they lie on the same rungs of the ladder of SPEC 5.6."""
    one, two = await sizes("one", ONE), await sizes("two", TWO)
    assert sum(map(len, one.values())) > 300
    assert one == two
    for other in (replace(TWO, note="b" * 2000), replace(TWO, photo=JPEG + b"z" * 60_000), replace(TWO, imported=20)):
        assert await sizes("two", other) != one


@virtual_time
async def test_a_pairing_and_an_invitation_show_no_length_of_a_name() -> None:
    """The shortest and the longest names of a device, a person and a book (SPEC 12.2, 12.3) make equal messages."""
    short = replace(ONE, further="B", devices=("P", "L", "G"))
    long = replace(ONE, further="B" * DEVICE_NAME_MAX, devices=tuple(name * DEVICE_NAME_MAX for name in "PLG"))
    one, two = await sizes("one", short), await sizes("two", long)
    assert one != two
    mail = {who: [each for each in one[who] if each[0] in ("Mail", "MailPush")] for who in one}
    assert mail == {who: [each for each in two[who] if each[0] in ("Mail", "MailPush")] for who in two}
    around = len(encode_message(Mail(0, bytes(512)))) - 512
    assert {size - around for each in mail.values() for _kind, size in each} == {512, 2048, 4096}
