"""What is no card (SPEC 7.1): each a valid card with exactly one defect."""

from __future__ import annotations

from typing import Any, Final

from e2esync.conformance.vectors.case import Layer, tagged
from e2esync.errors import BadCard
from e2esync.limits import CONTACT_MAX, INT_MAX, VALUE_DEPTH_MAX
from e2esync.wire import encode_ordered

_SHAPES: Final[tuple[tuple[str, int, str, Any], ...]] = (
    ("array", 1, "a card is an object", [{"uid": "a"}]),
    ("null", 1, "a card is an object", None),
    ("type", 1, "another type", {"@type": "Group"}),
    ("version-3", 1, "a version that is not known", {"version": "3.0"}),
    ("version-number", 1, "a version is a text", {"version": 1}),
    ("uid-number", 4, "a uid is a text", {"uid": 7}),
    ("uid-null", 4, "a uid is a text", {"uid": None}),
    ("uid-empty", 4, "a uid is not empty", {"uid": ""}),
    ("kind-array", 4, "a kind is a text", {"kind": ["group"]}),
    ("language-object", 4, "a language is a text", {"language": {}}),
    ("prodid-number", 4, "a product id is a text", {"prodId": 1}),
    ("created-number", 4, "a time is a text", {"created": 1700000000}),
    ("updated-bool", 4, "a time is a text", {"updated": True}),
    ("name-text", 5, "a name is an object", {"name": "Ada"}),
    ("name-full", 5, "the full name is a text", {"name": {"full": ["Ada"]}}),
    ("name-components", 5, "components are an array", {"name": {"components": {"given": "Ada"}}}),
    ("name-component-text", 5, "a component is an object", {"name": {"components": ["Ada"]}}),
    ("name-component-kind", 5, "a component has a kind", {"name": {"components": [{"value": "Ada"}]}}),
    ("name-component-value", 5, "a component has a value", {"name": {"components": [{"kind": "given"}]}}),
    ("name-component-number", 5, "its value is a text", {"name": {"components": [{"kind": "given", "value": 1}]}}),
    ("address-components", 5, "components are an array", {"addresses": {"a": {"components": "Town"}}}),
    ("address-component", 5, "a component is an object", {"addresses": {"a": {"components": [None]}}}),
    ("phones-array", 6, "a map is an object", {"phones": [{"number": "1"}]}),
    ("emails-text", 6, "a map is an object", {"emails": "a@b.example"}),
    ("localizations-array", 6, "a map is an object", {"localizations": []}),
    ("entry-text", 6, "an entry is an object", {"phones": {"a": "1"}}),
    ("entry-null", 6, "an entry is an object", {"notes": {"a": None}}),
    ("id-empty", 6, "an id has a letter", {"phones": {"": {"number": "1"}}}),
    ("id-slash", 6, "a slash would make another path of it", {"phones": {"a/b": {"number": "1"}}}),
    ("id-space", 6, "letters, digits, - and _ alone", {"phones": {"a b": {"number": "1"}}}),
    ("id-unicode", 6, "ASCII alone", {"phones": {"é": {"number": "1"}}}),
    ("id-digit", 6, "ASCII digits alone", {"phones": {"١": {"number": "1"}}}),
    ("id-256", 6, "at most 255", {"phones": {"a" * 256: {"number": "1"}}}),
    ("phone-without-number", 7, "an entry lacks its text", {"phones": {"a": {"label": "x"}}}),
    ("phone-number-number", 7, "a number is a text", {"phones": {"a": {"number": 1}}}),
    ("email-without-address", 7, "an entry lacks its text", {"emails": {"a": {}}}),
    ("note-without-note", 7, "an entry lacks its text", {"notes": {"a": {"text": "x"}}}),
    ("nickname-without-name", 7, "an entry lacks its text", {"nicknames": {"a": {}}}),
    ("title-without-name", 7, "an entry lacks its text", {"titles": {"a": {"kind": "role"}}}),
    ("language-without-language", 7, "an entry lacks its text", {"preferredLanguages": {"a": {}}}),
    ("personal-without-value", 7, "an entry lacks its text", {"personalInfo": {"a": {"kind": "hobby"}}}),
    ("anniversary-without-kind", 7, "an entry lacks its text", {"anniversaries": {"a": {"date": {"year": 1815}}}}),
    ("link-without-uri", 7, "an entry lacks its text", {"links": {"a": {}}}),
    ("media-without-uri", 7, "neither address nor digest", {"media": {"a": {"kind": "photo"}}}),
    ("key-without-uri", 7, "neither address nor digest", {"cryptoKeys": {"a": {}}}),
    ("pref-0", 7, "from 1", {"phones": {"a": {"number": "1", "pref": 0}}}),
    ("pref-101", 7, "to 100", {"phones": {"a": {"number": "1", "pref": 101}}}),
    ("pref-true", 7, "true is no number", {"phones": {"a": {"number": "1", "pref": True}}}),
    ("pref-text", 7, "a text is no number", {"phones": {"a": {"number": "1", "pref": "1"}}}),
    ("keywords-array", 8, "a set is an object", {"keywords": ["Crew"]}),
    ("members-text", 8, "a set is an object", {"members": "urn:uuid:1"}),
    ("keyword-empty", 8, "a keyword says something", {"keywords": {"": True}}),
    ("related-empty", 8, "a relation is to somebody", {"relatedTo": {"": {}}}),
    ("props-object", 9, "vCardProps is an array", {"vCardProps": {"x-a": "1"}}),
)


