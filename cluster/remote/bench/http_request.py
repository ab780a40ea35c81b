"""Asks an endpoint over HTTP from the host itself, for operators whose own machine cannot reach it.

Data: url, body (JSON to post, or null to get), key (bearer, or empty), timeout (seconds), and unit, which may be
left out: the folder of the unit that must listen there, or nothing is sent. Says status and text, and stranger
where nothing was sent.
"""

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.remote.common.port_owner import strangers
    from cluster.remote.common.processes import payload


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like any other: followed, it would take the key elsewhere."""

    def redirect_request(self, *_: Any) -> None:
        return None


def ask(data: dict[str, Any]) -> dict[str, Any]:
    body = None if data["body"] is None else json.dumps(data["body"]).encode()
    headers = {"Content-Type": "application/json"}
    if data["key"]:
        headers["Authorization"] = f"Bearer {data['key']}"
    request = urllib.request.Request(data["url"], body, headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect())
    try:
        with opener.open(request, timeout=data["timeout"]) as answer:
            return {"status": answer.status, "text": answer.read().decode(errors="replace")}
    except urllib.error.HTTPError as error:
        return {"status": error.code, "text": error.read().decode(errors="replace")}
    except (OSError, UnicodeError, http.client.HTTPException) as error:
        return {"status": 0, "text": str(error) or type(error).__name__}


def somebody_else(data: dict[str, Any]) -> str:
    """Who else listens where the unit should; empty where nobody does, or where it does not matter."""
    port = urllib.parse.urlsplit(data["url"]).port
    users = strangers(port, data["unit"]) if data.get("unit") and port else []
    return f"port {port} of this host is not our engine's: {' and '.join(users)} listens on it" if users else ""


def main() -> None:
    data = payload()
    stranger = somebody_else(data)
    print(json.dumps({"status": 0, "text": stranger, "stranger": True} if stranger else ask(data)))


main()
