"""The schemas in docs/schemas: they are those of the models, and all that the program writes is as they say."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from orchestrator.schemas import schemas
from tests.public.test_documents import failures, reported
from tests.public.test_events import lines
from tests.public.whole import Whole
from tests.schemas import FOLDER, hold, name_of, validator

#: Objects whose keys are names of hosts, packages or layouts: of those no key is a promise.
_FREE = ("texts", "versions", "layouts")

Document = dict[str, Any]
Change = Callable[[Any, Any], None]


def documents(whole: Whole) -> Iterator[tuple[str, Document]]:
    """Yields one or more of every kind with the name of its schema."""
    for command, found in whole.documents.items():
        yield from ((name_of(command.split()), one) for one in found)
    yield "status-watch", {"time": "2026-07-01T09:12:44+00:00", **whole.documents["status"][0]}
    yield from (("failure", reported(error)) for error in failures())
    yield from (("events", line) for line in (*lines(), *whole.events))


def test_the_files_are_as_the_models_are() -> None:
    files = {path.name.removesuffix(".schema.json"): path for path in FOLDER.glob("*.json")}
    made = schemas()
    assert set(files) == set(made), "run `make schemas`, and remove what it does not make"
    for name, schema in made.items():
        assert json.loads(files[name].read_text()) == schema, f"{name}: run `make schemas`"


def test_the_page_names_every_file() -> None:
    page = (FOLDER / "README.md").read_text()
    assert [path.name for path in FOLDER.glob("*.json") if f"`{path.name}`" not in page] == []


def test_everything_that_is_written(whole: Whole) -> None:
    found = list(documents(whole))
    for name, document in found:
        hold(document, name)
    assert {name for name, _ in found} == set(schemas())


def test_a_journal_has_events(whole: Whole) -> None:
    for row in whole.remembered["demo/TIME-up.jsonl"].splitlines():
        hold(json.loads(row), "events")


def _dropped(owner: Any, key: Any) -> None:
    del owner[key]


def _renamed(owner: Any, key: Any) -> None:
    owner[f"{key}_"] = owner.pop(key)


def _retyped(owner: Any, key: Any) -> None:
    """No place may hold both a number and a list."""
    owner[key] = 0.5 if isinstance(owner[key], list | dict) else []


@pytest.mark.parametrize("change", [_dropped, _renamed, _retyped])
def test_a_key_that_is_gone_or_otherwise_is_noticed(whole: Whole, change: Change) -> None:
    tried = set()
    for name, document in documents(whole):
        what = (name, document.get("event"), document.get("kind"))
        for path in _places(document):
            if (*what, path) not in tried:
                tried.add((*what, path))
                assert not validator(name).is_valid(_changed(document, path, change)), (what, path)


def _places(value: Any) -> Iterator[tuple[str | int, ...]]:
    """Yields the path of every key; items of a list are alike, so that the first stands for all."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield (key,)
            if key not in _FREE:
                yield from ((key, *path) for path in _places(each))
    elif isinstance(value, list) and value:
        yield from ((0, *path) for path in _places(value[0]))


def _changed(document: Document, path: tuple[str | int, ...], change: Change) -> Document:
    changed = copy.deepcopy(document)
    *above, key = path
    owner: Any = changed
    for step in above:
        owner = owner[step]
    change(owner, key)
    return changed
