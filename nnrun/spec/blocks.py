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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from nnrun.errors import Problem
from nnrun.spec.choices import WrittenChoice, read_choice
from nnrun.spec.names import MOST_LISTED, did_you_mean, listed, nearest, shorten
from nnrun.spec.node import Node, Path, find, leaves, path_text, plain, put_at
from nnrun.spec.schema import describe

INPUT = "input"
"""What a layer of a block calls that which arrives at the block."""

RESERVED = ("repeat", "name", "inputs")
"""Arguments of every use of a block, besides the block's parameters."""

MOST_LAYERS = 10_000
DEEPEST = 8
"""Blocks inside blocks."""


class Reference(str):
    """A reference to a layer by its index, which no text of a specification can be taken for."""


def reference(index: int) -> Reference:
    """How the laid-out list refers to its layer at an index, whatever its name; -1 is the model's (last) input."""
    return Reference(f"#{index}")


def lay_out(tree: Node) -> tuple[Node, list[Problem]]:
    """Replace each use of a block by its layers.

    Args:
        tree: A whole specification.

    Returns:
        The specification with a flat list of layers, whose nodes know where they are ``written``; and what is
        wrong with blocks and their uses. A use with a problem gives way to one layer that does nothing.
    """
    layers = find(tree, ("model", "layers"))
    blocks = find(tree, ("model", "blocks"))
    if layers is None or blocks is None or not isinstance(layers.value, list):
        return tree, []
    laid = _Layout(_read_blocks(blocks))
    laid.place(layers.value, ("model", "layers"), _Scope())
    flat = put_at(tree, ("model", "layers"), replace(layers, value=laid.layers))
    return flat, [*_check_blocks(blocks), *laid.problems]


@dataclass(frozen=True)
class _Block:
    """A block as it is written; its defaults may be missing or wrong, which the schema reports."""

    name: str
    layers: list[Node]
    defaults: Mapping[str, Node]
    path: Path

    @property
    def parameters(self) -> list[str]:
        """The names after ``$`` in its layers, in reading order."""
        values = [leaf.value for layer in self.layers for _, leaf in leaves(layer)]
        return list(dict.fromkeys(name for value in values if (name := _parameter(value))))


@dataclass(frozen=True)
class _Scope:
    """What the names in a list of layers mean.

    Args:
        prefix: Stands before the names of its layers.
        arriving: What ``input`` stands for; empty outside of blocks.
        parameters: Values of ``$name``.
        blocks: The blocks that are being laid out, outermost first.
        last: The name that the last layer gets.
    """

    prefix: str = ""
    arriving: tuple[str, ...] = ()
    parameters: Mapping[str, Node] = field(default_factory=dict)
    blocks: tuple[str, ...] = ()
    last: str | None = None


class _Layout:
    """The flat list of layers that is being made."""

    def __init__(self, blocks: Mapping[str, _Block]) -> None:
        self.blocks = blocks
        self.layers: list[Node] = []
        self.problems: list[Problem] = []
        self.uses: Counter[str] = Counter()

    def place(self, nodes: Sequence[Node], path: Path, scope: _Scope) -> None:
        """Add the layers of a list, one after the other."""
        local = {name for node in nodes if (name := _name_of(node))}
        for index, node in enumerate(nodes):
            here = (*path, index)
            node = replace(_substitute(node, scope.parameters), written=here)
            choice = read_choice(node, here)
            last = scope.last if index == len(nodes) - 1 else None
            if choice and scope.blocks:
                node = _rename(node, choice, scope, local, first=index == 0, last=last)
                choice = read_choice(node, here)
            if choice and choice.name in self.blocks:
                self._place_block(choice, scope)
            elif len(self.layers) < MOST_LAYERS:
                self.layers.append(node)
            elif len(self.layers) == MOST_LAYERS and choice:
                self.layers.append(node)
                self.problems.append(choice.problem_in_name(f"more than {MOST_LAYERS:,} layers; repeat less"))

    def _is_full(self) -> bool:
        """Whether there is no room for another use; one without layers takes room too, or it could go on for ever."""
        return len(self.layers) > MOST_LAYERS or self.uses.total() > DEEPEST * MOST_LAYERS

    def _place_block(self, use: WrittenChoice, scope: _Scope) -> None:
        block = self.blocks[use.name]
        problems = list(_check_use(use, block, scope.blocks))
        self.problems += problems
        if problems:
            label = {"name": use.arguments["name"]} if "name" in use.arguments else {}
            stand_in = Node({"Identity": Node(label, use.place, use.place)}, use.place, written=use.path)
            self.layers.append(stand_in)  # so that what refers to it finds it
        if problems or self._is_full():
            return
        values = {name: node for name, node in use.arguments.items() if name not in RESERVED}
        given = _texts(use.arguments.get("inputs"))
        name = use.value("name")
        repeat = use.value("repeat")
        times = repeat if isinstance(repeat, int) else 1
        for turn in range(times):
            if self._is_full():
                return
            self.uses[use.name] += 1
            prefix = f"{name or f'{use.name}_{self.uses[use.name]}'}{f'_{turn + 1}' if name and times > 1 else ''}_"
            inner = _Scope(
                prefix=prefix,
                arriving=tuple(given) if given and turn == 0 else (reference(len(self.layers) - 1),),
                parameters={**block.defaults, **values},
                blocks=(*scope.blocks, use.name),
                last=name if isinstance(name, str) and turn == times - 1 else None,
            )
            self.place(block.layers, (*block.path, "layers"), inner)


