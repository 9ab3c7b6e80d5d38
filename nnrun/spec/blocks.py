"""Blocks: named lists of layers, laid out in the place where each is used.

    model:
      blocks:
        residual:
          defaults: {kernel_size: 3}
          layers:
            - Conv2D: {filters: $filters, kernel_size: $kernel_size, padding: same, name: conv}
            - Add: {inputs: [input, conv]}
      layers:
        - residual: {filters: 64, repeat: 2}

In a block ``$name`` is a parameter, ``input`` is what arrives, and names of layers are the block's own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from nnrun.errors import Problem
from nnrun.spec.block_rules import (
    DEEPEST,
    RESERVED,
    Block,
    check_blocks,
    check_use,
    parameter_name,
    read_blocks,
)
from nnrun.spec.choices import WrittenChoice, read_choice
from nnrun.spec.node import Node, Path, find, put_at

INPUT = "input"
"""What a layer of a block calls that which arrives at the block."""

AUGMENT: Path = ("data", "source", "images", "augment")
"""Layers that act on pictures in training; they stand first in the model, where their seeds are kept with it."""

MOST_LAYERS = 10_000


class Reference(str):
    """A reference to a layer by its index, which no text of a specification can be taken for."""


def reference(index: int) -> Reference:
    """How the laid-out list refers to its layer at an index, whatever its name; -1 is the model's (last) input."""
    return Reference(f"#{index}")


def lay_out(tree: Node) -> tuple[Node, list[Problem]]:
    """Replace each use of a block by its layers, and put the layers that augment pictures before all others.

    Args:
        tree: A whole specification.

    Returns:
        The specification with a flat list of layers, whose nodes know where they are ``written``; and what is
        wrong with blocks and their uses. A use with a problem gives way to one layer that does nothing.
    """
    layers = find(tree, ("model", "layers"))
    blocks = find(tree, ("model", "blocks"))
    augment = find(tree, AUGMENT)
    augmenting = augment.value if augment is not None and isinstance(augment.value, list) else []
    if layers is None or not isinstance(layers.value, list) or (blocks is None and not augmenting):
        return tree, []
    laid = _Layout({} if blocks is None else read_blocks(blocks))
    laid.place(augmenting, AUGMENT, _Scope())
    laid.place(layers.value, ("model", "layers"), _Scope())
    flat = put_at(tree, ("model", "layers"), replace(layers, value=laid.layers))
    return flat, [*([] if blocks is None else check_blocks(blocks)), *laid.problems]


@dataclass(frozen=True)
class _Scope:
    """What the names in a list of layers mean.

    Args:
        prefix: Stands before the names of its layers.
        arriving: What ``input`` stands for; empty outside of blocks.
        wired: Whether the block was told what arrives, which then may stand anywhere above it.
        parameters: Values of ``$name``.
        blocks: The blocks that are being laid out, outermost first.
        last: The name that the last layer gets.
    """

    prefix: str = ""
    arriving: tuple[Node, ...] = ()
    wired: bool = False
    parameters: Mapping[str, Node] = field(default_factory=dict)
    blocks: tuple[str, ...] = ()
    last: Node | None = None


