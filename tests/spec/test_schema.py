"""The sections: what every key accepts, and that every refusal is in our own words."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest

from nnrun.errors import Place, Source
from nnrun.spec.positions import key_paths, position_of, section_of
from nnrun.spec.schema import Choice, ModelSection, RuntimeSection, Spec, TrainingSection, describe
from nnrun.spec.source import Node, parse_yaml, plain
from nnrun.spec.validation import validate

MINIMAL = """\
data: {source: digits}
model: {layers: [Flatten]}
training: {loss: mean_squared_error}
"""
ODD = [
    None,
    True,
    -1,
    0,
    10**30,
    -0.5,
    2.5,
    1e300,
    float("nan"),
    "",
    "yes",
    "10",
    "x" * 200,
    [],
    [None],
    [[]],
    {},
]
ODD_MAPS: list[Any] = [{"a": None, "b": None}, {"a": 3}, {"a": {"b": {}}}, [{"a": 1}], [1, "a", {"b": []}]]
PYDANTIC = re.compile(r"Input should|Field required|Value error|Extra inputs|pydantic|NoneType|<class")


def node_of(value: Any) -> Node:
    place = Place(Source("x", "x"), 1, 1, 2)
    if isinstance(value, dict):
        return Node({key: node_of(item) for key, item in value.items()}, place, place)
    if isinstance(value, list):
        return Node([node_of(item) for item in value], place, place)
    return Node(value, place, place)


def with_value(path: tuple[str | int, ...], value: Any) -> Node:
    values = plain(parse_yaml(Source("x", MINIMAL)))
    target = values
    for step in path[:-1]:
        target = target.setdefault(step, {})
    target[path[-1]] = value
    return node_of(values)


@pytest.mark.parametrize(("path", "value"), list(itertools.product(key_paths(), [*ODD, *ODD_MAPS])), ids=repr)
def test_validation_of_any_value_is_accepted_or_explained_in_own_words(
    path: tuple[str | int, ...], value: Any
) -> None:
    spec, problems = validate(with_value(path, value))
    assert (spec is None) == bool(problems)
    for problem in problems:
        assert not PYDANTIC.search(problem.message)
        assert re.search("expected|missing|unknown key|the arguments of", problem.message)
        assert problem.place is not None


def test_key_paths_cover_every_section() -> None:
    paths = set(key_paths())
    assert {("seed",), ("data", "source"), ("training", "epochs"), ("runtime", "threads")} <= paths
    assert len(paths) == sum(
        len(section.model_fields)
        for section in (Spec, *filter(None, (section_of(position_of(path)) for path in paths)))
    )


def test_required_keys_have_examples_that_are_valid() -> None:
    for path in key_paths():
        section = section_of(position_of(path[:-1]))
        assert section is not None
        field = section.model_fields[str(path[-1])]
        if field.is_required():
            example = plain(parse_yaml(Source("x", f"{path[-1]}: {field.examples[0]}")))[path[-1]]
            assert validate(with_value(path, example))[1] == []


def test_every_key_is_described() -> None:
    for path in key_paths():
        section = section_of(position_of(path[:-1]))
        assert section is not None
        if not section_of(position_of(path)):
            assert section.model_fields[str(path[-1])].description


def test_defaults_are_those_of_keras_and_the_promises() -> None:
    training = TrainingSection(loss="mse")  # type: ignore[arg-type]
    assert (training.batch_size, training.shuffle, training.validation_split) == (32, True, 0.0)
    assert RuntimeSection().deterministic is True
    assert ModelSection(layers=["Flatten"]).outputs is None  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("written", "choice"),
    [
        ("relu", Choice("relu")),
        ({"Dense": {"units": 3}}, Choice("Dense", {"units": 3})),
        ({"Flatten": None}, Choice("Flatten")),
        ({"Flatten": {}}, Choice("Flatten")),
        (Choice("a"), Choice("a")),
    ],
)
def test_choice_is_a_name_or_a_name_with_arguments(written: Any, choice: Choice) -> None:
    assert Choice.parse(written) == choice
    assert Choice.parse(choice.plain()) == choice


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "nothing"),
        (True, "true (a truth value)"),
        (3, "3 (a whole number)"),
        (0.5, "0.5 (a number)"),
        ("a", "'a' (text)"),
        ([], "an empty list"),
        ([1], "a list"),
        ({}, "an empty map"),
        ({"a": 1}, "a map"),
        ("x" * 1000, "'" + "x" * 36 + "... (text)"),
    ],
)
def test_describe_says_what_was_found(value: Any, words: str) -> None:
    assert describe(value) == words
