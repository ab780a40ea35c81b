"""What is installed in the venv, and what its programs will find."""

from __future__ import annotations

from cluster.values.fact import Fact


class Software(Fact):
    """What is installed in the venv, and what its programs will find."""
