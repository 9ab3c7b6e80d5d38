"""Asking many runs: values by dotted paths, conditions on them, and what differs."""

from __future__ import annotations

import operator
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nnrun.errors import Problem, SpecError
from nnrun.spec.names import did_you_mean, shorten
from nnrun.spec.scalars import read_scalar
from nnrun.store.listing import Record
from nnrun.store.values import number_of


class Absent:
    """Stands where a run has no value."""

    def __repr__(self) -> str:
        return "absent"


ABSENT = Absent()

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
CONDITION = re.compile(r"\s*([^\s<>=!]+)\s*(<=|>=|!=|==|=|<|>)\s*(.*?)\s*", re.DOTALL)
INDEX = re.compile(r"\[(\d+)\]")
HARMLESS = ("name", "description", "tags")
"""Settings that are no difference between two trainings."""

ENOUGH_RUNS = 100
"""Runs whose paths are looked through for what may have been meant."""


def _age(record: Record) -> float | None:
    started = record.started
    return (datetime.now().astimezone() - started).total_seconds() if started else None


COLUMNS: dict[str, Callable[[Record], Any]] = {
    "id": lambda record: record.run.id,
    "status": lambda record: record.state,
    "age": _age,
    "epochs": lambda record: record.epochs,
    "planned": lambda record: record.planned,
    "best": lambda record: record.best,
    "test": lambda record: record.test[1] if record.test else None,
    "tags": lambda record: record.tags,
    "note": lambda record: record.labels.note,
    "path": lambda record: str(record.run.path),
}
"""The values that a listing has names for; ``age`` is in seconds."""


def value_at(record: Record, path: str) -> Any:
    """A value of a run: a column, or a dotted path in its specification, its result or its facts.

    Args:
        record: The run.
        path: ``training.learning_rate``, ``best.val_loss``, ``versions.keras``; ``config.``, ``result.`` or ``run.``
            before it says where to look.

    Returns:
        The value; ``ABSENT`` where there is none.
    """
    if path in COLUMNS:
        value = COLUMNS[path](record)
        return ABSENT if value is None else value
    path = INDEX.sub(r".\1", path)
    trees = {"config": record.config, "result": record.result, "run": record.facts}
    first, _, rest = path.partition(".")
    if first in trees and rest:
        return _walk(trees[first], rest)
    found = (_walk(tree, path) for tree in trees.values())
    return next((value for value in found if value is not ABSENT), ABSENT)


def _walk(value: Any, path: str) -> Any:
    for step in path.split("."):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return ABSENT
    return ABSENT if value is None else value


