"""client.settings: one table, typed values, defaults that are stored nowhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2esync.client import settings
from e2esync.client.settings import DAY, SETTINGS
from e2esync.errors import BadCard, NotFound
from e2esync.stores.profile import ProfileStore


@pytest.fixture
def store() -> Iterator[ProfileStore]:
    with ProfileStore.memory() as profile:
        yield profile


def test_names_are_told_apart_and_explained() -> None:
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)
    assert all(setting.about for setting in SETTINGS)
    assert all(bool(setting.choices) == (setting.kind == "choice") for setting in SETTINGS)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_a_default_is_a_value_that_it_takes(store: ProfileStore, setting: settings.Setting) -> None:
    text = settings.shown(store, setting)
    assert settings.parse(setting, text) == setting.default
    assert not settings.is_set(store, setting.name)
    settings.put(store, setting.name, text)
    assert settings.is_set(store, setting.name)
    assert settings.shown(store, setting) == text
    settings.unset(store, setting.name)
    assert not settings.is_set(store, setting.name)


def test_days_are_stored_as_milliseconds(store: ProfileStore) -> None:
    settings.put(store, settings.ROTATE_EVERY, "90")
    assert settings.get_number(store, settings.ROTATE_EVERY) == 90 * DAY
    assert settings.shown(store, settings.find(settings.ROTATE_EVERY)) == "90"


@pytest.mark.parametrize(("name", "text"), [
    ("keep-history", "0"), ("keep-history", "x"), ("keep-history", "-1"), ("rotate-after", "100001"),
    ("rotate-after", "1.5"), ("rotate-after", "٣"), ("sort", "age"), ("backup-keep", "")])
def test_what_a_setting_does_not_take(store: ProfileStore, name: str, text: str) -> None:
    with pytest.raises(BadCard):
        settings.put(store, name, text)
    assert store.settings() == {}


def test_what_is_no_setting(store: ProfileStore) -> None:
    for act in (lambda: settings.put(store, "x", "1"), lambda: settings.unset(store, "x")):
        with pytest.raises(NotFound):
            act()
