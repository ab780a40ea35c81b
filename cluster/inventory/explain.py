"""pydantic's errors in the operator's words, at their place in the file."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from cluster.inventory.problems import Loc, Problem, quoted
from cluster.inventory.schema import JUMP_TAGS, InventoryFile
from cluster.inventory.yaml_source import UnsupportedScalar

#: pydantic writes "[key]" when it means the key of a mapping, not its value.
_NO_KEYS = (*JUMP_TAGS, "[key]")

_KINDS = (
    (type(None), "nothing"),
    (bool, "true or false"),
    (int, "a whole number"),
    (str, "text"),
    (tuple, "a list"),
    (dict, "a mapping"),
)

_EXPECTED: Mapping[str, str] = MappingProxyType(
    {
        "string_type": "text",
        "int_type": "a whole number",
        "bool_type": "true or false",
        "tuple_type": "a list",
        "dict_type": "a mapping",
        "model_type": "a mapping",
    }
)
_BARE = ("a whole number", "true or false")
_DECIMAL_OR_FLAG = re.compile(r"-?[0-9]+|true|false")


def explain(details: Sequence[ErrorDetails]) -> Iterator[Problem]:
    """Yields a problem for each error, except for errors that only follow from another one."""
    located = [(tuple(part for part in error["loc"] if part not in _NO_KEYS), error) for error in details]
    meant = {
        (*loc[:-1], _guess(str(loc[-1]), _siblings(loc)))
        for loc, error in located
        if error["type"] == "extra_forbidden"
    }
    for loc, error in located:
        # A key that is only misspelt is not also missing.
        misspelt = error["type"] == "missing" and loc in meant
        if error["type"] != "default_factory_not_called" and not misspelt and not _only_wrong(error, loc, located):
            yield Problem(loc, _reason(error, loc))


def _only_wrong(error: ErrorDetails, loc: Loc, located: Sequence[tuple[Loc, ErrorDetails]]) -> bool:
    """Returns whether a list is only called empty because all its items are wrong."""
    inner = [other for other, _ in located if len(other) > len(loc) and other[: len(loc)] == loc]
    return error["type"] == "too_short" and bool(inner)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Returns a guess in brackets, or an empty text."""
    guess = _guess(word, known)
    return f" (did you mean {quoted(guess)}?)" if guess else ""


def _guess(word: str, known: Iterable[str]) -> str:
    """Returns the known word that is most like this one; empty when none is."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1)), "")


def _reason(error: ErrorDetails, loc: Loc) -> str:
    if error["type"] in _EXPECTED:
        return _expected(error)
    match error:
        case {"type": "extra_forbidden"}:
            return "unknown key" + did_you_mean(str(loc[-1]), _siblings(loc))
        case {"type": "literal_error"}:
            return _choice(error)
        case {"type": "missing"}:
            return "is missing"
        case {"type": "too_short"}:
            return "must not be empty"
        case {"type": "greater_than_equal", "ctx": {"ge": least}}:
            return f"must be at least {least}"
        case {"type": "less_than_equal", "ctx": {"le": most}}:
            return f"must be at most {most}"
        case {"type": "value_error", "ctx": {"error": reason}}:
            return str(reason)
    return error["msg"]


def _expected(error: ErrorDetails) -> str:
    """Returns the sentence for a value of the wrong type."""
    expected, value = _EXPECTED[error["type"]], error["input"]
    if expected == "text" and isinstance(value, bool | int | UnsupportedScalar):
        return f"expected text, found {_kind(value)}: write it in quotes"
    if expected in _BARE and isinstance(value, str) and _DECIMAL_OR_FLAG.fullmatch(value):
        return f"expected {expected}, found text: remove the quotes"
    return f"expected {expected}, found {_kind(value)}"


def _choice(error: ErrorDetails) -> str:
    value, choices = error["input"], re.findall("'([^']*)'", error["ctx"]["expected"])
    guess = did_you_mean(value, choices) if isinstance(value, str) else f", found {_kind(value)}"
    return f"expected {' or '.join(map(quoted, choices))}{guess}"


def _kind(value: object) -> str:
    if isinstance(value, UnsupportedScalar):
        return value.kind
    return next((name for kind, name in _KINDS if isinstance(value, kind)), "something else")


def _siblings(loc: Loc) -> tuple[str, ...]:
    """Returns the keys that are known at `loc`."""
    model: type[BaseModel] = InventoryFile
    for part in loc[:-1]:
        if isinstance(part, str):
            model = next(_models_in(model.model_fields[part].annotation))
    return tuple(model.model_fields)


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)
