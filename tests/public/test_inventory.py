"""Keys of inventory.yaml: each with what it takes, and what it is where nobody writes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cluster.inventory.schema import InventoryFile
from tests.public.golden import holds

#: Of a JSON schema: what says which values a key takes, and what it is by itself.
_SAID = ("type", "const", "enum", "default", "minimum", "maximum", "exclusiveMinimum")


def keys(
    schema: dict[str, Any], known: dict[str, Any], at: str, within: tuple[str, ...]
) -> Iterator[tuple[str, Any]]:
    """A jump may have a jump of its own: that is told once."""
    name = schema.get("$ref", "").rpartition("/")[2]
    if name in within:
        return
    within = (*within, name) if name else within
    schema = {**known.get(name, {}), **schema}
    if at:
        yield at, {word: schema[word] for word in _SAID if word in schema}
    for one in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from (
            (f"{at} | {place}" if place == at else place, said) for place, said in keys(one, known, at, within)
        )
    if isinstance(schema.get("additionalProperties"), dict):
        yield from keys(schema["additionalProperties"], known, f"{at}.*", within)
    if "items" in schema:
        yield from keys(schema["items"], known, f"{at}[]", within)
    for key, one in schema.get("properties", {}).items():
        yield from keys(one, known, f"{at}.{key}" if at else key, within)


def test_every_key() -> None:
    schema = InventoryFile.model_json_schema()
    found: dict[str, Any] = {}
    for place, said in keys(schema, schema["$defs"], "", ()):
        where = place.split(" | ")[0]
        merged = found.setdefault(where, {})
        merged |= {word: value for word, value in said.items() if word != "type"}
        merged["types"] = sorted({*merged.get("types", ()), *([said["type"]] if "type" in said else [])})
    holds("inventory", found, "keys")


def test_what_must_be_there() -> None:
    schema = InventoryFile.model_json_schema()
    needed = {name: one.get("required", []) for name, one in schema["$defs"].items()}
    by_place = {"hosts[]": needed["WrittenHost"], "": schema["required"]}
    for place in ("model", "serve", "runtime"):
        by_place[place] = needed[schema["properties"][place]["$ref"].rpartition("/")[2]]
    holds("inventory", by_place, "required")
