"""Dates in every spelling."""

from __future__ import annotations

import pytest

from e2esync.card.dates import format_date, parse_date


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("1985-04-12", {"year": 1985, "month": 4, "day": 12}),
        ("19850412", {"year": 1985, "month": 4, "day": 12}),
        ("--0415", {"month": 4, "day": 15}),
        ("--04-15", {"month": 4, "day": 15}),
        ("--0229", {"month": 2, "day": 29}),
        ("1985-04", {"year": 1985, "month": 4}),
        ("1985", {"year": 1985}),
        ("--04", {"month": 4}),
        ("1604-04-15", {"month": 4, "day": 15}),
        ("1996-04-15T00:00:00Z", {"year": 1996, "month": 4, "day": 15}),
        ("19531015T231000Z", {"@type": "Timestamp", "utc": "1953-10-15T23:10:00Z"}),
        ("---15", None),
        ("", None),
        ("circa 1800", None),
        ("1985-13-01", None),
        ("1985-04-32", None),
        ("２０００-01-01", None),
    ],
)
def test_parsing(text: str, date: dict[str, object] | None) -> None:
    assert parse_date(text) == date


def test_the_year_that_apple_omits_is_no_year() -> None:
    assert parse_date("1700-04-15", "1700") == {"month": 4, "day": 15}
    assert parse_date("1970-04-15") == {"year": 1970, "month": 4, "day": 15}


@pytest.mark.parametrize("version", ["2.1", "3.0", "4.0"])
@pytest.mark.parametrize("basic", [True, False])
@pytest.mark.parametrize("text", ["1985-04-12", "--0415", "1985-04", "1985", "--04", "19531015T231000Z"])
def test_every_date_survives_writing(version: str, basic: bool, text: str) -> None:
    date = parse_date(text)
    assert date is not None
    assert parse_date(format_date(date, version, basic=basic)) == date


def test_a_date_of_wrong_types_is_not_written() -> None:
    assert format_date({"year": "1985"}, "3.0", basic=False) == ""
