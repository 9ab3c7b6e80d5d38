"""Choices as they are written in a tree: names and arguments with their places."""

from __future__ import annotations

from dataclasses import dataclass

from nnrun.errors import Place, Problem
from nnrun.spec.source import Node, find, path_text, plain

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class WrittenChoice:
    """A name, or a name with arguments, where it is written.

    Args:
        name: What is chosen.
        arguments: The nodes of its arguments.
        place: Of the name.
        path: Of the choice in the specification.
    """

    name: str
    arguments: dict[str, Node]
    place: Place
    path: Path

    def problem(self, message: str) -> Problem:
        """A mistake in the choice as a whole."""
        return Problem(message, path_text(self.path), self.place)

    def problem_in_name(self, message: str) -> Problem:
        """A mistake that the arguments as a whole make, such as one that is missing."""
        return Problem(message, path_text((*self.path, self.name)), self.place)

    def problem_in_key(self, argument: str, message: str) -> Problem:
        """A mistake in an argument's name."""
        node = self.arguments[argument]
        return Problem(message, self.path_of(argument), node.key_place or node.place)

    def problem_in_value(self, argument: str, message: str) -> Problem:
        """A mistake in an argument's value."""
        return Problem(message, self.path_of(argument), self.arguments[argument].place)

    def path_of(self, argument: str) -> str:
        return path_text((*self.path, self.name, argument))

    def value(self, argument: str) -> object:
        """An argument's plain value; None where it is not given."""
        node = self.arguments.get(argument)
        return None if node is None else plain(node)

    def text(self, argument: str) -> str | None:
        """An argument's value where that is text; None where it is anything else or not given."""
        value = self.value(argument)
        return value if isinstance(value, str) else None


def whereabouts(place: Place, reader: Place) -> str:
    """Where something is, for somebody who reads a message about another place."""
    return f"line {place.line}" if place.source.name == reader.source.name else str(place)


def read_choice(node: Node | None, path: Path) -> WrittenChoice | None:
    """Read a choice; None where there is none, or it is not of the form that a choice has."""
    if node is None:
        return None
    if isinstance(node.value, str) and node.value:
        return WrittenChoice(node.value, {}, node.place, path)
    if not isinstance(node.value, dict) or len(node.value) != 1:
        return None
    ((name, inner),) = node.value.items()
    if inner.value is not None and not isinstance(inner.value, dict):
        return None
    return WrittenChoice(name, inner.value or {}, inner.key_place or node.place, path)


def read_choices(tree: Node, path: Path) -> list[WrittenChoice]:
    """Read the choices of a list; whatever is none is left out."""
    section = find(tree, path)
    items = section.value if section is not None and isinstance(section.value, list) else []
    found = [read_choice(item, item.written or (*path, index)) for index, item in enumerate(items)]
    return [choice for choice in found if choice is not None]


def by_output(tree: Node, path: Path) -> dict[str, Node] | None:
    """What is given for each output of the model by its name; None where it is given for all of them.

    A loss for each output is a map of at least two names, since a map of one is a name with its arguments.
    """
    node = find(tree, path)
    if node is None or not isinstance(node.value, dict):
        return None
    return node.value if path[-1] != "loss" or len(node.value) > 1 else None


def read_losses(tree: Node) -> list[WrittenChoice]:
    """The loss, or that of each output."""
    path = ("training", "loss")
    outputs = by_output(tree, path)
    if outputs is None:
        outputs, path = {"loss": find(tree, path)}, ("training",)  # type: ignore[assignment, dict-item]
    found = [read_choice(node, (*path, name)) for name, node in outputs.items()]
    return [choice for choice in found if choice is not None]


def read_metrics(tree: Node) -> list[WrittenChoice]:
    """The metrics, those of all outputs."""
    path = ("training", "metrics")
    outputs = by_output(tree, path)
    if outputs is None:
        return read_choices(tree, path)
    return [choice for name in outputs for choice in read_choices(tree, (*path, name))]
