"""Asks an endpoint over HTTP from the host itself, for operators whose own machine cannot reach it.

Data: url, body (JSON to post, or null to get), key (bearer, or empty), timeout (seconds). Says status and text.
"""

import http.client
import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.remote.common.processes import payload


def ask(data: dict[str, Any]) -> dict[str, Any]:
    body = None if data["body"] is None else json.dumps(data["body"]).encode()
    headers = {"Content-Type": "application/json"}
    if data["key"]:
        headers["Authorization"] = f"Bearer {data['key']}"
    request = urllib.request.Request(data["url"], body, headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=data["timeout"]) as answer:
            return {"status": answer.status, "text": answer.read().decode(errors="replace")}
    except urllib.error.HTTPError as error:
        return {"status": error.code, "text": error.read().decode(errors="replace")}
    except (OSError, UnicodeError, http.client.HTTPException) as error:
        return {"status": 0, "text": str(error) or type(error).__name__}


def main() -> None:
    print(json.dumps(ask(payload())))


main()
