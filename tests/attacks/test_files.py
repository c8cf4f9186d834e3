"""What leaves a device other than to the relay (SPEC 17): exports, names on the screen, output, and its own files."""

from __future__ import annotations

import logging
import re
import traceback
import unicodedata
from pathlib import Path

import pytest
import trio

from e2esync.card.foreign import csvtext, read_google, write_google
from e2esync.card.foreign.csvtext import parse_csv
from e2esync.client.forgetting import forget
from e2esync.errors import E2esyncError, PairingAborted
from e2esync.limits import OPENINGS_INTERVAL
from e2esync.replica.core import EPOCH, SEALING, SIGNING
from e2esync.session import messages as m
from e2esync.session.kinds import Refusal
from e2esync.testing import Device, Network, flip, mutate, refuse, starve, truncate
from tests.attacks.scene import MOMENTS, STEADY, Weak, attack, defences, two

TRIGGERS = "=+-@＝＋－＠\t\r\n"
FORMULAS = [before + trigger + "cmd|' /C calc'!A0" for trigger in TRIGGERS for before in ("", " ", "\u3000 ")
            if not (before and trigger in "\t\r\n")]


@pytest.mark.parametrize("formula", [*FORMULAS, "'=1+1", "''=1+1", "+49 170 1234567*2"], ids=ascii)
@attack(Weak("card.foreign.csvtext:guard", str), moments="a file on one's own disk: no relay takes part")
def test_a52_formulas_in_exported_tables(formula: str) -> None:
    """What a spreadsheet would compute goes out behind an apostrophe, in every column, and comes back as it was."""
    text = unicodedata.normalize("NFC", formula)
    card = {"uid": "u", "name": {"full": text}, "notes/n": {"note": text}, "phones/p": {"number": text},
            "organizations/o": {"name": text}}
    with defences():
        data = write_google([card])
    _header, row = parse_csv(data.decode("utf-8-sig"), ",")
    values = [value for value in row.fields if value.strip()]
    assert len(values) >= 3
    assert all(value.startswith("'") for value in values)
    (back,) = read_google(data, salt=b"s" * 32).cards
    # A file's line ends are one kind when it is read.
    assert {"note": text.replace("\r", "\n")} in back.registers.values()


@pytest.mark.parametrize("number", ["+49 170 1234567", "+1 (555) 010-99", "Ada", "a=b", "'quoted'"])
@attack(Weak("card.foreign.csvtext:guard", lambda text: "'" + text))
def test_a52_what_is_no_formula_is_left_alone(number: str) -> None:
    """Programs match on plain numbers: these go out as they are."""
    with defences():
        assert csvtext.guard(number) == number


async def written(net: Network, name: str, note: str, moment: str = STEADY) -> tuple[Device, Device]:
    """Two devices, and a contact that nobody else may see."""
    phone, laptop = await two(net, moment)
    phone.add(name, notes={"n": {"note": note}})
    await net.settle(*([phone] if moment != STEADY else []))
    return phone, laptop


@pytest.mark.parametrize("moment", MOMENTS)
@attack(Weak("crypto.secret:Secret.__repr__", lambda secret: repr(secret.reveal())))
async def test_a56_nothing_that_is_said_holds_a_secret(net: Network, moment: str,
                                                       caplog: pytest.LogCaptureFixture) -> None:
    """Every kind of lie and a failed pairing, with the logs at their most talkative: no key, word or contact in it."""
    caplog.set_level(logging.DEBUG)
    name, note = "Zebedee Quagmire", "met at the harbour"
    phone, laptop = await written(net, name, note, moment)
    said: list[str] = []
    kinds: set[type[E2esyncError]] = set()
    lies = [starve(), truncate(m.LogPart, "envelopes", 0), refuse(m.BoxAnswer, Refusal.NOT_FOUND),
            *(mutate(kind, lambda _message: b"\xc1" * 99) for kind in (m.Welcome, m.LogPart, m.BlobPart, m.ChainPart)),
            mutate(m.Welcome, lambda welcome: m.Welcome(flip(welcome.head), welcome.signature))]
    for lie in lies:
        phone.note(name, note + str(len(said)))
        await phone.sync()
        try:
            with net.relay.lying(lie), trio.fail_after(3600):
                await laptop.sync()
        except E2esyncError as error:
            kinds.add(type(error))
            said += [repr(error), *traceback.format_exception(error)]
    assert len(kinds) >= 3
    codes: list[str] = []

    def mistyped(words: str) -> str:
        codes.append(words)
        return "one two three"
    with pytest.raises(PairingAborted) as failed:
        await net.pair(phone, "Tablet", type_words=mistyped)
    said += [*traceback.format_exception(failed.value)]
    with defences():
        said += [repr(each) for each in (phone.profile, phone.book, phone.replica, phone.store, net.kit,
                                         phone.replica.key, phone.replica.signing_key.seed)]
    text = "\n".join([*said, caplog.text, *laptop.book.status().notices])
    assert len(text) > 2_000
    await laptop.sync()
    assert name in laptop.names()
    keys = [secret.reveal() for device in (phone, laptop) for kind in (SIGNING, SEALING, EPOCH)
            for number in device.store.secret_numbers(kind) if (secret := device.store.secret(kind, number))]
    assert len(keys) >= 6
    words = " ".join(net.kit.words())
    for canary in (name, note, "Zebedee", words, words[:24], *codes, *(key.hex()[:16] for key in keys),
                   *(repr(key[:8])[2:-1] for key in keys)):
        assert canary not in text


def in_files(net: Network, device: Device, *canaries: str) -> bool:
    """Whether any file of a device's profile holds one of these."""
    files = [path.read_bytes() for path in sorted((net.folder / device.name).rglob("*")) if path.is_file()]
    assert sum(map(len, files)) > 10_000
    return any(canary.encode() in data for data in files for canary in canaries)


@attack(Weak("stores.history:History.clear"),
        moments="a forget opens an epoch, so it is always a rotation; what it leaves lies on one's own disk")
async def test_a58_what_is_left_in_a_devices_files(net: Network) -> None:
    """After a forget no live file holds the contact: no free page, index, history, journal. Flash may (N5)."""
    name, note = "Wilhelmina Forgettable", "met at the harbour"
    phone, laptop = await written(net, name, note)
    assert in_files(net, phone, name)
    phone.remove(name)
    await net.settle()
    assert in_files(net, phone, name, note)
    for _round in range(2):
        net.clock.time += OPENINGS_INTERVAL
        with phone.online(), defences():
            await forget(phone.profile, entropy=phone.entropy, now=phone.now)
        await net.settle()
    assert not in_files(net, phone, name, note)
    for device in (phone, laptop):
        device.profile.close()
        assert not in_files(net, device, name, note)


@attack(why="words in documents: the promise is found where it stands")
def test_a58_nobody_is_promised_more_than_a_logical_erase() -> None:
    """Documents and help say nothing of flash memory but that it is not erased."""
    root = Path(__file__).parents[2]
    texts = [path.read_text("utf-8") for path in (root / "README.md", root / "SPEC.md", *sorted(
        (root / "e2esync").rglob("*.py")))]
    assert not [found for text in texts for found in re.findall(
        r"(?i)secur\w+ (?:eras|delet|wip)\w+|(?:eras|delet|wip)\w+ secur\w+|shred\w*", text)]
    assert "nothing erases flash physically" in texts[1]
