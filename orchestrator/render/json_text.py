"""Documents as JSON: of the values in them every field, of errors their report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from pydantic import BaseModel

from cluster.errors import ClusterError
from orchestrator.render.failure_report import report

#: The version of all schemas in docs/schemas. It stays while keys are added alone.
SCHEMA_VERSION: Final = 1


def to_json(document: Mapping[str, object], indent: int | None = None) -> str:
    """Returns ASCII alone, so no encoding is in its way; one line unless indented."""
    return json.dumps({**document, "schema_version": SCHEMA_VERSION}, indent=indent, default=_plain)


def _plain(value: Any) -> Any:
    """One level of it: json asks again for what is below."""
    match value:
        case ClusterError():
            return report(value)
        case BaseModel():
            return value.model_dump(mode="json")
    return {field.name: getattr(value, field.name) for field in fields(value)}
