"""What is installed in the venv, and what its programs will find."""

from __future__ import annotations

from cluster.values.base import Fact


class Software(Fact):
    """What is installed in the venv, and what its programs will find.

    `ninja` and `compiler` are paths, as looked for with the PATH of our units; empty where there is none.
    `demands`: what the installed vLLM requires of the distributions whose versions we read (PEP 508).
    `unimportable`: packages that the model's own code imports and the venv does not have.
    """

    ninja: str
    compiler: str
    demands: tuple[str, ...]
    unimportable: tuple[str, ...]
