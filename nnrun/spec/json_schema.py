"""The JSON Schema of a specification, for editors: what may stand where, in Keras's own words.

It is made from the sections of ``schema.py`` and from the catalogue, so it belongs to the installed Keras. What one
look at a place cannot decide is left to ``nnrun validate``: rules across sections, the wiring of layers, files.
"""

from __future__ import annotations

import json
import re
from typing import Any, Literal

from nnrun.spec import catalog
from nnrun.spec.argument_types import ENTRY, Values
from nnrun.spec.catalog import KINDS, Argument, Kind, Part
from nnrun.spec.catalog_source import REQUIRED, SourceText, all_arguments, module_text
from nnrun.spec.datasets import dataset_facts, dataset_names, dataset_ranges
from nnrun.spec.refusals import REFUSED_ARGUMENTS
from nnrun.spec.schema import Choice, Spec

Json = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
DESCRIPTION = (
    "A neural network and its training, for `nnrun train`. Names and arguments are those of Keras {version}; "
    "`nnrun schema` writes this file for the Keras that is installed, with --code for the parts of a Python file too. "
    "`nnrun validate` finds more: what does not fit together, and files that are not there."
)
BASE = "Another specification that this one extends: maps merge, lists are replaced, null removes."
LONGEST_DESCRIPTION = 600
"""Characters; an editor shows a description in a small window."""

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

IN_BLOCKS: frozenset[Kind] = frozenset({"layer", "activation", "initializer", "regularizer", "constraint"})
"""Kinds whose arguments may be parameters of a block."""

PARAMETER: Json = {"type": "string", "pattern": r"^\$[A-Za-z_][A-Za-z0-9_]*$"}
"""A parameter of a block, in the place of a value."""

BLOCK = "^[a-z_]"
"""How the names of blocks begin, so that a misspelt layer is not taken for one."""

BLOCK_USE: Json = {
    "description": "A block of this file, with values for its parameters. Only names in small letters are "
    "known to be no layers of Keras.",
    "anyOf": [
        {"type": "string", "pattern": BLOCK},
        {
            "type": "object",
            "patternProperties": {
                BLOCK: {
                    "type": ["object", "null"],
                    "properties": {
                        "name": {"description": "The name of the block's last layer.", "type": "string"},
                        "inputs": {"$ref": "#/$defs/inputs"},
                        "repeat": {
                            "description": "How many times, one after the other.",
                            "anyOf": [{"type": "integer", "minimum": 1}, {"$ref": "#/$defs/parameter"}],
                        },
                    },
                }
            },
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
        },
    ],
}
INPUTS: Json = {
    "description": "The names of the layers whose outputs it takes; default: the layer above.",
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}],
}
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
            "keras_layer": _choice("layer"),
            "layer": {"anyOf": [{"$ref": "#/$defs/keras_layer"}, {"$ref": "#/$defs/block_use"}]},
            "nested_layer": _nested_layer(),
            **{kind: _choice(kind) for kind in KINDS if kind != "layer"},
            "data_source": _data_source(),
            "block_use": BLOCK_USE,
            "parameter": PARAMETER,
            "inputs": INPUTS,
            **_parts(),
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


def _choice(kind: Kind) -> Json:
    """A name, or a name with arguments."""
    bare: dict[str, str] = {}
    named: dict[str, Json] = {}
    for name in catalog.names(kind):
        part = catalog.find(kind, name)
        if part is None:
            continue
        if not any(argument.required for argument in part.arguments):
            bare[name] = summary(part.doc)
        taker = catalog.class_of(part)
        named[name] = (
            {"$ref": f"#/$defs/{_key(taker)}"}
            if taker
            else {"description": description(part.doc), "type": ["object", "null"], "maxProperties": 0}
        )
    branches: list[Json] = [_one_of(named)]
    if bare:
        branches.insert(0, {"enum": list(bare), "enumDescriptions": list(bare.values())})
    if kind in IN_BLOCKS:
        branches.append({"$ref": "#/$defs/parameter"})
    return {"anyOf": branches}


def _one_of(named: dict[str, Json]) -> Json:
    """A map of exactly one of the names."""
    return {
        "type": "object",
        "properties": named,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }


def _nested_layer() -> Json:
    """A layer inside another one, which takes the inputs for it."""
    wired = {"additionalProperties": {"properties": {"inputs": False}}}
    return {"allOf": [{"$ref": "#/$defs/keras_layer"}, wired]}


def _key(part: Part) -> str:
    return f"{part.kind}.{part.name}"


def _parts() -> dict[str, Json]:
    """The arguments of every part, once for all its names."""
    found: dict[str, Json] = {}
    for kind in KINDS:
        for name in catalog.names(kind):
            part = catalog.find(kind, name)
            taker = catalog.class_of(part) if part else None
            if taker and _key(taker) not in found:
                found[_key(taker)] = _arguments(taker)
    return found


def _arguments(part: Part) -> Json:
    refused = REFUSED_ARGUMENTS.get(part.name, {})
    docs = argument_docs(part)
    taken = [argument for argument in part.arguments if argument.name not in refused]
    properties = {argument.name: _argument(part, argument, docs.get(argument.name, "")) for argument in taken}
    if part.kind == "layer":
        properties["inputs"] = {"$ref": "#/$defs/inputs"}
    required = [argument.name for argument in taken if argument.required]
    return {
        "description": description(part.doc),
        "type": "object" if required else ["object", "null"],
        "properties": properties,
        **({"required": required} if required else {}),
        **({} if part.accepts_any else {"additionalProperties": False}),
    }


