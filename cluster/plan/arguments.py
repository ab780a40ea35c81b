"""The arguments of `vllm serve`, read as vLLM reads them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

#: Other names of options that a plan reads.
ALIASES = {
    "-q": "--quantization",
    "-ep": "--enable-expert-parallel",
    "-dcp": "--decode-context-parallel-size",
    "-pcp": "--prefill-context-parallel-size",
    "-sc": "--speculative-config",
    "--device-memory-utilization": "--gpu-memory-utilization",
    "--kv-cache-memory": "--kv-cache-memory-bytes",  # vLLM's own log recommends this name
}

_SUFFIXED = re.compile(r"(\d{1,18}(?:\.\d{1,9})?)([kKmMgGtT])")
_POWERS = {"k": 1, "m": 2, "g": 3, "t": 4}


class Arguments:
    """The options by their long names. The last one counts if an option is given twice."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = tuple(words)
        self._given: dict[str, str | None] = dict(_pairs(words))

    @property
    def options(self) -> tuple[str, ...]:
        """Returns the options as they are written, without the part after "=" or a dot."""
        return tuple(re.split("[=.+]", word)[0] for word in self._words if _is_option(word))

    @property
    def dotted(self) -> tuple[str, ...]:
        """Returns the options with a key behind a dot, such as `--hf-overrides.rope_theta`."""
        return tuple(option for option in self._given if "." in option)

    def has(self, name: str) -> bool:
        """Returns whether this flag is set, or this option given: a later `--no-FLAG` turns it off."""
        order = [option for option in self._given if option in (name, "--no-" + name[2:])]
        return bool(order) and order[-1] == name

    def text(self, name: str) -> str | None:
        return self._given.get(name)

    def number(self, name: str) -> int | None:
        """Returns a whole number, also written as 32k (thousands) or 32K (1024s). Raises ValueError that names the
        option."""
        text = self.text(name)
        if text is None:
            return None
        try:
            return _whole(text)
        except ValueError:
            raise ValueError(f"{name} is {text!r}, but must be a whole number") from None

    def fraction(self, name: str) -> float | None:
        """Returns a number. Raises ValueError that names the option."""
        text = self.text(name)
        try:
            return None if text is None else float(text)
        except ValueError:
            raise ValueError(f"{name} is {text!r}, but must be a number") from None

    def mapping(self, name: str) -> dict[str, Any]:
        """Returns a JSON object, written whole or by dotted keys (`--hf-overrides.rope_theta 1`). Raises
        ValueError."""
        merged: dict[str, Any] = {}
        for option, text in self._given.items():
            if option == name:
                merged |= _object(name, text)
            elif option.startswith(f"{name}."):
                _put(merged, option[len(name) + 1 :].split("."), _value(text))
        return merged


def _is_option(word: str) -> bool:
    return word.startswith("-") and not re.fullmatch(r"-\d.*|-", word)


def _pairs(words: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    seen: dict[str, str | None] = {}
    for place, word in enumerate(words):
        if not _is_option(word):
            continue
        name, equals, value = word.partition("=")
        follows = words[place + 1] if place + 1 < len(words) and not _is_option(words[place + 1]) else None
        # Each option is removed first: so the order is that of its last use.
        seen.pop(_long(name), None)
        seen[_long(name)] = value if equals else follows
    yield from seen.items()


def _long(name: str) -> str:
    """Returns the long name. vLLM reads --max_model_len as --max-model-len; keys behind a dot stay unchanged."""
    head, dot, keys = name.partition(".")
    head = head.replace("_", "-")
    return ALIASES.get(head, head) + dot + keys


def _whole(text: str) -> int:
    suffixed = _SUFFIXED.fullmatch(text.strip())
    if not suffixed:
        return int(text)
    number, suffix = suffixed.groups()
    power = _POWERS[suffix.lower()]
    # A fraction of 1024s is refused, as in vLLM.
    return int(number) << 10 * power if suffix.isupper() else int(float(number) * 10.0 ** (3 * power))


def _object(name: str, text: str | None) -> dict[str, Any]:
    value = _value(text)
    if not isinstance(value, dict):
        raise ValueError(f"{name} is not a JSON object")
    return value


def _value(text: str | None) -> Any:
    try:
        return json.loads(text or "")
    except (ValueError, RecursionError):
        return text


def _put(into: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        inner = into.get(key)
        into[key] = dict(inner) if isinstance(inner, dict) else {}
        into = into[key]
    into[keys[-1]] = value
