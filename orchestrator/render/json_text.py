"""Documents as JSON: of the values in them every field, of errors their report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from pydantic import BaseModel

from cluster.errors import ClusterError
from orchestrator.render.failure_report import report


def to_json(document: Mapping[str, object], indent: int | None = None) -> str:
    """Returns ASCII alone, so no encoding is in its way; one line unless indented."""
    return json.dumps(document, indent=indent, default=_plain)


def _plain(value: Any) -> Any:
    """One level of it: json asks again for what is below."""
    match value:
        case ClusterError():
            return report(value)
        case BaseModel():
            return value.model_dump(mode="json")
    return {field.name: getattr(value, field.name) for field in fields(value)}
