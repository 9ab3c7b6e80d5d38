"""Everything that a specification can choose, in the words of JSON Schema: names with their arguments."""

from __future__ import annotations

from typing import Any

from nnrun.spec import catalog
from nnrun.spec.argument_types import Values
from nnrun.spec.catalog import KINDS, Argument, Kind, Part
from nnrun.spec.catalog_source import REQUIRED, SourceText
from nnrun.spec.datasets import dataset_facts, dataset_names, dataset_ranges
from nnrun.spec.docs import argument_docs, description, quoted_words, sentence, summary
from nnrun.spec.json_files import file_sources
from nnrun.spec.refusals import REFUSED_ARGUMENTS
from nnrun.spec.schema import Choice

Json = dict[str, Any]

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


def definitions() -> Json:
    """What the schema of the sections refers to, each thing once."""
    return {
        "keras_layer": _choice("layer"),
        "layer": {"anyOf": [{"$ref": "#/$defs/keras_layer"}, {"$ref": "#/$defs/block_use"}]},
        "nested_layer": _nested_layer(),
        **{kind: _choice(kind) for kind in KINDS if kind != "layer"},
        "data_source": _data_source(),
        "block_use": BLOCK_USE,
        "parameter": PARAMETER,
        "inputs": INPUTS,
        **_parts(),
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
    described: Json = {"description": sentence(doc)} if doc else {}
    known = argument.default is not REQUIRED and not isinstance(argument.default, SourceText)
    if known and argument.default is not None:
        described["default"] = argument.default
    branches = _nested(part, argument) or plain_values(argument.values)
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


def plain_values(values: Values) -> list[Json]:
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
    named |= file_sources()
    return {"anyOf": [{"enum": list(bare), "enumDescriptions": list(bare.values())}, _one_of(named)]}


def _facts(name: str) -> str:
    """A data set in one sentence."""
    facts = dataset_facts(Choice(name))
    shape = " x ".join(map(str, facts.shape))
    target = f"{facts.classes} classes" if facts.classes else "a number to predict"
    tests = f" and {facts.test:,} test" if facts.test else ""
    origin = "; downloaded once" if facts.downloaded else ""
    return f"{facts.train:,} training{tests} examples of shape {shape}, {target}{origin}."
