"""A record that would forgive a change would be none."""

from __future__ import annotations

from typing import Any

import pytest

from tests.public.golden import lacking, shape

RECORD = {"a": {"b": [1, 2]}, "c": "text"}


@pytest.mark.parametrize(
    "found", [RECORD, {**RECORD, "d": 1}, {"a": {"b": [2, 3, 1], "e": None}, "c": "text"}], ids=str
)
def test_more_is_no_change(found: dict[str, Any]) -> None:
    assert list(lacking(RECORD, found)) == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"a": {"b": [1, 2]}}, "c: gone"),
        ({"a": {}, "c": "text"}, "a b: gone"),
        ({"a": {"b": [1]}, "c": "text"}, "a b: 2 is gone"),
        ({"a": {"b": [1, 2]}, "c": "other"}, "c: 'text' became 'other'"),
        ({"a": [1], "c": "text"}, "a: {'b': [1, 2]} became [1]"),
    ],
)
def test_what_goes_and_what_changes(found: dict[str, Any], said: str) -> None:
    assert list(lacking(RECORD, found)) == [said]


def test_a_shape_has_every_place_and_every_type() -> None:
    assert shape({"a": [{"b": 1}, {"b": None}], "c": {}}, {"d": True}) == {
        "a": ["list"],
        "a[]": ["object"],
        "a[].b": ["nothing", "number"],
        "c": ["object"],
        "d": ["flag"],
    }
