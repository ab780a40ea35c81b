"""Records of what is public, and whether they still hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent / "golden"
_WIDTH = 110
_TYPES = {str: "text", bool: "flag", int: "number", float: "number", type(None): "nothing"}


def recorded(name: str) -> dict[str, Any]:
    """Empty where nothing is recorded yet."""
    path = _FOLDER / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def holds(name: str, found: Any, part: str = "") -> None:
    """Asserts that all that is recorded under `name`, or of one `part` of it, is in `found`.

    What is not recorded yet is written down, for a person to read and to commit.
    """
    known = recorded(name)
    if not (known.get(part) if part else known):
        path = _FOLDER / f"{name}.json"
        path.write_text(_written(known | {part: found} if part else found, "") + "\n")
        raise AssertionError(f"{path} has something new: read it, and commit it")
    changed = list(lacking(known[part] if part else known, json.loads(json.dumps(found))))
    assert not changed, "\n".join([f"{name}.json, {part}", *changed])


def unchanged(name: str, text: str) -> None:
    """Asserts that a text is the recorded one, which is removed to record it anew."""
    path = _FOLDER / name
    if not path.exists():
        path.write_text(text)
        raise AssertionError(f"{path} is new: read it, and commit it")
    assert text == path.read_text(), f"remove {path} to record the new text"


def _written(value: Any, indent: str) -> str:
    """On one line what fits there, so that a person can read it."""
    line = json.dumps(value, ensure_ascii=False, sort_keys=True)
    if not isinstance(value, dict | list) or len(indent) + len(line) < _WIDTH:
        return line
    deeper = indent + " "
    if isinstance(value, list):
        rows, ends = [_written(one, deeper) for one in value], "[]"
    else:
        rows = [f"{json.dumps(key, ensure_ascii=False)}: {_written(value[key], deeper)}" for key in sorted(value)]
        ends = "{}"
    return f"{ends[0]}\n{deeper}" + f",\n{deeper}".join(rows) + f"\n{indent}{ends[1]}"


def lacking(record: Any, found: Any, where: str = "") -> Iterator[str]:
    """What is recorded and not found, or found otherwise. More keys, and more items of a list, are no change."""
    match record, found:
        case dict(), dict():
            for key, value in record.items():
                if key in found:
                    yield from lacking(value, found[key], f"{where} {key}".strip())
                else:
                    yield f"{where} {key}: gone".strip()
        case list(), list():
            yield from (f"{where}: {one!r} is gone" for one in record if one not in found)
        case _ if record != found:
            yield f"{where}: {record!r} became {found!r}"


def shape(*documents: Any) -> dict[str, list[str]]:
    """Every place in these JSON documents with the types that stand there: `hosts[].gpus: nothing, number`."""
    places: dict[str, set[str]] = {}
    for document in documents:
        for place, kind in _places(document, ""):
            places.setdefault(place, set()).add(kind)
    return {place: sorted(kinds) for place, kinds in places.items()}


def _places(value: Any, at: str) -> Iterator[tuple[str, str]]:
    match value:
        case dict():
            yield from ((at, "object") for _ in (at,) if at)
            for key, one in value.items():
                yield from _places(one, f"{at}.{key}" if at else key)
        case list() | tuple():
            yield at, "list"
            for one in value:
                yield from _places(one, f"{at}[]")
        case _:
            yield at, _TYPES[type(value)]
