"""What GPUs, driver and kernel say of their health."""

from __future__ import annotations

from cluster.values.fact import Fact


class Hardware(Fact):
    """What GPUs, driver and kernel say of their health."""
