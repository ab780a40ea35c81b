"""What the program writes as JSON, held against docs/schemas."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

FOLDER = Path(__file__).parents[1] / "docs" / "schemas"


@cache
def validator(name: str) -> Draft202012Validator:
    schema = json.loads((FOLDER / f"{name}.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def hold(document: object, name: str) -> None:
    """Asserts that a document is as its schema says."""
    error = best_match(validator(name).iter_errors(document))
    assert error is None, f"{name}.schema.json: {error.json_path}: {error.message[:500]}"


def hold_output(words: Sequence[str], stdout: str, stderr: str) -> None:
    """Asserts the same of all that a command wrote with `--output json`. Other lines on stderr are passed over."""
    command = name_of(words)
    for document in _documents(stdout):
        hold(document, "failure" if "kind" in document else command)
    for row in stderr.splitlines():
        if row.startswith("{"):
            line = json.loads(row)
            hold(line, "events" if "event" in line else "failure")


def name_of(words: Sequence[str]) -> str:
    """Returns the name of the document of a command line."""
    verbs = words[: 2 if words[1:2] and words[1] in ("report", "compare", "layouts") else 1]
    return "-".join([*verbs, *(["watch"] if "--watch" in words else [])])


def _documents(stdout: str) -> list[dict[str, Any]]:
    """Returns one document over many lines, or one a line."""
    decoder, found, rest = json.JSONDecoder(), list[dict[str, Any]](), stdout.lstrip()
    while rest:
        document, end = decoder.raw_decode(rest)
        found.append(document)
        rest = rest[end:].lstrip()
    return found