@dataclass(frozen=True)
class Condition:
    """``training.learning_rate<0.01``.

    Args:
        path: The value that is looked at.
        sign: ``<``, ``<=``, ``>``, ``>=``, ``=`` or ``!=``.
        text: What it is held against.
    """

    path: str
    sign: str
    text: str

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Read a condition.

        Raises:
            SpecError: It is none.
        """
        found = CONDITION.fullmatch(text)
        if found is None:
            message = (
                f"expected a condition such as training.learning_rate<0.01 or status=finished, found "
                f"{shorten(text)!r}; the signs are < <= > >= = !="
            )
            raise SpecError([Problem(message, "--where")])
        path, sign, value = found.groups()
        return cls(path, "=" if sign == "==" else sign, value)

    def holds(self, record: Record) -> bool:
        """Whether it is so of a run; where there is no value only ``!=`` is."""
        value = value_at(record, self.path)
        if self.sign in ("=", "!="):
            return _is(value, self.text) == (self.sign == "=")
        return _compares(OPERATORS[self.sign], value, self.text)


def _is(value: Any, text: str) -> bool:
    """Whether a value is what a text says; a list is it where an item is, a part with arguments by its name."""
    if isinstance(value, list):
        return any(_is(item, text) for item in value)
    if isinstance(value, dict):
        return len(value) == 1 and text in value
    asked = _read(text)
    if number_of(value) is not None and number_of(asked) is not None:
        return bool(value == asked)
    if isinstance(value, bool):
        return value is asked
    return value is not ABSENT and str(value) == text


def _compares(compare: Callable[[Any, Any], bool], value: Any, text: str) -> bool:
    """Numbers with numbers, texts (such as dates) with texts, and nothing else."""
    number, asked = number_of(value), number_of(_read(text))
    if asked is not None:
        return number is not None and compare(number, asked)
    return isinstance(value, str) and compare(value, text)


def _read(text: str) -> Any:
    try:
        return read_scalar(text)
    except ValueError:
        return text


def sorted_by(records: Iterable[Record], key: str) -> list[Record]:
    """The runs in the order of a value; those without it come last.

    Args:
        records: The runs.
        key: A column or a dotted path; a ``-`` before it turns the order around.
    """
    falls = key.startswith("-")
    with_value, without = [], []
    for record in records:
        value = value_at(record, key.removeprefix("-"))
        number = number_of(value)
        if value is ABSENT:
            without.append(record)
        elif number is not None and number == number:
            with_value.append(((0, number, ""), record))
        else:
            with_value.append(((1, 0.0, str(value)), record))
    with_value.sort(key=lambda pair: pair[0], reverse=falls)
    return [*(record for _, record in with_value), *without]


def refuse_unknown(records: Sequence[Record], paths: Iterable[tuple[str, str]]) -> None:
    """Refuse paths at which no run has anything.

    Args:
        records: All runs.
        paths: Options and the paths that they name.

    Raises:
        SpecError: All of them, with what may have been meant.
    """
    problems = []
    for option, path in paths:
        if not records or path in COLUMNS or any(value_at(one, path) is not ABSENT for one in records):
            continue
        meant = did_you_mean(path, known_paths(records[:ENOUGH_RUNS]))
        message = f"no run has {shorten(path)!r}{meant or '; expected a column (' + ', '.join(COLUMNS) + ') or a path'}"
        problems.append(Problem(message, option))
    if problems:
        raise SpecError(problems)


def known_paths(records: Iterable[Record]) -> list[str]:
    """The columns and the paths of all values of some runs."""
    found = dict.fromkeys(COLUMNS)
    for record in records:
        for tree in (record.config, record.result, record.facts):
            found |= dict.fromkeys(path for path, _ in leaves(tree))
    return list(found)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The values in maps and in lists of maps, with their paths."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}.{index}")
    else:
        yield path, value


def differences(values: Sequence[Any], path: str = "") -> Iterator[tuple[str, list[Any]]]:
    """What is not the same in all of some plain values, such as the specifications of several runs.

    Lists of other lengths, and parts of other names, differ as a whole.

    Args:
        values: At least one.
        path: Where they stand.

    Yields:
        A path, and what each has there; ``ABSENT`` where it has nothing.
    """
    first = values[0]
    if all(value is first for value in values):
        return
    if all(isinstance(value, dict) for value in values) and not _are_other_parts(values):
        for key in dict.fromkeys(key for value in values for key in value):
            inner = f"{path}.{key}" if path else str(key)
            yield from differences([value.get(key, ABSENT) for value in values], inner)
    elif all(isinstance(value, list) and len(value) == len(first) for value in values):
        for index, items in enumerate(zip(*values, strict=True)):
            yield from differences(items, f"{path}.{index}")
    elif any(type(value) is not type(first) or value != first for value in values):
        yield path, list(values)


def _are_other_parts(values: Sequence[dict[str, Any]]) -> bool:
    """Whether they are names with arguments, of which not all are the same name."""
    return all(len(value) == 1 for value in values) and len({next(iter(value)) for value in values}) > 1


def differing_settings(records: Sequence[Record]) -> dict[str, dict[str, Any]]:
    """What sets runs of one name apart.

    Args:
        records: Runs of any names.

    Returns:
        For the id of each run the settings that are not the same in all runs of its name.
    """
    groups: dict[str, list[Record]] = {}
    found: dict[str, dict[str, Any]] = {}
    for record in records:
        found[record.run.id] = {}
        if record.config:
            groups.setdefault(record.name, []).append(record)
    for group in groups.values():
        differing = differences([record.config for record in group])
        for path, values in sorted(differing, key=lambda pair: pair[0] == "seed"):  # it tells least
            if path.partition(".")[0] in HARMLESS:
                continue
            for record, value in zip(group, values, strict=True):
                found[record.run.id][path] = value
    return found


def short_names(paths: Iterable[str]) -> dict[str, str]:
    """The ends of paths by which they can still be told apart; none begins with a number."""
    ends = {path: list(_ends(path)) for path in paths}
    counts = Counter(end for found in ends.values() for end in found)
    return {path: next((end for end in found if counts[end] == 1), path) for path, found in ends.items()}


def _ends(path: str) -> Iterator[str]:
    steps = path.split(".")
    for start in range(len(steps) - 1, -1, -1):
        if not steps[start].isdecimal():
            yield ".".join(steps[start:])
