"""The arguments of sources of files: each wrong once, and what does not go together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nnrun.errors import SpecError
from nnrun.spec.file_checks import check_file_source
from nnrun.spec.file_sources import COLUMN_KINDS, FILE_SOURCES, path_arguments, read_file_source
from nnrun.spec.json_files import file_sources
from nnrun.spec.load import load_spec
from nnrun.spec.schema import Choice

NEEDED: dict[str, dict[str, Any]] = {
    "csv": {"path": "t.csv", "target": "y"},
    "parquet": {"path": "t.parquet", "target": "y"},
    "images": {"path": "pictures", "size": [8, 8]},
    "text": {"path": "texts"},
    "npz": {"path": "a.npz"},
    "npy": {"x": "x.npy", "y": "y.npy"},
}

WRONG: dict[str, dict[str, list[Any]]] = {
    "csv": {
        "path": [3, [], [3], None],
        "target": ["", [], 3, None],
        "test": [3, []],
        "validation": [3, []],
        "test_split": [-0.1, 1, 1.5, "0.2", True],
        "features": ["a", [3]],
        "ignore": ["a", [3], None],
        "columns": [
            ["a"],
            {"a": 3},
            {"a": "numbers"},
            {"a": {"number": {"scale": "big"}}},
            {"a": {"number": {}, "date": {}}},
        ],
        "inputs": [["a"], {"x": "a"}, {"x": []}, {"x": [3]}, {"a/b": ["a"]}, {"#1": ["a"]}, {"": ["a"]}],
        "separator": ["", ";;", 3, "§", '"', "\n", "\r"],
        "decimal": ["-", "", 3],
        "encoding": [3, "klingon", ""],
        "missing": ["NA", [3]],
    },
    "images": {
        "size": [8, [8], [8, 8, 8], [0, 8], [8, 5_000], [8.5, 8]],
        "color_mode": ["rgba", 3],
        "interpolation": ["lanczos"],
        "crop_to_aspect_ratio": ["yes", 1],
        "augment": ["RandomFlip", {"RandomFlip": {}}],
    },
    "text": {
        "max_tokens": [1, 20_000_000, "many"],
        "sequence_length": [0, 200_000],
        "output_mode": ["tokens"],
        "ngrams": [0, 11],
        "standardize": ["upper"],
        "split": ["words"],
    },
    "npz": {"x": [3, ["x"], {"a": 3}], "y": [3, None], "scale": [0, -1, "255"], "test": [3, {"x": "x"}]},
    "npy": {"x": [3, None], "y": [{"a": "b"}], "test": ["x.npy", {"x": "x", "y": "y", "z": "z"}]},
}
CASES = [
    (source, argument, value)
    for source, arguments in WRONG.items()
    for argument, values in arguments.items()
    for value in values
]


@pytest.mark.parametrize("source", NEEDED)
def test_needed_arguments_are_enough(source: str) -> None:
    assert set(NEEDED) == set(FILE_SOURCES)
    assert check_file_source(Choice(source, NEEDED[source])) == []
    read_file_source(Choice(source, NEEDED[source]))


@pytest.mark.parametrize("source", NEEDED)
def test_each_needed_argument_is_missed_with_what_it_is(source: str) -> None:
    for argument in NEEDED[source]:
        left = {name: value for name, value in NEEDED[source].items() if name != argument}
        ((where, message),) = check_file_source(Choice(source, left))
        assert where == ""
        about = FILE_SOURCES[source].model_fields[argument].description or ""
        assert message == f"missing argument '{argument}': {about[0].lower()}{about[1:-1]}"


@pytest.mark.parametrize(("source", "argument", "value"), CASES, ids=str)
def test_each_wrong_value_is_refused_at_its_argument(source: str, argument: str, value: Any) -> None:
    problems = check_file_source(Choice(source, NEEDED[source] | {argument: value}))

    assert [where for where, _ in problems] == [argument]
    assert "pydantic" not in problems[0][1]
    assert "Input should" not in problems[0][1]


@pytest.mark.parametrize("source", NEEDED)
def test_unknown_argument_is_refused_with_the_nearest(source: str) -> None:
    assert check_file_source(Choice(source, NEEDED[source] | {"test_splitt": 0.1})) == [
        ("test_splitt", "unknown argument; did you mean 'test_split'?")
    ]


BOTH = "'a' is to be predicted from (features or inputs); keep one of the two"
TOGETHER: list[tuple[dict[str, Any], str, str]] = [
    (
        {"test": "e.csv", "test_split": 0.1},
        "test_split",
        "the test examples have files of their own (test); leave test_split out",
    ),
    ({"features": ["a", "y"]}, "features", "'y' is the target; take it out of features"),
    ({"ignore": ["y"]}, "ignore", "'y' is the target; take it out of ignore"),
    ({"inputs": {"x": ["a", "y"]}}, "inputs", "'y' is the target; take it out of inputs"),
    ({"inputs": {"x": ["a"], "z": ["a"]}}, "inputs", "'a' stands in two inputs; keep one"),
    (
        {"inputs": {"x": ["a"]}, "features": ["a"]},
        "features",
        "inputs names the columns already; leave features out",
    ),
    (
        {"features": ["a"], "ignore": ["a"]},
        "ignore",
        "'a' is to be predicted from (features or inputs); keep one of the two",
    ),
    (
        {"inputs": {"x": ["a"]}, "ignore": ["a"]},
        "ignore",
        "'a' is to be predicted from (features or inputs); keep one of the two",
    ),
    ({"target": ["y", "y"]}, "target", "'y' stands twice; keep one"),
    ({"columns": {"y": "text"}}, "columns", "y: a text cannot be predicted; expected number or category"),
    (
        {"columns": {"y": {"date": {}}}},
        "columns",
        "y: a date cannot be predicted; expected number or category",
    ),
    ({"decimal": ","}, "decimal", "',' stands between values already (separator)"),
]


@pytest.mark.parametrize(("arguments", "where", "message"), TOGETHER)
def test_arguments_that_do_not_go_together_are_refused(
    arguments: dict[str, Any], where: str, message: str
) -> None:
    assert check_file_source(Choice("csv", NEEDED["csv"] | arguments)) == [(where, message)]


@pytest.mark.parametrize(
    "arguments",
    [
        {"test": "e.csv", "test_split": 0},
        {"test": ["e.csv", "f.csv"], "validation": "v.csv"},
        {"columns": {"y": "number"}},
        {"columns": {"y": "category"}},
        {"separator": ";", "decimal": ","},
        {"separator": "\t", "encoding": "utf-8-sig", "missing": []},
        {"features": None, "inputs": None, "test": None},
        {"inputs": {"größe 1": ["a", "b"]}},
        {"columns": {"a": {"number": None}, "b": {"text": {"ngrams": None}}}},
    ],
)
def test_arguments_that_go_together_are_taken(arguments: dict[str, Any]) -> None:
    assert check_file_source(Choice("csv", NEEDED["csv"] | arguments)) == []


def test_validation_files_and_a_split_are_refused_at_their_line(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,y\n")
    path = tmp_path / "x.yaml"
    path.write_text(
        "data: {source: {csv: {path: t.csv, target: y, validation: t.csv}}}\n"
        "model: {layers: [{Dense: {units: 1}}]}\n"
        "training:\n  loss: mse\n"
    )
    load_spec(path)
    load_spec(path, ["training.validation_split=0"])
    with pytest.raises(SpecError) as caught:
        load_spec(path, ["training.validation_split=0.1"])
    (problem,) = caught.value.problems
    assert caught.value.exit_code == 2
    assert problem.path == "training.validation_split"
    assert "the validation examples have files of their own in data.source.csv.validation" in problem.message


def test_paths_are_known() -> None:
    assert path_arguments("csv") == ("path", "test", "validation")
    assert path_arguments("npy") == ("x", "y", "test", "validation")
    assert path_arguments("mnist") == ()


def test_json_schema_has_each_argument_with_its_description() -> None:
    found = file_sources()

    for name, section in FILE_SOURCES.items():
        schema = found[name]
        assert set(schema["properties"]) == set(section.model_fields)
        assert set(schema["required"]) == set(NEEDED[name])
        assert schema["additionalProperties"] is False
        for argument, value in schema["properties"].items():
            assert value["description"] == section.model_fields[argument].description
    (named,) = [
        one
        for one in found["csv"]["properties"]["columns"]["additionalProperties"]["anyOf"]
        if "properties" in one
    ]
    assert set(named["properties"]) == set(COLUMN_KINDS)
