"""Names, routes, links and proxies between the hosts."""

from typing import Any


def links_between(data: dict[str, Any]) -> dict[str, Any]:
    return {}
