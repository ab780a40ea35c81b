"""Asks an endpoint over HTTP from the host itself, for operators whose own machine cannot reach it.

Data:
- url
- body: JSON to post, or null for a GET
- key: a bearer token, or empty
- timeout, in seconds
- unit, optional: the folder of the unit that must listen there; otherwise no request is sent

Prints status and text, and stranger where no request was sent.
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
    """Returns which other users listen on the unit's port; empty where there are none, or where it does not
    matter."""
    port = urllib.parse.urlsplit(data["url"]).port
    users = strangers(port, data["unit"]) if data.get("unit") and port else []
    return (
        f"port {port} of this host does not belong to this engine: {' and '.join(users)} listens on it"
        if users
        else ""
    )


def main() -> None:
    data = payload()
    stranger = somebody_else(data)
    print(json.dumps({"status": 0, "text": stranger, "stranger": True} if stranger else ask(data)))


main()
