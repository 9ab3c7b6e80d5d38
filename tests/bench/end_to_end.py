"""From the start of the process to its exit: ``nnrun train`` against the plain Keras program of the same specification.

    NNRUN_DATA_DIR=... python tests/bench/end_to_end.py [--rounds 2] [CONFIG ...]

The program imports Keras, has the same arrays, model, callbacks, batch size and number of epochs, calls ``fit`` with
its defaults (XLA where Keras decides so), evaluates the test part and saves the model. ``nnrun train`` does all that
and leaves its run with checkpoints, evaluation and report. Both take turns; the fastest time of each counts.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CONFIGS = Path(__file__).parents[2] / "configs"

PROGRAM = """
import sys
from pathlib import Path
import keras
import numpy as np
from nnrun.data.load import load_data
from nnrun.keras_backend import start_session
from nnrun.model.build import build_model
from nnrun.model.compile import compile_model
from nnrun.model.summary import input_shapes
from nnrun.spec.load import load_spec
from nnrun.training.callbacks import make_callbacks
from nnrun.training.feed import label_arrays, target_forms

loaded = load_spec(Path(sys.argv[1]))
spec, training, folder = loaded.spec, loaded.spec.training, Path(sys.argv[2])
data = load_data(spec.data, losses=training.loss, seed=spec.seed, validation_split=training.validation_split,
                 notify=lambda _: None)
start_session(spec.seed)
model = build_model(loaded.model, input_shapes(data.facts), loaded.place)
compile_model(model, training, jit_compile="auto", place=loaded.place)
columns, facts = data.targets.counts(), data.facts
forms = target_forms(model, spec.data.target, training.loss, facts.classes, columns)

def arrays(part):
    x = part.x
    if facts.divisor:
        x = x.astype("float32") / np.float32(facts.divisor)
    labels = label_arrays(part.y, forms, facts.classes, columns)
    y = [x if form == "inputs" else labels[form] for form in forms]
    return x, y if len(y) > 1 else y[0]

callbacks = make_callbacks(training.callbacks, folder, loaded.place, model)
held = None if data.validation is None else arrays(data.validation)
model.fit(*arrays(data.train), batch_size=training.batch_size, epochs=training.epochs, validation_data=held,
          callbacks=callbacks, verbose=2)
if data.test is not None:
    print(model.evaluate(*arrays(data.test), batch_size=training.batch_size, verbose=0))
model.save(folder / "model.keras")
"""


def seconds(command: list[str]) -> float:
    """How long a command takes in a process of its own, from its start to its exit."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    subprocess.run(command, env=variables, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Time the configurations and print a line for each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("configs", nargs="*", type=Path, help="default: all that come with nnrun")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    print(f"{'configuration':32} {'Keras program':>14} {'nnrun train':>12} {'ratio':>7}")
    for config in options.configs or sorted(CONFIGS.rglob("*.yaml")):
        program, ours = [], []
        for _ in range(options.rounds):
            with tempfile.TemporaryDirectory() as folder:
                program.append(seconds([sys.executable, "-c", PROGRAM, str(config), folder]))
                command = [sys.executable, "-m", "nnrun", "train", str(config), "--runs-dir", folder]
                ours.append(seconds(command))
        name = config.stem if config.parent.name == "configs" else f"{config.parent.name}/{config.stem}"
        theirs, mine = min(program), min(ours)
        print(f"{name:32} {theirs:12.1f} s {mine:10.1f} s {theirs / mine:6.2f}x", flush=True)


if __name__ == "__main__":
    main()
