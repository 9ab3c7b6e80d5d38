"""The comparison of speeds: what is counted, what follows from the rounds, and one real comparison."""

from __future__ import annotations

import json
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from nnrun.bench.result import changes_since, differences, read_result
from nnrun.bench.torch_sides import missing_package
from nnrun.bench.turns import Process
from nnrun.bench.work import FIT, LIGHTNING, NNRUN, TORCH
from nnrun.errors import NnrunError, ResourceError, RunError

SIDES = {
    "fit": {"ratio": 1.0, "lowest": 1.0, "highest": 1.0},
    "nnrun": {"ratio": 4.0, "lowest": 3.5, "highest": 4.5},
}
EARLIER: dict[str, Any] = {
    "format": 1,
    "digest": "sha256:1",
    "sides": SIDES,
    "machine": {"processor": "one", "usable_cores": 2},
    "versions": {"tensorflow": "2.20.0"},
    "work": {"trained_examples": 100, "jit_compile": False},
}


def later(**ratio: float) -> dict[str, Any]:
    found = deepcopy(EARLIER)
    found["sides"]["nnrun"] = ratio
    return found


@pytest.mark.parametrize(
    ("ratio", "percent", "is_noise"),
    [
        ({"ratio": 6.0, "lowest": 5.0, "highest": 7.0}, 50, False),
        ({"ratio": 2.0, "lowest": 1.5, "highest": 3.0}, -50, False),
        ({"ratio": 5.0, "lowest": 4.4, "highest": 6.0}, 25, True),
    ],
)
def test_change_since_an_earlier_result_counts_where_the_rounds_do_not_overlap(
    ratio: dict[str, float], percent: float, is_noise: bool
) -> None:
    (change,) = changes_since(EARLIER, later(**ratio))

    assert (change.label, change.is_noise) == ("nnrun", is_noise)
    assert change.percent == pytest.approx(percent)


def test_earlier_result_of_another_machine_says_what_differs() -> None:
    now = deepcopy(EARLIER)
    now["machine"]["processor"] = "two"
    now["versions"]["tensorflow"] = "2.21.0"
    now["digest"] = "sha256:2"

    assert differences(EARLIER, now) == [
        "another specification",
        "processor one, now two",
        "TensorFlow 2.20.0, now 2.21.0",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        "nothing",
        json.dumps(EARLIER | {"format": 2}),
        json.dumps(EARLIER | {"sides": {"fit": {"ratio": "x", "lowest": 1, "highest": 1}}}),
        json.dumps(EARLIER | {"sides": {"fit": 3}}),
    ],
)
def test_file_that_is_no_result_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    path.write_text(text)

    with pytest.raises(RunError, match=r"old\.json"):
        read_result(path)


def test_result_that_is_not_there_is_refused_with_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not there; --against takes what nnrun bench --output has written"):
        read_result(tmp_path / "old.json")


def test_side_whose_process_is_killed_says_so() -> None:
    process = Process.start(FIT)
    process.popen.kill()
    try:
        with pytest.raises(ResourceError, match="'fit' was killed; the machine may be short of memory"):
            process.get({"memory": True})
    finally:
        process.stop()


@pytest.mark.tensorflow
def test_arithmetic_is_that_of_the_layers_formulas() -> None:
    from nnrun.bench.arithmetic import count_arithmetic
    from nnrun.keras_backend import load_keras

    keras = load_keras()
    layers = keras.layers

    def counted(shape: tuple[int, ...], *parts: Any) -> int:
        found = count_arithmetic(keras.Sequential([keras.Input(shape), *parts]))
        assert found.share == 1
        return found.flops

    assert counted((6,), layers.Dense(4)) == 2 * 6 * 4
    assert counted((5, 6), layers.TimeDistributed(layers.Dense(4))) == 2 * 5 * 6 * 4
    assert counted((8, 8, 3), layers.Conv2D(4, 3)) == 2 * 6 * 6 * 3 * 3 * 3 * 4
    assert counted((8, 8, 3), layers.Conv2DTranspose(4, 3)) == 2 * 8 * 8 * 3 * 3 * 3 * 4
    assert counted((8, 8, 4), layers.Conv2D(4, 3, groups=2)) == 2 * 6 * 6 * 3 * 3 * 2 * 4
    assert counted((7, 5), layers.LSTM(3)) == 2 * 7 * 4 * 3 * (5 + 3)
    assert counted((7, 5), layers.Bidirectional(layers.GRU(3))) == 2 * 2 * 7 * 3 * 3 * (5 + 3)
    assert counted((7,), layers.Embedding(10, 5), layers.Flatten(), layers.Dense(2)) == 2 * 35 * 2
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(3)])
    assert counted((6,), inner, layers.Dense(2)) == 2 * 6 * 3 + 2 * 3 * 2


