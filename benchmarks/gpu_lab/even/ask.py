"""What is asked of the endpoint of one engine."""

from __future__ import annotations

import asyncio
import json
import urllib.request
import uuid
from dataclasses import dataclass
from typing import Any

_LIMIT = 120.0


@dataclass(frozen=True)
class Endpoint:
    url: str
    model: str

    async def tokens(self, prompt: list[int], number: int) -> list[int]:
        """The answer's tokens; nothing comes from the prefix cache."""
        body = {
            "model": self.model, "prompt": prompt, "max_tokens": number, "ignore_eos": True,
            "return_token_ids": True, "cache_salt": uuid.uuid4().hex,
        }  # fmt: skip
        answer = json.loads(await self.post("/v1/completions", body))
        found: list[int] = answer["choices"][0]["token_ids"]
        return found

    async def post(self, path: str, body: dict[str, Any]) -> bytes:
        return await asyncio.to_thread(self._post, path, body)

    def _post(self, path: str, body: dict[str, Any]) -> bytes:
        heads = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}{path}", json.dumps(body).encode(), heads)
        with urllib.request.urlopen(request, timeout=_LIMIT) as answer:
            return bytes(answer.read())
