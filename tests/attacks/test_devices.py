"""What happens on the device itself: copies, clocks, offline edits, files, terminals (SPEC 8, 10, 14)."""

from __future__ import annotations

import ast
import contextlib
import os
import re
import subprocess
import sys
import urllib.parse
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from e2esync.card import display, flatten, read_vcards, write_vcards
from e2esync.cli.output import clean
from e2esync.client.sync import sync
from e2esync.contactset import SetOp
from e2esync.errors import CloneDetected, E2esyncError
from e2esync.limits import PARKED_MAX
from e2esync.stores import files
from e2esync.testing import Network
from tests.attacks.scene import MOMENTS, Peer, Weak, attack, defences, first, heals, ignored, three, two

ROOT = Path(__file__).parents[2]
SOURCES = {path: path.read_text("utf-8") for path in sorted((ROOT / "e2esync").rglob("*.py"))}


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("replica.reading:_check_own", late=True))
async def test_a22_a_cloned_device(net: Network, moment: str) -> None:
    """Two copies of one profile write under one index: the copy that is behind stops, and nothing of it is lost."""
    phone, laptop = await two(net, moment)
    copy = phone.clone("Copy")
    phone.add("From the phone")
    await phone.sync()
    copy.add("From the copy")
    before = copy.standing()
    with defences(), pytest.raises(CloneDetected):
        await copy.sync()
    assert copy.standing().unsent == before.unsent
    assert copy.names() == ["Ada", "From the copy"]
    await heals(net, phone, laptop)
    assert "From the phone" in laptop.names()
    nonces = [done.change.request.envelope[12:36] for done in net.relay.main.journal
              if hasattr(done.change.request, "envelope")]
    assert len(nonces) == len(set(nonces))


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("replica.reading:_check_own", late=True))
async def test_a64_a_profile_set_back_to_an_older_copy(net: Network, moment: str) -> None:
    """The folder is replaced by yesterday's: the device does not send under a number that it has used."""
    phone, laptop = await two(net, moment)
    yesterday = phone.clone("Yesterday")
    phone.add("Today")
    await phone.sync()
    phone.become(yesterday)
    phone.add("Again")
    since = net.relay.moment()
    with defences(), pytest.raises(CloneDetected):
        await phone.sync()
    assert len(net.relay.main.journal) == since
    assert phone.names() == ["Ada", "Again"]
    await heals(net, laptop)


@pytest.mark.parametrize("moment", MOMENTS)
@attack(why="a folder is a whole device, its keys and its numbers: there is no check that could hold one for the other")
async def test_a64_two_folders_in_each_others_place(net: Network, moment: str) -> None:
    """The folders of two devices change places: each goes on as the other, and neither uses a number twice."""
    phone, laptop = await two(net, moment)
    phone.add("Of the phone")
    laptop.add("Of the laptop")
    members = phone.replica.member, laptop.replica.member
    aside = phone.clone("Aside")
    net.devices.remove(aside)
    phone.become(laptop)
    laptop.become(aside)
    aside.profile.close()
    assert (laptop.replica.member, phone.replica.member) == members
    phone.add("Later")
    await heals(net)
    assert phone.names() == laptop.names() == ["Ada", "Later", "Of the laptop", "Of the phone"]


def unseen(_claimed: object, _vector: object, author: int, counter: int) -> dict[int, int]:
    """Nobody has seen anything: every two writes are concurrent, and clocks decide between them."""
    return {author: counter - 1}


