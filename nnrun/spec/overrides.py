"""Changes from the command line: ``a.b=VALUE`` sets, ``~a.b`` removes; VALUE is YAML."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from nnrun.errors import Place, Problem, Source, SpecError
from nnrun.spec.names import nearest
from nnrun.spec.source import Node, parse_value, path_text

EXAMPLE = "write training.epochs=3, or ~training.callbacks to remove"

Path = tuple[str | int, ...]


def apply_overrides(tree: Node, overrides: Sequence[str], known: Callable[[Path], Sequence[str] | None]) -> Node:
    """Change a tree; the values' places point to the command line.

    Args:
        tree: What the file says.
        overrides: ``a.b=VALUE`` or ``~a.b``; numbers index lists.
        known: The keys that a section may have, for a path to it; None where any key may stand.

    Raises:
        SpecError: All the overrides that are malformed or lead nowhere.
    """
    problems: list[Problem] = []
    for text in overrides:
        try:
            tree = _apply(tree, text, known)
        except SpecError as error:
            problems.extend(error.problems)
    if problems:
        raise SpecError(problems, "the command line")
    return tree


def _apply(tree: Node, text: str, known: Callable[[Path], Sequence[str] | None]) -> Node:
    left, equals, right = text.partition("=")
    removes = text.startswith("~")
    if removes and equals:
        raise _refusal(text, 0, f"`~` removes a key and takes no value; {EXAMPLE}")
    if not removes and not equals:
        raise _refusal(text, 0, f"expected a.b=VALUE; {EXAMPLE}")
    path = _parse_path(left.removeprefix("~"), text)
    if removes:
        return _change(tree, path, 0, None, text, known)
    source = Source("command line", text)
    try:
        value = parse_value(Source("command line", " " * (len(left) + 1) + right))
    except SpecError as error:
        raise SpecError([replace(problem, path=path_text(path)) for problem in error.problems]) from None
    value = _in_source(value, source)
    value = replace(value, place=Place(source, 1, len(left) + 2, len(text) + 1), key_place=Place(source, 1, 1, len(left) + 1))
    return _change(tree, path, 0, value, text, known)


def _in_source(node: Node, source: Source) -> Node:
    """The node with its places in another source of the same columns."""
    place = replace(node.place, source=source)
    key_place = replace(node.key_place, source=source) if node.key_place else None
    value = node.value
    if isinstance(value, dict):
        return Node({key: _in_source(item, source) for key, item in value.items()}, place, key_place)
    if isinstance(value, list):
        return Node([_in_source(item, source) for item in value], place, key_place)
    return Node(value, place, key_place)


def _parse_path(written: str, text: str) -> Path:
    steps = re.sub(r"\[(\d+)\]", r".\1", written).split(".")
    if not written or not all(steps):
        raise _refusal(text, 0, f"expected a path such as training.epochs before the '='; {EXAMPLE}")
    return tuple(int(step) if step.isdecimal() else step for step in steps)


def _change(
    node: Node, path: Path, depth: int, value: Node | None, text: str, known: Callable[[Path], Sequence[str] | None]
) -> Node:
    """The node with the value at the rest of the path set, or removed where the value is None."""
    step, last = path[depth], depth + 1 == len(path)
    here = path[:depth]
    content = node.value
    if isinstance(content, list):
        return replace(node, value=_change_item(node, content, path, depth, value, text, known))
    if isinstance(content, str) and known(here) is None:
        # A name alone, such as `- Flatten`, becomes a name with arguments.
        content = {content: Node({}, node.place, node.place)}
    elif content is None:
        content = {}
    if not isinstance(content, dict):
        raise _refusal(text, 0, f"{path_text(here)} is a single value; nothing lies under it")
    key = str(step)
    if key not in content:
        allowed = known(here)
        if value is None or not _may_begin(content, key, allowed, last):
            raise _nowhere(text, here, key, list(content) if value is None else [*content, *(allowed or [])])
    if last:
        rest = {name: item for name, item in content.items() if name != key or value is not None}
        return replace(node, value=rest if value is None else {**rest, key: value})
    child = content.get(key) or Node({}, node.place, node.place)
    return replace(node, value={**content, key: _change(child, path, depth + 1, value, text, known)})


def _may_begin(content: dict[str, Node], key: str, allowed: Sequence[str] | None, last: bool) -> bool:
    """Whether a key that is not there yet may be written: a section's own, or an argument."""
    if allowed is not None:
        return key in allowed
    return last or not content


def _change_item(
    node: Node,
    content: list[Node],
    path: Path,
    depth: int,
    value: Node | None,
    text: str,
    known: Callable[[Path], Sequence[str] | None],
) -> list[Node]:
    step, last = path[depth], depth + 1 == len(path)
    if not isinstance(step, int) or step >= len(content):
        where = path_text(path[:depth])
        raise _refusal(text, 0, f"{where} is a list of {len(content)}; its items are {where}.0 to {where}.{len(content) - 1}")
    if not last:
        changed = _change(content[step], path, depth + 1, value, text, known)
    elif value is not None:
        changed = value
    else:
        return [item for index, item in enumerate(content) if index != step]
    return [changed if index == step else item for index, item in enumerate(content)]


def _nowhere(text: str, here: Path, key: str, keys: Sequence[str]) -> SpecError:
    near = nearest(key, keys)
    where = path_text(here) or "the specification"
    hint = f"; did you mean {path_text((*here, near))}?" if near else f"; there are {', '.join(dict.fromkeys(keys))}" if keys else ""
    return _refusal(text, 0, f"{where} has no '{key}'{hint}")


def _refusal(text: str, start: int, message: str) -> SpecError:
    place = Place(Source("command line", text), 1, start + 1, max(start + 2, len(text.partition("=")[0]) + 1))
    return SpecError([Problem(message, place=place)], "the command line")


