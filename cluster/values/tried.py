"""What the second step brings: things that only trying them can show. Frozen."""

from __future__ import annotations

from dataclasses import dataclass

from cluster.errors import HostError
from cluster.values.fact import Fact


class Reach(Fact):
    """One try to connect from a host to `peer`; `problem` is empty where it went well."""

    peer: str
    address: str
    port: int
    problem: str


class VenvTrial(Fact):
    """What the venv's own libraries could do on a host: what went wrong, empty where nothing did.

    `cuda` None: the installed vLLM is the build for CPUs. `model` None: there was none that they would read.
    """

    cuda: str | None
    model: str | None


@dataclass(frozen=True)
class Tried:
    """What was tried on one host; None is what was not. `hashes` are SHA-256 of the model's files by name, or why
    one has none. `problems` say what kept a try from being made."""

    name: str
    reaches: tuple[Reach, ...] | None = None
    venv: VenvTrial | None = None
    hashes: dict[str, str] | None = None
    problems: tuple[HostError, ...] = ()
