"""The one thing that an `up` is for: an endpoint, what it is made of, and how to ask it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence

from typing_extensions import TypedDict

from cluster.values import Announcement, NcclTransport
from orchestrator.render.text import UNICODE, Marks, clean, count, duration


def text(announcement: Announcement, marks: Marks = UNICODE) -> str:
    """The announcement as text for an operator."""
    rows = {
        "endpoint": announcement.url,
        "model": announcement.model,
        "served as": announcement.served_name,
        "layout": layout(announcement, marks),
        "hosts": ", ".join(announcement.hosts),
        "transport": _transport(announcement),
        "KV cache": _kv_cache(announcement),
        "proof": f"one token, asked from {announcement.proved_from}: {json.dumps(announcement.token)}",
        "phases": f" {marks.dot} ".join(f"{title} {duration(took)}" for title, took in announcement.seconds),
    }
    shown = [f"{label:<10} {clean(words)}" for label, words in rows.items() if words]
    return "\n".join([*shown, "", curl(announcement)])


class TimedPhase(TypedDict):
    """A phase that was carried out, and how long it took."""

    title: str
    seconds: float


class AnnouncementDocument(TypedDict):
    """An endpoint that has given a token in this very run, and `curl`, a line that asks it."""

    url: str
    model: str
    served_name: str
    tensor_parallel: int
    pipeline_parallel: int
    hosts: Sequence[str]
    gpus: int
    transport: NcclTransport | None
    kv_cache_tokens: int | None
    proved_from: str
    token: str
    needs_key: bool
    phases: Sequence[TimedPhase]
    curl: str


def document(announcement: Announcement) -> AnnouncementDocument:
    """The same for a program."""
    return {
        "url": announcement.url,
        "model": announcement.model,
        "served_name": announcement.served_name,
        "tensor_parallel": announcement.tensor_parallel_size,
        "pipeline_parallel": announcement.pipeline_parallel_size,
        "hosts": announcement.hosts,
        "gpus": announcement.gpus,
        "transport": announcement.transport,
        "kv_cache_tokens": announcement.kv_cache_tokens,
        "proved_from": announcement.proved_from,
        "token": announcement.token,
        "needs_key": announcement.needs_key,
        "phases": [{"title": title, "seconds": seconds} for title, seconds in announcement.seconds],
        "curl": curl(announcement),
    }


def layout(announcement: Announcement, marks: Marks = UNICODE) -> str:
    """TP16 × PP1 over 2 hosts, 16 GPUs."""
    ways = f"TP{announcement.tensor_parallel_size} {marks.times} PP{announcement.pipeline_parallel_size}"
    hosts = len(announcement.hosts)
    where = f"{'on' if hosts == 1 else 'over'} {count(hosts, 'host')}"
    return f"{ways} {where}, {count(announcement.gpus, 'GPU')}"


def curl(announcement: Announcement) -> str:
    """A line to paste. The key stays in the environment of whoever pastes it.

    It asks for a completion, not a chat: that needs no chat template, and so works with every model.
    """
    body = {"model": announcement.served_name, "prompt": "The capital of France is", "max_tokens": 32}
    key = '-H "Authorization: Bearer $VLLM_API_KEY" ' if announcement.needs_key else ""
    data = shlex.quote(json.dumps(body))
    # Announced with or without `/v1`, the line works.
    url = shlex.quote(announcement.url.rstrip("/").removesuffix("/v1") + "/v1/completions")
    return f"curl -sS {url} {key}-H 'Content-Type: application/json' -d {data}"


def _transport(announcement: Announcement) -> str:
    transport = announcement.transport
    if transport is None:
        return "unknown" if len(announcement.hosts) > 1 else "within one host"
    return network(transport)


def network(transport: NcclTransport) -> str:
    """NET/Socket, slow: TCP instead of RDMA (Using network Socket)."""
    slow = ", slow: TCP instead of RDMA" if transport.kind == "NET/Socket" else ""
    return f"{transport.kind}{slow}{f' ({transport.evidence})' if transport.evidence else ''}"


def _kv_cache(announcement: Announcement) -> str:
    tokens = announcement.kv_cache_tokens
    return "size unknown" if tokens is None else count(tokens, "token")
