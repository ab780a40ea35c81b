"""What /metrics tells."""

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any


class Prefixes:
    """Whole prompts that were read before, each under its salt."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def look_up(self, body: Mapping[str, Any]) -> bool:
        key = json.dumps([body.get("cache_salt"), body.get("prompt", body.get("messages"))])
        before = key in self._seen
        self._seen.add(key)
        return before

    def forget(self) -> None:
        self._seen.clear()


class Counts:
    def __init__(self, model: str) -> None:
        self._labels = f'{{engine="0",model_name="{model}"}}'
        self._since = time.monotonic()
        self._started = time.time()
        self._running = 0
        self._prompt = 0
        self._cached = 0
        self._generated = 0
        self._finished = 0

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1

    def read(self, prompt: int, cached: int) -> None:
        self._prompt += prompt
        self._cached += cached

    def generated(self, tokens: int) -> None:
        self._generated += tokens
        self._finished += 1

    def render(self, busy: Mapping[str, Any]) -> str:
        """Adds the requests and tokens of `busy`, as if other clients had sent them."""
        others = busy.get("tokens_per_second", 0) * (time.monotonic() - self._since)
        running = self._running + busy.get("running", 0)
        values = {
            "num_requests_running": ("gauge", running),
            "num_requests_waiting": ("gauge", 0),
            "kv_cache_usage_perc": ("gauge", min(0.01 * running, 1)),
            "prefix_cache_queries_total": ("counter", self._prompt),
            "prefix_cache_hits_total": ("counter", self._cached),
            "prompt_tokens_total": ("counter", self._prompt),
            "generation_tokens_total": ("counter", self._generated + int(others)),
            "request_success_total": ("counter", self._finished),
            "num_preemptions_total": ("counter", 0),
        }
        started = f"# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds {self._started!r}\n"
        return started + "".join(
            f"# TYPE vllm:{name} {kind}\nvllm:{name}{self._labels} {float(value)}\n"
            for name, (kind, value) in values.items()
        )
