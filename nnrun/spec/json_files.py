"""The user's own files as data sources, in the words of JSON Schema."""

from __future__ import annotations

from typing import Any

from nnrun.spec.file_sources import COLUMN_KINDS, FILE_SOURCES
from nnrun.spec.schema import Section

Json = dict[str, Any]


def file_sources() -> dict[str, Json]:
    """The arguments of each kind of files, by its name."""
    return {name: _section(section) for name, section in FILE_SOURCES.items()}


def _section(section: type[Section]) -> Json:
    """The keys of a section; a value that is left out or nothing is the default."""
    schema = section.model_json_schema(mode="validation")
    definitions = schema.get("$defs", {})
    properties = {name: _resolved(field, definitions) for name, field in schema["properties"].items()}
    if "columns" in properties:
        properties["columns"] = {**properties["columns"], "additionalProperties": _column_kind()}
    if "augment" in properties:
        properties["augment"] = {**properties["augment"], "items": {"$ref": "#/$defs/layer"}}
    return {
        "description": (section.__doc__ or "").strip(),
        "type": "object",
        "properties": properties,
        "required": schema.get("required", []),
        "additionalProperties": False,
    }


def _column_kind() -> Json:
    """A kind of column, with or without its arguments."""
    named = {
        name: {**_section(section), "type": ["object", "null"]} for name, section in COLUMN_KINDS.items()
    }
    return {
        "anyOf": [
            {"enum": list(named)},
            {
                "type": "object",
                "properties": named,
                "additionalProperties": False,
                "minProperties": 1,
                "maxProperties": 1,
            },
        ]
    }


def _resolved(value: Any, definitions: Json) -> Any:
    """The schema without references and without titles, which repeat the keys."""
    if isinstance(value, list):
        return [_resolved(item, definitions) for item in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return {} if name == "Choice" else _resolved(definitions[name], definitions)
    return {
        key: _resolved(item, definitions) for key, item in value.items() if key not in ("title", "examples")
    }
