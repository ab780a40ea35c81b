"""The requests to the endpoint, and what their answers prove."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

#: A red square, 28 × 28, as PNG: the smallest picture that becomes two patches of 14 pixels.
_PICTURE = (
    "iVBORw0KGgoAAAANSUhEUgAAABwAAAAcCAIAAAD9b0jDAAAAI0lEQVR42u3MsQ0AAAjAoP7/tD7hJgkzTZ1LKpVKpVKp9Ee6"
    "DsoNHtgm0ZUAAAAASUVORK5CYII="
)


@dataclass(frozen=True)
class Answer:
    """An HTTP answer. Status 0 means no answer, with the reason in `text`.

    `stranger` means that no request was sent, because another process listens there.
    """

    status: int
    text: str
    stranger: bool = False


@dataclass(frozen=True)
class EndpointRequest:
    """One request: a path, and the JSON to post (None: a GET)."""

    path: str
    body: dict[str, Any] | None = None


def completion(served_name: str, tokens: int = 1) -> EndpointRequest:
    """Returns a request for a completion of exactly so many tokens: a tiny model may end its text at once."""
    body = {"model": served_name, "prompt": "1", "max_tokens": tokens, "ignore_eos": True, "temperature": 0}
    return EndpointRequest("/v1/completions", body)


def image_question(served_name: str) -> EndpointRequest:
    """Returns a request for one token about a picture: it tests the vision tower and the image processor."""
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_PICTURE}"}}
    content = [picture, {"type": "text", "text": "What is this?"}]
    message = {"role": "user", "content": content}
    body = {"model": served_name, "messages": [message], "max_tokens": 1, "ignore_eos": True, "temperature": 0}
    return EndpointRequest("/v1/chat/completions", body)


def guarded(served_name: str) -> tuple[EndpointRequest, ...]:
    """Returns requests that must fail without the key: tokens in two ways, and control of the engine.

    The last request has no effect where it is accepted: it lacks a required part.
    """
    body = completion(served_name).body
    routes = ("/v1/completions", "/invocations")
    return (*(EndpointRequest(route, body) for route in routes), EndpointRequest("/scale_elastic_ep", {}))


#: The statuses that refuse a request: no key, not allowed, no such route, no such method.
REFUSALS = frozenset({401, 403, 404, 405})

METRICS = EndpointRequest("/metrics")
MODELS = EndpointRequest("/v1/models")

#: vLLM serves these only with VLLM_SERVER_DEV_MODE=1, so never on a server that strangers can reach.
RESET_PREFIX_CACHE = EndpointRequest("/reset_prefix_cache", {})


def max_model_len(answer: Answer, served_name: str) -> int:
    """Reads the answer to MODELS: the most tokens of a request, in and out.

    Raises `ValueError` in the operator's words.
    """
    if answer.status != 200:
        raise ValueError(
            answer.text if answer.status == 0 else f"HTTP {answer.status}: {answer.text.strip()[:300]}"
        )
    try:
        return next(
            int(model["max_model_len"]) for model in json.loads(answer.text)["data"] if model["id"] == served_name
        )
    except (ValueError, KeyError, TypeError, StopIteration, RecursionError):
        raise ValueError(f"the endpoint does not serve {served_name}: {answer.text.strip()[:300]}") from None


@dataclass(frozen=True)
class Token:
    """The generated tokens: their number, and their text (maybe empty for a tiny model)."""

    count: int
    text: str


def token(answer: Answer) -> Token:
    """Reads a completion. Raises `ValueError`, in the operator's words, where it holds no generated token."""
    if answer.status == 0:
        raise ValueError(f"the endpoint did not answer: {answer.text}")
    if answer.status != 200:
        raise ValueError(f"HTTP {answer.status}: {answer.text.strip()[:300]}")
    try:
        document = json.loads(answer.text)
        count = int(document["usage"]["completion_tokens"])
        choice = document["choices"][0]
        text = choice["text"] if "text" in choice else choice["message"]["content"]
        text = "" if text is None else str(text)
    except (ValueError, KeyError, IndexError, TypeError, OverflowError, RecursionError):
        raise ValueError(f"the answer is not a completion: {answer.text.strip()[:300]}") from None
    if count < 1:
        raise ValueError("the engine answered without a token")
    return Token(count, text)


@dataclass(frozen=True)
class Load:
    """The load of the engine at this moment: running requests, and tokens generated since it started."""

    running: int
    generated: int


def load(metrics: str) -> Load:
    """Reads the text of /metrics. Raises `ValueError` when it is not vLLM's."""
    return Load(_sum(metrics, "vllm:num_requests_running"), _sum(metrics, "vllm:generation_tokens_total"))


def _sum(metrics: str, name: str) -> int:
    values = re.findall(rf"^{re.escape(name)}(?:\{{[^}}\n]*\}})? (\S+)$", metrics, re.MULTILINE)
    if not values:
        raise ValueError(f"/metrics does not contain {name}")
    try:
        return int(sum(map(float, values)))
    except OverflowError:
        raise ValueError(f"{name} is infinite") from None
