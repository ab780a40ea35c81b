"""What every fact has in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, model_validator

T = TypeVar("T")

#: No count, size or number of a host is larger.
_LARGEST = 1 << 63


class Fact(BaseModel):
    """Part of what a program on a host brings; an unknown or missing key is an unintelligible answer.

    So is a number that is none, or an integer that no machine has.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if any(abs(integer) > _LARGEST for value in self.__dict__.values() for integer in _integers(value)):
            raise ValueError("a number without bounds")
        return self


def _integers(value: Any) -> Iterator[int]:
    """Yields the integers of a field; another model has looked at its own."""
    if isinstance(value, int):
        yield value
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _integers(each)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _integers(each)


def shaped(kind: type[T], message: object) -> T:
    """Returns what a host says as a value of this type. Raises ValueError where it has another shape."""
    value: T = _adapter(kind).validate_python(message)
    return value


_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)
