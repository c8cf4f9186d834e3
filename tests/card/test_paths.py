"""Register paths."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from e2esync.card import join_path, split_path


@given(st.text(min_size=1), st.one_of(st.none(), st.text()))
def test_a_path_is_split_into_what_was_joined(prop: str, key: str | None) -> None:
    assert split_path(join_path(prop, key)) == (prop, key)


def test_a_property_with_a_slash_is_no_entry() -> None:
    assert join_path("example.com:a/b~c") == "example.com:a~1b~0c"
    assert split_path("members/urn:x/y") == ("members", "urn:x/y")
