"""What is installed in the venv, and what its programs will find."""

from __future__ import annotations

from cluster.preflight.catalogue import Check

CHECKS: tuple[Check, ...] = ()
