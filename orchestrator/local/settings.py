"""The operator's knobs: the environment with the prefix ORCHESTRATOR_, and nothing else."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from orchestrator.local.state_folder import default_state_folder

_PREFIX = "ORCHESTRATOR_"
_WEEK = 7 * 86400
#: A letter or two of a word: STAT for STATE, PATIENCE_LAOD for PATIENCE_LOAD.
_NEAR = 0.8

Seconds = Annotated[float, Field(gt=0, le=_WEEK)]
Output = Literal["auto", "live", "plain", "json"]


def _expanded(path: Path) -> Path:
    """Expands a quoted `~`, which the shell left as it is."""
    try:
        return path.expanduser()
    except RuntimeError as problem:
        raise ValueError(str(problem)) from None


HomePath = Annotated[Path, AfterValidator(_expanded)]


class Patience(BaseSettings):
    """The timeouts, in seconds.

    lease: until another operator releases it; 0 does not wait. connect: for a host to answer SSH. gate: for every
    host to join Ray with all of its GPUs. transport: for NCCL to log its choice. load: without progress while the
    engine loads, not for the whole load. token: for the first token, which compiles kernels. free: for GPUs to be
    released, since a rank can outlive SIGKILL in the driver.
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
    """Settings about this machine and this operator, not about the cluster. ssh_config stands in for
    ~/.ssh/config, as `ssh -F` does. state is the folder for the inventories in use and the journals of runs."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, env_ignore_empty=True)

    output: Output = "auto"
    ssh_config: HomePath | None = None
    state: HomePath = Field(default_factory=default_state_folder)


def misspelt() -> dict[str, str]:
    """Variables that no setting reads, each with the setting that was probably meant. Variables with this prefix
    may belong to others: a service of that name in a pod, or a secret that the inventory reads."""
    known = [
        *map(str.upper, Settings.model_fields),
        *(f"PATIENCE_{name.upper()}" for name in Patience.model_fields),
    ]
    ours = {name: name[len(_PREFIX) :] for name, value in os.environ.items() if name.startswith(_PREFIX) and value}
    strange = {name: word for name, word in ours.items() if word not in known}
    near = {name: get_close_matches(word, known, 1, _NEAR) for name, word in strange.items()}
    return {name: f"{_PREFIX}{close[0]}" for name, close in near.items() if close}
