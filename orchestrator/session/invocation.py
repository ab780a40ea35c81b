"""A command as the operator called it on a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.local.settings import Output, Settings


@dataclass(frozen=True)
class Invocation:
    """`command` is its name. `path` None: the inventory last used, of `cluster` where that is given."""

    command: str
    path: Path | None
    cluster: str | None
    settings: Settings

    @property
    def output(self) -> Output:
        return self.settings.output
