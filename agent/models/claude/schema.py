"""Tool schemas in the part of JSON Schema that strict tools take.

Owns the translation. Bounds and defaults are left out: the tool checks its arguments itself and
explains what is wrong. Must not know which tools there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KEPT = ("type", "description", "enum", "const", "$ref", "required")


def strict(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema that the API compiles to a grammar: every object closed, no bounds, no titles."""
    kept = {key: schema[key] for key in _KEPT if key in schema}
    if "enum" in kept or "const" in kept:
        kept.pop("type", None)
    if "properties" in schema:
        kept["properties"] = {
            name: _property(value) for name, value in schema["properties"].items()
        }
    if kept.get("type") == "object":
        kept.setdefault("properties", {})
        kept["additionalProperties"] = False
        kept.pop("description", None)  # of the arguments' class: the tool has its own
    if "items" in schema:
        kept["items"] = strict(schema["items"])
    if "anyOf" in schema:
        kept["anyOf"] = [strict(value) for value in schema["anyOf"]]
    if "$defs" in schema:
        kept["$defs"] = {name: strict(value) for name, value in schema["$defs"].items()}
    return kept


def _property(schema: Mapping[str, Any]) -> dict[str, Any]:
    """An argument that may be left out needs no null: its absence says the same."""
    choices = schema.get("anyOf", ())
    given = [choice for choice in choices if choice.get("type") != "null"]
    if len(given) == 1 and len(choices) == 2 and schema.get("default", ...) is None:
        schema = {**given[0], **{k: v for k, v in schema.items() if k != "anyOf"}}
    kept = strict(schema)
    default = schema.get("default")
    if default is not None:
        told = kept.get("description", "").rstrip(".")
        kept["description"] = f"{told} (default {default})".lstrip()
    return kept
