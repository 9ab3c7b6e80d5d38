"""A few examples that stand in the specification itself: ``inline: {x: [[0, 0], [0, 1]], y: [0, 1]}``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nnrun.spec.schema import describe

MOST_EXAMPLES = 10_000


def check_inline(arguments: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is wrong with examples: pairs of an argument (empty for the source itself) and a message."""
    for argument, example in (("x", "[[0, 0], [0, 1]]"), ("y", "[0, 1]")):
        value = arguments.get(argument)
        if argument not in arguments:
            return [("", f"missing argument '{argument}'; write inline: {{x: [[0, 0], [0, 1]], y: [0, 1]}}")]
        if not isinstance(value, list) or not value:
            return [
                (
                    argument,
                    f"expected a list with an item for each example, such as {example}; found {describe(value)}",
                )
            ]
    x, y = arguments["x"], arguments["y"]
    if len(x) != len(y):
        return [("y", f"expected a target for each of the {len(x)} examples in x, found {len(y)}")]
    if len(x) > MOST_EXAMPLES:
        return [("x", f"{len(x):,} examples; at most {MOST_EXAMPLES:,} stand in a specification")]
    problems = [("x", message) for message in _check_values(x, texts=False)]
    return problems + [("y", message) for message in _check_values(y, texts=True)]


def _check_values(values: list[Any], *, texts: bool) -> list[str]:
    """Why a list is not made of numbers, of lists of numbers of one shape, or (where allowed) of texts."""
    if texts and all(isinstance(value, str) for value in values):
        return []
    shape = value_shape(values[0])
    for index, value in enumerate(values):
        if (wrong := _find_odd(value)) is not None:
            kinds = "numbers, or lists of numbers" + (", or texts for all" if texts else "")
            return [f"expected {kinds}; found {describe(wrong)} in example {index}"]
        if value_shape(value) != shape:
            found = f"example {index} has the shape {list(value_shape(value))}"
            return [f"{found}, the first one {list(shape)}; make them equal"]
    return []


def _find_odd(value: Any) -> Any:
    """A value that is no finite number, or a list of unequal items; None where all is well."""
    if isinstance(value, list):
        if not value or any(value_shape(item) != value_shape(value[0]) for item in value):
            return value
        return next((odd for item in value if (odd := _find_odd(item)) is not None), None)
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    if plain and abs(value) <= 3e38:  # float32 ends there; not even a NaN is less
        return None
    return "nothing" if value is None else value


def value_shape(value: Any) -> tuple[int, ...]:
    """The shape of nested lists, by their first items."""
    return (len(value), *value_shape(value[0])) if isinstance(value, list) and value else ()


def class_labels(y: list[Any]) -> list[Any] | None:
    """The classes among targets, in the order of their indices; None where the targets are numbers.

    Texts are classes. Whole numbers are classes where they count from 0 without a gap, with at least two.
    """
    if all(isinstance(value, str) for value in y):
        return sorted(set(y))
    if not all(isinstance(value, int) for value in y):
        return None
    found = sorted(set(y))
    return found if len(found) > 1 and found == list(range(len(found))) else None
