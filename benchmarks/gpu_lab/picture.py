"""`python -m benchmarks.gpu_lab.picture URL MODEL`: asks an endpoint about a picture, and shows the answer."""

import base64
import json
import struct
import sys
import urllib.request
import zlib

_SIDE = 56


def main() -> int:
    url, model = sys.argv[1:]
    content = [{"type": "image_url", "image_url": {"url": data_url()}}, {"type": "text", "text": "What is this?"}]
    body = {
        "model": model,
        "messages": [{"role": "user", "content": content}],
        "max_tokens": 4,
        "ignore_eos": True,
    }
    request = urllib.request.Request(
        f"{url}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as said:
        answer = json.load(said)
    print(json.dumps(answer, indent=1))
    return 0 if answer["usage"]["completion_tokens"] else 1


def data_url() -> str:
    """A red square, as PNG: sixteen patches of 14 pixels, four tokens."""
    rows = b"".join(b"\0" + b"\xff\0\0" * _SIDE for _ in range(_SIDE))
    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + chunks).decode()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


if __name__ == "__main__":
    sys.exit(main())
