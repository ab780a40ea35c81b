"""Says what was collected, piece by piece, packed and without secrets."""

import base64
import json
import time
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.remote.common.redact import redact


class Teller:
    """Says things until time or room is out, and remembers what it could not say."""

    def __init__(self, data: "dict[str, Any]", values: "list[str]") -> None:
        self.names = data["secret_names"]
        self.values = values
        self.room = data["most"]
        self.end = time.monotonic() + data["seconds"]
        self.left_out: list[str] = []

    def late(self) -> bool:
        return bool(time.monotonic() > self.end)

    def say(self, name: str, text: str) -> None:
        shown = redact(text, self.values, self.names).encode(errors="replace") if len(text) <= self.room else b""
        if len(text) > self.room or len(shown) > self.room:
            self.left_out.append(name)
            return
        self.room -= len(shown)
        packed = zlib.compress(shown, 6)
        print(json.dumps({"name": name, "packed": base64.b64encode(packed).decode()}), flush=True)

    def say_json(self, name: str, document: Any) -> None:
        self.say(name, json.dumps(document, indent=1))
