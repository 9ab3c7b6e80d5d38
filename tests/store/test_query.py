"""Asking many runs: paths, conditions, orders and differences, also of values of odd kinds."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from nnrun.errors import SpecError
from nnrun.store.labels import Labels
from nnrun.store.listing import Record
from nnrun.store.query import (
    ABSENT,
    Condition,
    differences,
    differing_settings,
    known_paths,
    refuse_unknown,
    short_names,
    sorted_by,
    value_at,
)
from nnrun.store.run import Run


def record(name: str = "a", **config: Any) -> Record:
    return Record(Run(Path("runs") / name), config={"name": "x", **config})


WHOLE = Record(
    Run(Path("runs/a")),
    facts={"data": {"train": 4}, "versions": {"keras": "3.15.1"}, "started": "2026-11-20T19:30:12+01:00"},
    config={
        "name": "x",
        "seed": 7,
        "tags": ["paper"],
        "data": {"source": {"moons": {"noise": 0.1}}},
        "model": {"layers": [{"Dense": {"units": 8, "kernel_size": [3, 3]}}]},
        "training": {"learning_rate": 0.01, "shuffle": True, "optimizer": "adam", "epochs": 3},
    },
    result={"epochs": 2, "monitor": "val_loss", "best": {"val_loss": 0.5}, "test": {"accuracy": 0.75}},
    labels=Labels(["baseline"], "a note"),
    state="interrupted",
)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("id", "a"),
        ("status", "interrupted"),
        ("epochs", 2),
        ("planned", 3),
        ("best", 0.5),
        ("test", 0.75),
        ("tags", ["paper", "baseline"]),
        ("config.tags", ["paper"]),
        ("seed", 7),
        ("training.learning_rate", 0.01),
        ("best.val_loss", 0.5),
        ("test.accuracy", 0.75),
        ("result.epochs", 2),
        ("data.train", 4),
        ("run.versions.keras", "3.15.1"),
        ("model.layers.0.Dense.units", 8),
        ("model.layers[0].Dense.units", 8),
        ("model.layers[0].Dense.kernel_size[1]", 3),
        ("model.layers.7.Dense.units", ABSENT),
        ("nothing", ABSENT),
        ("seed.more", ABSENT),
        ("config", ABSENT),
        ("", ABSENT),
    ],
)
def test_value_is_found_at_its_path(path: str, expected: Any) -> None:
    assert value_at(WHOLE, path) == expected


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("training.learning_rate<0.1", True),
        ("training.learning_rate<0.01", False),
        ("training.learning_rate<=0.01", True),
        ("training.learning_rate>1e-3", True),
        ("training.learning_rate>=1", False),
        ("training.learning_rate=0.01", True),
        ("training.learning_rate==1e-2", True),
        ("training.learning_rate!=0.01", False),
        (" training.learning_rate < 0.1 ", True),
        ("seed=7.0", True),
        ("training.shuffle=true", True),
        ("training.shuffle=1", False),
        ("training.shuffle<2", False),
        ("training.optimizer=adam", True),
        ("training.optimizer!=sgd", True),
        ("training.optimizer<b", True),
        ("data.source=moons", True),
        ("data.source.moons.noise>0", True),
        ("tags=baseline", True),
        ("tags=paper", True),
        ("tags=other", False),
        ("tags!=other", True),
        ("tags!=paper", False),
        ("status=interrupted", True),
        ("note=a note", True),
        ("started>=2026-11-20", True),
        ("started>=2026-11-21", False),
        ("versions.keras=3.15.1", True),
        ("seed=x", False),
        ("training.optimizer<3", False),
        ("nothing<3", False),
        ("nothing=3", False),
        ("nothing!=3", True),
        ("seed<" + "9" * 5000, False),
        ("test.accuracy>.5", True),
    ],
)
def test_condition_is_held_against_a_run(text: str, holds: bool) -> None:
    assert Condition.parse(text).holds(WHOLE) is holds


@pytest.mark.parametrize(
    "value", [None, True, "0.5", "nan", [], {}, {"a": 1, "b": 2}, 10**400, math.nan, [1, [2]]]
)
@pytest.mark.parametrize("sign", ["<", "<=", ">", ">=", "=", "!="])
def test_condition_on_values_of_odd_kinds_is_not_so_and_no_mistake(value: Any, sign: str) -> None:
    assert Condition.parse(f"odd{sign}0.25").holds(record(odd=value)) is (sign == "!=")


@pytest.mark.parametrize("text", ["", "x", "<3", "a b<3", "x~3", "import os", "__import__('os')"])
def test_condition_that_is_none_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(
        SpecError, match=r"--where: expected a condition such as training\.learning_rate<0\.01"
    ):
        Condition.parse(text)


def test_order_puts_numbers_before_texts_and_runs_without_a_value_last() -> None:
    values: list[Any] = [3, "b", None, 0.5, "a", 10**400, math.nan, True]
    records = [record(str(index), odd=value) for index, value in enumerate(values)]

    def order(key: str) -> list[str]:
        return [one.run.id for one in sorted_by(records, key)]

    assert order("odd")[:2] == ["3", "0"]
    assert order("odd")[-1] == order("-odd")[-1] == "2"
    assert order("-odd")[-3:-1] == ["0", "3"]
    assert sorted(order("odd")) == sorted(order("-odd")) == list("01234567")


def test_path_that_no_run_has_is_refused_with_what_was_meant() -> None:
    with pytest.raises(SpecError) as error:
        refuse_unknown(
            [record(), WHOLE], [("--sort", "training.learnin_rate"), ("--where", "seed"), ("--columns", "§")]
        )

    assert [str(problem) for problem in error.value.problems] == [
        "--sort: no run has 'training.learnin_rate'; did you mean 'training.learning_rate'?",
        "--columns: no run has '§'; expected a column "
        "(id, status, age, epochs, planned, best, test, tags, note, path) or a path",
    ]
    refuse_unknown([], [("--sort", "x")])


def test_known_paths_are_those_of_all_values() -> None:
    assert {"id", "model.layers.0.Dense.units", "test.accuracy", "versions.keras"} <= set(
        known_paths([WHOLE])
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([{"a": 1}, {"a": 1}, {"a": 1}], {}),
        ([{"a": 1}, {"a": 1}, {"a": 2}], {"a": [1, 1, 2]}),
        ([{"a": 1}, {"a": 1.0}], {"a": [1, 1.0]}),
        ([{"a": 1}, {"a": True}], {"a": [1, True]}),
        ([{"a": 1}, {}], {"a": [1, ABSENT]}),
        ([{"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}], {"a.c": [2, 3]}),
        ([{"a": [1, 2]}, {"a": [1, 3]}], {"a.1": [2, 3]}),
        ([{"a": [1]}, {"a": [1, 2]}], {"a": [[1], [1, 2]]}),
        ([{"a": []}, {"a": []}], {}),
        ([{"l": [{"Dense": {"units": 1}}]}, {"l": [{"Dense": {"units": 2}}]}], {"l.0.Dense.units": [1, 2]}),
        (
            [{"l": [{"Dense": {"units": 1}}]}, {"l": [{"Conv": {"units": 1}}]}],
            {"l.0": [{"Dense": {"units": 1}}, {"Conv": {"units": 1}}]},
        ),
        ([{"o": "adam"}, {"o": {"SGD": {"m": 1}}}], {"o": ["adam", {"SGD": {"m": 1}}]}),
    ],
)
def test_differences_are_told_value_by_value(values: list[Any], expected: dict[str, Any]) -> None:
    assert dict(differences(values)) == expected


def test_settings_are_compared_within_a_name_and_seeds_come_last() -> None:
    a, b, other = (
        record("a", seed=1, training={"rate": 0.1}),
        record("b", seed=2, training={"rate": 0.2}, description="other words"),
        Record(Run(Path("c")), config={"name": "y", "training": {"rate": 0.3}}),
    )

    found = differing_settings([a, b, other])

    assert found == {"a": {"training.rate": 0.1, "seed": 1}, "b": {"training.rate": 0.2, "seed": 2}, "c": {}}
    assert list(found["a"]) == ["training.rate", "seed"]


def test_damaged_run_makes_no_difference() -> None:
    damaged = Record(Run(Path("d")), facts={"name": "x"})

    assert differing_settings([record("a", seed=1), damaged, record("b", seed=1)]) == {
        "a": {},
        "d": {},
        "b": {},
    }


def test_short_names_are_ends_that_can_be_told_apart() -> None:
    paths = [
        "training.rate",
        "seed",
        "model.layers.0.Dense.units",
        "model.layers.1.Dense.units",
        "model.layers.1",
    ]

    assert short_names(paths) == {
        "training.rate": "rate",
        "seed": "seed",
        "model.layers.0.Dense.units": "layers.0.Dense.units",
        "model.layers.1.Dense.units": "layers.1.Dense.units",
        "model.layers.1": "layers.1",
    }
