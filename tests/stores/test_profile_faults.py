"""The profile store against killed processes, damaged files and other processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from e2esync.contactset.digest import contact_hash
from e2esync.crypto.secret import Secret
from e2esync.errors import ProfileDamaged, ProfileError, WrongPassphrase
from e2esync.replica.port import ContactRow
from e2esync.stores.profile import ProfileStore
from e2esync.wire import encode

KEY = Secret(bytes(range(32)))

_PRELUDE = """
import os, sys
from e2esync.crypto.secret import Secret
from e2esync.stores.profile import ProfileStore
store = ProfileStore.open(sys.argv[1], Secret(bytes(range(32))))
book = store.book(0)
def say(word):
    print(word, flush=True)
def wait():
    sys.stdin.readline()
"""


def start(path: Path, script: str) -> subprocess.Popen[str]:
    """Another process on the profile; it has reached its first `say` when this returns."""
    process = subprocess.Popen(
        [sys.executable, "-c", _PRELUDE + script, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "profile.sqlite3"
    with ProfileStore.create(path, KEY) as store:
        store.book(0).put("name", b"old")
        store.book(0).put_media("photo", b"old")
    return path


# More than the page cache holds, so that pages of the unfinished transaction are in the log when it dies.
_WRITE = """
with store.transaction():
    book.put("name", b"new")
    for number in range(50):
        book.put_media("photo" if number == 0 else str(number), os.urandom(1 << 20))
"""


def test_a_process_killed_in_a_transaction_leaves_the_old_state(path: Path) -> None:
    kill(start(path, _WRITE + '    say("ready")\n    wait()'))
    with ProfileStore.open(path, KEY) as store:
        assert store.book(0).get("name") == b"old"
        assert store.book(0).media("photo") == b"old"
        assert store.book(0).media_digests() == ["photo"]
        store.book(0).put("name", b"newer")


def test_a_process_killed_after_a_transaction_leaves_the_new_state(path: Path) -> None:
    kill(start(path, 'book.put("name", b"new")\nsay("ready")\nwait()'))
    with ProfileStore.open(path, KEY) as store:
        assert store.book(0).get("name") == b"new"


def test_two_processes_see_each_others_writes(path: Path) -> None:
    script = 'say("ready")\nwait()\nsay(book.get("name").decode())\nbook.put("name", b"theirs")\nsay("done")'
    with ProfileStore.open(path, KEY) as store:
        process = start(path, script)
        assert store.book(0).get("name") == b"old"
        store.book(0).put("name", b"ours")
        output, _ = process.communicate("\n")
        assert output == "ours\ndone\n"
        assert process.returncode == 0
        assert store.book(0).get("name") == b"theirs"


def test_a_writer_waits_for_another_process(path: Path) -> None:
    # This process holds the lock while the other one asks for it: the other waits, then goes on from what it finds.
    script = """
say("ready")
with store.transaction():
    book.put("name", book.get("name") + b", theirs")
