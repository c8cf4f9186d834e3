"""What the demo claims at the end, and how it finds out: the devices are equal, and the relay's disk holds nothing."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from e2esync.client.book import Book
from e2esync.demo.acts import Act, card_of, unsent
from e2esync.demo.devices import Device
from e2esync.demo.exhibit import Exhibit
from e2esync.demo.report import Report, duration, plural, size
from e2esync.demo.search import KINDS, SPELLINGS, Needle, needles, read_folder, search, spellings
from e2esync.replica.snapshots import digest

_SHOWN: Final = 6
_CONTROL: Final = 2_000
_TELLING: Final = 8
_CONTROL_SHARE: Final = 0.9
"""A database may cut a text at the end of a page; a tenth is far more than it does."""


def equality(report: Report, phone: Device, laptop: Device, photos: dict[str, bytes]) -> None:
    """Claim that both devices hold the same, in three ways."""
    digests = [digest(device.profile.store.book(0)) for device in (phone, laptop)]
    report.claim(f"state digests are equal: {digests[0].hex()[:32]}…", digests[0] == digests[1])
    rows = [device.book.list() for device in (phone, laptop)]
    same = [row.contact for row in rows[0]] == [row.contact for row in rows[1]] and all(
        phone.book.registers(row.contact) == laptop.book.registers(row.contact) for row in rows[0]
    )
    report.claim(f"all {plural(len(rows[0]), 'contact')} are equal, field by field", same)
    whole = all(device.book.media(name) == data for name, data in photos.items() for device in (phone, laptop))
    if photos:
        report.claim(f"all {plural(len(photos), 'photo')} are on both, byte for byte as in the file", whole)
    report.claim("nothing is left to send", not any(unsent(device) for device in (phone, laptop)))
    report.facts["digest"] = digests[0].hex()


def side_by_side(report: Report, phone: Device, laptop: Device, acts: list[Act], exhibit: Exhibit) -> None:
    """Show some contacts as the devices have them, and bytes as the relay has them."""
    samples = [part for sample in exhibit.samples for part in (sample[:8], sample[8:16])]
    report.columns("PHONE", "LAPTOP", "RELAY")
    names = {act.name for act in acts}
    lines = list(zip(_lines(phone.book, names), _lines(laptop.book, names), strict=False))
    for number, (ours, theirs) in enumerate(lines):
        report.columns(ours, theirs, samples[number % len(samples)].hex(" ") if samples else "")
    report.columns("…", "…", "…")


def relay_holdings(report: Report, said: dict[str, int], exhibit: Exhibit, folder: Path) -> None:
    """What the relay says that it holds, and what its database shows."""
    blobs, envelopes = said["blobs"], said["envelopes"]
    report.say(
        f"{plural(said['records'], 'record')} of who is in ({said['members']} public keys: phone, laptop, recovery "
        f"kit), {plural(envelopes, 'envelope')} of {size(said['envelope_bytes'])}, {plural(blobs, 'blob')} of "
        f"{size(said['blob_bytes'])}, {plural(said['slots'], 'slot')}; and when each came. So it can tell roughly "
        f"how large the book is, and no name, no number and no address, not even what the book or a device is called."
    )
    files = read_folder(folder)
    report.say("Its files: " + ", ".join(f"{name} ({size(len(data))})" for name, data in files.items()) + ".")
    report.claim("what it says it holds is what its database holds",
                 all(said.get(name) == count for name, count in exhibit.counts.items()))
    report.facts["relay"] = {"inspect": said, "database": exhibit.counts,
                             "files": {name: len(data) for name, data in files.items()}}


def book_texts(phone: Device, acts: list[Act], photos: dict[str, bytes]) -> list[Needle]:
    """Every text that was in the book at the beginning or is at the end."""
    cards = [card_of(phone, row.contact) for row in phone.book.list()]
    return needles([*(act.before for act in acts), *cards], photos.values())


def disk_search(report: Report, wanted: list[Needle], relay: Path, empty: dict[str, bytes],
                devices: list[Device]) -> None:
    """Search the relay's folder for all texts, and show that the same search finds them where they are."""
    begun = time.perf_counter()
    files = read_folder(relay)
    found = search(wanted, [*empty.values(), *files.values()])
    # What stands in the files of a relay that has never seen a book is the program's own.
    own = set().union(*found.hits[: len(empty)])
    hits = set().union(*found.hits[len(empty) :]) - own
    sought = [needle for needle in wanted if needle not in own]
    by_kind, texts = Counter(needle.kind for needle in hits), Counter(needle.kind for needle in sought)
    report.table([("", "TEXTS", "HITS"), *((kind, f"{texts[kind]:,}", f"{by_kind[kind]:,}")
                                           for kind in KINDS if texts[kind])])
    report.say(f"Each was sought as {', '.join(SPELLINGS[:-1])} and {SPELLINGS[-1]}, numbers also as digits only: "
               f"{found.spellings:,} spellings in {plural(len(files), 'file')}, {size(sum(map(len, files.values())))}, "
               f"{duration(time.perf_counter() - begun)}.")
    report.claim(f"{plural(len(sought), 'text')} of the book on the relay's disk: {plural(len(hits), 'hit')}",
                 found.texts > 0 and not hits)
    report.facts["search"] = {
        "files": len(files), "bytes": sum(map(len, files.values())), "texts": len(sought),
        "spellings": found.spellings, "hits": len(hits), "own_words": len(own),
        "kinds": {kind: texts[kind] for kind in KINDS},
    }
    _controls(report, sought, devices)


def _controls(report: Report, sought: list[Needle], devices: list[Device]) -> None:
    """The same search where it has to find: planted spellings, a plain profile; and where again it must not."""
    phone, laptop = devices
    # Of a very short text a profile has no spelling that can be told from chance.
    plain = [needle for needle in sought if len(needle.content) >= _TELLING]
    some = plain[:: -(-len(plain) // _CONTROL)]
    longest = max(some, key=lambda needle: len(needle.content))
    planted = [os.urandom(4096) + spelling + os.urandom(4096) for spelling in spellings(longest.content)]
    caught = sum(map(bool, search([longest], planted).hits))
    report.claim(f"the search works: it finds {caught} of {len(planted)} spellings hidden in random bytes",
                 caught == len(planted))
    there, hidden = (len(set().union(*search(some, list(read_folder(device.profile.home).values())).hits))
                     for device in (phone, laptop))
    report.claim(f"on the phone, whose profile is plain here, it finds {there:,} of {len(some):,}",
                 there >= len(some) * _CONTROL_SHARE)
    report.claim(f"on the laptop, whose profile is encrypted, it finds {hidden:,} of {len(some):,}", not hidden)
    report.facts["control"] = {"planted": len(planted), "caught": caught, "texts": len(some), "plain_hits": there,
                               "encrypted_hits": hidden}


def _lines(book: Book, names: set[str]) -> list[str]:
    """Some contacts as a device has them: the acts' first, each with a number or an address below."""
    rows = sorted(book.list(), key=_first(names))[:_SHOWN]
    return [line for row in rows for line in (row.name, "  " + next(iter((*row.phones, *row.emails, row.org)), ""))]


def _first(names: set[str]) -> Callable[[Any], bool]:
    return lambda row: row.name not in names
