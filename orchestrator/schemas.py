"""The JSON schemas of docs/schemas, made of the models that the program writes: `make schemas`.

No command imports this: it costs time that a start does not have.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_type_hints

from pydantic import ConfigDict, TypeAdapter, create_model
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from cluster.errors import ClusterError, HostError
from cluster.values import Announcement
from orchestrator.commands.bench_layouts import LayoutsDocument
from orchestrator.commands.diagnose import DiagnoseDocument
from orchestrator.commands.down import DownDocument
from orchestrator.commands.unlock import UnlockDocument
from orchestrator.events import Event, HostMessage
from orchestrator.outcome import exit_codes  # noqa: F401  imports all that can go wrong
from orchestrator.render.announce import AnnouncementDocument
from orchestrator.render.bench import BenchDocument
from orchestrator.render.check import CheckDocument
from orchestrator.render.compare import CompareDocument
from orchestrator.render.execute import ExecDocument
from orchestrator.render.failure_report import report
from orchestrator.render.json_text import SCHEMA_VERSION
from orchestrator.render.jsonl import Problem
from orchestrator.render.logs import LogDocument
from orchestrator.render.plan_document import PlanDocument
from orchestrator.render.status import StatusDocument, WatchedStatusDocument
from orchestrator.report.data import ReportDocument

#: By command; `failure` is what any of them writes in its place.
DOCUMENTS: dict[str, type] = {
    "plan": PlanDocument,
    "check": CheckDocument,
    "up": AnnouncementDocument,
    "status": StatusDocument,
    "status-watch": WatchedStatusDocument,
    "logs": LogDocument,
    "exec": ExecDocument,
    "diagnose": DiagnoseDocument,
    "unlock": UnlockDocument,
    "down": DownDocument,
    "bench": BenchDocument,
    "bench-layouts": LayoutsDocument,
    "bench-compare": CompareDocument,
    "bench-report": ReportDocument,
    "failure": ClusterError,
}

#: Errors have no fields that pydantic knows: `_Schemas` says what is written of them.
_CONFIG = ConfigDict(arbitrary_types_allowed=True)

#: What an event holds -> what is written of it, where that is another model.
_WRITTEN: Mapping[Any, Any] = {Announcement: AnnouncementDocument, tuple[HostError, ...]: tuple[Problem, ...]}


class _Schemas(GenerateJsonSchema):
    """Every key is always there, with or without a default; a title that repeats the key says nothing."""

    def field_is_required(self, field: object, total: bool) -> bool:
        return True

    def field_title_should_be_set(self, schema: object) -> bool:
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def is_instance_schema(self, schema: core_schema.IsInstanceSchema) -> JsonSchemaValue:
        """The report of an error of this class: one model for each class that has keys of its own."""
        kinds: dict[type, set[str]] = {}
        for error in _errors(schema["cls"]):
            kinds.setdefault(get_type_hints(report.dispatch(error))["return"], set()).add(error.kind)
        models = sorted(kinds, key=lambda model: model.__name__)
        return {"anyOf": [self._report(model, kinds[model]) for model in models]}

    def _report(self, model: type, kinds: set[str]) -> JsonSchemaValue:
        several = self.generate_inner(_several(model).core_schema)
        return {**several["items"], "properties": {"kind": {"enum": sorted(kinds)}}}


def _errors(parent: type[ClusterError]) -> Iterator[type[ClusterError]]:
    """Yields the program's own classes: tests have some besides."""
    if parent.__module__.partition(".")[0] in ("cluster", "orchestrator"):
        yield parent
    for child in parent.__subclasses__():
        yield from _errors(child)


def _several(model: Any) -> TypeAdapter[Any]:
    """Several of them: pydantic takes no configuration for a typed dict alone."""
    return TypeAdapter(list[model], config=_CONFIG)


def schemas() -> dict[str, JsonSchemaValue]:
    """Returns every schema by the name of its file."""
    documents = {name: _schema(name, model) for name, model in DOCUMENTS.items()}
    lines: Any = Union[tuple(_line(event) for event in get_args(Event))]  # noqa: UP007
    return {**documents, "events": _schema("events", lines)}


def _schema(name: str, model: Any) -> JsonSchemaValue:
    several = _several(model).json_schema(schema_generator=_Schemas, mode="serialization")
    definitions, body = several.get("$defs", {}), several["items"]
    if "$ref" in body:
        body = definitions.pop(body["$ref"].rpartition("/")[2])
    head = {
        "$schema": _Schemas.schema_dialect,
        "$id": f"urn:ray-cluster-orchestrator:{SCHEMA_VERSION}:{name}",
        "title": name,
    }
    version = {"schema_version": {"const": SCHEMA_VERSION}}
    schema = {
        **head,
        **{key: value for key, value in body.items() if key != "title"},
        "properties": {**body.get("properties", {}), **version},
        "required": [*body.get("required", ()), *version],
        "$defs": definitions,
    }
    worded: JsonSchemaValue = _for_json(schema)
    return worded


def _for_json(value: Any, key: str = "") -> Any:
    """Docstrings are wrapped, and speak of None: a reader of JSON knows null."""
    match value:
        case dict():
            return {name: _for_json(each, name) for name, each in value.items()}
        case list():
            return [_for_json(each) for each in value]
        case str() if key == "description":
            return re.sub(r"\bNone\b", "null", " ".join(value.split()))
    return value


def _line(event: type[Event]) -> type:
    """Returns a model of the line that is written of an event."""
    known = get_type_hints(event)
    hints = {field.name: known[field.name] for field in fields(event)}
    if event is HostMessage:
        hints["line"] = str
    head = {"event": Literal[event.name], "time": str}
    values: dict[str, Any] = {name: (_WRITTEN.get(hint, hint), ...) for name, hint in {**head, **hints}.items()}
    model: type = create_model(event.name, __doc__=event.__doc__, __config__=_CONFIG, **values)
    return model


def write(folder: Path) -> None:
    """Writes a file for each schema."""
    for name, schema in schemas().items():
        (folder / f"{name}.schema.json").write_text(json.dumps(schema, indent=2) + "\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
