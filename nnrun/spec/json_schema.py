"""The JSON Schema of a specification, for editors: what may stand where, in Keras's own words.

It is made from the sections of ``schema.py`` and from the catalogue, so it belongs to the installed Keras. What one
look at a place cannot decide is left to ``nnrun validate``: rules across sections, the wiring of layers, files.
"""

from __future__ import annotations

import json
import re
from typing import Any, Literal

from nnrun.spec.catalog import Kind
from nnrun.spec.catalog_source import module_text
from nnrun.spec.json_parts import Json, definitions
from nnrun.spec.schema import Choice, Spec

DRAFT = "https://json-schema.org/draft/2020-12/schema"
DESCRIPTION = (
    "A neural network and its training, for `nnrun train`. Names and arguments are those of Keras {version}; "
    "`nnrun schema` writes this file for the Keras that is installed, with --code for the parts of a Python file too. "
    "`nnrun validate` finds more: what does not fit together, and files that are not there."
)
BASE = "Another specification that this one extends: maps merge, lists are replaced, null removes."

Choosable = Kind | Literal["data_source"]
KIND_OF_KEY: dict[str, Choosable] = {
    "source": "data_source",
    "layers": "layer",
    "loss": "loss",
    "optimizer": "optimizer",
    "learning_rate": "schedule",
    "metrics": "metric",
    "callbacks": "callback",
}
"""What is chosen under a key of a section."""

SOMETHING: Json = {"type": ["array", "boolean", "integer", "number", "object", "string"]}
"""Anything but nothing."""


def schema_text() -> str:
    """The schema as it is written to a file."""
    return json.dumps(json_schema(), ensure_ascii=False, indent=1) + "\n"


def json_schema() -> Json:
    """The schema of a whole specification; no part of TensorFlow or Keras is imported."""
    schema = Spec.model_json_schema()
    sections: dict[str, Json] = schema.pop("$defs")
    del sections["Choice"]
    whole = _whole_file(schema, sections)
    return {
        "$schema": DRAFT,
        "description": DESCRIPTION.format(version=keras_version()),
        "type": "object",
        "properties": {"base": {"type": "string", "description": BASE}, **_section(schema)["properties"]},
        "additionalProperties": False,
        "if": {"not": {"required": ["base"]}},
        "then": whole,
        "$defs": {
            **{name: _section(section) for name, section in sections.items()},
            **definitions(),
        },
    }


def keras_version() -> str:
    """The version of the installed Keras, from its source."""
    found = re.search(r'__version__ = "([^"]+)"', module_text("keras.src.version"))
    return found[1] if found else "3"


def _section(section: Json) -> Json:
    """A section whose keys may each be left out, or be nothing, as in a file that extends another one."""
    properties = {
        key: {**_kept(_choices(field, KIND_OF_KEY.get(key))), "description": field.get("description", "")}
        for key, field in section["properties"].items()
    }
    properties = {key: _or_nothing(field) for key, field in properties.items()}
    described = {"description": section["description"]} if "description" in section else {}
    return {**described, "type": "object", "properties": properties, "additionalProperties": False}


def _kept(field: Json) -> Json:
    """Without what says nothing to a reader: titles that repeat the key, defaults that are nothing or empty."""
    kept = {key: value for key, value in field.items() if key not in ("title", "examples")}
    if isinstance(kept.get("default"), dict) and "name" in kept["default"]:
        kept["default"] = Choice(**kept["default"]).plain()
    if kept.get("default") in (None, [], {}, ""):
        kept.pop("default", None)
    return kept


def _choices(field: Any, kind: Choosable | None) -> Any:
    """The field with what is chosen under it in the place of any choice."""
    if isinstance(field, list):
        return [_choices(item, kind) for item in field]
    if not isinstance(field, dict):
        return field
    if field.get("$ref") == "#/$defs/Choice":
        if kind is None:
            raise LookupError("a key with a choice that has no kind")
        return {**field, "$ref": f"#/$defs/{kind}"}
    changed = {key: _choices(value, kind) for key, value in field.items()}
    if changed.get("additionalProperties") == {"$ref": "#/$defs/loss"}:
        changed["minProperties"] = 2  # a map of one is a name with its arguments
    return changed


def _or_nothing(field: Json) -> Json:
    if "anyOf" in field:
        branches = [branch for branch in field["anyOf"] if branch != {"type": "null"}]
        return {**field, "anyOf": [*branches, {"type": "null"}]}
    described: Json = {key: field[key] for key in ("description", "default") if key in field}
    inner = {key: value for key, value in field.items() if key not in described}
    return {**described, "anyOf": [inner, {"type": "null"}]}


def _whole_file(schema: Json, sections: dict[str, Json]) -> Json:
    """What holds for a file that extends no other: nothing that is needed is missing, no key is empty."""
    inner: dict[str, Json] = {}
    for key, field in schema["properties"].items():
        name = field.get("$ref", "").rpartition("/")[2]
        if name in sections:
            inner[key] = _filled(sections[name])
    inner["model"]["if"] = {"not": {"required": ["blocks"]}}
    inner["model"]["then"] = {"properties": {"layers": {"items": {"$ref": "#/$defs/keras_layer"}}}}
    return {"required": schema["required"], "properties": inner, "additionalProperties": SOMETHING}


def _filled(section: Json) -> Json:
    """What holds for a section of such a file; one that needs nothing may be left empty."""
    nullable: Json = {
        key: {} for key, field in section["properties"].items() if {"type": "null"} in field.get("anyOf", ())
    }
    return {
        **({"type": "object", "required": section["required"]} if "required" in section else {}),
        "properties": nullable,
        "additionalProperties": SOMETHING,
    }