@pytest.mark.parametrize("year", [253_000_000_000_000, 2**53 - 1])
@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("contactset.replay:clamp", unseen, alone=True))
async def test_a23_a_clock_far_in_the_future(net: Network, moment: str, year: int) -> None:
    """Somebody writes with the year 10889: it is visible, and the next honest edit wins on all devices."""
    phone, laptop, tablet = await three(net, moment)
    ada = phone.book.find("Ada").contact
    peer = Peer(tablet)
    peer.append(peer.entry([SetOp(ada, 1, year, {"notes/n": {"note": "for ever"}})]))
    before = net.clock()
    await net.settle(phone, laptop)
    assert phone.book.registers(ada)["notes/n"] == {"note": "for ever"}
    laptop.note("Ada", "honest")
    with defences():
        await net.settle(phone, laptop)
    assert phone.book.registers(ada)["notes/n"] == laptop.book.registers(ada)["notes/n"] == {"note": "honest"}
    assert phone.digest() == laptop.digest()
    assert net.clock() - before < 60_000


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("procedures.sending:seal_outbox", lambda *_: []))
async def test_a48_offline_across_three_rotations(net: Network, moment: str) -> None:
    """A device with unsent edits sleeps through three epochs: every edit lands once, under the same ids."""
    phone, laptop = await two(net, moment)
    made = [laptop.add(name) for name in ("Bob", "Carl")]
    laptop.note("Ada", "offline")
    for _epoch in range(3):
        await phone.rotate()
        phone.note("Ada", f"epoch {_epoch}")
        await phone.sync()
    with defences():
        await heals(net)
    assert phone.names() == ["Ada", "Bob", "Carl"]
    assert {row.contact for row in phone.book.list()} >= set(made)
    assert len(phone.book.list()) == 3


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("contactset.replay:PARKED_MAX", 1 << 40, alone=True))
async def test_a59_orphans_do_not_pile_up(net: Network, moment: str) -> None:
    """A member floods the log with entries whose predecessors never come: what waits for them is bounded."""
    phone, laptop, tablet = await three(net, moment)
    peer = Peer(tablet)
    big = {"notes/e": {"note": "x" * 120_000}}
    ada = phone.book.find("Ada").contact
    for number in range(12):
        peer.append(peer.entry([SetOp(ada, 1, 5, big)], counter=peer.counter + 5 + number, prev=b"p" * 32))
    await ignored(phone, behind=laptop)
    for device in (phone, laptop):
        assert sum(len(raw) for _author, _counter, raw in device.store.parked()) <= PARKED_MAX
    phone.add("Bob")
    await heals(net, phone, laptop)
    assert laptop.names() == ["Ada", "Bob"]


def careless(path: Path, parts: Iterable[bytes]) -> None:
    """A file as `open` makes it."""
    with open(path, "wb") as file:
        file.writelines(parts)


HOSTILE = ["\x1b[31mred", "a\x1b]8;;http://x\x07b", "\x1b]52;c;YQ==\x07", "x\x9b31m", "\u202eevil", "a\u2066b\u2069",
           "a\nb", "a\rb", "\x00", "\x7f", "zero\u200bwidth", "\ufeffbom"]
INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@attack(Weak("card.display:sanitize", str),
        moments="text on one's own screen: no relay takes part, and the text says not when it came")
def test_a50_terminal_escapes(text: str) -> None:
    """Names with escapes, control characters and directions, as `list` shows them."""
    with defences():
        shown = clean(text)
        assert not INVISIBLE.search(shown)
        assert shown == display.sanitize(text)


@attack(why="the search itself is shown to find a comparison that is none", moments="what is searched is the source")
def test_a57_secrets_are_compared_in_constant_time() -> None:
    """No `==` on tags, commitments, tokens, seeds; the check itself is shown to find one."""
    from tests.test_architecture import TREES, floor_name, loose_comparisons

    parts = {path: tree for path, tree in TREES.items() if floor_name(path) in {"crypto", "access"}}
    assert [finding for path, tree in parts.items() for finding in loose_comparisons(path, tree)] == []
    assert loose_comparisons(ROOT / "e2esync/crypto/x.py", ast.parse("tag == given"))


@attack(why="what makes keys is found by a search, and by a process that is forked")
def test_a47_one_source_of_randomness() -> None:
    """`random`, `uuid` and clocks make no key: only the entropy port does, and it is the system's."""
    users = {path.relative_to(ROOT / "e2esync").as_posix() for path, text in SOURCES.items()
             if re.search(r"^\s*(?:import|from) (?:random|uuid|secrets)\b", text, re.MULTILINE)}
    # Jitter before a reconnect, a test's bad network, which words of a kit to ask for: nothing that makes a key.
    allowed = ("client/watching", "testing/", "cli/", "demo/", "conformance/")
    assert not [user for user in users if not user.startswith(allowed)]
    program = ("import os, sys\nfrom e2esync.client.entropy import SystemEntropy\ne = SystemEntropy()\n"
               "r, w = os.pipe()\nif os.fork() == 0:\n    os.write(w, e.draw('n', 24)); os._exit(0)\n"
               "a = e.draw('n', 24); os.wait(); b = os.read(r, 24)\nsys.exit(a == b)")
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("moment", MOMENTS)
@attack(why="what is taken away here is randomness itself")
async def test_a47_no_randomness_no_output(net: Network, moment: str) -> None:
    """An entropy source that fails: nothing is sent, and nothing is lost."""
    _phone, laptop = await two(net, moment)
    laptop.add("Bob")
    before, journal = laptop.standing(), len(net.relay.main.journal)

    class Dry:
        def draw(self, _name: str, _length: int) -> bytes:
            raise OSError("no entropy")

        def encapsulate(self, _key: bytes) -> tuple[bytes, bytes]:
            raise OSError("no entropy")
    with laptop.online(), pytest.raises(OSError, match="no entropy"):
        await sync(laptop.profile, entropy=Dry(), now=laptop.now)
    assert laptop.standing() == before
    assert len(net.relay.main.journal) == journal
    await heals(net)


