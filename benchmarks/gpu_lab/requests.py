"""What is asked of an endpoint from this machine, and several things at a time."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def together(task: Callable[[T], object], each: Iterable[T]) -> None:
    """Side by side, until all have ended."""
    threads = [threading.Thread(target=task, args=(one,)) for one in each]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


def complete(url: str, model: str, problems: list[str], prompt: str) -> None:
    """A few tokens; what went wrong is added to `problems`."""
    body = {"model": model, "prompt": prompt, "max_tokens": 32, "ignore_eos": True}
    request = urllib.request.Request(
        f"{url}/v1/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            answer.read()
    except (OSError, urllib.error.URLError) as error:
        problems.append(str(error))
