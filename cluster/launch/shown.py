"""A command line that may be shown and stored: any argument may hold a secret."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cluster.inventory import SECRET_NAMES
from cluster.remote.common.redact import REDACTED, is_secret_name, redact


def shown(words: Sequence[str]) -> tuple[str, ...]:
    """Returns the words without possible secrets: by the name before a word, by a key in its JSON, or by its
    form."""
    return tuple(
        REDACTED if _after_secret(words[:place]) and not word.startswith("--") else _without_secrets(word)
        for place, word in enumerate(words)
    )


def _after_secret(before: Sequence[str]) -> bool:
    """Returns whether a word follows an option with the name of a secret. Such an option may take several
    words."""
    options = [word for word in before if word.startswith("--")]
    return bool(options) and "=" not in options[-1] and _is_secret(options[-1])


def _without_secrets(word: str) -> str:
    name, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
    if equals and _is_secret(name):
        return f"{name}={REDACTED}"
    inner = _json(value)
    masked = _masked(inner)
    return redact(word if masked == inner else f"{name}{equals}{json.dumps(masked)}", (), SECRET_NAMES)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _masked(value: Any) -> Any:
    """Returns the JSON without the values of keys that name a secret."""
    if isinstance(value, dict):
        return {key: REDACTED if _is_secret(key) else _masked(inner) for key, inner in value.items()}
    return [_masked(inner) for inner in value] if isinstance(value, list) else value


def _is_secret(name: str) -> bool:
    return is_secret_name(name.lstrip("-").rstrip("+"))
