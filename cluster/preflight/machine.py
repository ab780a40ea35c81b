"""Memory, limits and processes of the machine."""

from __future__ import annotations

from cluster.preflight.catalogue import Check

CHECKS: tuple[Check, ...] = ()
