"""The operator's knobs: the environment with the prefix ORCHESTRATOR_, and nothing else."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

_PREFIX = "ORCHESTRATOR_"
_WEEK = 7 * 86400

Seconds = Annotated[float, Field(gt=0, le=_WEEK)]
Output = Literal["auto", "live", "plain", "json"]
#: A quoted `~` is one that no shell has expanded.
HomePath = Annotated[Path, AfterValidator(Path.expanduser)]


class Patience(BaseSettings):
    """How long to wait for what, in seconds.

    lease: for somebody else to be done; 0 does not wait. connect: for a host to answer SSH. gate: for every host
    to join Ray with all of its GPUs. transport: for NCCL to say what it chose. load: for anything to move while
    the engine loads, not for the whole load. token: for the first token, for which kernels are compiled. free:
    for GPUs to be free, since a rank can outlive SIGKILL in the driver.
    """

    model_config = SettingsConfigDict(env_prefix=f"{_PREFIX}PATIENCE_", frozen=True, env_ignore_empty=True)

    lease: Annotated[float, Field(ge=0)] = 0.0
    connect: Seconds = 10.0
    gate: Seconds = 180.0
    transport: Seconds = 300.0
    load: Seconds = 900.0
    token: Seconds = 600.0
    free: Seconds = 120.0


class Settings(BaseSettings):
    """About this machine and this operator rather than about the cluster.

    ssh_config stands in for ~/.ssh/config, as `ssh -F` does. state is where the inventories in use and the
    journals of runs are kept.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, env_ignore_empty=True)

    output: Output = "auto"
    ssh_config: HomePath | None = None
    state: HomePath = Field(default_factory=lambda: _state_home() / "orchestrator")


def _state_home() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser()


def misspelt() -> dict[str, str]:
    """Variables of our prefix that nobody reads, each with the one that may have been meant, if any."""
    known = [
        *map(str.upper, Settings.model_fields),
        *(f"PATIENCE_{name.upper()}" for name in Patience.model_fields),
    ]
    strange = [name for name in os.environ if name.startswith(_PREFIX) and name[len(_PREFIX) :] not in known]
    near = {name: get_close_matches(name[len(_PREFIX) :], known, 1) for name in strange}
    return {name: f"{_PREFIX}{close[0]}" if close else "" for name, close in near.items()}