def _argument(part: Part, argument: Argument, doc: str) -> Json:
    """What an argument takes, with the first sentence that Keras says of it."""
    described: Json = {"description": _sentence(doc)} if doc else {}
    known = argument.default is not REQUIRED and not isinstance(argument.default, SourceText)
    if known and argument.default is not None:
        described["default"] = argument.default
    branches = _nested(part, argument) or _plain(argument.values)
    if not branches:
        examples = quoted_words(doc)
        return {**described, "examples": examples} if examples else described
    if part.kind in IN_BLOCKS and argument.type != "text":
        branches = [*branches, {"$ref": "#/$defs/parameter"}]
    return {**described, **(branches[0] if len(branches) == 1 else {"anyOf": branches})}


def _nested(part: Part, argument: Argument) -> list[Json]:
    """The parts that an argument takes; none where it takes plain values."""
    kind = catalog.nested_kind(part, argument.name)
    if kind is None:
        return []
    nothing = [] if argument.required else [{"type": "null"}]
    if kind == "layer":
        layer = {"$ref": "#/$defs/nested_layer"}
        return [layer, {"type": "array", "items": layer}, *nothing]
    if kind == "schedule":
        return [{"type": "number"}, {"$ref": "#/$defs/schedule"}, *nothing]
    return [{"$ref": f"#/$defs/{kind}"}, *nothing]


def _plain(values: Values) -> list[Json]:
    """As ``argument_types.accepts`` takes them; a list is one number for each axis."""
    nothing: list[Json] = [{"type": "null"}] if values.optional else []
    match values.type:
        case None:
            return []
        case "boolean" | "text":
            return [{"type": "boolean" if values.type == "boolean" else "string"}, *nothing]
    limits = {"minimum": values.minimum, "maximum": values.maximum}
    number = {"type": values.type, **{key: limit for key, limit in limits.items() if limit is not None}}
    lists: list[Json] = [{"type": "array"}] if values.minimum is None else []
    return [number, *lists, *nothing]


def _data_source() -> Json:
    """A built-in data set, or a kind of file with its arguments."""
    bare: dict[str, str] = {}
    named: dict[str, Json] = {}
    for name in dataset_names():
        ranges = dataset_ranges(name)
        required = [argument for argument, values in ranges.items() if "default" not in values]
        about = "" if required else _facts(name)
        if not required:
            bare[name] = about
        named[name] = {
            "description": about,
            "type": "object" if required else ["object", "null"],
            "properties": ranges,
            "required": required,
            "additionalProperties": False,
        }
    return {"anyOf": [{"enum": list(bare), "enumDescriptions": list(bare.values())}, _one_of(named)]}


def _facts(name: str) -> str:
    """A data set in one sentence."""
    facts = dataset_facts(Choice(name))
    shape = " x ".join(map(str, facts.shape))
    target = f"{facts.classes} classes" if facts.classes else "a number to predict"
    tests = f" and {facts.test:,} test" if facts.test else ""
    origin = "; downloaded once" if facts.downloaded else ""
    return f"{facts.train:,} training{tests} examples of shape {shape}, {target}{origin}."


def summary(doc: str) -> str:
    """The first sentence of a docstring."""
    return _sentence(" ".join(doc.partition("\n\n")[0].split()))


def description(doc: str) -> str:
    """The opening paragraphs of a docstring, as far as they fit into an editor's window."""
    text = re.split(
        r"^(?:Args|Arguments|Example|Examples|Usage|Formula|Reference|References|Returns):?.*$|^>>>|^```",
        doc,
        maxsplit=1,
        flags=re.MULTILINE,
    )[0]
    paragraphs = [" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n")]
    kept = paragraphs[0]
    for paragraph in paragraphs[1:]:
        if len(kept) + len(paragraph) > LONGEST_DESCRIPTION:
            break
        kept += f"\n\n{paragraph}"
    return kept


def argument_docs(part: Part) -> dict[str, str]:
    """What Keras says of each argument of a part, on one line."""
    taken, _ = all_arguments(part.module, part.name)
    docs = {part.doc: None, **{found.doc: None for found in taken.values()}}
    texts: dict[str, str] = {}
    for doc in docs:
        section = re.search(r"^Args:\n((?:(?:    .*)?\n)*)", doc + "\n", re.MULTILINE)
        for name, text in ENTRY.findall(section[1]) if section else ():
            texts.setdefault(name, " ".join(text.split()))
    return texts


def quoted_words(doc: str) -> list[str]:
    """The texts that a description names: ``"valid"`` and ``"same"``."""
    return list(dict.fromkeys(re.findall(r'`?"([a-z][a-z0-9_]*)"`?', doc)))


def _sentence(text: str) -> str:
    """The first sentence; ``e.g.`` and ``a.k.a.`` do not end one."""
    return re.split(r"(?<=[.!?])(?<!\w\.\w\.)\s", text, maxsplit=1)[0]
