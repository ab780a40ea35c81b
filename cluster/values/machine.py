"""Memory, limits and processes of the machine."""

from __future__ import annotations

from cluster.values.fact import Fact


class Machine(Fact):
    """Memory, limits and processes of the machine."""
