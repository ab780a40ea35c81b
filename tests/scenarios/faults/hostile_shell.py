"""What a hostile host makes of the answers of our programs: a filter that its shell starts there.

argv: a mode. Lines that are no JSON object pass as they are.
"""

import base64
import json
import sys
import zlib
from collections.abc import Callable
from typing import Any

#: Names of files for the bundle that are those of others.
FORGED = (
    "../../../../../home/op/.ssh/authorized_keys",
    "../node0/vllm/log",
    "ray/../../node0/ray/log",
    "/etc/passwd",
)


def _floats(value: Any, other: float) -> Any:
    """The value with `other` in place of each float."""
    if isinstance(value, dict):
        return {key: _floats(each, other) for key, each in value.items()}
    if isinstance(value, list):
        return [_floats(each, other) for each in value]
    return other if isinstance(value, float) else value


def _long(message: dict[str, Any]) -> dict[str, Any]:
    return {**message, "gpu_problem": "x" * 100_000} if "gpu_problem" in message else message


def _text(name: str, text: bytes) -> dict[str, Any]:
    """A file for the bundle, as our program brings it."""
    return {"name": name, "packed": base64.b64encode(zlib.compress(text)).decode()}


def _after(files: Callable[[], list[dict[str, Any]]], message: dict[str, Any]) -> list[dict[str, Any]]:
    """With these files before the last line of the bundle's program."""
    return [*files(), message] if "left_out" in message else [message]


MODES: dict[str, Callable[[dict[str, Any]], list[dict[str, Any]]]] = {
    "infinite": lambda message: [_floats(message, float("inf"))],
    "nan": lambda message: [_floats(message, float("nan"))],
    "types": lambda message: [dict.fromkeys(message, 5)],
    "other": lambda message: [{"level": "info", "msg": "all is well", "hosts": 12}],
    "long": lambda message: [_long(message)],
    "bomb": lambda message: _after(lambda: [_text("vllm/log", bytes(300 << 20))], message),
    "names": lambda message: _after(lambda: [_text(name, b"forged") for name in FORGED], message),
}


def _message(line: str) -> "dict[str, Any] | None":
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


def main() -> None:
    for line in sys.stdin:
        message = _message(line)
        lines = [line] if message is None else [json.dumps(each) + "\n" for each in MODES[sys.argv[1]](message)]
        sys.stdout.write("".join(lines))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
