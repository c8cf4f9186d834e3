"""Cards to registers and back."""

from __future__ import annotations

from e2esync.card import assemble, flatten

CARD = {
    "@type": "Card",
    "version": "1.0",
    "uid": "u1",
    "updated": "2024-01-01T00:00:00Z",
    "name": {"full": "Bo", "components": [{"kind": "given", "value": "Bo"}]},
    "phones": {"p1": {"number": "1"}, "p2": {"number": "2", "label": "x"}},
    "keywords": {"a/b": True},
    "members": {"urn:uuid:1": True},
    "localizations": {"jp": {"name/full": "ボ"}},
    "example.com:extra/x": {"deep": [1, 2.5, None]},
    "vCardProps": [["x-foo", {}, "unknown", "1"], ["x-foo", {}, "unknown", "1"]],
}


def test_entries_sets_and_vendor_members_are_registers() -> None:
    registers = flatten(CARD)
    assert registers["phones/p1"] == {"number": "1"}
    assert registers["keywords/a/b"] is True
    assert registers["localizations/jp"] == {"name/full": "ボ"}
    assert registers["example.com:extra~1x"] == {"deep": [1, 2.5, None]}
    assert sum(path.startswith("vCardProps/") for path in registers) == 2
    assert not {"updated", "version", "@type"} & registers.keys()


def test_assembling_gives_the_card_back() -> None:
    assert assemble(flatten(CARD)) == {key: value for key, value in CARD.items() if key != "updated"}
    assert flatten(assemble(flatten(CARD))) == flatten(CARD)


def test_version_2_without_uid_is_read() -> None:
    assert flatten({"@type": "Card", "version": "2.0"}) == {}
    assert assemble({"origin": [1, b""]}) == {"@type": "Card", "version": "1.0"}
