"""The base of all facts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, model_validator

T = TypeVar("T")

#: No count, size or number of a host is larger.
_LARGEST = 1 << 63


class Fact(BaseModel):
    """Part of the answer of a program on a host.

    An unknown or missing key makes the answer unreadable. So does NaN, or an integer beyond every real size.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if any(abs(integer) > _LARGEST for value in self.__dict__.values() for integer in _integers(value)):
            raise ValueError("a number is infinite or not a number")
        return self


def _integers(value: Any) -> Iterator[int]:
    """Yields the integers of a field. A nested model checks its own."""
    if isinstance(value, int):
        yield value
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _integers(each)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _integers(each)


def shaped(kind: type[T], message: object) -> T:
    """Returns a host's answer as a value of this type. Raises ValueError where the answer has another shape."""
    value: T = _adapter(kind).validate_python(message)
    return value


_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)
