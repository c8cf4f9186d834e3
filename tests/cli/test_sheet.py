"""cli.sheet: one page, self-contained, private, whose QR code is what it prints in words."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from xml.etree import ElementTree

import pytest
import segno

from e2esync.access.kit import RecoveryKit, parse_kit_file
from e2esync.cli.exits import FileProblem, UsageError
from e2esync.cli.sheet import Sheet, html, kit_code, svg, write_sheet
from e2esync.crypto import Secret

KIT = RecoveryKit(Secret(bytes(range(32))))
RELAY, KEY, BOOK = "wss://relay.example/<&>\"", "4e" * 32, "0123456789abcdef"
CODE = kit_code(KIT.words(), RELAY, KEY, BOOK)
SHEET = Sheet("e2esync recovery kit", "24 words", KIT.words(), CODE, RELAY, KEY, BOOK, "2026-11-22")


def test_the_code_is_a_kit_file() -> None:
    kit = parse_kit_file(CODE)
    assert (kit.kit.words(), kit.relay_url, kit.relay_key, kit.set_short) == (
        KIT.words(), RELAY, bytes.fromhex(KEY), BOOK)


@pytest.mark.parametrize("page", [svg(SHEET), html(SHEET, svg(SHEET))])
def test_nothing_outside_and_no_script(page: str) -> None:
    addresses = set(re.findall(r"[a-z]+://[^\s\"'<&]+", page)) - {"http://www.w3.org/2000/svg"}
    assert addresses == {"wss://relay.example/"}
    assert not re.search(r"<script|javascript:|src=|href=|url\(|@import|\son\w+=", page)
    assert "<&>" not in page


def test_every_word_is_there_numbered_and_in_order() -> None:
    texts = ["".join(node.itertext()) for node in ElementTree.fromstring(svg(SHEET)).iter()
             if node.tag.endswith("text")]
    assert [text for text in texts if re.match(r" ?\d+  ", text)] == [
        f"{n:>2}  {word}" for n, word in enumerate(KIT.words(), start=1)]
    assert {RELAY, KEY, BOOK, "2026-11-22"} <= set(texts)
    assert any("revoke" in text for text in texts)
    assert any("recover" in text for text in texts)


def test_the_drawing_is_the_code() -> None:
    path = next(node.attrib["d"] for node in ElementTree.fromstring(svg(SHEET)).iter() if node.tag.endswith("path"))
    dark = {(int(column), int(row)) for column, row in re.findall(r"M(\d+) (\d+)h1v1h-1z", path)}
    matrix = segno.make(CODE, error="m", micro=False).matrix
    assert dark == {(column, row) for row, cells in enumerate(matrix) for column, bit in enumerate(cells) if bit}


def test_33_words_of_a_share_leave_the_page_whole() -> None:
    words = [f"word{n}" for n in range(33)]
    page = ElementTree.fromstring(svg(Sheet("t", "s", words, "c", RELAY, KEY, BOOK, "d")))
    heights = [float(node.attrib["y"]) for node in page.iter() if node.tag.endswith("text")]
    assert len(heights) == len(words) + 2 + 8 + 6
    assert max(heights) < 290


@pytest.mark.parametrize("name", ["kit.html", "kit.svg"])
def test_files_are_private_and_never_replaced(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_sheet(str(path), SHEET, replace=False)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileProblem):
        write_sheet(str(path), SHEET, replace=False)


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        write_sheet(str(tmp_path / "kit.pdf"), SHEET, replace=False)
    assert list(tmp_path.iterdir()) == []