def add_cases(cases: Layer) -> None:
    """The refusals of `cards.json`."""
    for name, step, comment, card in _SHAPES:
        cases.invalid("flatten", name, f"7.1 step {step}", comment, {"card": tagged(card)}, BadCard, flags=("shape",))
    deep: Any = 1
    for _ in range(VALUE_DEPTH_MAX):
        deep = [deep]
    cases.valid("flatten", "deepest", "7.1", "as deep as values may be", {"card": tagged({"x": deep[0]})})
    for name, step, comment, value in (
        ("too-deep", 2, "one deeper than values may be", [deep]),
        ("infinite", 2, "a number that JSON cannot write", float("inf")),
        ("nan", 2, "a number that JSON cannot write", float("nan")),
        ("too-large-number", 2, "beyond ±(2^53−1)", INT_MAX + 1),
        ("half-a-pair", 2, "a text that is not Unicode: half of a surrogate pair", "a\ud800"),
        ("bytes", 2, "JSON has no byte strings", b"a"),
    ):
        cases.invalid("flatten", name, f"7.1 step {step}", comment, {"card": tagged({"example.com:x": value})}, BadCard,
                      flags=("limit",))
    _sizes(cases)


def _sizes(cases: Layer) -> None:
    """The largest card, to the byte, with every form of a length and of a number in it."""
    integers = [0, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, INT_MAX,
                -1, -32, -33, -128, -129, -(2**15), -(2**15) - 1, -(2**31), -(2**31) - 1, -INT_MAX]
    forms = {
        "arrays": [[0] * 15, [0] * 16], "map": {f"k{number}": True for number in range(16)},
        "numbers": [*integers, 0.5, None], "texts": ["a" * length for length in (0, 31, 32, 255, 256, 65535)] + ["é"],
    }
    room = CONTACT_MAX - len(encode_ordered({"example.com:forms": forms, "example.com:long": "", "kind": ""})) - 64
    long = "a" * room
    size = len(encode_ordered({"example.com:forms": forms, "example.com:long": long, "kind": ""}))
    head: Any = [["example.com:forms", cases.give("every-form", tagged(forms))],
                 ["example.com:long", cases.give("long-text", tagged(long))]]

    def of(length: int) -> Any:
        # A text of 32 to 255 bytes has a byte more of length than an empty one.
        return {"card": {"map": [*head, ["kind", tagged("a" * (length - size - 1))]]}}

    for name, length in (("one-below", CONTACT_MAX - 1), ("largest", CONTACT_MAX)):
        cases.valid("size", name, "7.1 step 3", "as much as a contact may take", of(length), flags=("limit",))
    for operation, name, length in (("size", "one-above", 1), ("flatten", "too-large", 1), ("size", "far-above", 128)):
        cases.invalid(operation, name, "7.1 step 3", "more than a contact may take", of(CONTACT_MAX + length), BadCard,
                      flags=("limit",))
