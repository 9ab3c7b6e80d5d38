"""The way from a file to a checked specification."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nnrun.errors import Place, Problem, Source, SpecError
from nnrun.spec.base import read_with_base
from nnrun.spec.dump import dump_spec
from nnrun.spec.node import Node, find, leaves, plain
from nnrun.spec.overrides import COMMAND_LINE, change
from nnrun.spec.positions import key_paths, position_of, section_of
from nnrun.spec.schema import Choice, ModelSection, Spec, TrainingSection, describe

if TYPE_CHECKING:
    from nnrun.spec.code import Code

__all__ = ["Loaded", "dump_spec", "load_spec", "origins"]

LONGEST_NAME = 100


@dataclass(frozen=True)
class Loaded:
    """A specification and where its values come from.

    Args:
        spec: Resolved: name, learning rate and monitor have their values.
        tree: What was written, after ``base`` and overrides.
        flat: The same with the layers of blocks laid out.
        path: The file.
        code: The Python file whose parts it may name.
    """

    spec: Spec
    tree: Node
    flat: Node
    path: Path
    code: Code | None = None

    @functools.cached_property
    def model(self) -> ModelSection:
        """The model section with the layers of its blocks laid out, as the model is built."""
        layers = find(self.flat, ("model", "layers"))
        if layers is None or layers is find(self.tree, ("model", "layers")):
            return self.spec.model
        choices = [Choice.parse(layer) for layer in plain(layers)]
        return self.spec.model.model_copy(update={"layers": choices, "blocks": {}})

    def place(self, *path: str | int) -> Place | None:
        """Where a value stands, or what encloses it where it was not written."""
        for end in range(len(path), 0, -1):
            node = find(self.flat, path[:end])
            if node is not None:
                return node.place
        return self.tree.place


def load_spec(
    path: Path, overrides: Sequence[str] = (), code: Path | None = None, *, files: bool = True
) -> Loaded:
    """Read, check and resolve a specification. TensorFlow is not needed.

    Args:
        path: A YAML file.
        overrides: ``a.b=VALUE`` or ``~a.b``.
        code: A Python file whose classes and functions may be named like Keras's; it is read, not run.
        files: Whether the files that it names must be there: a run's weights are read from its checkpoint.

    Raises:
        SpecError: All the problems: of the text, of the overrides, of keys, types and ranges, of names, and
            of what does not fit together.
    """
    from nnrun.spec.blocks import lay_out
    from nnrun.spec.check import check_tree
    from nnrun.spec.code import use_code
    from nnrun.spec.files import anchor_files
    from nnrun.spec.validation import validate

    name = str(path)
    parts = use_code(code)
    tree, problems = read_with_base(path)
    if tree is None:
        raise SpecError(_in_order(problems, name), name)
    if not isinstance(tree.value, dict):
        message = f"expected sections such as data, model and training; found {describe(plain(tree))}"
        raise SpecError(_in_order([*problems, Problem(message, place=tree.place)], name), name)
    tree, refused = change(tree, overrides)
    problems += refused
    tree, missing = anchor_files(tree, must_exist=files)
    problems += _without_consequences(missing, problems)
    spec, invalid = validate(tree)
    flat, misused = lay_out(tree)
    problems += _without_consequences([*invalid, *misused, *check_tree(flat)], problems)
    if spec is None or problems:
        raise SpecError(_in_order(problems, name), name)
    return Loaded(_resolve(spec, path), tree, flat, path, parts)


def _without_consequences(found: list[Problem], earlier: list[Problem]) -> list[Problem]:
    """The problems that are not about a value that could not even be read."""
    unreadable = {_start(problem) for problem in earlier}
    return [
        problem for problem in dict.fromkeys(found) if not problem.place or _start(problem) not in unreadable
    ]


def _start(problem: Problem) -> tuple[Source, int, int] | None:
    return (problem.place.source, problem.place.line, problem.place.column) if problem.place else None


def _in_order(problems: Sequence[Problem], name: str) -> list[Problem]:
    """From top to bottom: the file itself, what it extends, the command line."""
    sources = list(dict.fromkeys(problem.place.source for problem in problems if problem.place))
    sources.sort(key=lambda source: (source.name == COMMAND_LINE, source.name != name))

    def position(problem: Problem) -> tuple[int, int, int]:
        if problem.place is None:
            return (-1, 0, 0)
        return (sources.index(problem.place.source), problem.place.line, problem.place.column)

    return sorted(problems, key=position)


def _resolve(spec: Spec, path: Path) -> Spec:
    training = spec.training
    monitor = training.monitor
    if monitor == "auto":
        monitor = "val_loss" if spec.is_validated else "loss"
    learning_rate = (
        _default_learning_rate(training) if training.learning_rate is None else training.learning_rate
    )
    resolved = training.model_copy(update={"monitor": monitor, "learning_rate": learning_rate})
    return spec.model_copy(update={"name": spec.name or _name_of(path), "training": resolved})


def _name_of(path: Path) -> str:
    stem = "".join(character if character.isprintable() else "_" for character in path.stem)
    return stem[:LONGEST_NAME]


def _default_learning_rate(training: TrainingSection) -> float | None:
    """The optimizer's own, unless it is written among the optimizer's arguments or is no plain number."""
    from nnrun.spec import catalog

    part = catalog.find("optimizer", training.optimizer.name)
    argument = part.argument("learning_rate") if part else None
    if argument is None or "learning_rate" in training.optimizer.arguments:
        return None
    default = argument.default
    return float(default) if isinstance(default, int | float) and not isinstance(default, bool) else None


def origins(loaded: Loaded) -> dict[tuple[str | int, ...], str]:
    """Where each value comes from.

    Returns:
        For the path of each value ``file:line``, ``command line: a.b=v`` or ``default``.
    """
    found: dict[tuple[str | int, ...], str] = {}
    values = loaded.spec.plain()
    for path in key_paths():
        if section_of(position_of(path)):
            continue
        node = find(loaded.tree, path)
        if node is not None:
            found.update((leaf, _origin(item.place)) for leaf, item in leaves(node, path))
        elif _value(values, path) is not None:
            found[path] = "default"
    return found


def _value(values: object, path: tuple[str | int, ...]) -> object:
    for step in path:
        values = values[step]  # type: ignore[index]  # sections are maps all the way
    return values


def _origin(place: Place) -> str:
    source = place.source
    return f"{COMMAND_LINE}: {source.text}" if source.name == COMMAND_LINE else f"{source.name}:{place.line}"
