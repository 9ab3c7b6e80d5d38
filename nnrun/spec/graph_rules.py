"""How layers are wired: names that must exist, stand above, and differ."""

from __future__ import annotations

from collections.abc import Iterator

from nnrun.errors import Place, Problem
from nnrun.spec import catalog
from nnrun.spec.blocks import AUGMENT, Reference
from nnrun.spec.choices import WrittenChoice, read_choice, read_choices, whereabouts
from nnrun.spec.file_sources import FILE_SOURCES
from nnrun.spec.names import did_you_mean, listed, shorten
from nnrun.spec.schema import describe
from nnrun.spec.source import Node, find, path_text

INPUT = "input"
"""What the data's input is called unless the specification names it."""


def check_graph(tree: Node) -> Iterator[Problem]:
    """How the layers hang together: their names, the references to them, and that each leads to an output."""
    problems: dict[Place | None, Problem] = {}
    for problem in _check_names(tree):
        problems.setdefault(problem.place, problem)  # a block's own mistake shows in every use
    yield from problems.values() or _check_ends(tree, read_choices(tree, ("model", "layers")))


def _check_names(tree: Node) -> Iterator[Problem]:
    """Names of layers and the references to them."""
    layers = read_choices(tree, ("model", "layers"))
    given = _names(find(tree, ("model", "inputs")))
    known: dict[str, Place | None] = dict.fromkeys(given)
    declared = [layer.text("name") for layer in layers if layer.name == "Input"]
    if find(tree, AUGMENT):
        pass  # what goes around them would not be augmented: the first layer takes the last of them
    elif not given and not any(declared):
        known |= dict.fromkeys(data_inputs(tree))
    all_names = {name for layer in layers if (name := layer.text("name"))}
    for layer in layers:
        yield from _check_inputs(layer, known, all_names)
        name = layer.text("name")
        if name is None:
            yield from _check_name(layer)
            continue
        if name.startswith("#"):
            yield layer.problem_in_value("name", "expected a name that does not begin with '#'")
        if name in known and not (layer.name == "Input" and name in given):
            taken = known[name]
            where = f" ({whereabouts(taken, layer.place)})" if taken else ""
            yield layer.problem_in_value(
                "name", f"the name '{shorten(name)}' is already taken{where}; names differ"
            )
        known.setdefault(name, layer.arguments["name"].place)
    yield from _check_outputs(find(tree, ("model", "outputs")), known)


def data_inputs(tree: Node) -> list[str]:
    """What the data's inputs can be called, as far as the specification tells."""
    source = read_choice(find(tree, ("data", "source")), ("data", "source"))
    if source is None or source.name not in FILE_SOURCES:
        return [INPUT]
    for argument in ("inputs", "x"):
        node = source.arguments.get(argument)
        if node is not None and isinstance(node.value, dict):
            return list(node.value)
    columns = source.arguments.get("columns")
    named = list(columns.value) if columns is not None and isinstance(columns.value, dict) else []
    return [INPUT, "numbers", *named] if source.name in ("csv", "parquet") else [INPUT]


def _check_name(layer: WrittenChoice) -> Iterator[Problem]:
    """A name must be text; where Keras's documentation says so, that is checked with the other arguments."""
    part = catalog.find("layer", layer.name)
    argument = part.argument("name") if part else None
    if argument and argument.type is None and layer.value("name") is not None:
        found = describe(layer.value("name"))
        yield layer.problem_in_value("name", f"expected text; found {found}")


def _check_ends(tree: Node, layers: list[WrittenChoice]) -> Iterator[Problem]:
    """Each layer must lead to an output: Keras leaves the others out without a word."""
    section, outputs = find(tree, ("model", "layers")), find(tree, ("model", "outputs"))
    if section is None or not isinstance(section.value, list) or len(section.value) != len(layers):
        return
    used = set(_names(outputs)) or {f"#{len(layers) - 1}"}
    reported: set[Place] = set()
    for index in range(len(layers) - 1, -1, -1):
        layer = layers[index]
        if layer.name == "Input":
            if f"#{index}" in used:  # the layer after it takes the one before it
                used.add(f"#{index - 1}")
            continue
        if not used & {layer.text("name"), f"#{index}"}:
            if layer.place not in reported:
                yield layer.problem_in_name(
                    "leads to no output: the layers below take their inputs elsewhere; "
                    "name it among the inputs of one of them, or remove it"
                )
            reported.add(layer.place)
            continue
        node = layer.arguments.get("inputs")
        used |= set(_texts(node)) if node is not None else {f"#{index - 1}"}


def _check_inputs(
    layer: WrittenChoice, known: dict[str, Place | None], all_names: set[str]
) -> Iterator[Problem]:
    """Each of a layer's inputs must be named above it."""
    node = layer.arguments.get("inputs")
    if node is None:
        return
    items = node.value if isinstance(node.value, list) else [node]
    path = (*layer.path, layer.name, "inputs")
    if not items:
        yield Problem(
            "expected the name of a layer, or a list of names; found an empty list",
            path_text(path),
            node.place,
        )
    for index, item in enumerate(items):
        where = path_text(item.written or ((*path, index) if isinstance(node.value, list) else path))
        if not isinstance(item.value, str):
            yield Problem("expected the name of a layer, or a list of names", where, item.place)
        elif item.value not in known and not isinstance(item.value, Reference):
            yield Problem(_explain_name(item.value, layer, known, all_names), where, item.place)


def _explain_name(
    name: str, layer: WrittenChoice, known: dict[str, Place | None], all_names: set[str]
) -> str:
    if name == layer.value("name"):
        return "a layer cannot be its own input; inputs stand above it"
    if name in all_names:
        return f"the layer '{shorten(name)}' stands below; inputs stand above the layer that takes them"
    near = did_you_mean(name, known)
    return f"no layer above is named '{shorten(name)}'{near or '; above are ' + listed(list(known))}"


def _check_outputs(node: Node | None, known: dict[str, Place | None]) -> Iterator[Problem]:
    """Each output must be the name of a layer."""
    if node is None or not isinstance(node.value, list):
        return
    for index, item in enumerate(node.value):
        if isinstance(item.value, str) and item.value not in known:
            near = did_you_mean(item.value, known)
            message = f"no layer is named '{shorten(item.value)}'{near or '; give a layer this name'}"
            yield Problem(message, f"model.outputs[{index}]", item.place)
        elif item.value in [earlier.value for earlier in node.value[:index]]:
            message = f"'{shorten(str(item.value))}' is among the outputs already; remove it"
            yield Problem(message, f"model.outputs[{index}]", item.place)


def _names(node: Node | None) -> list[str]:
    return _texts(node) if node is not None and isinstance(node.value, list) else []


def _texts(node: Node) -> list[str]:
    items = node.value if isinstance(node.value, list) else [node]
    return [item.value for item in items if isinstance(item.value, str)]
