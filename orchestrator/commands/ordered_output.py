"""What hosts bring, in the order of the hosts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class OrderedOutput(Generic[T]):
    """Shows what each host brings as soon as all hosts before it have been shown."""

    def __init__(self, hosts: Iterable[str], show: Callable[[str, T], None]) -> None:
        self._left = list(hosts)
        self._show = show
        self._brought: dict[str, T] = {}
        self._turn = threading.Lock()

    def __call__(self, host: str, brought: T) -> None:
        with self._turn:
            self._brought[host] = brought
            while self._left and self._left[0] in self._brought:
                first = self._left.pop(0)
                self._show(first, self._brought.pop(first))
