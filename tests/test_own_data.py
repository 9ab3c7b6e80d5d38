"""The user's own tables from the file to predictions: raw rows give, bit for bit, what the prepared ones gave."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from commands import Done, Starter
from quiet import Quiet

from nnrun import experiment, inference
from nnrun.data.load import Data, load_data
from nnrun.errors import DataError, RunError
from nnrun.spec.load import load_spec
from nnrun.store.run import Run

pytestmark = pytest.mark.tensorflow

WINE = Path(__file__).parents[1] / "configs" / "data" / "wine.csv"

ONE_INPUT = """
data: {source: {csv: {path: t.csv, target: cultivar, test_split: 0.25}}}
model: {layers: [{Dense: {units: 8, activation: relu}}, {Dense: {units: 3, activation: softmax}}]}
training:
  loss: sparse_categorical_crossentropy
  metrics: [accuracy]
  learning_rate: 0.01
  epochs: 3
  batch_size: 16
  validation_split: 0.1
seed: 2
"""

SEVERAL_INPUTS = """
data:
  source:
    parquet:
      path: [1.parquet, 2.parquet]
      target: price
      test_split: 0.3
      ignore: [id]
      columns:
        city: {category: {encode: index, max_categories: 3}}
        note: {text: {max_tokens: 12, sequence_length: 5}}
        word: {text: {output_mode: tf_idf, ngrams: 2}}
        code: category
        size: {number: {scale: log, missing: mean}}
      inputs: {numbers: [size, built, word, code, sold], where: [city], text: [note]}
model:
  layers:
    - Dense: {units: 4, inputs: numbers, name: a}
    - Embedding: {input_dim: 4, output_dim: 2, inputs: where}
    - Flatten: {name: b}
    - Embedding: {input_dim: 12, output_dim: 3, inputs: text}
    - GlobalAveragePooling1D: {name: c}
    - Concatenate: {inputs: [a, b, c]}
    - Dense: {units: 1}