def _rename(
    node: Node, choice: WrittenChoice, scope: _Scope, local: set[str], *, first: bool, last: str | None
) -> Node:
    """A layer of a block under its name in the whole model, wired to what the block's names stand for."""
    arguments = dict(choice.arguments)
    own = choice.value("name")
    if last:
        arguments["name"] = replace(arguments.get("name", node), value=last)
    elif isinstance(own, str):
        arguments["name"] = replace(arguments["name"], value=scope.prefix + own)
    if "inputs" in arguments:
        arguments["inputs"] = _rewire(arguments["inputs"], scope, local, last, _last_name(choice, last))
    elif first and not isinstance(scope.arriving[0], Reference):
        items = [Node(name, choice.place) for name in scope.arriving]
        arguments["inputs"] = Node(items, choice.place)
    if not arguments:
        return node
    return replace(node, value={choice.name: Node(arguments, node.place, choice.place)})


def _last_name(choice: WrittenChoice, last: str | None) -> str | None:
    """The block's own name of its last layer, where that is called otherwise from outside."""
    own = choice.value("name")
    return own if last and isinstance(own, str) else None


def _rewire(inputs: Node, scope: _Scope, local: set[str], last: str | None, renamed: str | None) -> Node:
    """The inputs of a layer of a block, by their names in the whole model."""
    items = inputs.value if isinstance(inputs.value, list) else [inputs]
    wired: list[Node] = []
    for item in items:
        if item.value == INPUT and INPUT not in local:
            wired += [replace(item, value=name) for name in scope.arriving]
        elif isinstance(item.value, str) and item.value in local:
            wired.append(replace(item, value=last if item.value == renamed else scope.prefix + item.value))
        else:
            wired.append(item)
    return replace(inputs, value=wired)


def _substitute(node: Node, parameters: Mapping[str, Node]) -> Node:
    """The node with the values of parameters in the places of their names."""
    name = _parameter(node.value)
    if name is not None and name in parameters:
        return replace(parameters[name], key_place=node.key_place)
    if isinstance(node.value, dict):
        return replace(node, value={key: _substitute(item, parameters) for key, item in node.value.items()})
    if isinstance(node.value, list):
        return replace(node, value=[_substitute(item, parameters) for item in node.value])
    return node


def _parameter(value: object) -> str | None:
    """The name of the parameter that a value stands for."""
    return (
        value[1:] if isinstance(value, str) and value.startswith("$") and value[1:].isidentifier() else None
    )


def _name_of(node: Node) -> str | None:
    choice = read_choice(node, ())
    name = choice.value("name") if choice else None
    return name if isinstance(name, str) else None


def _texts(node: Node | None) -> list[str]:
    items = [] if node is None else node.value if isinstance(node.value, list) else [node]
    return [item.value for item in items if isinstance(item.value, str)]


def _read_blocks(node: Node) -> dict[str, _Block]:
    """The blocks that can be laid out; the schema reports the others."""
    found = {}
    for name, item in node.value.items() if isinstance(node.value, dict) else ():
        layers, defaults = find(item, ("layers",)), find(item, ("defaults",))
        if layers is not None and isinstance(layers.value, list):
            given = defaults.value if defaults is not None and isinstance(defaults.value, dict) else {}
            found[name] = _Block(name, layers.value, given, ("model", "blocks", name))
    return found


def _check_blocks(node: Node) -> Iterator[Problem]:
    """Names of blocks that cannot be told from layers, and defaults of nothing."""
    from nnrun.spec import catalog

    for block in _read_blocks(node).values():
        place = node.value[block.name].key_place or node.place  # type: ignore[index, call-overload, union-attr]
        if catalog.find("layer", block.name):
            yield Problem(
                f"{block.name} is a layer of Keras; give the block another name", path_text(block.path), place
            )
        for name, value in block.defaults.items():
            if name in RESERVED:
                message = f"'{name}' belongs to every use of a block; give the parameter another name"
                yield Problem(message, path_text((*block.path, "defaults", name)), value.key_place)
            elif name not in block.parameters:
                near = did_you_mean(name, block.parameters)
                message = f"no layer of the block says ${shorten(name)}{near}"
                yield Problem(message, path_text((*block.path, "defaults", name)), value.key_place)


def _check_use(use: WrittenChoice, block: _Block, above: tuple[str, ...]) -> Iterator[Problem]:
    """What is wrong with the arguments of a use."""
    if use.name in above:
        yield use.problem_in_name(
            f"the block uses itself ({' > '.join(map(shorten, (*above, use.name)))}); a block must end"
        )
    elif len(above) >= DEEPEST:
        yield use.problem_in_name(f"blocks inside blocks, more than {DEEPEST} deep; lay some of them out")
    known = [*block.parameters, *RESERVED]
    for name in use.arguments:
        if name not in known:
            near = did_you_mean(name, known) or f"; it takes {listed(known)}"
            yield use.problem_in_key(
                name, f"the block '{shorten(use.name)}' has no parameter '{shorten(name)}'{near}"
            )
    given = {*use.arguments, *block.defaults, *(nearest(name, known) for name in use.arguments)}
    missing = [name for name in block.parameters if name not in given]
    if missing:
        words = " and ".join(f"'{shorten(name)}'" for name in missing[:MOST_LISTED])
        example = ", ".join(f"{shorten(name)}: ..." for name in missing[:MOST_LISTED])
        yield use.problem_in_name(
            f"missing {words}; write {shorten(use.name)}: {{{example}}}, or give the block defaults"
        )
    repeat = use.arguments.get("repeat")
    if repeat is not None and (
        isinstance(repeat.value, bool) or not isinstance(repeat.value, int) or repeat.value < 1
    ):
        yield use.problem_in_value(
            "repeat", f"expected a whole number, at least 1; found {describe(plain(repeat))}"
        )
