"""The scenarios of the vectors: everybody in them comes to one state, and lies change nothing (SPEC 14)."""

from __future__ import annotations

import pytest

from e2esync.conformance.vectors.case import Layer
from e2esync.conformance.vectors.scenarios import _INVALID, _VALID, Telling, layer
from e2esync.errors import E2esyncError


@pytest.mark.parametrize("name", _VALID)
def test_the_phone_comes_to_the_followers_state(name: str) -> None:
    telling = Telling(name)
    _VALID[name][0](telling)
    telling.phone.sync(telling.serving)
    telling.follower.sync(telling.serving)
    telling.phone.sync(telling.serving)
    one, other = telling.phone.stands(), telling.follower.stands()
    assert one == other
    assert one["views"]


@pytest.mark.parametrize("name", _INVALID)
def test_without_its_lie_the_last_stage_is_followed(name: str) -> None:
    telling = Telling(name)
    _INVALID[name][0](telling)
    last, edits = telling.stages[-1]
    if not telling.follower.store.get("identity"):
        return
    before = telling.follower.stands()
    telling.follower.edit(edits)
    with pytest.raises(E2esyncError):
        telling.follower.sync(last)
    after = telling.follower.stands()
    # Where only the box is wrong, the closed log before it is right, and is folded.
    if name not in ("other-box", "box-of-another", "other-list"):
        assert (after["digest"], after["vector"]) == (before["digest"], before["vector"])
    if name != "removed":
        telling.follower.sync(telling.serving)
        assert telling.follower.stands()["digest"] == telling.phone.stands()["digest"]


def test_lies_are_the_majority() -> None:
    cases: Layer = layer()
    results = [case["result"] for case in cases.cases]
    assert results.count("invalid") > results.count("valid")
    assert len(results) >= 20
