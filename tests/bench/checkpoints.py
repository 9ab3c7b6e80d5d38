"""What checkpoints cost: the share of the training time that is spent on them.

    NNRUN_DATA_DIR=... python tests/bench/checkpoints.py [CONFIG ...]

Each configuration is trained in a process of its own, where the writing of checkpoints is timed from within: on noisy
machines two whole trainings differ by more than a checkpoint takes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any

CONFIGS = Path(__file__).parents[2] / "configs"


def measure(config: Path, results: Any) -> None:
    """Train, and put (checkpoints, seconds on them, seconds in all) into a queue."""
    from nnrun import experiment
    from nnrun.cli.display import QuietDisplay
    from nnrun.training.record import Recorder

    spent = []
    checkpoint = Recorder._checkpoint

    def timed(self: Recorder) -> None:
        began = time.perf_counter()
        checkpoint(self)
        spent.append(time.perf_counter() - began)

    Recorder._checkpoint = timed  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        run, _ = experiment.train(config, display=QuietDisplay(), runs_dir=Path(folder))
        results.put((len(spent), sum(spent), (run.result() or {})["seconds"]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("configs", nargs="*", type=Path, help="default: the MNIST configurations")
    context = multiprocessing.get_context("spawn")
    for config in parser.parse_args().configs or sorted(CONFIGS.glob("mnist*.yaml")):
        results = context.Queue()
        process = context.Process(target=measure, args=(config, results))
        process.start()
        count, spent, whole = results.get()
        process.join()
        print(f"{config.stem:20} {count} checkpoints, {spent:.3f} s of {whole:.2f} s: {spent / whole:.2%}")


if __name__ == "__main__":
    main()
