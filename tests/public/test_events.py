"""Events as `--output json` writes them to stderr and journals keep them: what each is called, and its fields."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from orchestrator.render import jsonl
from tests.orchestrator.render import story
from tests.public.golden import holds, shape
from tests.public.whole import Whole


def lines() -> list[dict[str, object]]:
    """Returns a line for every kind of event, as the story of a run has them."""
    at = datetime(2026, 7, 1, tzinfo=UTC)
    return [json.loads(jsonl.line(event, at)) for _, event in (*story.ENDED, *story.BAD)]


def test_names_and_fields() -> None:
    found = lines()
    names = {str(one["event"]) for one in found}
    holds("events", {name: shape(*(one for one in found if one["event"] == name)) for name in names})


def test_they_are_those_of_real_runs(whole: Whole) -> None:
    assert {one["event"] for one in whole.events} <= {one["event"] for one in lines()}
