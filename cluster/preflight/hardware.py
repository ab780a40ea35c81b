"""What GPUs, driver and kernel say of their health."""

from __future__ import annotations

from cluster.preflight.catalogue import Check

CHECKS: tuple[Check, ...] = ()
