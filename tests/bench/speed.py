"""Plain Keras ``fit`` and nnrun side by side: seconds for an epoch of the same work, and their ratio.

    python tests/bench/speed.py [--rounds 3] [workload ...]

Each workload runs in two processes, one for each, that take turns: A B A B ... Both see the same arrays, batch size
and model; neither draws anything on the screen. A round is a whole training; its first epoch, which includes the
compilation, is shown apart. These machines are noisy: look at the ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


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
        MLP.format(units=10), 60_000, 32, 4, "mnist", "sparse_categorical_crossentropy", 8.0
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


def keras_rounds(work: Workload) -> Any:
    """A function that trains once with plain Keras and returns the seconds of each epoch."""
    import keras
    import yaml

    arrays = make_arrays(work)
    x, y = arrays["x_train"], arrays["y_train"]
    if x.dtype == np.uint8:
        x = x.astype("float32") / 255

    class Clock(keras.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            self.seconds: list[float] = []

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.started = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.seconds.append(time.perf_counter() - self.started)

    def layer(item: Any) -> Any:
        name, arguments = (item, {}) if isinstance(item, str) else next(iter(item.items()))
        return getattr(keras.layers, name)(**arguments)

    def train() -> list[float]:
        keras.utils.clear_session()
        model = keras.Sequential([keras.Input(x.shape[1:]), *map(layer, yaml.safe_load(work.layers))])
        model.compile("adam", work.loss, metrics=["accuracy"])
        clock = Clock()
        model.fit(x, y, batch_size=work.batch_size, epochs=work.epochs, callbacks=[clock], verbose=0)
        return clock.seconds

    return train


def nnrun_rounds(work: Workload, folder: Path) -> Any:
    """A function that trains once with nnrun, run directory and all, and returns the seconds of each epoch."""
    from nnrun import experiment
    from nnrun.cli.display import QuietDisplay

    arguments = "{imdb: {num_words: 5000, maxlen: 80}}" if work.source == "imdb" else work.source
    specification = folder / "bench.yaml"
    specification.write_text(
        f"data: {{source: {arguments}}}\nmodel: {{layers: {work.layers}}}\n"
        f"training: {{loss: {work.loss}, optimizer: adam, metrics: [accuracy], "
        f"epochs: {work.epochs}, batch_size: {work.batch_size}}}\n"
    )
    if work.source != "xor":
        np.savez(folder / f"{work.source}.npz", **make_arrays(work))
        os.environ["NNRUN_DATA_DIR"] = str(folder)

    class Silent(QuietDisplay):
        def on_result(self, run: Any, result: Any) -> None:
            pass

    def train() -> list[float]:
        run, _ = experiment.train(specification, display=Silent(), runs_dir=folder / "runs")
        return [row["seconds"] for row in run.rows()]

    return train


def work_on_command(name: str, side: str) -> None:
    """Train once for every line on standard input, and answer with the seconds of the epochs."""
    work = WORKLOADS[name]
    with tempfile.TemporaryDirectory() as folder:
        train = keras_rounds(work) if side == "keras" else nnrun_rounds(work, Path(folder))
        for _ in sys.stdin:
            print(json.dumps(train()), flush=True)


def start(name: str, side: str) -> subprocess.Popen[str]:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.Popen(
        [sys.executable, __file__, "--worker", side, name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )


def measure(name: str, rounds: int) -> dict[str, Any]:
    """Run both sides in turns."""
    sides = {side: start(name, side) for side in ("keras", "nnrun")}
    first: dict[str, list[float]] = {side: [] for side in sides}
    steady: dict[str, list[float]] = {side: [] for side in sides}
    ratios = []
    for _ in range(rounds):
        for side, process in sides.items():
            assert process.stdin and process.stdout
            process.stdin.write("train\n")
            process.stdin.flush()
            seconds = json.loads(process.stdout.readline())
            first[side].append(seconds[0])
            steady[side].append(statistics.median(seconds[1:]))
        ratios.append(steady["keras"][-1] / steady["nnrun"][-1])
    for process in sides.values():
        process.communicate()
    return {
        "workload": name,
        **{f"{side}_seconds": statistics.median(steady[side]) for side in sides},
        **{f"{side}_first_epoch": statistics.median(first[side]) for side in sides},
        "ratio": statistics.median(ratios),
        "lowest": min(ratios),
        "highest": max(ratios),
        "target": WORKLOADS[name].target,
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("workloads", nargs="*", help="beginnings of the names of workloads; default: all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worker", choices=("keras", "nnrun"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work_on_command(options.workloads[0], options.worker)
        return 0
    names = [name for name in WORKLOADS if not options.workloads or name.startswith(tuple(options.workloads))]
    print(
        f"{'seconds per epoch':42} {'Keras fit':>9} {'nnrun':>9} {'ratio':>7}  (lowest-highest)  promised   first epoch"
    )
    missed = 0
    for name in names:
        found = measure(name, options.rounds)
        missed += found["ratio"] < found["target"]
        print(
            f"{name:42} {found['keras_seconds']:9.4f} {found['nnrun_seconds']:9.4f} {found['ratio']:6.2f}x  "
            f"({found['lowest']:.2f}-{found['highest']:.2f})  {found['target']:>6.1f}x   "
            f"{found['keras_first_epoch']:.2f} / {found['nnrun_first_epoch']:.2f}",
            flush=True,
        )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