training: {loss: mse, metrics: [mae], epochs: 2, batch_size: 16}
"""


def make_houses(count: int = 150) -> pl.DataFrame:
    random = np.random.default_rng(4)
    days = [datetime.date(1950 + index % 60, 1 + index % 12, 1 + index % 28) for index in range(count)]
    return pl.DataFrame(
        {
            "id": range(count),
            "size": [None if value < 8 else float(value) for value in random.exponential(80, count)],
            "built": [None if index % 17 == 0 else day for index, day in enumerate(days)],
            "word": [" ".join(random.choice(list("abcdef"), 4)) for _ in range(count)],
            "code": [int(value) for value in random.integers(1, 5, count)],
            "city": [None if index % 19 == 0 else f"town {index % 7}" for index in range(count)],
            "note": [
                " ".join(random.choice(["old", "new", "big", "loud", "by the sea"], 5)) for _ in range(count)
            ],
            "sold": [bool(value) for value in random.integers(0, 2, count)],
            "price": random.normal(100, 20, count),
        },
        schema_overrides={"size": pl.Float32},
    )


def write_wine(folder: Path) -> None:
    (folder / "t.csv").write_bytes(WINE.read_bytes())
    (folder / "x.yaml").write_text(ONE_INPUT)


def write_houses(folder: Path) -> None:
    frame = make_houses()
    frame[:70].write_parquet(folder / "1.parquet")
    frame[70:].write_parquet(folder / "2.parquet", row_group_size=30)
    (folder / "x.yaml").write_text(SEVERAL_INPUTS)


class Trained:
    """A run, its data, and the raw rows of its test part."""

    def __init__(self, folder: Path, write: Callable[[Path], None], raw: Callable[[], pl.DataFrame]) -> None:
        write(folder)
        self.run: Run = experiment.train(folder / "x.yaml", display=Quiet(), runs_dir=folder / "runs")[0]
        spec = load_spec(folder / "x.yaml").spec
        self.data: Data = load_data(
            spec.data,
            losses=spec.training.loss,
            seed=spec.seed,
            validation_split=spec.training.validation_split,
            notify=lambda _: None,
        )
        self.rows = raw()[self.data.split["test"]]
        self.outputs = inference.predict(str(self.run.path), display=Quiet())[1].outputs
        self.scores = inference.evaluate(str(self.run.path), display=Quiet())[1].facts["scores"]

    def write(self, path: Path, frame: pl.DataFrame) -> str:
        frame.write_csv(path) if path.suffix == ".csv" else frame.write_parquet(path)
        return str(path)

    def predicted(self, files: Any) -> np.ndarray:
        """The outputs for new files, without the columns that follow from them."""
        chunks = list(inference.predict_files(str(self.run.path), files, display=Quiet())[1])
        names = [name for name in chunks[0] if name not in ("predicted", "probability")]
        return np.concatenate([np.stack([chunk[name] for name in names], axis=1) for chunk in chunks])

    def evaluated(self, files: Any) -> Any:
        return inference.evaluate(str(self.run.path), display=Quiet(), files=files)[1].facts["scores"]


@pytest.fixture(scope="module")
def wine(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(tmp_path_factory.mktemp("wine"), write_wine, lambda: pl.read_csv(WINE, infer_schema=False))


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(tmp_path_factory.mktemp("houses"), write_houses, make_houses)


def test_predictions_on_raw_rows_are_those_on_the_test_part(wine: Trained, tmp_path: Path) -> None:
    new = wine.write(tmp_path / "new.csv", wine.rows.drop("cultivar"))

    (expected,) = wine.outputs.values()
    assert expected.shape == (45, 3)
    assert np.array_equal(wine.predicted(new), expected)


@pytest.mark.parametrize("chunk", [1, 20, 33, 64])
def test_predictions_keep_their_order_over_chunks(
    chunk: int, wine: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = wine.write(tmp_path / "new.csv", wine.rows)
    monkeypatch.setattr(inference, "CHUNK_ROWS", chunk)
    monkeypatch.setattr("nnrun.data.transform.CHUNK_ROWS", 7)

    (expected,) = wine.outputs.values()
    assert np.array_equal(wine.predicted(new), expected)
    assert np.array_equal(wine.predicted([new, new])[:45], expected)


def test_evaluation_of_raw_rows_gives_the_scores_of_the_test_part(wine: Trained, tmp_path: Path) -> None:
    assert wine.evaluated(wine.write(tmp_path / "new.csv", wine.rows)) == wine.scores


def test_columns_more_and_in_another_order_change_nothing(wine: Trained, tmp_path: Path) -> None:
    names = sorted(wine.rows.columns, reverse=True)
    frame = wine.rows.select(pl.lit("x").alias("input"), *names, pl.lit("").alias("#1"))

    (expected,) = wine.outputs.values()
    new = wine.write(tmp_path / "new.csv", frame)
    assert np.array_equal(wine.predicted(new), expected)
    assert wine.evaluated(new) == wine.scores


def test_classes_in_any_order_and_some_of_them_are_scored_as_they_were(wine: Trained, tmp_path: Path) -> None:
    one = wine.rows.filter(pl.col("cultivar") == wine.rows["cultivar"][-1])
    (outputs,) = wine.outputs.values()
    indices = np.flatnonzero(wine.rows["cultivar"] == wine.rows["cultivar"][-1])
    label = (wine.data.class_names or ()).index(str(wine.rows["cultivar"][-1]))

    found = wine.evaluated(wine.write(tmp_path / "one.csv", one))

    assert found["accuracy"] == pytest.approx((outputs[indices].argmax(axis=1) == label).mean())
    assert found["loss"] == pytest.approx(-np.log(outputs[indices, label]).mean(), rel=1e-5)
    backwards = wine.evaluated(wine.write(tmp_path / "back.csv", wine.rows.reverse()))
    assert backwards == pytest.approx(wine.scores)


def test_new_rows_that_cannot_be_scored_are_refused(wine: Trained, tmp_path: Path) -> None:
    strange = wine.rows.with_columns(pl.lit("rosé").alias("cultivar"))
    with pytest.raises(DataError, match=r"row 1 \(line 2\).*'rosé'"):
        wine.evaluated(wine.write(tmp_path / "new.csv", strange))
    other = wine.rows.with_columns(pl.lit("17").alias("cultivar"))
    with pytest.raises(
        DataError, match=r"new.csv, row 1 \(line 2\): .*17.* is no class of the target 'cultivar'"
    ):
        wine.evaluated(wine.write(tmp_path / "new.csv", other))
    with pytest.raises(DataError, match=r"there is no column 'cultivar'"):
        wine.evaluated(wine.write(tmp_path / "new.csv", wine.rows.drop("cultivar")))
    with pytest.raises(DataError, match=r"there is no column 'ash'; did you mean"):
        wine.predicted(wine.write(tmp_path / "new.csv", wine.rows.rename({"ash": "ashes"})))


def test_several_inputs_of_every_kind_give_the_same_on_raw_rows(houses: Trained, tmp_path: Path) -> None:
    (expected,) = houses.outputs.values()
    new = houses.write(tmp_path / "new.parquet", houses.rows.drop("price", "id"))

    assert expected.shape == (45, 1)
    assert np.array_equal(houses.predicted(new), expected)
    assert houses.evaluated(houses.write(tmp_path / "all.parquet", houses.rows)) == houses.scores


def test_run_that_was_not_trained_on_files_refuses_files(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(
        "data: {source: {xor: {}}}\nmodel: {layers: [{Dense: {units: 1}}]}\ntraining: {loss: mse, epochs: 1}\n"
    )
    run, _ = experiment.train(tmp_path / "x.yaml", display=Quiet(), runs_dir=tmp_path / "runs")

    with pytest.raises(RunError, match="was not trained on files of the user's own"):
        inference.predict_files(str(run.path), "new.csv", display=Quiet())


SPEC = """
data: {source: {csv: {path: t.csv, target: y}}}
model: {layers: [{Dense: {units: 2, activation: softmax}}]}
training: {loss: sparse_categorical_crossentropy, epochs: 1}
"""


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = Starter(tmp_path_factory.mktemp("commands"))
    yield made
    made.close()


def run_with(starter: Starter, folder: Path, content: str | bytes, *arguments: str) -> Done:
    (folder / "x.yaml").write_text(SPEC)
    (folder / "t.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    return starter.run("train", "x.yaml", *arguments, cwd=folder)


ROWS = "".join(f"{index},{'uv'[index % 2]}\n" for index in range(30))

BAD: dict[str, tuple[str | bytes, str]] = {
    "text": (f"a,y\n{ROWS}x,u\n", "row 31 (line 32), column 'a': expected a number, found 'x'"),
    "ragged": (f"a,y\n{ROWS}1\n", "row 31 (line 32): expected 2 values as in the first line, found 1"),
    "latin1": (f"ä,y\n{ROWS}".encode("latin1"), "line 1: the byte 0xe4 is not utf8"),
    "infinite": (f"a,y\n{ROWS}inf,u\n", "row 31 (line 32), column 'a': the value is infinite"),
    "lonely": (f"a,y\n{ROWS}1,w\n", "the class 'w' has one example only, row 31"),
    "hostile": ("a\x1b[31m,z\n1,2\n", "there is no column 'y'; there are a\\x1b[31m, z"),
    "binary": (bytes(range(256)) * 9, "holds zero bytes; expected text"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_table_ends_the_command_with_3_and_leaves_no_run(
    case: str, starter: Starter, tmp_path: Path
) -> None:
    content, expected = BAD[case]

    done = run_with(starter, tmp_path, content)

    assert done.code == 3
    assert expected in done.messages.replace("\n", " ")
    assert done.output == ""
    for unwanted in ("Traceback", "bug", "\x1b[31m"):
        assert unwanted not in done.messages
    assert not list(tmp_path.glob("runs/*"))


def test_wrong_specification_of_a_table_ends_the_command_with_2(starter: Starter, tmp_path: Path) -> None:
    done = run_with(starter, tmp_path, f"a,y\n{ROWS}", "data.source.csv.separator=;;")

    assert done.code == 2
    assert (
        "data.source.csv.separator: expected text of at most 1 characters; found ';;' (text)" in done.messages
    )


def test_strange_column_names_are_trained_and_predicted_from(starter: Starter, tmp_path: Path) -> None:
    header = '"input","#1","größe in m²","a ""b""",[/red],y\n'
    rows = "".join(
        f"{index},{index % 5},{index % 7}.5,{index % 3},1,{'uv'[index % 2]}\n" for index in range(40)
    )

    assert run_with(starter, tmp_path, header + rows, "--quiet").code == 0
    done = starter.run("predict", "latest", "t.csv", "--json", cwd=tmp_path)

    assert done.code == 0, done.messages
    assert len(done.output.splitlines()) == 40
