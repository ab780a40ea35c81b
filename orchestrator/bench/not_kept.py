"""The failure to keep a result, apart from results: every command knows its exit code, and few load results."""

from __future__ import annotations

from typing import ClassVar

from cluster.errors import ClusterError


class NotKept(ClusterError):
    """A result that could not be written here. What was written before is whole."""

    kind: ClassVar[str] = "NotKept"