_WATCHED: list[str] | None = None


def _audit(event: str, _arguments: object) -> None:
    if _WATCHED is not None and event in ("open", "socket.connect", "socket.getaddrinfo", "subprocess.Popen"):
        _WATCHED.append(event)


@contextmanager
def watching() -> Iterator[list[str]]:
    """Every file and every connection that this process opens meanwhile. A hook of Python's stays for ever."""
    global _WATCHED
    if not _HOOKED:
        _HOOKED.append(True)
        sys.addaudithook(_audit)
    seen = _WATCHED = []
    try:
        yield seen
    finally:
        _WATCHED = None


_HOOKED: list[bool] = []


def fetched(line: Any) -> None:
    """A reader that follows an address."""
    with contextlib.suppress(OSError):
        open(urllib.parse.urlparse(line.value).path or "/dev/null").close()


@attack(Weak("card.vcard:inline_bytes", fetched), moments="a file on one's own disk: no relay takes part")
def test_a53_nothing_is_fetched() -> None:
    """The card packages have no network and open no file; addresses in cards stay text."""
    for path, text in SOURCES.items():
        if "e2esync/card/" in path.as_posix():
            assert not re.search(r"^\s*(?:import|from) (?:socket|urllib\.request|http|ssl|trio|os|pathlib)\b", text,
                                 re.MULTILINE), path
    uris = [f"{scheme}://{host}/etc/passwd" for scheme in ("http", "https", "file", "gopher", "ftp", "ldap")
            for host in ("", "127.0.0.1:1", "[::1]:1", "x.example", "u:p@x.example")]
    assert len(uris) == 30
    for uri in uris:
        raw = f"BEGIN:VCARD\r\nVERSION:4.0\r\nFN:A\r\nPHOTO:{uri}\r\nLOGO:{uri}\r\nSOUND:{uri}\r\nEND:VCARD\r\n"
        with defences(), watching() as seen:
            assert len(list(read_vcards(raw.encode(), salt=bytes(32)).cards)) == 1
        assert seen == []


@attack(Weak("stores.files:_create", careless), moments="a file on one's own disk: no relay takes part")
def test_a67_files_for_nobody_else(tmp_path: Path) -> None:
    """With umask 0, over a link that somebody has planted, and over an older file: private, whole, or not at all."""
    old = os.umask(0)
    try:
        with defences():
            files.write_private(tmp_path / "export", b"secret")
            assert (tmp_path / "export").stat().st_mode & 0o777 == 0o600
            (tmp_path / "target").write_bytes(b"theirs")
            (tmp_path / "planted").symlink_to(tmp_path / "target")
            files.write_private(tmp_path / "planted", b"secret")
            assert (tmp_path / "target").read_bytes() == b"theirs"
            with pytest.raises((E2esyncError, OSError)):
                files.create_private(tmp_path / "export", b"other")
            assert (tmp_path / "export").read_bytes() == b"secret"
    finally:
        os.umask(old)


@attack(why="a non-claim: there is nothing that could be removed",
        moments="a non-claim: what is searched is documents and the source")
def test_a68_what_is_not_claimed_is_said() -> None:
    """A malicious build is outside: README and SPEC say so, and the library fetches no update of itself."""
    assert "malicious build" in (ROOT / "SPEC.md").read_text("utf-8")
    assert "not been audited" in (ROOT / "README.md").read_text("utf-8")
    assert not [path for path, text in SOURCES.items() if re.search(r"pypi|pip install --upgrade|self[-_]update", text)]


@pytest.mark.parametrize("version", ["2.1", "3.0", "4.0"])
@attack(Weak("card.text:escape", str, also=("card.text:escape21", "card.text:plain",
                                            Weak("card.text:quote_printable", first))),
        moments="a file on one's own disk: no relay takes part")
def test_a51_property_smuggling(version: str) -> None:
    """A name that looks like a further line: exported and imported again it is one card, without a telephone number."""
    for name in ("A\u2028TEL:1", "A\x85TEL:1", "A\rTEL:1", "A\\nTEL:1", "A;TEL:1", "A\nTEL:1", "A\n TEL:1"):
        card = {"@type": "Card", "version": "1.0", "uid": "urn:x", "name": {"full": name}}
        with defences():
            written = write_vcards([flatten(card)], version=version, media=lambda _digest: None)
        cards = list(read_vcards(written, salt=bytes(32)).cards)
        assert len(cards) == 1
        assert not [path for path in cards[0].registers if path.startswith("phones/")]
