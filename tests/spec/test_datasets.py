"""What is known of the built-in data sets without loading them."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from nnrun.spec.datasets import (
    check_dataset,
    dataset_arguments,
    dataset_facts,
    dataset_names,
    fallback_fits,
    held_out,
)
from nnrun.spec.schema import Choice

WITHOUT_ARGUMENTS = [name for name in dataset_names() if name != "inline"]


@pytest.mark.parametrize("name", WITHOUT_ARGUMENTS)
def test_check_dataset_without_arguments_accepts_every_source(name: str) -> None:
    assert check_dataset(Choice(name)) == []


@pytest.mark.parametrize("name", WITHOUT_ARGUMENTS)
def test_check_dataset_with_defaults_written_accepts_every_source(name: str) -> None:
    assert check_dataset(Choice(name, dict(dataset_arguments(name)))) == []


def test_dataset_facts_of_mnist_are_those_of_the_original() -> None:
    facts = dataset_facts(Choice("mnist"))
    assert (facts.shape, facts.dtype, facts.classes) == ((28, 28), "uint8", 10)
    assert (facts.train, facts.test, facts.divisor, facts.downloaded) == (60_000, 10_000, 255.0, True)


def test_dataset_facts_of_words_follow_the_arguments() -> None:
    facts = dataset_facts(Choice("imdb", {"num_words": 500, "maxlen": 80}))
    assert (facts.shape, facts.vocabulary) == ((80,), 500)


def test_dataset_facts_of_points_follow_the_arguments() -> None:
    facts = dataset_facts(Choice("blobs", {"examples": 50, "classes": 4, "features": 3, "test_split": 0.1}))
    assert (facts.shape, facts.classes, facts.train, facts.test) == ((3,), 4, 45, 5)


def test_dataset_facts_of_an_unknown_source_raise_key_error() -> None:
    with pytest.raises(KeyError):
        dataset_facts(Choice("mnits"))


@pytest.mark.parametrize(
    ("name", "arguments", "problems"),
    [
        ("mnits", {}, [("", "no data source 'mnits'; did you mean 'mnist'?")]),
        ("mnist", {"size": 1}, [("size", "unknown argument; it takes none")]),
        ("moons", {"nois": 1}, [("nois", "unknown argument; did you mean 'noise'?")]),
        (
            "circles",
            {"radius": 1},
            [("radius", "unknown argument; there are examples, noise, factor, test_split")],
        ),
        (
            "blobs",
            {"examples": True, "noise": -1, "test_split": 1},
            [
                (
                    "examples",
                    "expected a whole number, at least 4 and at most 10,000,000; found true (a truth value)",
                ),
                ("noise", "expected a number, at least 0 and at most 1,000; found -1 (a whole number)"),
                ("test_split", "expected a number, at least 0 and below 1; found 1 (a whole number)"),
            ],
        ),
        (
            "blobs",
            {"noise": float("nan")},
            [("noise", "expected a number, at least 0 and at most 1,000; found nan (a number)")],
        ),
        (
            "moons",
            {"noise": True},
            [("noise", "expected a number, at least 0 and at most 1,000; found true (a truth value)")],
        ),
        (
            "imdb",
            {"maxlen": 1.5},
            [("maxlen", "expected a whole number, at least 1 and at most 10,000; found 1.5 (a number)")],
        ),
        (
            "california_housing",
            {"version": "big"},
            [("version", "expected large or small, found 'big' (text)")],
        ),
        (
            "blobs",
            {"examples": 100, "classes": 99},
            [("examples", "leaves 80 training examples for 99 classes; each needs one")],
        ),
        (
            "digits",
            {"test_split": 0.999},
            [("test_split", "leaves 2 training examples for 10 classes; each needs one")],
        ),
        (
            "digits",
            {"test_split": 0.0001},
            [("test_split", "leaves no test example of 1797; write 0 for none")],
        ),
        (
            "blobs",
            {"examples": 10_000_000, "features": 100},
            [
                (
                    "examples",
                    "too large: 1,000,000,000 values; a generated data set holds at most 500,000,000",
                )
            ],
        ),
    ],
)
def test_check_dataset_with_a_mistake_names_it(
    name: str, arguments: dict[str, Any], problems: list[tuple[str, str]]
) -> None:
    assert check_dataset(Choice(name, arguments)) == problems


def test_check_dataset_without_a_test_part_accepts_zero() -> None:
    assert check_dataset(Choice("digits", {"test_split": 0})) == []
    assert dataset_facts(Choice("digits", {"test_split": 0})).test == 0


def test_fallback_fits_only_what_has_the_form_of_mnist() -> None:
    assert [name for name in dataset_names() if fallback_fits(name)] == ["mnist", "fashion_mnist"]
    assert not fallback_fits("mnits")


@pytest.mark.parametrize(
    ("count", "fraction", "held"), [(60_000, 0.1, 6_000), (1_797, 0.2, 359), (3, 0.5, 2), (4, 0.1, 0)]
)
def test_held_out_rounds_halves_up(count: int, fraction: float, held: int) -> None:
    assert held_out(count, fraction) == held


def test_datasets_import_loads_neither_numpy_nor_keras() -> None:
    code = (
        "import sys, nnrun.spec.datasets; print(*{'numpy', 'keras', 'tensorflow'} & set(sys.modules), sep='')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""
