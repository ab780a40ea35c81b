"""The operator's knobs: the environment with the prefix ORCHESTRATOR_, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

_WEEK = 7 * 86400

Seconds = Annotated[float, Field(gt=0, le=_WEEK)]
Output = Literal["auto", "live", "plain", "json"]


class Patience(BaseSettings):
    """How long to wait for what, in seconds.

    lease: for somebody else to be done; 0 does not wait. connect: for a host to answer SSH. gate: for every host
    to join Ray with all of its GPUs. transport: for NCCL to say what it chose. load: for anything to move while
    the engine loads, not for the whole load. token: for the first token, for which kernels are compiled. free:
    for GPUs to be free, since a rank can outlive SIGKILL in the driver.
    """

    model_config = SettingsConfigDict(env_prefix="ORCHESTRATOR_PATIENCE_", frozen=True, env_ignore_empty=True)

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

    model_config = SettingsConfigDict(env_prefix="ORCHESTRATOR_", frozen=True, env_ignore_empty=True)

    output: Output = "auto"
    ssh_config: Path | None = None
    state: Path = Field(default_factory=lambda: _state_home() / "orchestrator")


def _state_home() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser()
