"""Changes from the command line: ``a.b=VALUE`` sets, ``~a.b`` removes; VALUE is YAML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from nnrun.errors import Place, Problem, Source, SpecError
from nnrun.spec.compose import DEEPEST, compose
from nnrun.spec.names import nearest
from nnrun.spec.node import Node, Path, path_text, plain
from nnrun.spec.positions import Position, below, key_paths, section_of, takes_choice, takes_list
from nnrun.spec.schema import Spec, describe, shorten

COMMAND_LINE = "command line"
"""The name of the source of all overrides."""

EXAMPLE = "write training.epochs=3 to set a value, ~training.callbacks to remove one"


def apply_overrides(tree: Node, overrides: Sequence[str]) -> Node:
    """Change a tree; the places of what is new point to the command line.

    Args:
        tree: What the files say.
        overrides: ``a.b=VALUE`` or ``~a.b``, applied from left to right; numbers index lists.

    Raises:
        SpecError: All the overrides that are malformed or lead nowhere.
    """
    tree, problems = change(tree, overrides)
    if problems:
        raise SpecError(problems, COMMAND_LINE)
    return tree


def change(tree: Node, overrides: Sequence[str]) -> tuple[Node, list[Problem]]:
    """The tree with all overrides that can be applied, and what is wrong with the others."""
    problems: list[Problem] = []
    for text in overrides:
        try:
            tree = _Override(Source(COMMAND_LINE, text)).apply(tree)
        except SpecError as error:
            problems.extend(error.problems)
    return tree, problems


@dataclass(frozen=True)
class _Override:
    source: Source

    @property
    def left(self) -> str:
        """What stands before the first ``=``."""
        return self.source.text.partition("=")[0]

    @property
    def place(self) -> Place:
        return Place(self.source, 1, 1, max(len(self.left), 1) + 1)

    def apply(self, tree: Node) -> Node:
        text = self.source.text
        if text.startswith("~"):
            if "=" in text:
                raise self._refusal(f"'~' removes and takes no value; {EXAMPLE}")
            return self._set(tree, self._path(), (), None, Spec)
        if "=" not in text:
            raise self._refusal(f"expected PATH=VALUE; {EXAMPLE}")
        path = self._path()
        return self._set(tree, path, (), self._value(path), Spec)

    def _refusal(self, message: str, path: Path = ()) -> SpecError:
        return SpecError([Problem(message, path_text(path), self.place)], COMMAND_LINE)

    def _path(self) -> Path:
        """The steps of ``a.1.b`` or ``a[1].b``."""
        written = self.left.removeprefix("~").strip()
        steps = re.sub(r"\[(\d+)\]", r".\1", written).split(".")
        if not all(steps):
            raise self._refusal(
                f"expected a path such as training.epochs, found {shorten(written) or 'nothing'}; {EXAMPLE}"
            )
        if len(steps) > DEEPEST:
            raise self._refusal(f"a path of {len(steps):,} steps; expected at most {DEEPEST}")
        if steps[0] == "base":
            raise self._refusal("what a file extends stands in the file alone; change single values here")
        return tuple(int(step) if re.fullmatch("[0-9]{1,9}", step) else step for step in steps)

    def _value(self, path: Path) -> Node:
        """The right side, its places moved to where it stands in the whole override."""
        start = len(self.left) + 1
        node, problems = compose(Source(COMMAND_LINE, self.source.text[start:]))
        if problems:
            moved = [
                replace(problem, path=path_text(path), place=self._moved(problem.place))
                for problem in problems
            ]
            raise SpecError(moved, COMMAND_LINE)
        if node is None:
            raise self._refusal(
                "nothing stands after the '='; write null for no value, '\"\"' for empty text", path
            )
        return replace(self._moved_node(node), key_place=self.place)

    def _moved(self, place: Place | None) -> Place:
        if place is None:
            return self.place
        shift = len(self.left) + 1 if place.line == 1 else 0
        return Place(self.source, place.line, place.column + shift, place.end_column + shift)

    def _moved_node(self, node: Node) -> Node:
        value = node.value
        if isinstance(value, dict):
            value = {key: self._moved_node(item) for key, item in value.items()}
        elif isinstance(value, list):
            value = [self._moved_node(item) for item in value]
        key_place = self._moved(node.key_place) if node.key_place else None
        return Node(value, self._moved(node.place), key_place)

    def _set(self, node: Node, path: Path, here: Path, value: Node | None, position: Position) -> Node:
        """The node with the value set at ``path`` below it, or removed where the value is None."""
        step, rest = path[0], path[1:]
        if isinstance(node.value, list):
            return replace(node, value=self._set_item(node.value, path, here, value, position))
        content = self._map_at(node, here, position)
        key = str(step)
        if key not in content:
            if not _may_begin(content, key, position):
                raise self._nowhere(content, here, path, position)
            if value is None:
                raise self._refusal(f"{_dotted((*here, *path))} is not set; there is nothing to remove")
        if rest:
            inner = content.get(key) or Node(None, self.place, self.place)
            return replace(
                node,
                value={**content, key: self._set(inner, rest, (*here, key), value, below(position, key))},
            )
        if value is None:
            return replace(node, value={name: item for name, item in content.items() if name != key})
        return replace(node, value={**content, key: value})

    def _map_at(self, node: Node, here: Path, position: Position) -> dict[str, Node]:
        """The map that a step leads into; a name alone (``Flatten``) becomes a name with arguments."""
        if isinstance(node.value, dict):
            return node.value
        if node.value is None and not takes_list(position):
            return {}
        if isinstance(node.value, str) and takes_choice(position):
            return {node.value: Node({}, node.place, node.place)}
        where = _dotted(here)
        if takes_list(position) and node.value is None:
            raise self._no_item([], (), here)
        raise self._refusal(f"{where or 'the file'} is {describe(plain(node))}; nothing lies below it")

    def _set_item(
        self, items: list[Node], path: Path, here: Path, value: Node | None, position: Position
    ) -> list[Node]:
        step, rest = path[0], path[1:]
        if not isinstance(step, int) or step >= len(items):
            raise self._no_item(items, path, here)
        if not rest and value is None:
            return [item for index, item in enumerate(items) if index != step]
        changed = self._set(items[step], rest, (*here, step), value, below(position, step)) if rest else value
        return [changed if index == step and changed else item for index, item in enumerate(items)]

    def _no_item(self, items: list[Node], path: Path, here: Path) -> SpecError:
        where = _dotted(here)
        if not items:
            return self._refusal(f"{where} is an empty list; write {where}=[...] to set all of it")
        step = path[0]
        if isinstance(step, int):
            advice = f"; write {where}=[...] to set all of it"
        else:
            holders = [index for index, item in enumerate(items) if step in _names_in(item)]
            advice = f"; did you mean {_dotted((*here, holders[0], *path))}?" if holders else ""
        count = f"{len(items)} items" if len(items) > 1 else "one item"
        span = f"{where}.0" + (f" to {where}.{len(items) - 1}" if len(items) > 1 else "")
        return self._refusal(f"{where} is a list of {count}, {span}{advice}")

    def _nowhere(self, content: dict[str, Node], here: Path, path: Path, position: Position) -> SpecError:
        """A step that the specification does not have and may not have."""
        key, rest = str(path[0]), path[1:]
        where = _dotted(here) or "the specification"
        section = section_of(position)
        near = nearest(key, [*content, *(section.model_fields if section else ())])
        if near:
            advice = f"; did you mean {_dotted((*here, near, *rest))}?"
        elif takes_choice(position) and len(content) == 1:
            (name,) = content
            if rest or key[:1].isupper():
                advice = (
                    f": it is {shorten(name)}; to change that write {where}='{{{shorten(key)}: {{...}}}}'"
                )
            else:
                advice = f"; did you mean {_dotted((*here, name, key))}?"
        else:
            advice = _elsewhere((*here, *path))
        return self._refusal(f"{where} has no '{shorten(key)}'{advice}")


def _may_begin(content: dict[str, Node], key: str, position: Position) -> bool:
    """Whether a key that is not there may be written: a section's own, an argument, a new choice."""
    section = section_of(position)
    if section:
        return key in section.model_fields
    return below(position, key) is not None and not (takes_choice(position) and content)


def _names_in(item: Node) -> list[str]:
    """The name of a list item that is a choice."""
    if isinstance(item.value, dict):
        return list(item.value)
    return [item.value] if isinstance(item.value, str) else []


def _elsewhere(path: Path) -> str:
    """The nearest of all the paths of the schema."""
    paths = [_dotted(known) for known in key_paths()]
    same = [known for known in paths if known.split(".")[-1] == str(path[-1])]
    near = same[0] if same else nearest(_dotted(path), paths)
    return f"; did you mean {near}?" if near else f"; expected one of {', '.join(Spec.model_fields)}"


def _dotted(path: Path) -> str:
    """A path as it is written on a command line, where brackets mean something to the shell."""
    return ".".join(shorten(str(step)) for step in path)
