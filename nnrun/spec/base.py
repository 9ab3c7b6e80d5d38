"""``base: other.yaml``: one specification extends another.

Maps merge, lists and single values are replaced, ``null`` removes. Where the schema has a choice, the name
decides: the same name's arguments merge, another name replaces the whole.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from nnrun.errors import Place, Problem, SpecError
from nnrun.spec.compose import compose
from nnrun.spec.node import Node, plain
from nnrun.spec.positions import Position, below, takes_choice
from nnrun.spec.schema import Spec, describe, shorten
from nnrun.spec.source import is_pipe, read_source

LONGEST_CHAIN = 8
EMPTY = "expected the sections data, model and training; found nothing but spaces and comments"


def read_with_base(path: Path) -> tuple[Node | None, list[Problem]]:
    """Read a specification and all that it extends.

    Returns:
        The merged tree without the key ``base``, None where it cannot be read; and the problems of all files.

    Raises:
        SpecError: The file itself cannot be opened.
    """
    return _read(path, ())


def _read(path: Path, chain: tuple[str, ...]) -> tuple[Node | None, list[Problem]]:
    source = read_source(path)
    tree, problems = compose(source)
    if tree is None:
        return None, problems or [Problem(EMPTY, place=Place(source, 1, 1, 2))]
    if not isinstance(tree.value, dict) or "base" not in tree.value:
        return tree, problems
    reference = tree.value["base"]
    extending = replace(tree, value={key: item for key, item in tree.value.items() if key != "base"})
    base, base_problems = _read_base(path, reference, (*chain, os.path.realpath(path)))
    if base is None:
        return None, [*problems, *base_problems]
    return merge(base, extending), [*problems, *base_problems]


def _read_base(path: Path, reference: Node, chain: tuple[str, ...]) -> tuple[Node | None, list[Problem]]:
    def refusal(message: str) -> tuple[None, list[Problem]]:
        return None, [Problem(message, "base", reference.place)]

    if not isinstance(reference.value, str) or not reference.value:
        return refusal(f"expected the path of a YAML file, found {describe(plain(reference))}")
    other = path.parent / reference.value
    if os.path.realpath(other) in chain:
        return refusal(
            f"{shorten(reference.value)} extends a file that extends it; a chain of bases must end"
        )
    if is_pipe(other):
        return refusal("expected a YAML file, found a pipe, which may never end; write it to a file")
    if len(chain) >= LONGEST_CHAIN:
        return refusal(f"a chain of more than {LONGEST_CHAIN} files; merge some of them")
    try:
        tree, problems = _read(other, chain)
    except SpecError as error:
        return None, [
            problem if problem.place else replace(problem, path="base", place=reference.place)
            for problem in error.problems
        ]
    if tree is not None and not isinstance(tree.value, dict):
        return refusal(f"expected a file of sections, found {describe(plain(tree))} in {other}")
    return tree, problems


def merge(base: Node, extending: Node, position: Position | None = Spec) -> Node:
    """Lay one tree over another.

    Args:
        base: What is extended.
        extending: What is laid over it; its places win.
        position: What the schema says of both.
    """
    if not isinstance(base.value, dict) or not isinstance(extending.value, dict) or position is None:
        return extending
    if takes_choice(position) and (list(base.value) != list(extending.value) or len(base.value) != 1):
        return extending
    merged: dict[str, Node] = dict(base.value)
    for key, item in extending.value.items():
        if item.value is None and not takes_choice(position):
            merged.pop(key, None)
        elif key in merged:
            merged[key] = merge(merged[key], item, below(position, key))
        else:
            merged[key] = item
    return replace(extending, value=merged)