@pytest.mark.tensorflow
def test_arithmetic_of_shared_and_unknown_layers_is_counted_as_far_as_it_is_known() -> None:
    from nnrun.bench.arithmetic import count_arithmetic
    from nnrun.keras_backend import load_keras

    keras = load_keras()
    shared, inputs = keras.layers.Dense(6), keras.Input((6,))
    twice = count_arithmetic(keras.Model(inputs, shared(shared(inputs))))
    sequence = keras.Input((5, 8))
    attention = keras.layers.MultiHeadAttention(2, 3)
    unknown = keras.layers.EinsumDense("abc,cd->abd", output_shape=(5, 8))
    partly = count_arithmetic(keras.Model(sequence, unknown(attention(sequence, sequence))))

    assert (twice.flops, twice.share) == (2 * 2 * 6 * 6, 1)
    assert partly.flops == 4 * 2 * 5 * 8 * 6 + 2 * 2 * 5 * 5 * 2 * 3
    assert partly.parameters - partly.known == 8 * 8


def bench(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nnrun", "bench", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
    )


def beginnings(output: str) -> list[str]:
    """The first words of the lines under the table."""
    return [line.partition(":")[0].strip() for line in output.splitlines() if ": " in line]


@pytest.mark.tensorflow
def test_comparison_of_a_tiny_training_is_whole_and_its_numbers_agree(
    repository: Path, tmp_path: Path
) -> None:
    earlier = EARLIER | {"digest": "sha256:other"}
    (tmp_path / "old.json").write_text(json.dumps(earlier))

    config = str(repository / "configs/tiny/xor.yaml")
    size = ("--rounds", "1", "--epochs", "6", "--examples", "4")
    done = bench(config, *size, "--output", "new.json", "--against", "old.json", cwd=tmp_path)
    found = json.loads((tmp_path / "new.json").read_text())

    assert done.returncode == 0, done.stderr
    others = [side.label for side in (TORCH, LIGHTNING) if missing_package(side.program) is None]
    assert list(found["sides"]) == ["fit", "fit, 32 steps", *others, "nnrun"]
    assert found["agreement"] == {
        "with": "fit",
        "epochs": 2,
        "same_figures": True,
        "same_weights": True,
        "largest_difference": 0,
    }
    assert [[len(seconds) for seconds in one.values()] for one in found["rounds"]] == [
        [6] * len(found["sides"])
    ]
    assert found["sides"]["fit"]["ratio"] == 1
    assert found["sides"]["nnrun"]["ratio"] > 1
    for side in found["sides"].values():
        assert side["lowest"] <= side["ratio"] <= side["highest"]
        assert side["examples_per_second"] == pytest.approx(4 / side["epoch_seconds"])
        assert side["flops_per_second"] == pytest.approx(3 * 4 * 2 * (2 * 8 + 8) / side["epoch_seconds"])
        assert 0 < side["peak_share"] < 0.01
        assert side["memory"] > 100e6
        assert 0 < side["first_step_seconds"] < 60
    assert beginnings(done.stdout) == [
        "work",
        "rounds",
        "numbers",
        *others,
        "peak",
        "since then",
        "not as then",
    ]
    assert "to the last bit" in done.stdout
    assert "round 1 of 1: nnrun" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("runs"))


@pytest.mark.tensorflow
def test_comparison_that_cannot_train_says_why(tmp_path: Path) -> None:
    process = Process.start(NNRUN)
    config = tmp_path / "far.yaml"
    config.write_text(
        "data: {source: {csv: {path: none.csv, target: y}}}\n"
        "model: {layers: [{Dense: {units: 1}}]}\ntraining: {loss: mse, optimizer: sgd}\n"
    )
    try:
        with pytest.raises(NnrunError, match=r"none\.csv"):
            process.get({"config": str(config), "overrides": [], "code": None, "program": "nnrun"})
    finally:
        process.stop()


WORKS = {
    "convolutions": ("configs/tiny/digits_cnn.yaml", (), "fit"),
    "xla": ("configs/digits.yaml", ("~model.layers.2", "training.epochs=40"), "fit XLA"),
    "recurrent": ("configs/examples/lstm.yaml", (), "fit"),
    "several": ("configs/examples/several_outputs.yaml", (), None),
    "graph": ("configs/tiny/spirals_graph.yaml", (), None),
    "autoencoder": ("configs/examples/autoencoder.yaml", (), None),
    "class_weight": ("configs/tiny/digits_cnn.yaml", ("training.class_weight=balanced",), "fit"),
    "bfloat16": ("configs/tiny/digits_cnn.yaml", ("training.precision=mixed_bfloat16",), None),
}


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize("name", WORKS)
def test_comparison_of_every_kind_of_work_agrees(name: str, repository: Path, tmp_path: Path) -> None:
    config, overrides, same_as = WORKS[name]
    done = bench(
        str(repository / config),
        *overrides,
        *("--rounds", "1", "--epochs", "2", "--examples", "200", "--json"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)

    assert found["agreement"]["same_figures"] and found["agreement"]["same_weights"]
    assert same_as in (None, found["agreement"]["with"])
