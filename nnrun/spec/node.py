"""One value of a specification and where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nnrun.errors import Place
from nnrun.spec.schema import shorten

Path = tuple[str | int, ...]
"""The way to a value: keys of maps and indices of lists."""


@dataclass(frozen=True)
class Node:
    """A value and where it stands.

    Args:
        value: A plain value, or a list or map of nodes.
        place: Of the value.
        key_place: Of the key that leads to it, where there is one.
        written: The path at which it is written, where it was put to another one: a layer of a block.
    """

    value: bool | int | float | str | list[Node] | dict[str, Node] | None
    place: Place
    key_place: Place | None = None
    written: Path | None = None


def plain(node: Node) -> Any:
    """The value without places."""
    match node.value:
        case dict():
            return {key: plain(item) for key, item in node.value.items()}
        case list():
            return [plain(item) for item in node.value]
    return node.value


def find(node: Node, path: Sequence[str | int]) -> Node | None:
    """The node that a path leads to, or None."""
    found: Node | None = node
    for step in path:
        found = child(found, step) if found else None
    return found


def child(node: Node, step: str | int) -> Node | None:
    """The node one step below, or None."""
    if isinstance(node.value, dict) and isinstance(step, str):
        return node.value.get(step)
    if isinstance(node.value, list) and isinstance(step, int) and 0 <= step < len(node.value):
        return node.value[step]
    return None


def put_at(node: Node, path: Sequence[str | int], item: Node) -> Node:
    """The node with another one at a path.

    Raises:
        LookupError: Nothing stands at the path.
    """
    if not path:
        return item
    inner = child(node, path[0])
    if inner is None:
        raise LookupError(f"nothing stands at {path_text(path)}")
    changed = put_at(inner, path[1:], item)
    if isinstance(node.value, list):
        return replace(node, value=[changed if one is inner else one for one in node.value])
    if isinstance(node.value, dict):
        return replace(node, value={**node.value, str(path[0]): changed})
    return node


def leaves(node: Node, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """The values that are no maps or lists (or empty ones), with their paths, in reading order."""
    if isinstance(node.value, dict) and node.value:
        for key, item in node.value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(node.value, list) and node.value:
        for index, item in enumerate(node.value):
            yield from leaves(item, (*path, index))
    else:
        yield path, node


def path_text(path: Sequence[str | int]) -> str:
    """A path as it is shown: ``model.layers[1].Dense.units``."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{shorten(step)}" for step in path)
    return "".join(steps).removeprefix(".")