"""
    with ProfileStore.open(path, KEY) as store:
        with store.transaction():
            process = start(path, script)
            store.book(0).put("name", b"ours")
        process.communicate()
        assert process.returncode == 0
        assert store.book(0).get("name") == b"ours, theirs"


def state(number: int) -> bytes:
    return encode([[1, [[1, number + 1, 0, {"name": {"full": f"Person {number}"}, "uid": f"uid {number}"}]]]])


def fill(store: ProfileStore) -> None:
    book = store.book(0)
    rows = []
    for number in range(120):
        contact, packed = bytes([number]) * 16, state(number)
        rows.append(ContactRow(contact, packed, contact_hash(contact, packed), number % 3, number % 2 == 0))
    with store.transaction():
        book.put_contacts(rows)
        book.mark_shown(row.contact for row in rows)
        book.keep_secret("epoch", 1, Secret(b"s" * 32))
        book.add_pending(b"op", rows[0].contact, b"context")
        book.put_media("digest", b"m" * 20_000)
        store.quarantine("file", b"raw", "reason", 1)
    store.settle()


def use(store: ProfileStore) -> None:
    """Read every kind of row, and write some."""
    book = store.book(0)
    for row in list(book.contacts()):
        book.contact(row.contact)
        book.bucket_hashes(row.contact[0])
    book.unsettled()
    book.secret("epoch", 1)
    book.pending()
    book.media("digest")
    list(store.quarantined())
    book.cards()
    book.find("person 7")
    with store.transaction():
        book.put_contacts(ContactRow(bytes([number]) * 16, state(number + 1), b"h" * 32, 0, True) for number in (3, 77))
        book.renumber_runs([0, 1], 2)
        book.mark_shown([bytes([3]) * 16])
        book.add_pending(b"op", b"c" * 16, b"context")
        book.delete_pending(1)


def damaged(whole: bytes) -> list[bytes]:
    """The file cut at many lengths, and with one bit of many bytes turned, all over and in its first pages."""
    copies = [whole[:length] for length in range(0, len(whole), len(whole) // 12)]
    copies += [whole[:-1], whole + bytes(8192)]
    places = [*range(0, len(whole), len(whole) // 60), *range(0, 120, 7), *range(8192, 24576, 601)]
    for count, place in enumerate(places):
        copy = bytearray(whole)
        copy[place] ^= 1 << count % 8
        copies.append(bytes(copy))
    return copies


@pytest.mark.parametrize("key", [None, KEY])
def test_whatever_happens_to_the_file_there_is_one_clear_error(tmp_path: Path, key: Secret | None) -> None:
    path = tmp_path / "db"
    with ProfileStore.create(path, key) as store:
        fill(store)
    whole = path.read_bytes()
    refused: list[ProfileError] = []
    for content in damaged(whole):
        for left in tmp_path.iterdir():
            left.unlink()
        path.write_bytes(content)
        try:
            with ProfileStore.open(path, key) as store:
                use(store)
        except ProfileError as error:
            refused.append(error)
    # Without encryption SQLite notices only what breaks its own structures; under encryption every page is sealed.
    assert len(refused) > (50 if key else 20)
    for each in refused:
        # A bit of the plain file's version number makes it look newer; all else is damage, in one word or the other.
        assert isinstance(each, ProfileDamaged | WrongPassphrase) or "has schema" in each.message
        assert "profile" in each.message


def test_a_contact_that_cannot_be_read_is_damage() -> None:
    for altered in (b"\xc1", encode([1]), encode([[1, [[1, 1, 0, 5]]]]), encode([[1, 2]]), encode("text")):
        with ProfileStore.memory() as store:
            store.book(0).put_contacts([ContactRow(b"c" * 16, altered, b"h" * 32, 0, False)])
            with pytest.raises(ProfileDamaged):
                store.book(0).mark_shown([b"c" * 16])


def test_an_altered_page_of_an_encrypted_file_never_gives_other_contents(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with ProfileStore.create(path, KEY) as store:
        fill(store)
        expected = list(store.book(0).contacts())
    whole = path.read_bytes()
    for place in range(0, len(whole), 12289):
        copy = bytearray(whole)
        copy[place] ^= 0x80
        path.write_bytes(copy)
        try:
            with ProfileStore.open(path, KEY) as store:
                assert list(store.book(0).contacts()) == expected
        except ProfileError:
            continue


def test_a_folder_that_cannot_be_written_is_an_error_that_says_so(path: Path) -> None:
    if os.geteuid() == 0:
        path = Path("/proc/version")  # no mode stops root; this file does
    else:
        path.chmod(0o400)
        path.parent.chmod(0o500)
    try:
        with pytest.raises(ProfileError), ProfileStore.open(path, KEY) as store:
            store.put_setting("a", b"b")
    finally:
        if path.name != "version":
            path.parent.chmod(0o700)
