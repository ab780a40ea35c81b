"""Names, routes, links and proxies between the hosts."""

from __future__ import annotations

from cluster.values.fact import Fact


class Links(Fact):
    """Names, routes, links and proxies between the hosts."""
