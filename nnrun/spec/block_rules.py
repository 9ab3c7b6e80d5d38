"""What can be wrong with blocks and with their uses."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nnrun.errors import Problem
from nnrun.spec.choices import WrittenChoice
from nnrun.spec.names import MOST_LISTED, did_you_mean, listed, nearest, shorten
from nnrun.spec.node import Node, Path, find, leaves, path_text, plain
from nnrun.spec.schema import describe

RESERVED = ("repeat", "name", "inputs")
"""Arguments of every use of a block, besides the block's parameters."""

DEEPEST = 8
"""Blocks inside blocks."""


@dataclass(frozen=True)
class Block:
    """A block as it is written; its defaults may be missing or wrong, which the schema reports."""

    name: str
    layers: list[Node]
    defaults: Mapping[str, Node]
    path: Path

    @functools.cached_property
    def parameters(self) -> dict[str, tuple[Path, Node]]:
        """The names after ``$`` in its layers, in reading order, and where each stands first."""
        found: dict[str, tuple[Path, Node]] = {}
        for index, layer in enumerate(self.layers):
            for path, leaf in leaves(layer, (*self.path, "layers", index)):
                if name := parameter_name(leaf.value):
                    found.setdefault(name, (path, leaf))
        return found


def parameter_name(value: object) -> str | None:
    """The name of the parameter that a value stands for."""
    return (
        value[1:] if isinstance(value, str) and value.startswith("$") and value[1:].isidentifier() else None
    )


def read_blocks(node: Node) -> dict[str, Block]:
    """The blocks that can be laid out; the schema reports the others, and a layer of Keras stays one."""
    from nnrun.spec import catalog

    found = {}
    for name, item in node.value.items() if isinstance(node.value, dict) else ():
        layers, defaults = find(item, ("layers",)), find(item, ("defaults",))
        if layers is not None and isinstance(layers.value, list) and not catalog.find("layer", name):
            given = defaults.value if defaults is not None and isinstance(defaults.value, dict) else {}
            found[name] = Block(name, layers.value, given, ("model", "blocks", name))
    return found


def check_blocks(node: Node) -> Iterator[Problem]:
    """Names of blocks that cannot be told from layers, parameters that every block has, and defaults of nothing."""
    from nnrun.spec import catalog

    for name, item in node.value.items() if isinstance(node.value, dict) else ():
        if catalog.find("layer", name):
            message = f"{name} is a layer of Keras; give the block another name"
            yield Problem(message, path_text(("model", "blocks", name)), item.key_place)
    for block in read_blocks(node).values():
        for name, (path, leaf) in block.parameters.items():
            if name in RESERVED:
                yield Problem(_explain_reserved(name), path_text(path), leaf.place)
        for name, value in block.defaults.items():
            path = (*block.path, "defaults", name)
            if name in RESERVED:
                yield Problem(_explain_reserved(name), path_text(path), value.key_place)
            elif name not in block.parameters:
                near = did_you_mean(name, block.parameters)
                message = f"no layer of the block says ${shorten(name)}{near}"
                yield Problem(message, path_text(path), value.key_place)


def _explain_reserved(name: str) -> str:
    return f"'{name}' belongs to every use of a block; give the parameter another name"


def check_use(use: WrittenChoice, block: Block, above: tuple[str, ...]) -> Iterator[Problem]:
    """What is wrong with a use of a block, inside the blocks ``above``."""
    if use.name in above:
        yield use.problem_in_name(
            f"the block uses itself ({' > '.join(map(shorten, (*above, use.name)))}); a block must end"
        )
    elif len(above) >= DEEPEST:
        yield use.problem_in_name(f"blocks inside blocks, more than {DEEPEST} deep; lay some of them out")
    parameters = list(block.parameters)
    known = [*parameters, *RESERVED]
    for name in use.arguments:
        if name not in known:
            near = did_you_mean(name, known) or f"; it takes {listed(known)}"
            message = f"the block '{shorten(use.name)}' has no parameter '{shorten(name)}'{near}"
            yield use.problem_in_key(name, message)
    given = {*use.arguments, *block.defaults, *(nearest(name, known) for name in use.arguments), *RESERVED}
    missing = [name for name in parameters if name not in given]
    if missing:
        words = " and ".join(f"'{shorten(name)}'" for name in missing[:MOST_LISTED])
        example = ", ".join(f"{shorten(name)}: ..." for name in missing[:MOST_LISTED])
        yield use.problem_in_name(
            f"missing {words}; write {shorten(use.name)}: {{{example}}}, or give the block defaults"
        )
    yield from _check_reserved(use)


def _check_reserved(use: WrittenChoice) -> Iterator[Problem]:
    """What is wrong with the arguments that every use of a block takes."""
    repeat, name, inputs = (use.value(argument) for argument in RESERVED)
    expected = {
        "repeat": (
            "a whole number, at least 1",
            isinstance(repeat, int) and repeat is not True and repeat >= 1,
        ),
        "name": ("text", isinstance(name, str) and name != ""),
        "inputs": ("the name of a layer, or a list of names", _are_names(inputs)),
    }
    for argument, (words, is_right) in expected.items():
        node = use.arguments.get(argument)
        if node is not None and not is_right:
            yield use.problem_in_value(argument, f"expected {words}; found {describe(plain(node))}")


def _are_names(inputs: object) -> bool:
    names = inputs if isinstance(inputs, list) else [inputs]
    return bool(names) and all(isinstance(name, str) for name in names)
