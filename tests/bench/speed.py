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
        data: The data section in YAML.
        layers: The layers in YAML.
        examples: How many.
        batch_size: Examples in a step.
        epochs: In a round.
        loss: The loss.
        target: The ratio that nnrun promises, at least.
    """

    data: str
    layers: str
    examples: int
    batch_size: int
    epochs: int
    loss: str
    target: float


TRAINED_EPOCHS = 200
"""Of a training as users have it, by which nnrun chooses; the rounds are shorter."""

SPARSE, BINARY = "sparse_categorical_crossentropy", "binary_crossentropy"
SOFTMAX = "{Dense: {units: 10, activation: softmax}}"
SIGMOID = "{Dense: {units: 1, activation: sigmoid}}"
IMDB = "{imdb: {num_words: 5000, maxlen: 80}}"
CONVOLUTIONS = (
    "{Reshape: {target_shape: [28, 28, 1]}}, {Conv2D: {filters: 32, kernel_size: 3, activation: relu}}, "
    "MaxPooling2D, {Conv2D: {filters: 64, kernel_size: 3, activation: relu}}, MaxPooling2D, Flatten"
)
CATEGORIES = {"city": 300, "job": 50, "month": 12, "kind": 4}
NUMBERS = [f"n{index}" for index in range(8)]
INPUTS = ", ".join([f"numbers: [{', '.join(NUMBERS)}]", *(f"{name}: [{name}]" for name in CATEGORIES)])
COLUMNS = ", ".join(f"{name}: {{category: {{encode: index}}}}" for name in CATEGORIES)
TABLE = (
    f"{{csv: {{path: table.csv, target: y, test_split: 0, inputs: {{{INPUTS}}}, columns: {{{COLUMNS}}}}}}}"
)
EMBEDDINGS = ", ".join(
    f"{{Embedding: {{inputs: {name}, name: {name}_vector, input_dim: {size + 2}, output_dim: 8}}}}, "
    f"{{Flatten: {{inputs: {name}_vector, name: {name}_flat}}}}"
    for name, size in CATEGORIES.items()
)


def dense(units: int) -> str:
    return f"{{Dense: {{units: {units}, activation: relu}}}}"


WORKLOADS = {
    "MLP 784-10-10, batch 32": Workload(
        "mnist", f"[Flatten, {dense(10)}, {SOFTMAX}]", 60_000, 32, 4, SPARSE, 10.0
    ),
    "MLP 784-512-10, batch 128": Workload(
        "mnist", f"[Flatten, {dense(512)}, {SOFTMAX}]", 60_000, 128, 4, SPARSE, 2.0
    ),
    "MLP 784-512-10 with Dropout, batch 128": Workload(
        "mnist",
        f"[Flatten, {dense(512)}, {{Dropout: {{rate: 0.2}}}}, {SOFTMAX}]",
        60_000,
        128,
        4,
        SPARSE,
        1.0,
    ),
    "MLP 784-2048-2048-10, batch 128": Workload(
        "mnist", f"[Flatten, {dense(2048)}, {dense(2048)}, {SOFTMAX}]", 12_800, 128, 3, SPARSE, 1.2
    ),
    "LSTM 32 on 80 tokens, batch 64": Workload(
        IMDB,
        f"[{{Embedding: {{input_dim: 5000, output_dim: 32}}}}, {{LSTM: {{units: 32}}}}, {SIGMOID}]",
        6_400,
        64,
        10,
        BINARY,
        1.8,
    ),
    "CNN 32-64, batch 128": Workload("mnist", f"[{CONVOLUTIONS}, {SOFTMAX}]", 12_800, 128, 4, SPARSE, 1.1),
    "table with 4 embeddings, batch 256": Workload(
        TABLE,
        f"[{EMBEDDINGS}, {{Concatenate: {{inputs: [numbers, {', '.join(f'{name}_flat' for name in CATEGORIES)}]}}}}, "
        f"{dense(64)}, {dense(32)}, {SIGMOID}]",
        100_000,
        256,
        6,
        BINARY,
        3.0,
    ),
    "XOR, 4 rows": Workload(
        "xor", f"[{{Dense: {{units: 8, activation: tanh}}}}, {SIGMOID}]", 4, 4, 150, BINARY, 8.0
    ),
}


def write_data(work: Workload, folder: Path) -> None:
    """Random data in the form of the workload's source."""
    random, count = np.random.default_rng(0), work.examples
    if work.data == TABLE:
        columns = [np.round(random.normal(size=count), 4).astype(str) for _ in NUMBERS]
        columns += [
            np.char.add(name, random.integers(0, size, count).astype(str))
            for name, size in CATEGORIES.items()
        ]
        columns.append(random.choice(["no", "yes"], count))
        lines = [",".join([*NUMBERS, *CATEGORIES, "y"]), *map(",".join, zip(*columns, strict=True))]
        (folder / "table.csv").write_text("\n".join(lines) + "\n")
    elif work.data == IMDB:
        x = random.integers(3, 5000, (count, 80)).astype("int32")
        y = random.integers(0, 2, count).astype("int32")
        np.savez(folder / "imdb.npz", x_train=x, y_train=y, x_test=x[:100], y_test=y[:100])
    elif work.data == "mnist":
        x = random.integers(0, 256, (count, 28, 28)).astype("uint8")
        y = random.integers(0, 10, count).astype("uint8")
        np.savez(folder / "mnist.npz", x_train=x, y_train=y, x_test=x[:100], y_test=y[:100])


def write_specification(work: Workload, folder: Path) -> Path:
    """The workload as a specification in a folder, with its data beside it."""
    specification = folder / "bench.yaml"
    specification.write_text(
        f"data: {{source: {work.data}}}\nmodel: {{layers: {work.layers}}}\n"
        f"training: {{loss: {work.loss}, optimizer: adam, metrics: [accuracy], "
        f"epochs: {TRAINED_EPOCHS}, batch_size: {work.batch_size}}}\n"
    )
    write_data(work, folder)
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
