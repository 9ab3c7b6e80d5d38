"""Plain Keras ``fit`` and nnrun side by side: seconds for an epoch of the same work, and their ratio.

    python tests/bench/speed.py [--rounds 3] [workload ...]

The fixed workloads of which nnrun promises a ratio, each measured as ``nnrun bench`` measures a specification: in
processes of their own that take turns. These machines are noisy: look at the ratios.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nnrun.bench.result import result_of
from nnrun.bench.turns import Wish, compare
from nnrun.spec.load import load_spec


@dataclass(frozen=True)
class Workload:
    """One piece of work.

    Args:
        layers: The layers in YAML.
        examples: How many.
        batch_size: Examples in a step.
        epochs: In a round.
        source: Which built-in source's format the made data has.
        loss: The loss.
        target: The ratio that nnrun promises, at least.
    """

    layers: str
    examples: int
    batch_size: int
    epochs: int
    source: str
    loss: str
    target: float


MLP = "[Flatten, {{Dense: {{units: {units}, activation: relu}}}}, {{Dense: {{units: 10, activation: softmax}}}}]"
WORKLOADS = {
    "MLP 784-10-10, batch 32": Workload(
        MLP.format(units=10), 60_000, 32, 4, "mnist", "sparse_categorical_crossentropy", 10.0
    ),
    "MLP 784-512-10, batch 128": Workload(
        MLP.format(units=512), 60_000, 128, 4, "mnist", "sparse_categorical_crossentropy", 2.0
    ),
    "MLP 784-512-10 with Dropout, batch 128": Workload(
        "[Flatten, {Dense: {units: 512, activation: relu}}, {Dropout: {rate: 0.2}}, "
        "{Dense: {units: 10, activation: softmax}}]",
        60_000,
        128,
        4,
        "mnist",
        "sparse_categorical_crossentropy",
        1.0,
    ),
    "MLP 784-2048-2048-10, batch 128": Workload(
        "[Flatten, {Dense: {units: 2048, activation: relu}}, {Dense: {units: 2048, activation: relu}}, "
        "{Dense: {units: 10, activation: softmax}}]",
        12_800,
        128,
        3,
        "mnist",
        "sparse_categorical_crossentropy",
        1.0,
    ),
    "LSTM 32 on 80 tokens, batch 64": Workload(
        "[{Embedding: {input_dim: 5000, output_dim: 32}}, {LSTM: {units: 32}}, "
        "{Dense: {units: 1, activation: sigmoid}}]",
        6_400,
        64,
        10,
        "imdb",
        "binary_crossentropy",
        1.8,
    ),
    "CNN 32-64, batch 128": Workload(
        "[{Reshape: {target_shape: [28, 28, 1]}}, {Conv2D: {filters: 32, kernel_size: 3, activation: relu}}, "
        "MaxPooling2D, {Conv2D: {filters: 64, kernel_size: 3, activation: relu}}, MaxPooling2D, Flatten, "
        "{Dense: {units: 10, activation: softmax}}]",
        12_800,
        128,
        4,
        "mnist",
        "sparse_categorical_crossentropy",
        1.1,
    ),
    "XOR, 4 rows": Workload(
        "[{Dense: {units: 8, activation: tanh}}, {Dense: {units: 1, activation: sigmoid}}]",
        4,
        4,
        150,
        "xor",
        "binary_crossentropy",
        8.0,
    ),
}


def make_arrays(work: Workload) -> dict[str, np.ndarray[Any, Any]]:
    """Random data in the form of the workload's source."""
    random = np.random.default_rng(0)
    if work.source == "xor":
        return {
            "x_train": np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32"),
            "y_train": np.array([0, 1, 1, 0]),
        }
    if work.source == "imdb":
        x = random.integers(3, 5000, (work.examples, 80)).astype("int32")
        y = random.integers(0, 2, work.examples).astype("int32")
    else:
        x = random.integers(0, 256, (work.examples, 28, 28)).astype("uint8")
        y = random.integers(0, 10, work.examples).astype("uint8")
    return {"x_train": x, "y_train": y, "x_test": x[:100], "y_test": y[:100]}


def write_specification(work: Workload, folder: Path) -> Path:
    """The workload as a specification in a folder, with its data beside it."""
    arguments = "{imdb: {num_words: 5000, maxlen: 80}}" if work.source == "imdb" else work.source
    specification = folder / "bench.yaml"
    specification.write_text(
        f"data: {{source: {arguments}}}\nmodel: {{layers: {work.layers}}}\n"
        f"training: {{loss: {work.loss}, optimizer: adam, metrics: [accuracy], "
        f"epochs: {work.epochs}, batch_size: {work.batch_size}}}\n"
    )
    if work.source != "xor":
        np.savez(folder / f"{work.source}.npz", **make_arrays(work))
    return specification


def measure(work: Workload, rounds: int) -> dict[str, Any]:
    """What ``nnrun bench`` finds."""
    with tempfile.TemporaryDirectory() as folder:
        specification = write_specification(work, Path(folder))
        os.environ["NNRUN_DATA_DIR"] = folder
        wish = Wish(specification, rounds=rounds, epochs=work.epochs, examples=work.examples)
        return result_of(wish, load_spec(specification), compare(wish, lambda _: None))


def line(name: str, work: Workload, found: dict[str, Any]) -> str:
    """A workload in one line."""
    fit, nnrun = found["sides"]["fit"], found["sides"]["nnrun"]
    agreement = found["agreement"]
    same = "same bits" if agreement["same_figures"] and agreement["same_weights"] else "OTHER NUMBERS"
    return (
        f"{name:42} {fit['epoch_seconds']:9.4f} {nnrun['epoch_seconds']:9.4f} {nnrun['ratio']:6.2f}x  "
        f"({nnrun['lowest']:.2f}-{nnrun['highest']:.2f})  {work.target:>6.1f}x   "
        f"{fit['first_epoch_seconds']:.2f} / {nnrun['first_epoch_seconds']:.2f}   {same}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("workloads", nargs="*", help="beginnings of the names of workloads; default: all")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    names = [name for name in WORKLOADS if not options.workloads or name.startswith(tuple(options.workloads))]
    print(
        f"{'seconds per epoch':42} {'Keras fit':>9} {'nnrun':>9} {'ratio':>7}  (lowest-highest)  promised   first epoch"
    )
    missed = 0
    for name in names:
        found = measure(WORKLOADS[name], options.rounds)
        missed += found["sides"]["nnrun"]["ratio"] < WORKLOADS[name].target
        print(line(name, WORKLOADS[name], found), flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
