"""What /metrics tells."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any


class Counts:
    def __init__(self, model: str) -> None:
        self._labels = f'{{engine="0",model_name="{model}"}}'
        self._since = time.monotonic()
        self._running = 0
        self._prompt = 0
        self._generated = 0

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1

    def generated(self, prompt: int, tokens: int) -> None:
        self._prompt += prompt
        self._generated += tokens

    def render(self, busy: Mapping[str, Any]) -> str:
        """`busy`: requests and tokens that nobody asked for, as of other users."""
        others = busy.get("tokens_per_second", 0) * (time.monotonic() - self._since)
        running = self._running + busy.get("running", 0)
        values = {
            "num_requests_running": ("gauge", running),
            "num_requests_waiting": ("gauge", 0),
            "kv_cache_usage_perc": ("gauge", min(0.01 * running, 1)),
            "prefix_cache_queries_total": ("counter", self._prompt),
            "prefix_cache_hits_total": ("counter", 0),
            "prompt_tokens_total": ("counter", self._prompt),
            "generation_tokens_total": ("counter", self._generated + int(others)),
        }
        return "".join(
            f"# TYPE vllm:{name} {kind}\nvllm:{name}{self._labels} {float(value)}\n"
            for name, (kind, value) in values.items()
        )
