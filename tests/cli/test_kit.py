"""`kit`: a kit checked against the book, with the wrong word named; its page; shares and back."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from e2esync.access.kit import RecoveryKit, parse_kit_file, render_kit_file
from e2esync.crypto import Secret
from e2esync.epoch.record import set_id_of

from .conftest import Cli
from .driving import local_profile
from .terminal import Terminal

KIT = RecoveryKit(Secret(bytes(range(32))))
SET_ID = set_id_of(KIT.signing_key(0).verify_key)
WORDS = KIT.words()


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    """The kit's file."""
    path = tmp_path / "kit.txt"
    path.write_text(render_kit_file(KIT, "wss://relay.example", SET_ID, b"\x4e" * 32))
    return path


@pytest.fixture
def owner(cli: Cli, tmp_path: Path) -> Cli:
    """The program on a profile whose book has this kit."""
    local_profile(tmp_path / "profile", kit=KIT)
    return cli


def file_of(tmp_path: Path, words: list[str]) -> str:
    path = tmp_path / "words.txt"
    path.write_text(" ".join(words))
    return str(path)


def test_the_right_kit(owner: Cli, kit: Path) -> None:
    ran = owner("kit", "check", "--kit-file", str(kit), "--json")
    assert ran.code == 0
    assert ran.json["kit_of_a_book"] is True
    assert ran.json["books"] == [{"book": "Contacts", "role": "root", "number": 0, "member": True}]


def test_the_file_can_stand_alone(owner: Cli, kit: Path) -> None:
    assert owner("kit", "check", str(kit)).code == 0
    assert owner("kit", "check", str(kit), "--kit-file", str(kit)).code == 2


def test_another_kit_is_named_as_one(owner: Cli, tmp_path: Path) -> None:
    other = RecoveryKit(Secret(bytes(32))).words()
    ran = owner("kit", "check", "--kit-file", file_of(tmp_path, other))
    assert ran.code == 12
    assert "not one of any book" in ran.err


def test_without_a_profile_only_the_words_are_checked(cli: Cli, kit: Path) -> None:
    ran = cli("kit", "check", "--kit-file", str(kit), "--json")
    assert (ran.code, ran.json["kit_of_a_book"], ran.json["books"]) == (0, None, [])


@pytest.mark.parametrize("place", [1, 13, 24])
def test_one_wrong_word_is_named(owner: Cli, tmp_path: Path, place: int) -> None:
    wrong = [*WORDS]
    wrong[place - 1] = "zoo" if WORDS[place - 1] != "zoo" else "zone"
    error = owner("kit", "check", "--kit-file", file_of(tmp_path, wrong), "--json").error
    assert error["code"] == "BadCode"
    assert f"word {place} is wrong" in error["message"]
    assert not set(WORDS) & set(error["message"].split())


def test_two_swapped_words_are_named(owner: Cli, tmp_path: Path) -> None:
    wrong = [*WORDS]
    wrong[3], wrong[17] = wrong[17], wrong[3]
    error = owner("kit", "check", "--kit-file", file_of(tmp_path, wrong), "--json").error
    assert "words 4 and 18 are swapped" in error["message"]


def test_three_wrong_words_are_only_a_wrong_checksum(owner: Cli, tmp_path: Path) -> None:
    wrong = [*WORDS[:-3], "zoo", "zoo", "zone"]
    error = owner("kit", "check", "--kit-file", file_of(tmp_path, wrong), "--json").error
    assert "checksum" in error["message"]


def test_a_word_of_no_list_is_named_by_position_without_a_terminal(owner: Cli, tmp_path: Path) -> None:
    ran = owner("kit", "check", "--kit-file", file_of(tmp_path, [*WORDS[:6], "abandom", *WORDS[7:]]))
    assert ran.code == 12
    assert "word 7 of 24" in ran.err
    assert "abando" not in ran.err


def test_a_person_is_shown_what_is_close_and_asked_again(owner: Cli, tmp_path: Path) -> None:
    assert owner("kit", "check").code == 2
    with Terminal("--home", str(tmp_path / "profile"), "kit", "check") as screen:
        screen.expect("24 words")
        screen.send(" ".join([*WORDS[:6], "abandom", *WORDS[7:]]))
        screen.expect("Word 7 is not one of the word list. Close are: abandon")
        screen.expect("Word 7:")
        screen.send(WORDS[6])
        screen.expect("this kit is the root")
        assert screen.finish() == 0


def test_the_page_again(owner: Cli, kit: Path, tmp_path: Path) -> None:
    page = tmp_path / "kit.svg"
    assert owner("kit", "sheet", "--kit-file", str(kit), "-o", str(page), "--json").json["sheet"] == str(page)
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert all(f">{n:>2}  {word}<" in page.read_text() for n, word in enumerate(WORDS, start=1))
    assert owner("kit", "sheet", "--kit-file", str(kit), "-o", str(page)).code != 0
    assert owner("kit", "sheet", "--kit-file", str(kit), "-o", str(tmp_path / "kit.pdf")).code == 2


def test_shares_and_back(cli: Cli, kit: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shares"
    made = cli("kit", "split", "2-of-3", "--kit-file", str(kit), "-o", str(folder), "--json").json
    assert (made["needed"], len(made["shares"]), len(made["sheets"])) == (2, 3, 3)
    files = [Path(name) for name in (*made["shares"], *made["sheets"])]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    joined = tmp_path / "joined.txt"
    assert cli("kit", "join", *made["shares"][1:], "-o", str(joined)).code == 0
    again = parse_kit_file(joined.read_text())
    assert (again.kit.words(), again.relay_url, again.relay_key) == (WORDS, "wss://relay.example", b"\x4e" * 32)
    assert stat.S_IMODE(joined.stat().st_mode) == 0o600
    ran = cli("kit", "join", made["shares"][0])
    assert ran.code == 12
    assert "too few" in ran.err
    assert cli("kit", "join", *made["shares"][:2], "--json").json["kit"] == WORDS
    assert cli("kit", "split", "2-of-3", "--kit-file", str(kit), "-o", str(folder)).code != 0


def test_nothing_secret_in_messages(cli: Cli, kit: Path, tmp_path: Path) -> None:
    for arguments in (("split", "2-of-3", "-o", str(tmp_path / "s")), ("sheet", "-o", str(tmp_path / "k.html")),
                      ("check",)):
        ran = cli("kit", *arguments, "--kit-file", str(kit))
        assert ran.code == 0
        assert not {word for word in WORDS if word in ran.err.split()} - {"kit", "of", "then", "which"}


@pytest.mark.parametrize("arguments", [(), ("split", "1-of-2", "-o", "x"), ("join",)])
def test_what_makes_no_sense(cli: Cli, arguments: tuple[str, ...]) -> None:
    assert cli("kit", *arguments).code in (2, 12)