class _Layout:
    """The flat list of layers that is being made."""

    def __init__(self, blocks: Mapping[str, Block]) -> None:
        self.blocks = blocks
        self.layers: list[Node] = []
        self.problems: list[Problem] = []
        self.uses: Counter[str] = Counter()
        self.turns = 0

    def place(self, nodes: Sequence[Node], path: Path, scope: _Scope) -> None:
        """Add the layers of a list, one after the other."""
        local = {name for node in nodes if (name := _name_of(node, scope.parameters))}
        for index, node in enumerate(nodes):
            if self._is_full():
                return
            here = (*path, index)
            node = replace(_substitute(node, scope.parameters), written=here)
            choice = read_choice(node, here)
            last = scope.last if index == len(nodes) - 1 else None
            if choice and scope.blocks:
                node = _rename(node, choice, scope, local, first=index == 0, last=last)
                choice = read_choice(node, here)
            if choice and choice.name in self.blocks:
                self._place_block(choice, scope)
            else:
                self.layers.append(node)
                if choice and len(self.layers) > MOST_LAYERS:
                    self.problems.append(
                        choice.problem_in_name(f"more than {MOST_LAYERS:,} layers; repeat less")
                    )

    def _is_full(self) -> bool:
        """Whether there is no room for another use; one without layers takes room too, or it could go on for ever."""
        return len(self.layers) > MOST_LAYERS or self.turns > DEEPEST * MOST_LAYERS

    def _place_block(self, use: WrittenChoice, scope: _Scope) -> None:
        block = self.blocks[use.name]
        problems = list(check_use(use, block, scope.blocks))
        self.problems += problems
        if problems:
            label = {"name": use.arguments["name"]} if use.text("name") else {}
            stand_in = Node({"Identity": Node(label, use.place, use.place)}, use.place, written=use.path)
            self.layers.append(stand_in)  # so that what refers to it finds it
            return
        values = {name: node for name, node in use.arguments.items() if name not in RESERVED}
        given = _given_inputs(use)
        name = use.text("name")
        repeat = use.value("repeat")
        times = repeat if isinstance(repeat, int) else 1
        for turn in range(times):
            if self._is_full():
                return
            self.uses[use.name] += 1
            self.turns += 1
            prefix = f"{name or f'{use.name}_{self.uses[use.name]}'}{f'_{turn + 1}' if name and times > 1 else ''}_"
            above = Node(reference(len(self.layers) - 1), use.place)
            inner = _Scope(
                prefix=prefix,
                arriving=given if given and turn == 0 else (above,),
                wired=bool(given) and turn == 0,
                parameters={**block.defaults, **values},
                blocks=(*scope.blocks, use.name),
                last=use.arguments["name"] if name and turn == times - 1 else None,
            )
            self.place(block.layers, (*block.path, "layers"), inner)


def _rename(
    node: Node, choice: WrittenChoice, scope: _Scope, local: set[str], *, first: bool, last: Node | None
) -> Node:
    """A layer of a block under its name in the whole model, wired to what the block's names stand for."""
    arguments = dict(choice.arguments)
    own = choice.text("name")
    if last:
        arguments["name"] = last
    elif own:
        arguments["name"] = replace(arguments["name"], value=scope.prefix + own)
    if "inputs" in arguments:
        arguments["inputs"] = _rewire(arguments["inputs"], scope, local)
    elif first and scope.wired:
        arguments["inputs"] = Node(list(scope.arriving), scope.arriving[0].place)
    if not arguments:
        return node
    return replace(node, value={choice.name: Node(arguments, node.place, choice.place)})


def _rewire(inputs: Node, scope: _Scope, local: set[str]) -> Node:
    """The inputs of a layer of a block, by their names in the whole model."""
    items = inputs.value if isinstance(inputs.value, list) else [inputs]
    wired: list[Node] = []
    for item in items:
        if item.value == INPUT and INPUT not in local:
            wired += scope.arriving
        elif isinstance(item.value, str) and item.value in local:
            wired.append(replace(item, value=scope.prefix + item.value))
        else:
            wired.append(item)
    return replace(inputs, value=wired)


def _substitute(node: Node, parameters: Mapping[str, Node]) -> Node:
    """The node with the values of parameters in the places of their names."""
    name = parameter_name(node.value)
    if name is not None and name in parameters:
        return replace(parameters[name], key_place=node.key_place)
    if isinstance(node.value, dict):
        return replace(node, value={key: _substitute(item, parameters) for key, item in node.value.items()})
    if isinstance(node.value, list):
        return replace(node, value=[_substitute(item, parameters) for item in node.value])
    return node


def _name_of(node: Node, parameters: Mapping[str, Node]) -> str | None:
    choice = read_choice(node, ())
    name = choice.arguments.get("name") if choice else None
    value = None if name is None else _substitute(name, parameters).value
    return value if isinstance(value, str) else None


def _given_inputs(use: WrittenChoice) -> tuple[Node, ...]:
    """What a use of a block takes by name; the nodes know where they are written."""
    node, path = use.arguments.get("inputs"), (*use.path, use.name, "inputs")
    if node is None or not isinstance(node.value, list):
        return () if node is None else (replace(node, written=node.written or path),)
    return tuple(replace(item, written=item.written or (*path, i)) for i, item in enumerate(node.value))
