"""Asks an endpoint over HTTP from the host itself, for operators whose own machine cannot reach it.

Data: url, body (JSON to post, or null to get), key (bearer, or empty), timeout (seconds). unit is optional: the
folder of the unit that must listen there, or nothing is sent. Prints status and text, and stranger where nothing
was sent.
"""

import json
import urllib.parse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.remote.common.http_exchange import http_exchange
    from cluster.remote.common.port_owner import strangers
    from cluster.remote.common.processes import payload


def ask(data: dict[str, Any]) -> dict[str, Any]:
    status, text = http_exchange(data["url"], data["body"], data["key"], data["timeout"])
    return {"status": status, "text": text}


def somebody_else(data: dict[str, Any]) -> str:
    """Who listens where the unit should; empty where no process does, or where it does not matter."""
    port = urllib.parse.urlsplit(data["url"]).port
    users = strangers(port, data["unit"]) if data.get("unit") and port else []
    return f"port {port} of this host is not our engine's: {' and '.join(users)} listens on it" if users else ""


def main() -> None:
    data = payload()
    stranger = somebody_else(data)
    print(json.dumps({"status": 0, "text": stranger, "stranger": True} if stranger else ask(data)))


main()
