"""What the second step brings: things that only trying them can show. Frozen."""

from __future__ import annotations

from cluster.values.base import Fact


class Reach(Fact):
    """One try to connect from a host to `peer`; `problem` is empty where it went well."""

    peer: str
    address: str
    port: int
    problem: str


class VenvCheck(Fact):
    """What the venv's own libraries could do on a host: what went wrong, empty where nothing did.

    `cuda` None: the installed vLLM is the build for CPUs. `model` None: there was none that they would read.
    """

    cuda: str | None
    model: str | None
