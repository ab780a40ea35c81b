"""Names, routes, links and proxies between the hosts."""

from __future__ import annotations

from cluster.preflight.catalogue import Check

CHECKS: tuple[Check, ...] = ()
